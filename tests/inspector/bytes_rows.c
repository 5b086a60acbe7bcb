/* Prints what inspector/src/bytes tells of a recording: questions are lines of standard input, answers are
 * lines of JSON, each question's ended by a dot.  Numbers are hexadecimal.
 *
 *     ask LINK                        state and reason
 *     read LINK ADDRESS SIZE          bytes
 *     hex | code | intel LINK ADDRESS SIZE
 *     within LINK ADDRESS SIZE        the instructions there of the whole segment's
 *     name LINK ADDRESS
 *     facts | rules LINK ADDRESS      of a record of .eh_frame
 *     arguments LINK ACTION
 *     compare LINK ADDRESS SIZE       with the process that was made up; then a line with counts
 *     poke ADDRESS BYTE               from then on a process is made up that has what the recording says but
 * this hide ADDRESS SIZE               ... and does not let these be read
 */
#include "bytes/arguments.h"
#include "bytes/cfi.h"
#include "bytes/code.h"
#include "bytes/compare.h"
#include "bytes/hex.h"
#include "mirror/views.h"
#include "trace/recording_follow.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_POKES = 64 };

struct process {
    struct contents *contents;
    uint32_t link, count;
    struct {
        uint64_t address, size;
        bool hidden;
        uint8_t byte;
    } pokes[MOST_POKES];
};

static bool read_process(void *context, uint64_t address, void *to, uint64_t size) {
    struct process *process = context;
    uint8_t *bytes = to;
    if (!contents_read(process->contents, process->link, address, to, size))
        return false;
    for (uint32_t i = 0; i < process->count; i++)
        for (uint64_t at = 0; at < size; at++) {
            if (address + at - process->pokes[i].address >= process->pokes[i].size)
                continue;
            if (process->pokes[i].hidden)
                return false;
            bytes[at] = process->pokes[i].byte;
        }
    return true;
}

static void must(struct jitscope_error *error) {
    if (!error)
        return;
    fprintf(stderr, "%s\n", jitscope_error_message(error));
    exit(1);
}

static void print_cell(struct text *out, const struct column *column, const struct cell *cell) {
    text_print(out, "\"%s\": ", column->name);
    if (cell->absent)
        text_append(out, "null");
    else if (column->type == CELL_TEXT || column->type == CELL_CODE) {
        text_append(out, "\"");
        text_append_json(out, cell->text, cell->length);
        text_append(out, "\"");
    } else
        text_print(out, "%" PRIu64, cell->number);
}

static void print_rows(struct rows *rows) {
    for (uint32_t i = 0; i < rows_count(rows); i++) {
        struct text line = {0};
        for (uint32_t c = 0; c < rows->column_count; c++) {
            text_append(&line, c ? ", " : "{");
            print_cell(&line, &rows->columns[c], &rows->cells.data[i * rows->column_count + c]);
        }
        printf("%s}\n", line.data);
        text_destroy(&line);
    }
    rows_destroy(rows);
}

static void print_hex(const struct look *look) {
    struct rows rows = {.columns = hex_columns, .column_count = hex_column_count};
    for (uint64_t i = 0; i < hex_row_count(look); i++)
        must(hex_cells(look, i, &rows));
    print_rows(&rows);
}

static void print_code(const struct look *look, enum code_syntax syntax) {
    struct rows rows = {.columns = code_columns, .column_count = code_column_count};
    struct code *code;
    bool made;
    must(code_create(look, syntax, &code));
    for (uint64_t i = 0; i < code_candidates(code); i++)
        must(code_cells(code, i, &rows, &made));
    print_rows(&rows);
    code_destroy(code);
}

static void print_code_within(const struct look *look) {
    struct rows rows = {.columns = code_columns, .column_count = code_column_count};
    struct content_segment segment = {0};
    struct look whole = *look;
    struct code *code;
    bool made;
    if (!contents_segment_at(look->contents, look->link, look->start, &segment))
        return;
    whole.start = segment.address;
    whole.size = segment.size;
    must(code_create(&whole, CODE_ATT, &code));
    uint64_t first = code_candidate_of(code, look->start);
    for (uint64_t i = first; i < 2 * (look->start + look->size - segment.address); i++)
        must(code_cells(code, i, &rows, &made));
    print_rows(&rows);
    code_destroy(code);
}

static void print_facts(const struct look *look) {
    struct rows rows = {.columns = cfi_fact_columns, .column_count = cfi_fact_column_count};
    must(cfi_facts(look, look->start, &rows));
    print_rows(&rows);
}

static void print_rules(const struct look *look) {
    struct rows rows = {.columns = cfi_rule_columns, .column_count = cfi_rule_column_count};
    must(cfi_rules_of(look, look->start, &rows));
    print_rows(&rows);
}

static void print_arguments(const struct look *look) {
    struct rows rows = {.columns = argument_columns, .column_count = argument_column_count};
    must(arguments_rows(look, (uint32_t)look->start, &rows));
    print_rows(&rows);
}

