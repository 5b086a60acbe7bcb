#define _GNU_SOURCE
#include "model/table.h"

#include "model/demangle.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_ABOVE = 3 }; /* in view, above what one came for */

/* What a row is sorted by. */
struct sort_key {
    uint64_t number; /* of the row in its sheet */
    struct cell cell;
};

static void forget_rows(struct rows *rows) {
    rows->cells.count = 0;
    arena_destroy(&rows->arena);
}

/* Nobody can point at rows that are no longer there. */
static void forget_picture(struct table *table) {
    forget_rows(&table->window);
    table->shown.count = 0;
}

static void start_scan(struct table *table) {
    forget_picture(table);
    table->has_order = table->filter || table->sort_column >= 0;
    table->is_scanning = table->has_order;
    table->scanned = 0;
    table->order.count = 0;
    table->keys.count = 0;
    arena_destroy(&table->key_texts);
}

struct jitscope_error *table_open(struct table *table, uint32_t screen, struct inspected *inspected,
                                  const struct question *question) {
    bool demangle = table->demangle;
    *table = (struct table){.sort_column = -1, .demangle = demangle};
    TRY(sheet_open(&table->sheet, screen, inspected, question));
    table_move_to_end(table, false);
    return NULL;
}

void table_close(struct table *table) {
    filter_destroy(table->filter);
    vec_destroy(&table->order);
    vec_destroy(&table->keys);
    arena_destroy(&table->key_texts);
    rows_destroy(&table->scratch);
    rows_destroy(&table->window);
    vec_destroy(&table->shown);
    sheet_close(&table->sheet);
    *table = (struct table){.sort_column = -1, .demangle = table->demangle};
}

struct jitscope_error *table_refresh(struct table *table) {
    struct position position = table_position(table);
    TRY(sheet_refresh(&table->sheet));
    start_scan(table);
    if (!table->has_order)
        table_go_to(table, position);
    return NULL;
}

/* --- rows
 * ------------------------------------------------------------------------------------------------- */

uint64_t table_count(const struct table *table) {
    return table->has_order ? table->order.count : table->sheet.count;
}

uint64_t table_number(const struct table *table, uint64_t place) {
    if (!table->has_order)
        return place;
    return place < table->order.count ? table->order.data[place] : table->sheet.count;
}

static void demangle_cells(const struct table *table, struct rows *rows) {
    if (!table->demangle)
        return;
    struct cell *cells = rows->cells.data + rows->cells.count - rows->column_count;
    for (uint32_t i = 0; i < rows->column_count; i++)
        if (cell_is_text(rows->columns[i].type) && !cells[i].absent)
            demangle_cell(&cells[i], &rows->arena);
}

static bool add_row(struct table *table, uint64_t number, struct rows *rows) {
    if (!sheet_row(&table->sheet, number, rows))
        return false;
    demangle_cells(table, rows);
    return true;
}

bool table_row(struct table *table, uint64_t place, struct rows *rows) {
    return place < table_count(table) && add_row(table, table_number(table, place), rows);
}

const struct cell *table_cursor_row(struct table *table) {
    forget_rows(&table->scratch);
    return table_row(table, table->cursor, &table->scratch) ? table->scratch.cells.data : NULL;
}

static bool is_row(struct table *table, uint64_t place) {
    if (table->has_order)
        return place < table->order.count;
    forget_rows(&table->scratch);
    return place < table->sheet.count && sheet_row(&table->sheet, place, &table->scratch);
}

/* --- moving
 * ------------------------------------------------------------------------------------------------- */

/* The next place with a row, from *PLACE on but not at it. */
static bool step(struct table *table, uint64_t *place, bool forward) {
    uint64_t at = *place;
    while (!table->sheet.is_waiting && (forward ? at + 1 < table_count(table) : at > 0)) {
        at = forward ? at + 1 : at - 1;
        if (is_row(table, at)) {
            *place = at;
            return true;
        }
    }
    return false;
}

void table_move(struct table *table, int64_t count) {
    for (; count > 0 && step(table, &table->cursor, true); count--)
        ;
    for (; count < 0 && step(table, &table->cursor, false); count++)
        ;
}

/* Onto a row, if the cursor stands in a hole. */
static void settle(struct table *table) {
    uint64_t count = table_count(table);
    if (count && table->cursor >= count)
        table->cursor = count - 1;
    if (!is_row(table, table->cursor) && !step(table, &table->cursor, true))
        step(table, &table->cursor, false);
}

void table_move_to_end(struct table *table, bool last) {
    uint64_t count = table_count(table);
    table->cursor = last && count ? count - 1 : 0;
    settle(table);
}

struct position table_position(const struct table *table) {
    if (!table_count(table))
        return (struct position){0, 0};
    return table->sheet.kind->position(&table->sheet, table_number(table, table->cursor));
}

static uint64_t find_in_order(const struct table *table, uint64_t number) {
    for (uint64_t i = 0; i < table->order.count; i++)
        if (table->order.data[i] == number)
            return i;
    return 0;
}

