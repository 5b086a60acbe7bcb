#include "mirror/views.h"

#include "trace/print.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* --- the table
 * ----------------------------------------------------------------------------------------------------- */

#define COLUMN(name, type) {name, CELL_##type},
#define VIEW(name, function, of, how, level, meaning, cells)                                                 \
    static const struct column columns_##function[] = {cells};
#include "mirror/views.def"
#undef VIEW
#undef COLUMN

#define OF_SESSION           true
#define OF_LINK              false
#define VIEW_PLAIN(function) .candidates = view_##function##_candidates, .row = view_##function##_row,
#define VIEW_PREPARED(function)                                                                              \
    VIEW_PLAIN(function).prepare = view_##function##_prepare, .release = view_##function##_release,
#define VIEW_STREAMED(function)

const struct view views[] = {
#define VIEW(name_, function, of, how, level_, meaning_, cells)                                              \
    {.name = (name_),                                                                                        \
     .meaning = (meaning_),                                                                                  \
     .level = LEVEL_##level_,                                                                                \
     .of_session = OF_##of,                                                                                  \
     .columns = columns_##function,                                                                          \
     .column_count = sizeof columns_##function / sizeof(struct column),                                      \
     VIEW_##how(function)},
#include "mirror/views.def"
#undef VIEW
};
const uint32_t view_count = sizeof views / sizeof *views;

const struct view *view_find(const char *name) {
    for (uint32_t i = 0; i < view_count; i++)
        if (!strcmp(views[i].name, name))
            return &views[i];
    return NULL;
}

struct jitscope_error *view_begin(const struct view *view, struct view_at *at) {
    at->prepared = NULL;
    return view->prepare ? view->prepare(at) : NULL;
}

void view_end(const struct view *view, struct view_at *at) {
    if (view->release)
        view->release(at);
    at->prepared = NULL;
}

/* --- all rows
 * ------------------------------------------------------------------------------------------------------ */

void rows_destroy(struct rows *rows) {
    vec_destroy(&rows->cells);
    arena_destroy(&rows->arena);
}

static struct jitscope_error *add_row(const struct view *view, const struct view_at *at, uint32_t candidate,
                                      struct rows *rows) {
    TRY(vec_reserve(&rows->cells, rows->column_count));
    struct row row = {.arena = &rows->arena, .cells = rows->cells.data + rows->cells.count};
    for (uint32_t i = 0; i < rows->column_count; i++)
        row.cells[i] = (struct cell){.absent = true, .text = ""};
    if (view->row(at, candidate, &row))
        rows->cells.count += rows->column_count;
    return NULL;
}

static struct jitscope_error *add_rows(const struct view *view, const struct mirror *mirror,
                                       const struct mirror_link *link, struct rows *rows) {
    struct view_at at = {.mirror = mirror, .link = link};
    uint32_t count = view->candidates(mirror, link ? link->number : 0);
    struct jitscope_error *error = NULL;
    if (!count)
        return NULL;
    TRY(view_begin(view, &at));
    for (uint32_t i = 0; i < count && !error; i++)
        error = add_row(view, &at, i, rows);
    view_end(view, &at);
    return error;
}

struct jitscope_error *view_rows(const struct view *view, const struct mirror *mirror, struct rows *rows) {
    if (!view->row)
        return NULL;
    if (view->of_session)
        return add_rows(view, mirror, NULL, rows);
    for (uint32_t i = 0; i < mirror->links.count; i++)
        if (view->candidates(mirror, i))
            TRY(add_rows(view, mirror, mirror_link(mirror, i), rows));
    return mirror_failure(mirror);
}

/* --- building rows
 * ------------------------------------------------------------------------------------------------- */

struct jitscope_error *row_begin(struct rows *rows, struct row *row) {
    TRY(vec_reserve(&rows->cells, rows->column_count));
    *row = (struct row){.arena = &rows->arena, .cells = rows->cells.data + rows->cells.count};
    for (uint32_t i = 0; i < rows->column_count; i++)
        vec_put(&rows->cells, (struct cell){.absent = true, .text = ""});
    return NULL;
}

void row_number(struct row *row, uint64_t number) {
    row->cells[row->next++] = (struct cell){.number = number, .text = ""};
}

void row_absent(struct row *row) {
    row->next++;
}

static void put_text(struct row *row, const char *text, size_t length) {
    row->cells[row->next++] = (struct cell){.text = text, .length = (uint32_t)length};
}

void row_text(struct row *row, const char *text) {
    put_text(row, text, strlen(text));
}

void row_name(struct row *row, const struct mirror *mirror, uint32_t name) {
    struct recorded_string text = recording_string(mirror->file, name);
    put_text(row, text.bytes, text.length);
}

void row_print(struct row *row, const char *format, ...) {
    struct text text = {0};
    va_list arguments;
    va_start(arguments, format);
    text_vprint(&text, format, arguments);
    va_end(arguments);
    char *copy = text.failed || !text.data ? NULL : arena_copy(row->arena, text.data, text.length);
    if (copy)
        put_text(row, copy, text.length);
    else
        row_absent(row);
    text_destroy(&text);
}

const char *mirror_value_text(const struct mirror *mirror, const char *type, uint32_t number) {
    const struct schema *schema = &mirror->file->schema;
    for (uint32_t i = 0; i < schema->types.count; i++)
        if (!strcasecmp(schema->types.data[i].name, type))
            return schema_value_text(schema, i, number);
    return NULL;
}

void row_value(struct row *row, const struct mirror *mirror, const char *type, uint32_t number) {
    const char *text = mirror_value_text(mirror, type, number);
    if (text)
        row_text(row, text);
    else
        row_print(row, "%u", number);
}

void row_prot(struct row *row, uint32_t prot) {
    row_print(row, "%c%c%c", prot & PROTECT_READ ? 'r' : '-', prot & PROTECT_WRITE ? 'w' : '-',
              prot & PROTECT_EXECUTE ? 'x' : '-');
}

void row_input(struct row *row, const struct mirror *mirror, uint32_t id) {
    const struct mirror_input *input = mirror_input(mirror, id);
    if (input)
        row_name(row, mirror, input->event.name.id);
    else
        row_absent(row);
}

void row_section(struct row *row, const struct mirror *mirror, const struct mirror_link *link, uint32_t id) {
    const struct mirror_section *section = mirror_section(link, id);
    if (section)
        row_name(row, mirror, section->event.name.id);
    else
        row_absent(row);
}

void row_symbol(struct row *row, const struct mirror *mirror, const struct mirror_link *link, uint32_t id) {
    const struct mirror_symbol *symbol = mirror_symbol(link, id);
    if (symbol && symbol->name)
        row_name(row, mirror, symbol->name);
    else
        row_print(row, "symbol %u", id);
}

void row_block_address(struct row *row, const struct mirror_link *link, uint32_t id) {
    const struct mirror_block *block = mirror_block(link, id);
    if (block && block->segment != NO_ID)
        row_number(row, block->address);
    else
        row_absent(row);
}
