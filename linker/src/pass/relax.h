/* relax: references that go through a table although their target is near go straight to it.
 *
 * Most loads of the GOT are for symbols of the batch itself.  When all of it will lie near (graph->lies_near)
 * a load whose instruction can be rewritten asks for no entry at all: the edge becomes one that rewrites the
 * instruction when it is applied.  All others are looked at again when addresses are known; their entries
 * stay then: somebody may read them. */
#ifndef PASS_RELAX_H
#define PASS_RELAX_H

#include "graph/graph.h"

/* Edge NUMBER of BLOCK asks for a GOT entry; true when it does without.  Only where the graph lies near, for
 * symbols that have a place. */
bool relax_early(struct graph *graph, uint32_t block, uint32_t number);

/* Pre-fixup pass; needs graph->addresses.  Loads through the GOT become direct where the psABI allows it, and
 * branches to stubs go to the stub's target when it is in reach. */
struct jitscope_error *relax_references(struct graph *graph, void *unused);

#endif
