/* image_lines: the lines of one batch, from its debug image, without a debugger or a process. */
#ifndef DWARF_IMAGE_LINES_H
#define DWARF_IMAGE_LINES_H

#include "dwarf/dwarf_lines.h"
#include "executor/debug_image.h"

/* Errors: NO_MEMORY.  *lines is to be destroyed in any case; what is damaged has none. */
struct jitscope_error *image_lines_read(const struct debug_image *image, struct dwarf_lines *lines);

/* The first of the rows at or behind ADDRESS; their count when there is none. */
uint32_t image_lines_first(const struct dwarf_lines *lines, uint64_t address);

#endif
