/* table: the engine that all screens share: where the cursor is, which rows are in view, sorting, filtering,
 * searching, and what the last step through time changed.
 *
 * Rows are counted in places, from 0: numbers of the sheet when it is shown as it is, with holes where
 * candidates are no rows; otherwise indices of an order that a scan has made.  Scans go on in slices, so that
 * no key waits for them. */
#ifndef MODEL_TABLE_H
#define MODEL_TABLE_H

#include "grid/grid.h"
#include "screens/screens.h"

struct shown_row {
    uint64_t place;
    uint32_t changed; /* bit per column: other than before the last step */
    bool is_new;      /* was not there before it */
    uint8_t mark;     /* enum row_mark */
};

/* What a row is sorted by. */
struct sort_key {
    uint64_t number; /* of the row in its sheet */
    struct cell cell;
};

/* Two runs of keys that are being merged. */
struct merge {
    uint32_t width; /* of runs; 0: not begun */
    uint32_t left, middle, right, end;
};

/* The row that the cursor comes to when the order is made. */
struct sought_row {
    bool is_set;
    struct position position;
    uint64_t above; /* rows in view above it */
};

/* The address that the cursor comes to when the sheet waits for nothing any more. */
struct sought_address {
    bool is_set;
    uint64_t address;
};

enum search_state { SEARCH_NONE, SEARCH_GOES_ON, SEARCH_FOUND, SEARCH_IN_VAIN };

struct search {
    const char *text; /* borrowed */
    bool forward, is_exact, has_wrapped;
    uint64_t at, left; /* the place that was looked at last, how many are left */
    bool has_begun;    /* LEFT is known: no order is being made any more */
    enum search_state state;
};

struct table {
    struct sheet sheet;
    struct filter *filter; /* NULL: everything */
    int sort_column;       /* -1: as the sheet has them */
    bool descending, demangle;
    bool keeps_end; /* who is on the last row comes to the new last row when data comes in */

    bool has_order, is_scanning;
    bool is_renewing; /* ORDER is as it was before the data grew; a new one is being made meanwhile */
    bool is_behind;   /* the data grew since that was begun */
    VEC(uint64_t) order, renewed; /* numbers of the sheet */
    VEC(struct sort_key) keys, merged;
    struct merge merge;
    struct search search;
    struct arena key_texts;
    uint64_t scanned; /* numbers looked at */
    struct rows scratch;

    uint64_t cursor, top; /* places */
    struct sought_row sought;
    struct sought_address sought_address;
    struct rows window; /* cells of the rows in view */
    VEC(struct shown_row) shown;
    struct picture {
        bool is_whole; /* what is in view need not be made again */
        uint64_t top, version, previous;
        uint32_t height;
    } picture;
    uint32_t widths[MOST_COLUMNS]; /* the widest cell seen so far */
};

/* Opens SCREEN's rows; TABLE is zeroed, or closed.  Errors: as sheet_open(). */
struct jitscope_error *table_open(struct table *table, uint32_t screen, struct inspected *inspected,
                                  const struct question *question);
void table_close(struct table *table);
/* After the moment or the data changed: the cursor stays on its row. */
struct jitscope_error *table_refresh(struct table *table);
/* The same after the data grew: an order is shown as it is until the new one is made, and one that is being
 * made is made to its end, or none would ever be while events come in. */
struct jitscope_error *table_renew(struct table *table);

/* Errors: USAGE, with the columns there are. */
struct jitscope_error *table_set_filter(struct table *table, const char *text);
struct jitscope_error *table_set_sort(struct table *table, int column, bool descending);
/* Goes on with what takes long, a scan, a search, what the sheet waits for, for up to ROWS.  Errors: what the
 * sheet waited for cannot be had. */
struct jitscope_error *table_work(struct table *table, uint64_t rows);
bool table_has_work(const struct table *table);
/* Whether batches that were looked at may go: those in view are not being read just now. */
bool table_can_spare(const struct table *table);
/* How much of a scan is done, of 100. */
uint32_t table_scan_progress(const struct table *table);

uint64_t table_count(const struct table *table); /* places */
uint64_t table_number(const struct table *table, uint64_t place);
struct position table_position(const struct table *table);
/* Rows in view above the cursor. */
uint64_t table_above(const struct table *table);
/* Puts the cursor on the row that was at POSITION, or near to where it would be, with ABOVE rows in view
 * above it; while an order is being made: as soon as there is one. */
void table_go_to(struct table *table, struct position position, uint64_t above);
/* Onto the row of memory that holds ADDRESS; of other sheets, onto the first row whose address it is.  While
 * the sheet waits: as soon as that is known.  Errors: NOT_FOUND. */
struct jitscope_error *table_go_to_address(struct table *table, uint64_t address);
/* To a place that is in view, or was found. */
void table_go_to_place(struct table *table, uint64_t place);
/* Moves the cursor by COUNT rows, as far as there are any. */
void table_move(struct table *table, int64_t count);
void table_move_to_end(struct table *table, bool last);
/* Looks for the next row that has TEXT, which is borrowed, in a cell: forward or back, around the ends.  It
 * goes on in table_work(); table->search says how it went. */
void table_search(struct table *table, const char *text, bool forward);

/* The cells of the row under the cursor, valid until the next call; NULL when there is none. */
const struct cell *table_cursor_row(struct table *table);
/* Makes the cells of a row at PLACE in ROWS; false when there is none. */
bool table_row(struct table *table, uint64_t place, struct rows *rows);

/* All rows, as text in columns or as JSON.  Errors: NO_MEMORY. */
struct jitscope_error *table_print(struct text *out, struct table *table, bool json);

/* Brings HEIGHT rows around the cursor into view, and marks what is other than at the moment PREVIOUS. */
struct jitscope_error *table_look(struct table *table, uint32_t height, uint64_t previous);

#endif
