/* fixups: every edge's value is computed and written into working memory. */
#ifndef LINK_FIXUPS_H
#define LINK_FIXUPS_H

#include "graph/graph.h"

/* The pass; needs graph->addresses and working memory.  Errors: OUT_OF_RANGE (names place, target, distance
 * and limit, or a field outside its block). */
struct jitscope_error *apply_fixups(struct graph *graph, void *unused);
/* One block's edges into CONTENT, a copy of its bytes, with what is known already; no event. */
struct jitscope_error *fix_copy(const struct graph *graph, uint32_t block, uint8_t *content);

#endif
