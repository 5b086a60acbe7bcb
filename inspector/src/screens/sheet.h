/* sheet: what a screen shows, as typed rows by number, at the moment that is shown.
 *
 * Rows are made one by one, when somebody looks at them: a recording can have millions.  A sheet has a number
 * of candidates; some of them turn out to be no rows (a table entry of another table, say) and are passed
 * over.  A row is remembered by its position, which means the same row at other moments as well.
 *
 * What a row is about is said by its own cells: the column "link" is a batch, "sequence" an event, the first
 * column of addresses a place in memory, "symbol" or "name" a name. */
#ifndef SCREENS_SHEET_H
#define SCREENS_SHEET_H

#include "inspected/inspected.h"
#include "mirror/views.h"

#define ALL_LINKS UINT32_MAX

struct position {
    uint32_t link;
    uint32_t item;
};

struct sheet;

/* What is special about a row. */
enum row_mark { ROW_PLAIN, ROW_CHANGED, ROW_DIFFERS };

struct sheet_kind {
    /* Makes SHEET ready for the moment, again after each change of the moment or the data. */
    struct jitscope_error *(*refresh)(struct sheet *sheet);
    void (*close)(struct sheet *sheet);
    bool (*row)(struct sheet *sheet, uint64_t number, struct row *row);
    struct position (*position)(const struct sheet *sheet, uint64_t number);
    /* Where POSITION is now, or the place where it would be. */
    uint64_t (*number)(const struct sheet *sheet, struct position position);
    /* Of kinds that add to sheet_of_view: rows of a batch, at most, and one of them; NULL: the view's. */
    uint32_t (*candidates)(struct sheet *sheet, uint32_t link);
    bool (*candidate)(struct sheet *sheet, uint32_t link, uint32_t number, struct row *row);
    /* Of a row with these CELLS, which was just made; NULL: all are plain. */
    enum row_mark (*mark)(const struct sheet *sheet, const struct cell *cells);
    int (*descriptor)(const struct sheet *sheet); /* NULL: never waits */
    /* Of memory: the row that holds ADDRESS, which the sheet was asked for.  NULL: rows do not lie in order.
     */
    uint64_t (*number_at)(const struct sheet *sheet, uint64_t address);
};

/* What is asked for. */
struct question {
    uint32_t link;     /* ALL_LINKS, or one */
    uint64_t address;  /* of screens of memory: where to look */
    uint64_t size;     /* bytes from there; 0: all there are */
    uint32_t number;   /* of an action */
    const char *words; /* of `why`; borrowed */
};

enum { MOST_COLUMNS = 24 };

struct sheet {
    const struct sheet_kind *kind;
    struct inspected *inspected;
    struct question question;
    const struct column *columns;
    uint32_t column_count;
    uint64_t count;    /* candidates */
    bool is_volatile;  /* rows change from frame to frame: they show memory */
    bool is_waiting;   /* for something that is being worked out: refresh again, see sheet_descriptor() */
    bool is_improving; /* rows are there, but do not say all yet: the same */
    uint64_t due; /* os_time_ns() from which on it is to be refreshed though nothing has come in; 0: never */
    const char *remark;      /* why something is missing; NULL: nothing is */
    const struct view *view; /* of sheet_of_view */
    void *own;               /* the kind's */
};

/* Opens what SCREEN shows; to be closed.  Errors: NOT_FOUND, USAGE, RECORDING, NO_MEMORY. */
struct jitscope_error *sheet_open(struct sheet *sheet, uint32_t screen, struct inspected *inspected,
                                  const struct question *question);
struct jitscope_error *sheet_refresh(struct sheet *sheet);
/* Whether it is worth while to refresh SHEET again: it is waiting, or improving. */
bool sheet_is_busy(const struct sheet *sheet);
/* To poll(2) for reading until SHEET should be refreshed; -1: there is no such thing, or it is not busy. */
int sheet_descriptor(const struct sheet *sheet);
void sheet_close(struct sheet *sheet);

/* Adds row NUMBER to ROWS, whose columns are the sheet's; false, and nothing added, when there is none, or no
 * memory. */
bool sheet_row(struct sheet *sheet, uint64_t number, struct rows *rows);
/* The column of that name, or that type; -1. */
int sheet_column(const struct sheet *sheet, const char *name);
int sheet_address_column(const struct sheet *sheet);

/* --- for the kinds */

extern const struct sheet_kind sheet_of_view, sheet_of_table, sheet_of_edges, sheet_of_changes,
    sheet_of_differences, sheet_of_events, sheet_of_why, sheet_of_map, sheet_of_hex, sheet_of_frame,
    sheet_of_arguments, sheet_of_code;

/* Says so when what is of LEVEL (LEVEL_*) is not in the recording. */
void sheet_remark_level(struct sheet *sheet, uint32_t level);
/* Those of sheet_of_view, for kinds that add to it. */
struct jitscope_error *view_refresh(struct sheet *sheet);
void view_close(struct sheet *sheet);
bool view_row(struct sheet *sheet, uint64_t number, struct row *row);
struct position view_position(const struct sheet *sheet, uint64_t number);
uint64_t view_number(const struct sheet *sheet, struct position position);
bool view_candidate(struct sheet *sheet, uint32_t link, uint32_t number, struct row *row);

/* A kind whose rows have no identity but their number. */
struct position plain_position(const struct sheet *sheet, uint64_t number);
uint64_t plain_number(const struct sheet *sheet, struct position position);

#endif
