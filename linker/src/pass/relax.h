/* relax: references that go through a table although their target is near go straight to it. */
#ifndef PASS_RELAX_H
#define PASS_RELAX_H

#include "graph/graph.h"

/* Pre-fixup pass; needs graph->addresses.  Loads through the GOT become direct where the psABI allows it, and
 * branches to stubs go to the stub's target when it is in reach.  The table entries stay: somebody may read
 * them. */
struct jitscope_error *relax_references(struct graph *graph, void *unused);

#endif
