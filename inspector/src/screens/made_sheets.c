/* Screens of few rows, which are made all at once: a record of .eh_frame, the arguments of an action, what
 * differs in memory. */
#include "screens/memory.h"

#include "bytes/arguments.h"
#include "bytes/cfi.h"
#include "bytes/compare.h"

#include <string.h>

struct made {
    struct look look;
    bool is_ready; /* LOOK is */
    struct rows rows;
};

static struct jitscope_error *make_ready(struct sheet *sheet, const struct column *columns, uint32_t count,
                                         struct made **out) {
    struct made *made = sheet->own;
    sheet->columns = columns;
    sheet->column_count = count;
    if (!made && !(made = sheet->own = os_allocate_zeroed(sizeof *made)))
        return error_no_memory();
    if (!made->is_ready)
        TRY(memory_look(sheet, &made->look));
    made->is_ready = true;
    made->look.read = inspected_reader(sheet->inspected); /* none when the process has ended */
    made->rows.columns = columns;
    made->rows.column_count = count;
    made->rows.cells.count = 0;
    arena_destroy(&made->rows.arena);
    memory_ask(sheet, &made->look);
    *out = made;
    return NULL;
}

static void close_made(struct sheet *sheet) {
    struct made *made = sheet->own;
    if (made)
        rows_destroy(&made->rows);
    os_release(made);
}

static bool made_row(struct sheet *sheet, uint64_t number, struct row *row) {
    const struct made *made = sheet->own;
    if (number >= sheet->count)
        return false;
    return row_copy(row, made->rows.cells.data + number * sheet->column_count, sheet->column_count);
}

static int descriptor(const struct sheet *sheet) {
    const struct made *made = sheet->own;
    return contents_descriptor(made->look.contents);
}

/* --- a record of .eh_frame: what it says of itself, then the rows it stands for
 * ------------------------------------------------------------------------------------------------- */

static const struct column frame_columns[] = {
    {"address", CELL_ADDRESS}, {"end", CELL_ADDRESS}, {"what", CELL_TEXT}, {"value", CELL_TEXT}};

static const struct cell *cell_of(const struct rows *rows, uint32_t row, uint32_t column) {
    return &rows->cells.data[(size_t)row * rows->column_count + column];
}

/* what, address, value */
static struct jitscope_error *take_facts(struct rows *to, const struct rows *facts) {
    for (uint32_t i = 0; i < rows_count(facts); i++) {
        struct row row;
        const struct cell cells[] = {*cell_of(facts, i, 1),
                                     {.absent = true, .text = ""},
                                     *cell_of(facts, i, 0),
                                     *cell_of(facts, i, 2)};
        TRY(row_begin(to, &row));
        row_copy(&row, cells, 4);
    }
    return NULL;
}

/* address, end, cfa, registers */
static struct jitscope_error *take_rules(struct rows *to, const struct rows *rules) {
    for (uint32_t i = 0; i < rows_count(rules); i++) {
        struct row row;
        const struct cell *from = cell_of(rules, i, 0);
        struct cell cells[] = {from[0], from[1], from[2], from[3]};
        TRY(row_begin(to, &row));
        row_copy(&row, cells, 4);
        row.next = 2;
        row_print(&row, "CFA = %.*s", (int)from[2].length, from[2].text);
    }
    return NULL;
}

static struct jitscope_error *refresh_frame(struct sheet *sheet) {
    struct made *made;
    struct rows facts = {.columns = cfi_fact_columns, .column_count = cfi_fact_column_count};
    struct rows rules = {.columns = cfi_rule_columns, .column_count = cfi_rule_column_count};
    TRY(make_ready(sheet, frame_columns, sizeof frame_columns / sizeof *frame_columns, &made));
    struct jitscope_error *error = cfi_facts(&made->look, sheet->question.address, &facts);
    if (!error)
        error = cfi_rules_of(&made->look, sheet->question.address, &rules);
    if (!error)
        error = take_facts(&made->rows, &facts);
    if (!error)
        error = take_rules(&made->rows, &rules);
    rows_destroy(&facts);
    rows_destroy(&rules);
    sheet->count = rows_count(&made->rows);
    return error;
}

const struct sheet_kind sheet_of_frame = {.refresh = refresh_frame,
                                          .close = close_made,
                                          .row = made_row,
                                          .position = plain_position,
                                          .number = plain_number,
                                          .descriptor = descriptor};

/* --- what an action is called with
 * ------------------------------------------------------------------------------------------------- */

static struct jitscope_error *refresh_arguments(struct sheet *sheet) {
    struct made *made;
    TRY(make_ready(sheet, argument_columns, argument_column_count, &made));
    TRY(arguments_rows(&made->look, sheet->question.number, &made->rows));
    sheet->count = rows_count(&made->rows);
    return NULL;
}

const struct sheet_kind sheet_of_arguments = {.refresh = refresh_arguments,
                                              .close = close_made,
                                              .row = made_row,
                                              .position = plain_position,
                                              .number = plain_number,
                                              .descriptor = descriptor};

/* --- where memory is not what it should be
 * -------------------------------------------------------------------------------------------------
 *
 * Memory changes while it is looked at: all segments are compared again and again.  The first round is waited
 * for; after that the rows are those of the last round that was completed. */

enum { BYTES_PER_SLICE = 1 << 18, SLICE_NS = 16000000, PAUSE_NS = 300000000 };

struct compared {
    struct look look;
    struct differences differences;
};

