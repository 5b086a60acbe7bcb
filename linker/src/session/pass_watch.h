/* pass_watch: what a pass of the embedding program does behind the linker's back.
 *
 * A replay cannot run such a pass.  What it changes through jitscope/graph.h is recorded there; from the
 * post-allocation phase on it can also write into working memory, which this finds out by digests of the
 * blocks before and after.  Costs nothing while nobody records. */
#ifndef SESSION_PASS_WATCH_H
#define SESSION_PASS_WATCH_H

#include "graph/graph.h"

struct pass_watch {
    uint64_t *before; /* digest per block; NULL when nothing can be written */
    uint32_t count;
};

struct jitscope_error *pass_watch_begin(struct pass_watch *watch, const struct graph *graph);
/* Tells what has changed, and how the pass ended. */
void pass_watch_end(struct pass_watch *watch, const struct graph *graph, const struct jitscope_error *error);

#endif
