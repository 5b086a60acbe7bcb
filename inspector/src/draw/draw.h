/* draw: the state as a grid. */
#ifndef DRAW_DRAW_H
#define DRAW_DRAW_H

#include "model/state.h"

/* Draws STATE, whose size GRID gets; brings the table's rows into view.  Errors: NO_MEMORY, RECORDING. */
struct jitscope_error *draw(struct grid *grid, struct state *state);
/* The help: keys and commands, from the line TOP on. */
void draw_help(struct grid *grid, struct state *state);

#endif
