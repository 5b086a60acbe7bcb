/* rows: what a view yields: typed cells under named columns.  Views neither draw nor filter; one engine
 * (show.c, later the inspector) does that for all of them. */
#ifndef MIRROR_ROWS_H
#define MIRROR_ROWS_H

#include "base/arena.h"
#include "base/text.h"
#include "base/vec.h"

#include <stdbool.h>

enum cell_type {
    CELL_TEXT,     /* aligned left; escaped when printed */
    CELL_CODE,     /* the same; worth little when cut: bytes */
    CELL_NUMBER,   /* decimal */
    CELL_ADDRESS,  /* hexadecimal */
    CELL_SIGNED,   /* signed decimal */
    CELL_DURATION, /* nanoseconds, printed as microseconds */
};

static inline bool cell_is_text(enum cell_type type) {
    return type == CELL_TEXT || type == CELL_CODE;
}

struct column {
    const char *name;
    enum cell_type type;
};

/* A number, or a text; `absent` prints as "-" or null. */
struct cell {
    uint64_t number;
    const char *text;
    uint32_t length;
    bool absent;
};

struct rows {
    const struct column *columns;
    uint32_t column_count;
    VEC(struct cell) cells; /* row after row */
    struct arena arena;     /* of texts that are made */
};

static inline uint32_t rows_count(const struct rows *rows) {
    return rows->column_count ? rows->cells.count / rows->column_count : 0;
}
void rows_destroy(struct rows *rows);

/* --- a filter: COLUMN OP VALUE, joined by "and" and "or"
 * ------------------------------------------------------------ */

struct filter;

/* Errors: USAGE, with the columns there are. */
struct jitscope_error *filter_parse(const char *text, const struct column *columns, uint32_t count,
                                    struct filter **filter);
/* Whether a row passes; NULL lets everything pass. */
bool filter_accepts(const struct filter *filter, const struct column *columns, const struct cell *row);
void filter_destroy(struct filter *filter);

/* A cell as text, which is not escaped. */
void cell_print(struct text *out, const struct column *column, const struct cell *cell);
/* The same with text escaped; and as a value in JSON. */
void cell_print_escaped(struct text *out, const struct column *column, const struct cell *cell);
void cell_print_json(struct text *out, const struct column *column, const struct cell *cell);

#endif
