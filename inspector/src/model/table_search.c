/* Searching: from the cursor on, all around, in slices. */
#define _GNU_SOURCE
#include "model/table_parts.h"

#include <string.h>

static bool has_upper(const char *text) {
    for (; *text; text++)
        if (*text >= 'A' && *text <= 'Z')
            return true;
    return false;
}

static bool cell_has(const struct column *column, const struct cell *cell, const char *text, bool exact) {
    struct text printed = {0};
    cell_print(&printed, column, cell);
    bool found = printed.data && (exact ? strstr(printed.data, text) : strcasestr(printed.data, text));
    text_destroy(&printed);
    return found;
}

static bool row_has(struct table *table, uint64_t place, const char *text, bool exact) {
    rows_forget(&table->scratch);
    if (!table_row(table, place, &table->scratch))
        return false;
    for (uint32_t i = 0; i < table->sheet.column_count; i++)
        if (cell_has(&table->sheet.columns[i], &table->scratch.cells.data[i], text, exact))
            return true;
    return false;
}

void table_search(struct table *table, const char *text, bool forward) {
    table->search = (struct search){.text = text,
                                    .forward = forward,
                                    .at = table->cursor,
                                    .is_exact = has_upper(text),
                                    .state = SEARCH_GOES_ON};
}

void table_search_some(struct table *table, uint64_t rows) {
    struct search *search = &table->search;
    uint64_t count = table_count(table);
    if (search->state != SEARCH_GOES_ON)
        return;
    if (!search->has_begun)
        search->left = count;
    search->has_begun = true;
    for (; rows && search->left && count; rows--) {
        uint64_t at = search->forward ? (search->at + 1) % count : (search->at + count - 1) % count;
        bool found = row_has(table, at, search->text, search->is_exact);
        if (table->sheet.is_waiting)
            return;
        search->at = at;
        search->left--;
        if (!found)
            continue;
        search->has_wrapped = search->forward ? at <= table->cursor : at >= table->cursor;
        search->state = SEARCH_FOUND;
        table_go_to_place(table, at);
        return;
    }
    if (!search->left || !count)
        search->state = SEARCH_IN_VAIN;
}