void table_go_to(struct table *table, struct position position) {
    uint64_t number = table->sheet.kind->number(&table->sheet, position);
    table->cursor = table->has_order ? find_in_order(table, number) : number;
    settle(table);
}

struct jitscope_error *table_go_to_address(struct table *table, uint64_t address) {
    int column = sheet_address_column(&table->sheet);
    for (uint64_t place = 0; column >= 0 && place < table_count(table); place++) {
        forget_rows(&table->scratch);
        if (!table_row(table, place, &table->scratch))
            continue;
        const struct cell *cell = &table->scratch.cells.data[column];
        if (!cell->absent && cell->number == address) {
            table->cursor = place;
            return NULL;
        }
    }
    return error_create(JITSCOPE_ERROR_NOT_FOUND, "nothing begins at 0x%" PRIx64, address);
}

/* --- scans
 * ------------------------------------------------------------------------------------------------- */

struct jitscope_error *table_set_filter(struct table *table, const char *text) {
    struct filter *filter = NULL;
    if (text && *text)
        TRY(filter_parse(text, table->sheet.columns, table->sheet.column_count, &filter));
    filter_destroy(table->filter);
    table->filter = filter;
    start_scan(table);
    table->cursor = table->top = 0;
    if (!table->has_order)
        settle(table);
    return NULL;
}

struct jitscope_error *table_set_sort(struct table *table, int column, bool descending) {
    table->sort_column = column;
    table->descending = descending;
    start_scan(table);
    table->cursor = table->top = 0;
    if (!table->has_order)
        settle(table);
    return NULL;
}

static int compare_cells(const struct cell *a, const struct cell *b, enum cell_type type) {
    if (a->absent || b->absent)
        return a->absent - b->absent;
    if (type == CELL_SIGNED)
        return ((int64_t)a->number > (int64_t)b->number) - ((int64_t)a->number < (int64_t)b->number);
    if (!cell_is_text(type))
        return (a->number > b->number) - (a->number < b->number);
    uint32_t common = a->length < b->length ? a->length : b->length;
    int order = memcmp(a->text, b->text, common);
    return order ? order : (a->length > b->length) - (a->length < b->length);
}

static int by_key(const void *a, const void *b, void *context) {
    const struct table *table = context;
    const struct sort_key *x = a, *y = b;
    int order = compare_cells(&x->cell, &y->cell, table->sheet.columns[table->sort_column].type);
    if (table->descending && !x->cell.absent && !y->cell.absent)
        order = -order;
    return order ? order : (x->number > y->number) - (x->number < y->number);
}

static struct jitscope_error *scan_row(struct table *table, const struct cell *cells) {
    if (!filter_accepts(table->filter, table->sheet.columns, cells))
        return NULL;
    if (table->sort_column < 0)
        return vec_push(&table->order, table->scanned);
    struct sort_key key = {table->scanned, cells[table->sort_column]};
    if (!key.cell.absent && cell_is_text(table->sheet.columns[table->sort_column].type)) {
        key.cell.text = arena_copy(&table->key_texts, key.cell.text, key.cell.length);
        if (!key.cell.text)
            return error_no_memory();
    }
    return vec_push(&table->keys, key);
}

static struct jitscope_error *end_scan(struct table *table) {
    table->is_scanning = false;
    forget_picture(table);
    if (table->sort_column >= 0) {
        TRY(vec_reserve(&table->order, table->keys.count));
        if (table->keys.count)
            qsort_r(table->keys.data, table->keys.count, sizeof *table->keys.data, by_key, table);
        for (uint32_t i = 0; i < table->keys.count; i++)
            vec_put(&table->order, table->keys.data[i].number);
    }
    return NULL;
}

static struct jitscope_error *scan(struct table *table, uint64_t rows) {
    for (; rows && table->scanned < table->sheet.count; rows--, table->scanned++) {
        forget_rows(&table->scratch);
        if (add_row(table, table->scanned, &table->scratch))
            TRY(scan_row(table, table->scratch.cells.data));
    }
    return table->scanned < table->sheet.count ? NULL : end_scan(table);
}

/* A few rows above the cursor stay in view. */
static void leave_room_above(struct table *table) {
    table->top = table->cursor;
    for (uint32_t i = 0; i < ROWS_ABOVE && step(table, &table->top, false); i++)
        ;
}

/* What the sheet waits for may be there now. */
static struct jitscope_error *look_again(struct table *table) {
    struct position position = table_position(table);
    TRY(sheet_refresh(&table->sheet));
    if (table->sheet.is_waiting)
        return NULL;
    start_scan(table);
    if (!table->has_order) {
        table_go_to(table, position);
        leave_room_above(table);
    }
    return NULL;
}

void table_go_to_memory(struct table *table, uint64_t address) {
    table->cursor = table->sheet.kind->number_at(&table->sheet, address);
    settle(table);
    leave_room_above(table);
}

bool table_work(struct table *table, uint64_t rows) {
    if (table->sheet.is_waiting)
        jitscope_error_destroy(look_again(table));
    if (!table->is_scanning)
        return false;
    struct jitscope_error *error = scan(table, rows);
    if (error)
        table->is_scanning = false; /* without memory: what was found so far */
    jitscope_error_destroy(error);
    if (table->cursor >= table_count(table))
        settle(table);
    return table->is_scanning;
}

