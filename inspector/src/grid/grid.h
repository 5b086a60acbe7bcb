/* grid: a screen as cells in memory, drawn into by the inspector and shown by a terminal, or printed by
 * scripts and tests.  Nothing here knows a terminal.
 *
 * A cell holds one character of one or two columns.  Text is input: what would steer a terminal, has no width
 * of its own, or moves the cells beside it (control bytes, backslashes, invalid UTF-8, combining and
 * bidirectional marks, letters written from right to left; widths.def) is drawn escaped by grid_text(): bytes
 * as \xNN, characters as \u{NNNN}.  So no cell ever holds it, and what is drawn is one to one with the text.
 *
 * One thread; a grid is owned by whoever made it. */
#ifndef GRID_GRID_H
#define GRID_GRID_H

#include "base/error.h"
#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a cell means, not how it looks: themes say that (theme.h). */
enum style {
#define STYLE(NAME, name, fore256, back256, fore16, back16, coloured, mono, meaning) STYLE_##NAME,
#include "grid/styles.def"
#undef STYLE
    STYLE_COUNT
};

/* Laid over a style; bits.  How they look are styles too: "selected", "match", "changed". */
enum overlay { OVERLAY_NONE = 0, OVERLAY_SELECTED = 1, OVERLAY_CHANGED = 2, OVERLAY_MATCH = 4 };

/* Characters that a terminal without UTF-8 does not have; ASCII stands beside them in glyphs.def. */
enum glyph {
#define GLYPH(NAME, utf8, ascii, meaning) GLYPH_##NAME,
#include "grid/glyphs.def"
#undef GLYPH
    GLYPH_COUNT
};

struct grid_cell {
    uint32_t character; /* Unicode; 0 in the second column of a wide one */
    uint8_t style;      /* enum style */
    uint8_t overlay;    /* enum overlay */
};

struct grid {
    uint16_t rows, columns;
    bool ascii; /* glyphs and text as ASCII; other characters are escaped */
    bool has_cursor;
    uint16_t cursor_row, cursor_column;
    struct grid_cell *cells; /* row after row */
    size_t capacity;         /* of cells; kept from use to use */
};

/* Makes GRID, zero or one used before, ROWS by COLUMNS blanks without a cursor; `ascii` stays as it is.
 * Errors: NO_MEMORY, and GRID is as before. */
struct jitscope_error *grid_reset(struct grid *grid, uint16_t rows, uint16_t columns);
void grid_destroy(struct grid *grid);

/* All that follows clips: what lies outside is not drawn.  Half of a wide character that is drawn over
 * becomes a blank. */

/* Draws TEXT from COLUMN on, in at most WIDTH columns and to the end of the row; returns how many it took.
 * Text that is cut ends in GLYPH_CUT.  Takes time by WIDTH, not by LENGTH. */
uint16_t grid_text(struct grid *grid, uint16_t row, uint16_t column, uint16_t width, enum style style,
                   const char *text, size_t length);
/* The same of a C string, to the end of the row. */
uint16_t grid_string(struct grid *grid, uint16_t row, uint16_t column, enum style style, const char *text);
uint16_t grid_glyph(struct grid *grid, uint16_t row, uint16_t column, enum style style, enum glyph glyph);
/* Blanks, or a row of one glyph. */
void grid_fill(struct grid *grid, uint16_t row, uint16_t column, uint16_t width, enum style style);
void grid_rule(struct grid *grid, uint16_t row, uint16_t column, uint16_t width, enum style style,
               enum glyph glyph);
/* Adds an overlay to cells that are drawn already. */
void grid_overlay(struct grid *grid, uint16_t row, uint16_t column, uint16_t width, enum overlay overlay);
void grid_cursor(struct grid *grid, uint16_t row, uint16_t column);

/* The character at a place; NULL outside. */
const struct grid_cell *grid_cell(const struct grid *grid, uint16_t row, uint16_t column);

/* Columns that grid_text() would take without a limit. */
uint32_t grid_width(const struct grid *grid, const char *text, size_t length);

/* The characters, a line per row without blanks at its end. */
void grid_print_text(struct text *out, const struct grid *grid);

/* Columns that CHARACTER takes in grids, 1 or 2; 0 when they show it escaped. */
int character_columns(uint32_t character);

#endif
