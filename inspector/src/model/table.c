#define _GNU_SOURCE
#include "model/table_parts.h"

#include "model/demangle.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_ABOVE = 3 }; /* in view, above what one came for */

void rows_forget(struct rows *rows) {
    rows->cells.count = 0;
    arena_destroy(&rows->arena);
}

void table_forget_picture(struct table *table) {
    table->picture.is_whole = false;
    rows_forget(&table->window);
    table->shown.count = 0;
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
    vec_destroy(&table->renewed);
    vec_destroy(&table->keys);
    vec_destroy(&table->merged);
    arena_destroy(&table->key_texts);
    rows_destroy(&table->scratch);
    rows_destroy(&table->window);
    vec_destroy(&table->shown);
    sheet_close(&table->sheet);
    *table = (struct table){.sort_column = -1, .demangle = table->demangle};
}

struct jitscope_error *table_refresh(struct table *table) {
    struct position position = table_position(table);
    uint64_t above = table_above(table);
    TRY(sheet_refresh(&table->sheet));
    table_start_scan(table);
    table_go_to(table, position, above);
    return NULL;
}

enum pin table_pin(const struct table *table) {
    uint64_t count = table_count(table);
    if (table->sought.is_set || !count)
        return PIN_NONE;
    if (table->keeps_end && table->cursor + 1 >= count)
        return PIN_END;
    return table->sort_column >= 0 && !table->cursor ? PIN_TOP : PIN_NONE;
}

void table_go_to_pin(struct table *table, enum pin pin) {
    if (pin != PIN_NONE)
        table_move_to_end(table, pin == PIN_END);
}

