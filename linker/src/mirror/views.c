#include "mirror/views.h"

#include "trace/print.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* --- the table
 * ----------------------------------------------------------------------------------------------------- */

#define COLUMN(name, type)                          {name, CELL_##type},
#define VIEW(name, function, level, meaning, cells) static const struct column columns_##function[] = {cells};
#include "mirror/views.def"
#undef VIEW
#undef COLUMN

const struct view views[] = {
#define VIEW(name, function, level, meaning, cells)                                                          \
    {name,                                                                                                   \
     meaning,                                                                                                \
     LEVEL_##level,                                                                                          \
     columns_##function,                                                                                     \
     sizeof columns_##function / sizeof(struct column),                                                      \
     view_##function},
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

void rows_destroy(struct rows *rows) {
    vec_destroy(&rows->cells);
    arena_destroy(&rows->arena);
}

/* --- building rows
 * ------------------------------------------------------------------------------------------------- */

struct jitscope_error *row_begin(struct rows *rows, struct row *row) {
    TRY(vec_reserve(&rows->cells, rows->column_count));
    *row = (struct row){.rows = rows, .cells = rows->cells.data + rows->cells.count};
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
    char *copy = text.failed || !text.data ? NULL : arena_copy(&row->rows->arena, text.data, text.length);
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
