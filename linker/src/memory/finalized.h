/* finalized: what is kept of a batch until its memory is given back. */
#ifndef MEMORY_FINALIZED_H
#define MEMORY_FINALIZED_H

#include "memory/memory.h"

/* What is kept of a batch until deallocate; the graph is gone by then.  One piece of memory: segments, then
 * actions, then the bytes that these point to. */
struct finalized {
    void *allocation; /* the manager's */
    uint32_t number;
    uint32_t segment_count;
    uint32_t action_count;         /* deallocate halves only; 0 when there are none */
    struct action *actions;        /* numbered as in the graph */
    struct action_results results; /* room for all of them, so that deallocation needs no memory */
    struct string_pool *names;
    struct jitscope_segment segments[]; /* those still there */
};

/* Room for SEGMENTS, and a copy of the deallocate halves of the first COUNT of ACTIONS. */
struct jitscope_error *finalized_create(uint32_t segments, const struct action *actions, uint32_t count,
                                        struct finalized **finalized);
void finalized_destroy(struct finalized *finalized);

#endif
