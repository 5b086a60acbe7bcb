/* GOT, PLT and TLS tables: the rows of their views and, of a process, what their slots hold now.
 *
 * The trace says what the linker wrote into a slot: the target's address.  When the process has something
 * else there, it was bound anew, or written over: that is marked, and so is what changed a moment ago. */
#include "screens/sheet.h"

#include <string.h>

enum { LIVE_COLUMNS = 2, LATELY = 2000000000 }; /* nanoseconds for which a change is marked */

static const struct column live_columns[LIVE_COLUMNS] = {{"now", CELL_ADDRESS}, {"changes", CELL_NUMBER}};

/* Columns with the live ones behind the view's; one set per view, made when it is first shown. */
struct table_columns {
    const struct view *view;
    struct column columns[MOST_COLUMNS];
};
static struct table_columns sets[3];

static const struct column *columns_of(const struct view *view) {
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        if (sets[i].view == view)
            return sets[i].columns;
        if (sets[i].view)
            continue;
        sets[i].view = view;
        memcpy(sets[i].columns, view->columns, view->column_count * sizeof *view->columns);
        memcpy(sets[i].columns + view->column_count, live_columns, sizeof live_columns);
        return sets[i].columns;
    }
    return NULL;
}

static struct jitscope_error *refresh(struct sheet *sheet) {
    if (sheet->inspected->is_live) {
        sheet->columns = columns_of(sheet->view);
        sheet->column_count = sheet->view->column_count + LIVE_COLUMNS;
        sheet->is_volatile = sheet->inspected->is_alive;
        sheet->remark = *sheet->inspected->trouble ? sheet->inspected->trouble : NULL;
    }
    return view_refresh(sheet);
}

/* The slot in a row's cells; NULL when it has none. */
static const struct live_watch *slot_of(const struct sheet *sheet, const struct cell *cells) {
    int slot = sheet_column(sheet, "slot"), target = sheet_column(sheet, "target");
    bool is_expected = target >= 0 && !cells[target].absent && strcmp(sheet->view->name, "tls") != 0;
    if (slot < 0 || cells[slot].absent)
        return NULL;
    return inspected_slot(sheet->inspected, cells[slot].number, is_expected ? &cells[target].number : NULL);
}

static bool table_row(struct sheet *sheet, uint64_t number, struct row *row) {
    if (!view_row(sheet, number, row))
        return false;
    const struct live_watch *watch = slot_of(sheet, row->cells);
    row->next = sheet->view->column_count;
    if (!watch || !watch->is_known || watch->is_lost)
        return true;
    row_number(row, watch->value);
    row_number(row, watch->changes);
    return true;
}

static enum row_mark mark(const struct sheet *sheet, const struct cell *cells) {
    const struct live_watch *watch = sheet->inspected->is_live ? slot_of(sheet, cells) : NULL;
    if (!watch || !watch->is_known)
        return ROW_PLAIN;
    if (live_watch_differs(watch))
        return ROW_DIFFERS;
    return watch->changed && watch->looked - watch->changed < LATELY ? ROW_CHANGED : ROW_PLAIN;
}

const struct sheet_kind sheet_of_table = {.refresh = refresh,
                                          .close = view_close,
                                          .row = table_row,
                                          .position = view_position,
                                          .number = view_number,
                                          .mark = mark};

/* --- what changed in slots while somebody looked
 * ------------------------------------------------------------------------------------------------- */

static const struct column change_columns[] = {
    {"ago_ms", CELL_NUMBER}, {"slot", CELL_ADDRESS}, {"before", CELL_ADDRESS}, {"after", CELL_ADDRESS}};

static struct jitscope_error *refresh_changes(struct sheet *sheet) {
    sheet->columns = change_columns;
    sheet->column_count = sizeof change_columns / sizeof *change_columns;
    sheet->count = live_change_count(&sheet->inspected->watches);
    sheet->is_volatile = sheet->inspected->is_alive;
    if (!sheet->inspected->is_live)
        sheet->remark = "changes are seen in running processes: --pid";
    return NULL;
}

static bool change_row(struct sheet *sheet, uint64_t number, struct row *row) {
    const struct live_watches *watches = &sheet->inspected->watches;
    if (number >= live_change_count(watches))
        return false;
    const struct live_change *change = live_change(watches, (uint32_t)number);
    row_number(row, (os_time_ns() - change->time) / 1000000);
    row_number(row, change->address);
    row_number(row, change->before);
    row_number(row, change->after);
    return true;
}

static void close_nothing(struct sheet *sheet) {
    (void)sheet;
}

const struct sheet_kind sheet_of_changes = {.refresh = refresh_changes,
                                            .close = close_nothing,
                                            .row = change_row,
                                            .position = plain_position,
                                            .number = plain_number};
