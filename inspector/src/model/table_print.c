/* A table's rows as text in columns, or as JSON, as `jitscope show` prints them. */
#include "model/table.h"

#include <string.h>

static void print_json(struct text *out, const struct table *table, const struct cell *cells, bool first) {
    text_append(out, first ? "\n{" : ",\n{");
    for (uint32_t i = 0; i < table->sheet.column_count; i++) {
        text_append(out, i ? "," : "");
        text_print(out, "\"%s\":", table->sheet.columns[i].name);
        cell_print_json(out, &table->sheet.columns[i], &cells[i]);
    }
    text_append(out, "}");
}

static uint32_t cell_width(struct text *scratch, const struct column *column, const struct cell *cell) {
    struct grid plain = {0};
    text_clear(scratch);
    cell_print_escaped(scratch, column, cell);
    return scratch->data ? grid_width(&plain, scratch->data, scratch->length) : 0;
}

static void print_padded(struct text *out, const char *text, uint32_t used, uint32_t width, bool left,
                         bool last) {
    if (!left)
        text_print(out, "%*s", (int)(width - used), "");
    text_append(out, text);
    if (left && !last)
        text_print(out, "%*s", (int)(width - used), "");
    text_append(out, last ? "\n" : "  ");
}

static void print_text(struct text *out, const struct table *table, const struct cell *cells,
                       const uint32_t *widths, struct text *scratch) {
    for (uint32_t i = 0; i < table->sheet.column_count; i++) {
        const struct column *column = &table->sheet.columns[i];
        uint32_t used = cells ? cell_width(scratch, column, &cells[i]) : (uint32_t)strlen(column->name);
        const char *text = cells ? scratch->data : column->name;
        print_padded(out, text ? text : "", used, widths[i], cell_is_text(column->type),
                     i + 1 == table->sheet.column_count);
    }
}

static void measure(const struct table *table, const struct rows *rows, uint32_t *widths,
                    struct text *scratch) {
    for (uint32_t i = 0; i < table->sheet.column_count; i++)
        widths[i] = (uint32_t)strlen(table->sheet.columns[i].name);
    for (uint32_t i = 0; i < rows->cells.count; i++) {
        uint32_t column = i % table->sheet.column_count;
        uint32_t width = cell_width(scratch, &table->sheet.columns[column], &rows->cells.data[i]);
        widths[column] = width > widths[column] ? width : widths[column];
    }
}

/* Large batches are read in slices, of which nobody sees anything here. */
static struct jitscope_error *add_row(struct table *table, uint64_t place, struct rows *rows) {
    while (!table_row(table, place, rows) && table->sheet.is_waiting && sheet_descriptor(&table->sheet) < 0)
        TRY(sheet_refresh(&table->sheet));
    return NULL;
}

struct jitscope_error *table_print(struct text *out, struct table *table, bool json) {
    struct rows rows = {0};
    struct text scratch = {0};
    uint32_t widths[MOST_COLUMNS];
    struct jitscope_error *error = NULL;
    for (uint64_t place = 0; place < table_count(table) && !error; place++)
        error = add_row(table, place, &rows);
    measure(table, &rows, widths, &scratch);
    if (json)
        text_append(out, "[");
    else
        print_text(out, table, NULL, widths, &scratch);
    for (uint32_t i = 0; i < rows.cells.count; i += table->sheet.column_count)
        if (json)
            print_json(out, table, rows.cells.data + i, !i);
        else
            print_text(out, table, rows.cells.data + i, widths, &scratch);
    text_append(out, json ? "\n]\n" : "");
    rows_destroy(&rows);
    text_destroy(&scratch);
    return error ? error : out->failed ? error_no_memory() : NULL;
}