struct jitscope_error *table_renew(struct table *table) {
    bool is_anywhere = table->sought.is_set || table_count(table);
    struct position position = table_position(table);
    uint64_t above = table_above(table);
    enum pin pin = table_pin(table);
    TRY(sheet_refresh(&table->sheet));
    table_renew_scan(table);
    if (is_anywhere && pin == PIN_NONE)
        table_go_to(table, position, above);
    else if (!table->is_renewing)
        table_go_to_pin(table, pin);
    table_settle(table);
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

bool table_add_row(struct table *table, uint64_t number, struct rows *rows) {
    if (!sheet_row(&table->sheet, number, rows))
        return false;
    demangle_cells(table, rows);
    return true;
}

bool table_row(struct table *table, uint64_t place, struct rows *rows) {
    return place < table_count(table) && table_add_row(table, table_number(table, place), rows);
}

const struct cell *table_cursor_row(struct table *table) {
    rows_forget(&table->scratch);
    return table_row(table, table->cursor, &table->scratch) ? table->scratch.cells.data : NULL;
}

bool table_is_row(struct table *table, uint64_t place) {
    for (uint32_t i = 0; table->picture.is_whole && i < table->shown.count; i++)
        if (table->shown.data[i].place == place)
            return true;
    if (table->has_order)
        return place < table->order.count;
    rows_forget(&table->scratch);
    return place < table->sheet.count && sheet_row(&table->sheet, place, &table->scratch);
}

/* --- moving
 * ------------------------------------------------------------------------------------------------- */

/* The next place with a row, from *PLACE on but not at it. */
bool table_step(struct table *table, uint64_t *place, bool forward) {
    uint64_t at = *place;
    while (!table->sheet.is_waiting && (forward ? at + 1 < table_count(table) : at > 0)) {
        at = forward ? at + 1 : at - 1;
        if (table_is_row(table, at)) {
            *place = at;
            return true;
        }
    }
    return false;
}

void table_go_to_place(struct table *table, uint64_t place) {
    table->sought.is_set = table->sought_address.is_set = false;
    table->cursor = place;
}

void table_move(struct table *table, int64_t count) {
    table->sought.is_set = table->sought_address.is_set = false;
    for (; count > 0 && table_step(table, &table->cursor, true); count--)
        ;
    for (; count < 0 && table_step(table, &table->cursor, false); count++)
        ;
}

/* Onto a row, if the cursor stands in a hole. */
void table_settle(struct table *table) {
    uint64_t count = table_count(table);
    if (count && table->cursor >= count)
        table->cursor = count - 1;
    if (!table_is_row(table, table->cursor) && !table_step(table, &table->cursor, true))
        table_step(table, &table->cursor, false);
}

void table_move_to_end(struct table *table, bool last) {
    uint64_t count = table_count(table);
    table->sought.is_set = table->sought_address.is_set = false;
    table->cursor = last && count ? count - 1 : 0;
    table_settle(table);
}

struct position table_position(const struct table *table) {
    if (table->sought.is_set)
        return table->sought.position;
    if (!table_count(table))
        return (struct position){0, 0};
    return table->sheet.kind->position(&table->sheet, table_number(table, table->cursor));
}

uint64_t table_above(const struct table *table) {
    if (table->sought.is_set)
        return table->sought.above;
    return table->cursor > table->top ? table->cursor - table->top : 0;
}

/* Where the sheet's row NUMBER is; where the cursor is when it is not there. */
static uint64_t find_place(const struct table *table, uint64_t number) {
    for (uint64_t i = 0; table->has_order && i < table->order.count; i++)
        if (table->order.data[i] == number)
            return i;
    return table->has_order ? table->cursor : number;
}

void table_go_to(struct table *table, struct position position, uint64_t above) {
    table->sought = (struct sought_row){table->is_scanning, position, above};
    if (table->is_scanning)
        return;
    table->cursor = find_place(table, table->sheet.kind->number(&table->sheet, position));
    table_settle(table);
    table->top = table->cursor > above ? table->cursor - above : 0;
}

/* A few rows above the cursor stay in view. */
void table_leave_room_above(struct table *table) {
    table->top = table->cursor;
    for (uint32_t i = 0; i < ROWS_ABOVE && table_step(table, &table->top, false); i++)
        ;
}

static struct jitscope_error *find_address(struct table *table, uint64_t address) {
    int column = sheet_address_column(&table->sheet);
    uint64_t count = column >= 0 ? table_count(table) : 0;
    for (uint64_t place = 0; place < count && !table->sheet.is_waiting; place++) {
        rows_forget(&table->scratch);
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

static void go_to_memory(struct table *table, uint64_t address) {
    table->cursor = table->sheet.kind->number_at(&table->sheet, address);
    table_settle(table);
    table_leave_room_above(table);
}

struct jitscope_error *table_go_to_address(struct table *table, uint64_t address) {
    struct jitscope_error *error = NULL;
    if (table->sheet.kind->number_at)
        go_to_memory(table, address);
    else if (!table->sheet.is_waiting)
        error = find_address(table, address);
    table->sought_address = (struct sought_address){table->sheet.is_waiting, address};
    if (!table->sheet.is_waiting)
        return error;
    jitscope_error_destroy(error); /* it may still come */
    return NULL;
}

/* --- what takes long
 * ------------------------------------------------------------------------------------------------- */

/* What the sheet waits for may be there now. */
static struct jitscope_error *look_again(struct table *table) {
    struct position position = table_position(table);
    TRY(sheet_refresh(&table->sheet));
    if (table->sheet.is_waiting)
        return NULL;
    table_forget_picture(table);
    if (table->sought_address.is_set)
        return table_go_to_address(table, table->sought_address.address);
    if (!table->has_order) {
        table_go_to(table, position, 0);
        table_leave_room_above(table);
    }
    return NULL;
}

/* Rows say more; some may have come, or gone. */
static struct jitscope_error *look_closer(struct table *table) {
    uint64_t before = table->sheet.count;
    TRY(sheet_refresh(&table->sheet));
    if (table->sheet.is_improving && table->sheet.count == before)
        return NULL;
    table_forget_picture(table);
    if (!table->has_order)
        table_settle(table);
    return NULL;
}

/* Not while rows are gone through: each refresh begins that anew. */
static bool is_due(const struct table *table) {
    return table->sheet.due && os_time_ns() >= table->sheet.due && !table->is_scanning &&
           !sheet_is_busy(&table->sheet);
}

bool table_has_work(const struct table *table) {
    return is_due(table) || table->is_scanning || sheet_is_busy(&table->sheet) ||
           table->search.state == SEARCH_GOES_ON;
}

struct jitscope_error *table_work(struct table *table, uint64_t rows) {
    if (table->sheet.is_waiting)
        TRY(look_again(table));
    else if (table->sheet.is_improving)
        TRY(look_closer(table));
    if (sheet_is_busy(&table->sheet))
        return NULL;
    if (is_due(table)) {
        table_forget_picture(table);
        TRY(table_renew(table));
    }
    table_scan_some(table, rows);
    if (!table->is_scanning || table->is_renewing)
        table_search_some(table, rows);
    return NULL;
}

bool table_can_spare(const struct table *table) {
    bool goes_through_all = table->is_scanning || table->search.state == SEARCH_GOES_ON;
    return !table->sheet.is_waiting && (table->picture.is_whole || goes_through_all);
}