static void print_differences(const struct look *look) {
    struct rows rows = {.columns = difference_columns, .column_count = difference_column_count};
    struct differences differences = {.at = look->start};
    while (differences.at < look->start + look->size)
        must(compare_some(look, &differences, 10000));
    for (uint32_t i = 0; i < differences.list.count; i++)
        must(difference_cells(look, &differences.list.data[i], &rows));
    print_rows(&rows);
    printf("{\"alarming\": %" PRIu64 ", \"unread\": %" PRIu64 "}\n", differences.alarming,
           differences.unread);
    differences_destroy(&differences);
}

static void print_bytes(const struct look *look) {
    uint8_t *bytes = malloc(look->size + 1);
    bool known = bytes && contents_read(look->contents, look->link, look->start, bytes, look->size);
    printf("{\"bytes\": \"");
    for (uint64_t i = 0; known && i < look->size; i++)
        printf("%02x", bytes[i]);
    printf("\"}\n");
    free(bytes);
}

static void print_text(const char *what, struct text *text) {
    struct text line = {0};
    text_append_json(&line, text->data ? text->data : "", text->length);
    printf("{\"%s\": \"%s\"}\n", what, line.data ? line.data : "");
    text_destroy(&line);
    text_destroy(text);
}

static void print_state(struct contents *contents, enum contents_state state) {
    static const char *const states[] = {"ready", "working", "never"};
    struct text reason = {0};
    printf("{\"state\": \"%s\"}\n", states[state]);
    text_append(&reason, state == CONTENTS_NEVER ? contents_reason(contents) : "");
    print_text("reason", &reason);
}

static void answer(struct process *process, const char *what, uint64_t a, uint64_t b, uint64_t c) {
    struct look look = {.contents = process->contents, .link = (uint32_t)a, .start = b, .size = c};
    struct text name = {0};
    process->link = look.link;
    if (process->count) {
        look.read = read_process;
        look.context = process;
    }
    if (!strcmp(what, "ask"))
        print_state(process->contents, contents_wait(process->contents, look.link));
    else if (!strcmp(what, "read"))
        print_bytes(&look);
    else if (!strcmp(what, "hex"))
        print_hex(&look);
    else if (!strcmp(what, "within"))
        print_code_within(&look);
    else if (!strcmp(what, "code") || !strcmp(what, "intel"))
        print_code(&look, what[0] == 'c' ? CODE_ATT : CODE_INTEL);
    else if (!strcmp(what, "arguments"))
        print_arguments(&look);
    else if (!strcmp(what, "compare"))
        print_differences(&look);
    else if (!strcmp(what, "facts"))
        print_facts(&look);
    else if (!strcmp(what, "rules"))
        print_rules(&look);
    else if (!strcmp(what, "lines"))
        print_state(process->contents, contents_wait_for_lines(process->contents, look.link));
    else if (!strcmp(what, "name")) {
        contents_name(process->contents, look.link, b, &name);
        print_text("name", &name);
    }
}

static void poke(struct process *process, const char *what, uint64_t a, uint64_t b) {
    bool hidden = !strcmp(what, "hide");
    if (process->count == MOST_POKES)
        exit(1);
    process->pokes[process->count].address = a;
    process->pokes[process->count].hidden = hidden;
    process->pokes[process->count].size = hidden ? b : 1;
    process->pokes[process->count++].byte = (uint8_t)b;
}

static struct recording_file followed;

static void refresh(bool writer_is_gone) {
    if (writer_is_gone)
        recording_writer_is_gone(&followed);
    for (bool more = true; more;)
        must(recording_refresh(&followed, &more));
}

/* Two files are enough: a child that still reads one has it to itself. */
static void renew(struct process *process, const char *path) {
    static struct recording_file files[2];
    static uint32_t opened;
    struct recording_file *file = &files[opened++ % 2];
    if (opened > 2)
        recording_close(file);
    must(recording_open(path, file));
    if (process->contents)
        contents_renew(process->contents, file);
    else
        must(contents_create(file, &process->contents));
}

int main(int count, char **words) {
    struct process process = {0};
    char line[256], what[16];
    bool follows = count == 3 && !strcmp(words[1], "--follow");
    if (count != 2 && !follows)
        return 2;
    if (follows) {
        must(recording_open_followed(words[2], &followed));
        must(contents_create(&followed, &process.contents));
    } else {
        renew(&process, words[1]);
    }
    while (fgets(line, sizeof line, stdin)) {
        uint64_t a = 0, b = 0, c = 0;
        if (sscanf(line, "%15s %" SCNx64 " %" SCNx64 " %" SCNx64, what, &a, &b, &c) < 1)
            break;
        if (!strcmp(what, "poke") || !strcmp(what, "hide"))
            poke(&process, what, a, b);
        else if (!strcmp(what, "restore"))
            process.count = 0;
        else if (!strcmp(what, "refresh") || !strcmp(what, "writer-is-gone"))
            refresh(what[0] == 'w');
        else if (!strcmp(what, "renew"))
            renew(&process, words[1]);
        else
            answer(&process, what, a, b, c);
        printf(".\n");
        fflush(stdout);
    }
    contents_destroy(process.contents);
    return 0;
}
