/* header: what stands above the headings of a screen. */
#ifndef DRAW_HEADER_H
#define DRAW_HEADER_H

#include "draw/draw.h"

/* Draws into ROWS lines from row 1 on. */
void draw_header(struct grid *grid, const struct state *state, uint32_t rows);

#endif
