/* One symbol table of gdb's for each function.
 *
 * gdb takes a reader's symbol table to have one file and to cover everything from its first block to its
 * last, and looks no further than the smallest that covers an address.  A table for each compilation unit
 * would thus show lines of headers as lines of the unit's file, and hide functions whose neighbours come from
 * another unit.  Of a function's rows those of its own file are given: those of inlined functions belong to
 * the line of the call. */
#include "emit_symbols.h"

#include "dwarf/dwarf_lines.h"

#include <stdlib.h>

struct function {
    uint64_t start, end;
    const char *name;
    uint32_t order; /* symbols first, in their order: of two names of one function the first is taken */
};

struct image_symbols {
    struct bytes symbols, strings; /* .symtab and .strtab, owned */
    struct dwarf_lines lines;
    VEC(struct function) functions; /* names are borrowed from the others */
    VEC(struct gdb_line_mapping) mappings;
};

/* gdb has libstdc++, and its names are those of the source. */
extern char *__cxa_demangle(const char *name, char *out, size_t *size, int *status) __attribute__((weak));

/* --- functions */

static struct jitscope_error *add_function(struct image_symbols *image, uint64_t start, uint64_t end,
                                           const char *name) {
    if (!start || start >= end || !name || !name[0])
        return NULL;
    return vec_push(&image->functions, (struct function){start, end, name, image->functions.count});
}

static struct jitscope_error *add_symbols(struct image_symbols *image) {
    size_t length;
    for (uint64_t at = 0; bytes_contain(image->symbols, at, sizeof(Elf64_Sym)); at += sizeof(Elf64_Sym)) {
        Elf64_Sym symbol;
        memcpy(&symbol, image->symbols.data + at, sizeof symbol);
        if (ELF64_ST_TYPE(symbol.st_info) == STT_FUNC && symbol.st_size <= UINT64_MAX - symbol.st_value)
            TRY(add_function(image, symbol.st_value, symbol.st_value + symbol.st_size,
                             bytes_string(image->strings, symbol.st_name, &length)));
    }
    return NULL;
}

static int by_start(const void *a, const void *b) {
    const struct function *one = a, *other = b;
    if (one->start != other->start)
        return one->start < other->start ? -1 : 1;
    return (one->order > other->order) - (one->order < other->order);
}

static struct jitscope_error *gather_functions(struct image_symbols *image) {
    TRY(add_symbols(image));
    for (uint32_t i = 0; i < image->lines.functions.count; i++) {
        const struct dwarf_function *at = &image->lines.functions.data[i];
        TRY(add_function(image, at->start, at->end, at->name));
    }
    if (image->functions.count)
        qsort(image->functions.data, image->functions.count, sizeof(struct function), by_start);
    return NULL;
}

/* --- lines */

/* The first row at or behind ADDRESS. */
static uint32_t find_row(const struct dwarf_lines *lines, uint64_t address) {
    uint32_t low = 0, high = lines->rows.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (lines->rows.data[middle].address < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* What gdb gets are places to stop at.  A row that is none, as where a line goes on behind an inlined
 * function, is needed all the same where its addresses would have the line before it. */
static bool is_needed(const struct image_symbols *image, const struct line_row *row) {
    uint32_t count = image->mappings.count;
    return row->is_statement || !count || image->mappings.data[count - 1].line != (int)row->line;
}

/* The rows that cover FUNCTION, its end, and the file that it begins in. */
static struct jitscope_error *map_lines(struct image_symbols *image, const struct function *function,
                                        uint32_t *file) {
    const struct dwarf_lines *lines = &image->lines;
    uint32_t at = find_row(lines, function->start);
    if (at && (at == lines->rows.count || lines->rows.data[at].address != function->start))
        at--; /* it began before the function did */
    *file = NO_FILE;
    image->mappings.count = 0;
    for (; at < lines->rows.count && lines->rows.data[at].address < function->end; at++) {
        const struct line_row *row = &lines->rows.data[at];
        uint64_t pc = row->address > function->start ? row->address : function->start;
        if (row->is_end && !image->mappings.count)
            continue;
        if (!image->mappings.count)
            *file = row->file;
        if (row->is_end || (row->file == *file && is_needed(image, row)))
            TRY(vec_push(&image->mappings, (struct gdb_line_mapping){row->is_end ? 0 : (int)row->line, pc}));
    }
    return image->mappings.count ? vec_push(&image->mappings, (struct gdb_line_mapping){0, function->end})
                                 : NULL;
}

static struct jitscope_error *emit_function(struct gdb_symbol_callbacks *gdb, struct gdb_object *object,
                                            struct image_symbols *image, const struct function *function) {
    uint32_t file;
    int status;
    TRY(map_lines(image, function, &file));
    char *plain = strncmp(function->name, "_Z", 2) == 0 && __cxa_demangle
                      ? __cxa_demangle(function->name, NULL, NULL, &status)
                      : NULL;
    struct gdb_symtab *table = gdb->symtab_open(gdb, object, image->lines.files.data[file]);
    gdb->block_open(gdb, table, NULL, function->start, function->end, plain ? plain : function->name);
    if (image->mappings.count)
        gdb->line_mapping_add(gdb, table, (int)image->mappings.count, image->mappings.data);
    gdb->symtab_close(gdb, table);
    free(plain);
    return NULL;
}

static struct jitscope_error *emit_functions(struct gdb_symbol_callbacks *gdb, struct gdb_object *object,
                                             struct image_symbols *image) {
    TRY(gather_functions(image));
    for (uint32_t i = 0; i < image->functions.count; i++) {
        const struct function *at = &image->functions.data[i];
        if (!i || at->start != at[-1].start)
            TRY(emit_function(gdb, object, image, at));
    }
    return NULL;
}

struct jitscope_error *emit_symbols(struct gdb_symbol_callbacks *gdb, struct gdb_object *object,
                                    const struct debuggee_memory *memory,
                                    const struct debuggee_image *record) {
    struct debuggee_elf elf;
    struct image_symbols image = {0};
    if (debuggee_view_elf(memory, record, &elf) ||
        debuggee_view_section(memory, &elf, ".symtab", &image.symbols))
        return NULL;
    struct jitscope_error *failure = NULL;
    if (!debuggee_view_section(memory, &elf, ".strtab", &image.strings))
        failure = dwarf_lines_read(memory, &elf, &image.lines);
    if (!failure && image.lines.files.count)
        failure = emit_functions(gdb, object, &image);
    os_release((void *)(uintptr_t)image.symbols.data);
    os_release((void *)(uintptr_t)image.strings.data);
    dwarf_lines_destroy(&image.lines);
    vec_destroy(&image.functions);
    vec_destroy(&image.mappings);
    return failure;
}
