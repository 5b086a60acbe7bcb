/* unresolved: externals that nobody answered for. */
#ifndef LINK_UNRESOLVED_H
#define LINK_UNRESOLVED_H

#include "graph/graph.h"

/* The pass that ends resolution: weak ones become 0; of the others, those that a live edge refers to make one
 * error (UNRESOLVED) that lists them with who refers to them; names nobody uses do not matter. */
struct jitscope_error *settle_unresolved(struct graph *graph, void *unused);

/* Gives every unresolved strong external a made-up address above BASE, 16 bytes apart, in order of symbol id.
 */
void resolve_phony(struct graph *graph, uint64_t base);

#endif