typedef VEC(struct compared) compared_segments;

struct comparison {
    compared_segments shown, going_on;
    uint32_t at; /* segment of the round that goes on */
    bool is_shown, goes_on;
    struct rows cell_rows;
};

static void forget_round(compared_segments *segments) {
    for (uint32_t i = 0; i < segments->count; i++)
        differences_destroy(&segments->data[i].differences);
    vec_destroy(segments);
}

static struct jitscope_error *begin_round(const struct sheet *sheet, struct comparison *comparison) {
    const struct mirror *mirror = &sheet->inspected->mirror;
    forget_round(&comparison->going_on);
    comparison->at = 0;
    comparison->goes_on = true;
    for (uint32_t i = 0; i < mirror->placements.count; i++) {
        const struct mirror_placement *placement = &mirror->placements.data[i];
        if (sheet->question.link != ALL_LINKS && sheet->question.link != placement->link)
            continue;
        if (mirror_life(mirror, placement->link).unloaded || placement->lifetime != LIFETIME_STANDARD)
            continue;
        struct compared compared = {.look = {.contents = sheet->inspected->contents,
                                             .link = placement->link,
                                             .start = placement->address,
                                             .size = placement->size,
                                             .read = inspected_reader(sheet->inspected),
                                             .context = sheet->inspected}};
        compared.differences.at = placement->address;
        TRY(vec_push(&comparison->going_on, compared));
    }
    return NULL;
}

/* Goes on comparing the segment whose turn it is. */
static struct jitscope_error *compare_more(struct sheet *sheet, struct comparison *comparison) {
    struct compared *compared = &comparison->going_on.data[comparison->at];
    enum contents_state state = contents_ask(compared->look.contents, compared->look.link);
    if (state == CONTENTS_WORKING)
        return NULL;
    if (state == CONTENTS_NEVER) {
        sheet->remark = contents_reason(compared->look.contents);
        comparison->at++;
        return NULL;
    }
    TRY(compare_some(&compared->look, &compared->differences, BYTES_PER_SLICE));
    if (compared->differences.at >= compared->look.start + compared->look.size)
        comparison->at++;
    return NULL;
}

static void end_round(struct comparison *comparison) {
    forget_round(&comparison->shown);
    comparison->shown = comparison->going_on;
    comparison->going_on = (compared_segments){0};
    comparison->is_shown = true;
    comparison->goes_on = false;
}

static struct jitscope_error *compare_on(struct sheet *sheet, struct comparison *comparison) {
    if (!comparison->goes_on && os_time_ns() >= sheet->due)
        TRY(begin_round(sheet, comparison));
    if (!comparison->goes_on)
        return NULL;
    if (comparison->at < comparison->going_on.count)
        TRY(compare_more(sheet, comparison));
    if (comparison->at == comparison->going_on.count)
        end_round(comparison);
    sheet->due = os_time_ns() + (comparison->goes_on ? SLICE_NS : PAUSE_NS);
    return NULL;
}

static struct jitscope_error *refresh_differences(struct sheet *sheet) {
    struct comparison *comparison = sheet->own;
    sheet->columns = difference_columns;
    sheet->column_count = difference_column_count;
    if (!sheet->inspected->is_alive) { /* what was seen last stays */
        sheet->remark = "memory is compared in running processes: --pid";
        sheet->is_waiting = false;
        sheet->due = 0;
        return NULL;
    }
    if (!comparison && !(comparison = sheet->own = os_allocate_zeroed(sizeof *comparison)))
        return error_no_memory();
    TRY(compare_on(sheet, comparison));
    sheet->is_waiting = !comparison->is_shown;
    sheet->count = 0;
    for (uint32_t i = 0; i < comparison->shown.count; i++)
        sheet->count += comparison->shown.data[i].differences.list.count;
    return NULL;
}

static bool difference_row(struct sheet *sheet, uint64_t number, struct row *row) {
    struct comparison *comparison = sheet->own;
    uint32_t i = 0;
    if (number >= sheet->count)
        return false;
    while (number >= comparison->shown.data[i].differences.list.count)
        number -= comparison->shown.data[i++].differences.list.count;
    const struct compared *compared = &comparison->shown.data[i];
    struct rows *rows = &comparison->cell_rows;
    *rows = (struct rows){.columns = sheet->columns, .column_count = sheet->column_count};
    struct jitscope_error *error =
        difference_cells(&compared->look, &compared->differences.list.data[number], rows);
    bool good = !error && rows->cells.count && row_copy(row, rows->cells.data, rows->cells.count);
    jitscope_error_destroy(error);
    rows_destroy(rows);
    return good;
}

static void close_differences(struct sheet *sheet) {
    struct comparison *comparison = sheet->own;
    if (!comparison)
        return;
    forget_round(&comparison->shown);
    forget_round(&comparison->going_on);
    os_release(comparison);
}

/* In memory that nobody may write a difference is alarming. */
static enum row_mark mark_difference(const struct sheet *sheet, const struct cell *cells) {
    int what = sheet_column(sheet, "what");
    return cells[what].length == 7 && !memcmp(cells[what].text, "differs", 7) ? ROW_DIFFERS : ROW_PLAIN;
}

const struct sheet_kind sheet_of_differences = {.refresh = refresh_differences,
                                                .close = close_differences,
                                                .row = difference_row,
                                                .position = plain_position,
                                                .number = plain_number,
                                                .mark = mark_difference};
