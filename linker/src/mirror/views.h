/* views: functions from the mirror to rows; the table of them is views.def. */
#ifndef MIRROR_VIEWS_H
#define MIRROR_VIEWS_H

#include "mirror/mirror.h"
#include "mirror/rows.h"

struct view {
    const char *name;
    const char *meaning;
    uint8_t level; /* LEVEL_* of recordings that hold what is shown */
    const struct column *columns;
    uint32_t column_count;
    /* Adds all rows; those of `events`, which are not state, are streamed by the engine instead. */
    struct jitscope_error *(*rows)(struct rows *rows, const struct mirror *mirror);
};

extern const struct view views[];
extern const uint32_t view_count;
/* NULL when there is none of that name. */
const struct view *view_find(const char *name);

/* --- for the views themselves
 * ---------------------------------------------------------------------------------------- */

/* One row under construction: cells left out are absent. */
struct row {
    struct rows *rows;
    struct cell *cells;
    uint32_t next;
};

struct jitscope_error *row_begin(struct rows *rows, struct row *row);
void row_number(struct row *row, uint64_t number);
void row_absent(struct row *row);
void row_text(struct row *row, const char *text);
void row_name(struct row *row, const struct mirror *mirror, uint32_t name);
/* Formatted into the rows' arena; without memory the cell is absent. */
void row_print(struct row *row, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* An enumerated value by its field type ("linkage"). */
void row_value(struct row *row, const struct mirror *mirror, const char *type, uint32_t number);
void row_prot(struct row *row, uint32_t prot);
/* The display name of an input, "-" for the linker. */
void row_input(struct row *row, const struct mirror *mirror, uint32_t input);
/* Text of an enumerated value in the recording's own schema. */
const char *mirror_value_text(const struct mirror *mirror, const char *type, uint32_t number);

#define VIEW(name, function, level, meaning, columns)                                                        \
    struct jitscope_error *view_##function(struct rows *rows, const struct mirror *mirror);
#include "mirror/views.def"
#undef VIEW

#endif
