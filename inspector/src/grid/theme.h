/* theme: how styles look.  The built-in one is styles.def; a file changes parts of it. */
#ifndef GRID_THEME_H
#define GRID_THEME_H

#include "grid/grid.h"

enum attribute { PLAIN = 0, BOLD = 1, DIM = 2, UNDERLINE = 4, REVERSE = 8 };
enum { NONE = -1 }; /* the terminal's own colour */

/* How a cell looks at a depth. */
struct look {
    int16_t fore, back; /* index of a palette, or NONE */
    uint8_t attributes; /* enum attribute */
};

struct theme {
    struct look looks256[STYLE_COUNT], looks16[STYLE_COUNT], mono[STYLE_COUNT];
};

void theme_built_in(struct theme *theme);
/* Changes THEME as TEXT says, in lines
 *
 *     STYLE [fore=N] [back=N] [fore16=N] [back16=N] [plain] [bold] [dim] [underline] [reverse]
 *
 * where N is an index of a palette or "none"; # begins a comment.  fore= and back= count with 16 colours too
 * when they are among these.  Attributes that are named replace those of the style, also without colours.
 * FILE is for messages.  Errors: USAGE with the line, and THEME is as before. */
struct jitscope_error *theme_read(struct theme *theme, const char *text, size_t length, const char *file);
/* At DEPTH 256, 16 or 0 colours, overlays included. */
struct look theme_look(const struct theme *theme, int depth, uint8_t style, uint8_t overlay);
/* What golden screens hold besides the text: for each row its runs of cells that do not look normal, as
 * "ROW:FIRST-LAST fore=N back=N bold", then "cursor ROW:COLUMN" where there is one; all count from 0. */
void grid_print_looks(struct text *out, const struct grid *grid, const struct theme *theme, int depth);

#endif
