/* views: what can be seen of a mirror, as rows under columns; the table of them is views.def.
 *
 * A view makes one row at a time, by the number of a candidate: who has a screen of fifty lines makes those
 * fifty.  Candidates are numbered in the order of rows; some, like blocks whose events were lost, have no
 * row.
 *
 *     struct view_at at = {.mirror = mirror, .link = link};
 *     TRY(view_begin(view, &at));
 *     for (uint32_t i = 0; i < view->candidates(mirror, link->number); i++)
 *         if (view->row(&at, i, &row)) ...
 *     view_end(view, &at);
 *
 * What was begun holds until the mirror is moved, grows or forgets; rows point into the mirror, its recording
 * and the row's arena. */
#ifndef MIRROR_VIEWS_H
#define MIRROR_VIEWS_H

#include "mirror/mirror.h"
#include "mirror/rows.h"

/* Where rows are looked for. */
struct view_at {
    const struct mirror *mirror;
    const struct mirror_link *link; /* NULL: a view of the whole session */
    void *prepared;                 /* the view's own */
};

/* One row under construction: cells that are left out stay as they are. */
struct row {
    struct arena *arena; /* of texts that are made */
    struct cell *cells;  /* one per column, absent */
    uint32_t next;
};

struct view {
    const char *name;
    const char *meaning;
    uint8_t level; /* LEVEL_* of recordings that hold what is shown */
    bool of_session;
    const struct column *columns;
    uint32_t column_count;
    /* How many rows there are at most at the moment that is shown, of one link (0: what belongs to none), or
     * of the session, when LINK says nothing.  In constant time, and without the content of a link.  NULL,
     * like ROW, for `events`, which are not state: the engine streams them. */
    uint32_t (*candidates)(const struct mirror *mirror, uint32_t link);
    /* NULL: there is nothing to prepare.  Errors: NO_MEMORY. */
    struct jitscope_error *(*prepare)(struct view_at *at);
    void (*release)(struct view_at *at);
    /* False: the candidate has no row; cells are untouched. */
    bool (*row)(const struct view_at *at, uint32_t candidate, struct row *row);
};

extern const struct view views[];
extern const uint32_t view_count;
/* NULL when there is none of that name. */
const struct view *view_find(const char *name);

/* Prepares, when the view has something to prepare; an error needs no view_end.  Errors: NO_MEMORY. */
struct jitscope_error *view_begin(const struct view *view, struct view_at *at);
void view_end(const struct view *view, struct view_at *at);
/* Adds all rows, of all links; none for a view that is streamed.  Errors: NO_MEMORY. */
struct jitscope_error *view_rows(const struct view *view, const struct mirror *mirror, struct rows *rows);

/* --- for the views themselves
 * ---------------------------------------------------------------------------------------- */

/* One more row of ROWS, all cells absent; to be filled in before the next.  Errors: NO_MEMORY. */
struct jitscope_error *row_begin(struct rows *rows, struct row *row);
void row_number(struct row *row, uint64_t number);
void row_absent(struct row *row);
void row_text(struct row *row, const char *text);
void row_name(struct row *row, const struct mirror *mirror, uint32_t name);
/* Formatted into the row's arena; without memory the cell is absent. */
void row_print(struct row *row, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* An enumerated value by its field type ("linkage"). */
void row_value(struct row *row, const struct mirror *mirror, const char *type, uint32_t number);
void row_prot(struct row *row, uint32_t prot);
/* The display name of an input, "-" for the linker. */
void row_input(struct row *row, const struct mirror *mirror, uint32_t input);
/* The section's name. */
void row_section(struct row *row, const struct mirror *mirror, const struct mirror_link *link, uint32_t id);
/* The symbol's name, or "symbol 7". */
void row_symbol(struct row *row, const struct mirror *mirror, const struct mirror_link *link, uint32_t id);
/* Absent for a block that has no place. */
void row_block_address(struct row *row, const struct mirror_link *link, uint32_t id);
/* Text of an enumerated value in the recording's own schema. */
const char *mirror_value_text(const struct mirror *mirror, const char *type, uint32_t number);

#define VIEW_PLAIN(function)                                                                                 \
    uint32_t view_##function##_candidates(const struct mirror *mirror, uint32_t link);                       \
    bool view_##function##_row(const struct view_at *at, uint32_t candidate, struct row *row);
#define VIEW_PREPARED(function)                                                                              \
    VIEW_PLAIN(function)                                                                                     \
    struct jitscope_error *view_##function##_prepare(struct view_at *at);                                    \
    void view_##function##_release(struct view_at *at);
#define VIEW_STREAMED(function)
#define VIEW(name, function, of, how, level, meaning, columns) VIEW_##how(function)
#include "mirror/views.def"
#undef VIEW
#undef VIEW_PLAIN
#undef VIEW_PREPARED
#undef VIEW_STREAMED

#endif
