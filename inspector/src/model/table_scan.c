/* Filtering and sorting: all rows are looked at once, in slices; keys are sorted in runs as they come, and
 * the runs are merged, in slices too. */
#define _GNU_SOURCE
#include "model/table_parts.h"

#include <stdlib.h>
#include <string.h>

enum { RUN = 1 << 12 }; /* keys */

static void begin(struct table *table) {
    table_forget_picture(table);
    table->is_scanning = true;
    table->is_behind = false;
    table->scanned = 0;
    table->renewed.count = table->keys.count = 0;
    table->merge = (struct merge){0};
    arena_destroy(&table->key_texts);
}

void table_start_scan(struct table *table) {
    begin(table);
    table->has_order = table->is_scanning = table->filter || table->sort_column >= 0;
    table->is_renewing = false;
    table->order.count = 0;
}

void table_renew_scan(struct table *table) {
    table_forget_picture(table);
    if (!table->has_order)
        return;
    if (table->is_scanning) {
        table->is_behind = true;
        return;
    }
    begin(table);
    table->is_renewing = true;
}

static void show_from_top(struct table *table) {
    table_start_scan(table);
    table->sought.is_set = table->sought_address.is_set = false;
    table->cursor = table->top = 0;
    if (!table->has_order)
        table_settle(table);
}

struct jitscope_error *table_set_filter(struct table *table, const char *text) {
    struct filter *filter = NULL;
    if (text && *text)
        TRY(filter_parse(text, table->sheet.columns, table->sheet.column_count, &filter));
    filter_destroy(table->filter);
    table->filter = filter;
    show_from_top(table);
    return NULL;
}

struct jitscope_error *table_set_sort(struct table *table, int column, bool descending) {
    table->sort_column = column;
    table->descending = descending;
    show_from_top(table);
    return NULL;
}

/* --- order
 * ------------------------------------------------------------------------------------------------- */

static int compare_cells(const struct cell *a, const struct cell *b, enum cell_type type) {
    if (type == CELL_SIGNED)
        return ((int64_t)a->number > (int64_t)b->number) - ((int64_t)a->number < (int64_t)b->number);
    if (!cell_is_text(type))
        return (a->number > b->number) - (a->number < b->number);
    uint32_t common = a->length < b->length ? a->length : b->length;
    int order = memcmp(a->text, b->text, common);
    return order ? order : (a->length > b->length) - (a->length < b->length);
}

/* What is absent comes last, whichever way. */
static int by_key(const void *a, const void *b, void *context) {
    const struct table *table = context;
    const struct sort_key *x = a, *y = b;
    int order = x->cell.absent - y->cell.absent;
    if (!order && !x->cell.absent)
        order = compare_cells(&x->cell, &y->cell, table->sheet.columns[table->sort_column].type) *
                (table->descending ? -1 : 1);
    return order ? order : (x->number > y->number) - (x->number < y->number);
}

static void sort_run(struct table *table, uint32_t first) {
    if (table->keys.count > first)
        qsort_r(table->keys.data + first, table->keys.count - first, sizeof *table->keys.data, by_key, table);
}

static struct jitscope_error *add_key(struct table *table, const struct cell *cell) {
    struct sort_key key = {table->scanned, *cell};
    if (!cell->absent && cell_is_text(table->sheet.columns[table->sort_column].type)) {
        key.cell.text = arena_copy(&table->key_texts, cell->text, cell->length);
        if (!key.cell.text)
            return error_no_memory();
    }
    TRY(vec_push(&table->keys, key));
    if (table->keys.count % RUN == 0)
        sort_run(table, table->keys.count - RUN);
    return NULL;
}

/* --- merging runs
 * ------------------------------------------------------------------------------------------------- */

static uint32_t at_most(uint64_t value, uint32_t most) {
    return value < most ? (uint32_t)value : most;
}

static void next_pair(struct table *table, uint32_t from) {
    struct merge *merge = &table->merge;
    uint32_t count = table->keys.count;
    merge->left = from;
    merge->middle = merge->right = at_most((uint64_t)from + merge->width, count);
    merge->end = at_most((uint64_t)from + 2 * (uint64_t)merge->width, count);
}

static void next_round(struct table *table) {
    struct merge *merge = &table->merge;
    struct sort_key *keys = table->keys.data;
    table->keys.data = table->merged.data;
    table->merged.data = keys;
    uint32_t capacity = table->keys.capacity;
    table->keys.capacity = table->merged.capacity;
    table->merged.capacity = capacity;
    table->merged.count = 0;
    merge->width *= 2;
    next_pair(table, 0);
}