/* --- searching
 * ------------------------------------------------------------------------------------------------- */

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

bool table_search(struct table *table, const char *text, bool forward) {
    bool exact = has_upper(text);
    uint64_t count = table_count(table), at = table->cursor;
    for (uint64_t i = 0; i < count; i++) {
        at = forward ? (at + 1) % count : (at + count - 1) % count;
        forget_rows(&table->scratch);
        if (!table_row(table, at, &table->scratch))
            continue;
        for (uint32_t j = 0; j < table->sheet.column_count; j++)
            if (cell_has(&table->sheet.columns[j], &table->scratch.cells.data[j], text, exact)) {
                table->cursor = at;
                return true;
            }
    }
    return false;
}

/* --- what is in view
 * ------------------------------------------------------------------------------------------------- */

static struct jitscope_error *show_from(struct table *table, uint64_t place, uint32_t height) {
    forget_picture(table);
    for (; table->shown.count < height && place < table_count(table); place++)
        if (table_row(table, place, &table->window))
            TRY(vec_push(&table->shown, (struct shown_row){.place = place}));
    return NULL;
}

static bool is_in_view(const struct table *table) {
    for (uint32_t i = 0; i < table->shown.count; i++)
        if (table->shown.data[i].place == table->cursor)
            return true;
    return false;
}

static struct jitscope_error *scroll(struct table *table, uint32_t height) {
    TRY(show_from(table, table->top, height));
    if (is_in_view(table) || !table_count(table))
        return NULL;
    bool below = table->cursor > table->top;
    table->top = table->cursor;
    for (uint32_t i = 1; below && i < height && step(table, &table->top, false); i++)
        ;
    return show_from(table, table->top, height);
}

/* The last rows fill the view when there are enough. */
static struct jitscope_error *fill(struct table *table, uint32_t height) {
    uint64_t top = table->top;
    if (table->shown.count >= height || !table->shown.count)
        return NULL;
    for (uint32_t missing = height - table->shown.count; missing && step(table, &table->top, false);
         missing--)
        ;
    return top == table->top ? NULL : show_from(table, table->top, height);
}

static bool same_cell(const struct cell *a, const struct cell *b, enum cell_type type) {
    if (a->absent || b->absent)
        return a->absent == b->absent;
    if (!cell_is_text(type))
        return a->number == b->number;
    return a->length == b->length && !memcmp(a->text, b->text, a->length);
}

/* Compares the rows in view with those at the moment that is shown now. */
static void compare_rows(struct table *table, const struct position *positions) {
    struct sheet *sheet = &table->sheet;
    for (uint32_t i = 0; i < table->shown.count; i++) {
        struct shown_row *shown = &table->shown.data[i];
        uint64_t number = sheet->kind->number(sheet, positions[i]);
        struct position there =
            number < sheet->count ? sheet->kind->position(sheet, number) : (struct position){NO_ID, 0};
        forget_rows(&table->scratch);
        if (there.link != positions[i].link || there.item != positions[i].item ||
            !add_row(table, number, &table->scratch)) {
            shown->is_new = true;
            continue;
        }
        const struct cell *now = table->window.cells.data + (size_t)i * sheet->column_count;
        for (uint32_t j = 0; j < sheet->column_count; j++)
            if (!same_cell(&now[j], &table->scratch.cells.data[j], sheet->columns[j].type))
                shown->changed |= 1u << j;
    }
}

static struct jitscope_error *mark_changes(struct table *table, uint64_t previous) {
    struct inspected *inspected = table->sheet.inspected;
    VEC(struct position) positions = {0};
    uint64_t now = inspected->now;
    struct jitscope_error *error = NULL;
    for (uint32_t i = 0; i < table->shown.count && !error; i++)
        error = vec_push(&positions, table->sheet.kind->position(
                                         &table->sheet, table_number(table, table->shown.data[i].place)));
    if (!error) {
        inspected_seek(inspected, previous);
        error = sheet_refresh(&table->sheet);
        if (!error)
            compare_rows(table, positions.data);
        inspected_seek(inspected, now);
        if (!error)
            error = sheet_refresh(&table->sheet);
    }
    vec_destroy(&positions);
    return error;
}

static void measure(struct table *table) {
    struct text text = {0};
    for (uint32_t i = 0; i < table->window.cells.count; i++) {
        uint32_t column = i % table->sheet.column_count;
        text_clear(&text);
        cell_print(&text, &table->sheet.columns[column], &table->window.cells.data[i]);
        struct grid plain = {0};
        uint32_t width = text.data ? grid_width(&plain, text.data, text.length) : 0;
        if (width > table->widths[column])
            table->widths[column] = width;
    }
    text_destroy(&text);
}

struct jitscope_error *table_look(struct table *table, uint32_t height, uint64_t previous) {
    TRY(scroll(table, height));
    TRY(fill(table, height));
    if (previous != table->sheet.inspected->now && table->shown.count)
        TRY(mark_changes(table, previous));
    measure(table);
    return NULL;
}
