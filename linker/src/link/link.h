/* link: the whole algorithm, one batch, four phases.  See link.c. */
#ifndef LINK_LINK_H
#define LINK_LINK_H

#include "link/make_debug_image.h"
#include "memory/memory.h"
#include "pass/pass.h"
#include "pass/prune.h"

/* What a link needs from above. */
struct link_job {
    struct graph *graph; /* all inputs are read */
    struct memory *memory;
    const struct pass_list *user_passes;
    struct prune_roots roots;
    bool phony_externals;
    uint64_t phony_base;
    uint32_t pass_number; /* passes run so far in this link */

    /* Answers for externals: calls graph_resolve() for those it knows, in one batched lookup. */
    pass_function resolve_externals;
    /* Sees the graph when every address is final and before actions run; tells the session the definitions.
     */
    pass_function announce_definitions;
    void *session;
    struct debug_scratch *debug; /* NULL: debuggers are told nothing */
};

/* On success *finalized is the batch's memory.  On an error nothing is held. The graph stays the caller's. */
struct jitscope_error *link_run(struct link_job *job, uint64_t *finalized);

#endif