static struct jitscope_error *begin_merge(struct table *table) {
    sort_run(table, table->keys.count / RUN * RUN);
    table->merged.count = 0;
    TRY(vec_reserve(&table->merged, table->keys.count));
    table->merge.width = RUN;
    next_pair(table, 0);
    return NULL;
}

/* False while there is more to merge. */
static bool merge_some(struct table *table, uint64_t keys) {
    struct merge *merge = &table->merge;
    for (; keys && merge->width < table->keys.count; keys--) {
        const struct sort_key *all = table->keys.data;
        bool has_left = merge->left < merge->middle, has_right = merge->right < merge->end;
        bool takes_left =
            has_left && (!has_right || by_key(&all[merge->left], &all[merge->right], table) <= 0);
        vec_put(&table->merged, all[takes_left ? merge->left++ : merge->right++]);
        if (merge->left < merge->middle || merge->right < merge->end)
            continue;
        if (merge->end < table->keys.count)
            next_pair(table, merge->end);
        else
            next_round(table);
    }
    return merge->width >= table->keys.count;
}

static struct jitscope_error *take_order(struct table *table) {
    TRY(vec_reserve(&table->renewed, table->keys.count));
    for (uint32_t i = 0; i < table->keys.count; i++)
        vec_put(&table->renewed, table->keys.data[i].number);
    table->is_scanning = false;
    table->is_renewing = true;
    vec_destroy(&table->keys);
    vec_destroy(&table->merged);
    arena_destroy(&table->key_texts);
    return NULL;
}

/* --- slices
 * ------------------------------------------------------------------------------------------------- */

static struct jitscope_error *scan_row(struct table *table, const struct cell *cells) {
    if (!filter_accepts(table->filter, table->sheet.columns, cells))
        return NULL;
    if (table->sort_column >= 0)
        return add_key(table, &cells[table->sort_column]);
    return table->is_renewing ? vec_push(&table->renewed, table->scanned)
                              : vec_push(&table->order, table->scanned);
}

static struct jitscope_error *scan_rows(struct table *table, uint64_t rows) {
    for (; rows && table->scanned < table->sheet.count; rows--) {
        rows_forget(&table->scratch);
        if (table_add_row(table, table->scanned, &table->scratch))
            TRY(scan_row(table, table->scratch.cells.data));
        if (table->sheet.is_waiting) /* that was no row yet */
            return NULL;
        table->scanned++;
    }
    return NULL;
}

static struct jitscope_error *scan(struct table *table, uint64_t rows) {
    if (table->scanned < table->sheet.count)
        return scan_rows(table, rows);
    if (table->sort_column < 0) {
        table->is_scanning = false;
        return NULL;
    }
    if (!table->merge.width)
        TRY(begin_merge(table));
    return merge_some(table, rows * 4) ? take_order(table) : NULL;
}

/* What was made becomes what is shown; the cursor stays on its row. */
static void show_renewed(struct table *table) {
    bool is_anywhere = table->sought.is_set || table->order.count;
    enum pin pin = table_pin(table);
    struct position position = table_position(table);
    uint64_t above = table_above(table), *order = table->order.data;
    uint32_t capacity = table->order.capacity;
    table_forget_picture(table);
    table->order.data = table->renewed.data;
    table->order.count = table->renewed.count;
    table->order.capacity = table->renewed.capacity;
    table->renewed.data = order;
    table->renewed.count = 0;
    table->renewed.capacity = capacity;
    table->is_renewing = false;
    if (is_anywhere && pin == PIN_NONE)
        table_go_to(table, position, above);
    table_go_to_pin(table, pin);
}

void table_scan_some(struct table *table, uint64_t rows) {
    if (!table->is_scanning)
        return;
    struct jitscope_error *error = scan(table, rows);
    if (error) /* without memory: what was found so far, or before */
        table->is_scanning = table->is_renewing = table->is_behind = false;
    jitscope_error_destroy(error);
    if (table->is_scanning)
        return;
    if (table->is_renewing)
        show_renewed(table);
    else if (table->sought.is_set)
        table_go_to(table, table->sought.position, table->sought.above);
    table_settle(table);
    if (table->is_behind)
        table_renew_scan(table);
}

uint32_t table_scan_progress(const struct table *table) {
    uint64_t count = table->sheet.count;
    return count ? (uint32_t)(table->scanned * 100 / count) : 100;
}
