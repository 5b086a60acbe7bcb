/* prune: what lives. */
#ifndef PASS_PRUNE_H
#define PASS_PRUNE_H

#include "graph/graph.h"

/* What keeps blocks alive besides other blocks. */
struct prune_roots {
    bool everything; /* as a static linker without --gc-sections: every block but dependent ones is a root */
    const uint32_t *names; /* otherwise: these symbols, by name id ... */
    uint32_t count;        /* ... and always sections of initialisers and finalisers and those kept by name */
};

/* Marks from the roots along edges; an attached block (FDE) lives with its owner.  Removes the rest (reason
 * UNREACHABLE).  CONTEXT is a struct prune_roots. */
struct jitscope_error *prune(struct graph *graph, void *context);

/* Pre-prune: BLOCK stays whatever the roots say. */
static inline void prune_keep(struct graph *graph, uint32_t block) {
    graph->blocks.data[block].flags |= BLOCK_LIVE;
}

#endif
