/* perf's jitdump, version 1 (tools/perf/Documentation/jitdump-specification.txt in Linux): a header, then one
 * JIT_CODE_LOAD record per function with its name and bytes, before it a JIT_CODE_DEBUG_INFO with its lines
 * where they are known, then JIT_CODE_CLOSE.
 *
 * Times count from the start of the session, since a recording holds no others; a function's is the end of
 * its link, from when on it could be called.  Records come in order of time. */
#include "export/export.h"

#include "export/live_code.h"
#include "export/output.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

enum { JIT_CODE_LOAD = 0, JIT_CODE_DEBUG_INFO = 2, JIT_CODE_CLOSE = 3 };
enum { LARGEST_FUNCTION = 1 << 30 }; /* sizes of records have 32 bits */
#define JITDUMP_MAGIC 0x4a695444u

struct jitdump_header {
    uint32_t magic;
    uint32_t version;
    uint32_t size;
    uint32_t machine;
    uint32_t padding;
    uint32_t process;
    uint64_t time;
    uint64_t flags;
};

struct jitdump_record {
    uint32_t id;
    uint32_t size; /* with this header */
    uint64_t time;
};

struct jitdump_load {
    struct jitdump_record record;
    uint32_t process;
    uint32_t thread;
    uint64_t mapped_at;
    uint64_t address;
    uint64_t size;
    uint64_t number;
    /* name with NUL, bytes */
};

struct jitdump_lines {
    struct jitdump_record record;
    uint64_t address; /* of the function */
    uint64_t count;
    /* entries */
};

struct jitdump_line {
    uint64_t address;
    uint32_t line;
    uint32_t discriminator;
    /* file name with NUL */
};

static uint64_t load_time(const struct live_code *code) {
    uint64_t time;
    return __builtin_add_overflow(code->link->begin.time, code->link->end.duration, &time) ? UINT64_MAX
                                                                                           : time;
}

static void write_header(const struct export_source *source, struct output *out) {
    struct jitdump_header header = {.magic = JITDUMP_MAGIC,
                                    .version = 1,
                                    .size = sizeof header,
                                    .machine = EM_X86_64,
                                    .process = source->mirror->session.process};
    output_put(out, &header, sizeof header);
}

static struct jitscope_error *no_bytes(uint64_t address) {
    return error_create(JITSCOPE_ERROR_UNSUPPORTED, "the bytes at 0x%llx are not known",
                        (unsigned long long)address);
}

static struct jitscope_error *write_bytes(const struct export_source *source, struct output *out,
                                          const struct live_code *code) {
    uint8_t buffer[4096];
    for (uint64_t done = 0; done < code->size;) {
        uint64_t size = code->size - done < sizeof buffer ? code->size - done : sizeof buffer;
        if (!source->read(source->context, code->address + done, buffer, size))
            return no_bytes(code->address + done);
        output_put(out, buffer, size);
        done += size;
    }
    return NULL;
}

static struct jitscope_error *write_load(const struct export_source *source, struct output *out,
                                         const struct live_code *code, uint64_t number, struct text *name) {
    uint32_t process = source->mirror->session.process;
    text_clear(name);
    live_code_name(source, code, name);
    if (!name->data || name->failed)
        return error_no_memory();
    if (code->size > LARGEST_FUNCTION)
        return error_create(JITSCOPE_ERROR_UNSUPPORTED, "a function of %llu bytes, too large for a jitdump",
                            (unsigned long long)code->size);
    struct jitdump_load load = {
        .record = {JIT_CODE_LOAD, (uint32_t)(sizeof load + name->length + 1 + code->size), load_time(code)},
        .process = process,
        .thread = process,
        .mapped_at = code->address,
        .address = code->address,
        .size = code->size,
        .number = number};
    output_put(out, &load, sizeof load);
    output_put(out, name->data, name->length + 1);
    return write_bytes(source, out, code);
}

static void print_lines(const struct source_lines *lines, struct text *out) {
    for (uint32_t i = 0; i < lines->list.count; i++) {
        const struct source_line *line = &lines->list.data[i];
        struct jitdump_line entry = {.address = line->address, .line = line->line};
        text_append_bytes(out, (const char *)&entry, sizeof entry);
        text_append_escaped(out, line->file, strlen(line->file));
        text_append_bytes(out, "", 1);
    }
}

static struct jitscope_error *write_lines(const struct export_source *source, struct output *out,
                                          const struct live_code *code, struct text *entries) {
    struct source_lines lines = {0};
    if (!source->lines || code->stub)
        return NULL;
    struct jitscope_error *error =
        source->lines(source->context, code->link->number, code->address, code->size, &lines);
    text_clear(entries);
    print_lines(&lines, entries);
    struct jitdump_lines record = {
        .record = {JIT_CODE_DEBUG_INFO, (uint32_t)(sizeof record + entries->length), load_time(code)},
        .address = code->address,
        .count = lines.list.count};
    if (!error && lines.list.count && entries->length < LARGEST_FUNCTION) {
        output_put(out, &record, sizeof record);
        error = output_text(out, entries);
    }
    vec_destroy(&lines.list);
    return error;
}

static int by_time(const void *a, const void *b) {
    const struct live_code *x = a, *y = b;
    uint64_t left = load_time(x), right = load_time(y);
    if (left != right)
        return left < right ? -1 : 1;
    return x->address < y->address ? -1 : x->address > y->address;
}

static struct jitscope_error *write_codes(const struct export_source *source, struct output *out,
                                          struct live_codes *codes) {
    struct jitdump_record close = {.id = JIT_CODE_CLOSE, .size = sizeof close};
    struct jitscope_error *error = NULL;
    struct text name = {0}; /* or lines */
    if (codes->list.count)
        qsort(codes->list.data, codes->list.count, sizeof *codes->list.data, by_time);
    for (uint32_t i = 0; i < codes->list.count && !error && !out->failure; i++) {
        error = write_lines(source, out, &codes->list.data[i], &name);
        if (!error)
            error = write_load(source, out, &codes->list.data[i], i + 1, &name);
        close.time = load_time(&codes->list.data[i]);
    }
    output_put(out, &close, sizeof close);
    text_destroy(&name);
    return error;
}

struct jitscope_error *export_jitdump(const struct export_source *source, struct output *out) {
    struct live_codes codes;
    TRY(live_codes_find(source, &codes));
    write_header(source, out);
    struct jitscope_error *error = write_codes(source, out, &codes);
    live_codes_destroy(&codes);
    return error;
}
