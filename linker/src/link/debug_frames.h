/* debug_frames: call frame information for debuggers, which want it as .debug_frame. */
#ifndef LINK_DEBUG_FRAMES_H
#define LINK_DEBUG_FRAMES_H

#include "graph/graph.h"
#include "object/elf_debug.h"

/* Appends the batch's .eh_frame records, with absolute addresses, and one frame for each section of stubs to
 * OUT's .debug_frame.  *frames counts them.  Needs working memory and graph->addresses. */
struct jitscope_error *debug_frames_add(const struct graph *graph, struct debug_sections *out,
                                        uint32_t *frames);

#endif
