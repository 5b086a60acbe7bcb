/* fixups: every edge's value is computed and written into working memory. */
#ifndef LINK_FIXUPS_H
#define LINK_FIXUPS_H

#include "graph/graph.h"

/* The pass; needs graph->addresses and working memory.  Errors: OUT_OF_RANGE (names place, target, distance
 * and limit, or a field outside its block). */
struct jitscope_error *apply_fixups(struct graph *graph, void *unused);

#endif
