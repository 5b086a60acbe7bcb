/* memory: the allocation protocol between a link and a memory manager.
 *
 *     memory_allocate ──► struct in_flight ──memory_finalize──► uint64_t ──► memory_deallocate
 *                              └────────────memory_abandon──► gone
 *
 * Does for every manager what all need: layout, working memory of no-alloc segments, running the graph's
 * allocation actions after the protections and undoing them, events.  The managers (struct
 * jitscope_memory_ops) only find memory and protect it.  Used under the session's lock. */
#ifndef MEMORY_MEMORY_H
#define MEMORY_MEMORY_H

#include "base/numbered.h"
#include "executor/executor.h"
#include "graph/graph.h"
#include "jitscope/memory.h"
#include "memory/layout.h"

struct finalized; /* what is kept of a batch: memory.c */

struct memory {
    const struct jitscope_memory_ops *ops;
    void *context;
    struct executor
        *executor; /* NULL: nothing is executed (simulated memory): actions are recorded, not run */
    struct trace *trace;
    uint64_t page_size;
    uint32_t next_allocation;
    uint32_t halves;            /* of actions that have run */
    struct numbered finalized;  /* struct finalized, by handle */
    bool own_manager;           /* one of managers.h, by its name */
    bool code_ends_first;       /* at exit too: allocations call each other */
    struct memory_run *running; /* whose actions are running: the innermost; NULL: none are */

    /* A link whose actions failed, and were rolled back, is about to lose its memory; NULL: nobody cares. */
    void (*before_abandon)(void *context);
    void *abandon_context;
};

/* A run of actions that has not come to its end: of an allocation that is finalized, or deallocated. */
struct memory_run {
    const struct in_flight *finalizing; /* or NULL, and */
    const struct finalized *deallocating;
    struct action_results *results;
    struct memory_run *outer; /* that is interrupted by this one */
};

/* One allocation on its way; lives until finalize or abandon. */
struct in_flight {
    struct memory *memory;
    struct graph *graph;
    struct layout layout;
    void *allocation;                /* the manager's */
    uint32_t number;                 /* in events */
    uint8_t *no_alloc;               /* working memory of the no-alloc segments */
    struct jitscope_segment views[]; /* layout.alloc_count, as the manager sees them */
};

/* Takes CONTEXT over: ops->destroy is called by memory_destroy. */
void memory_create(struct memory *memory, const struct jitscope_memory_ops *ops, void *context,
                   struct executor *executor, struct trace *trace, uint64_t page_size);
/* Deallocates what is left, last first; errors of actions are dropped (they are in the trace). */
void memory_destroy(struct memory *memory);

/* Whether all segments of a batch of at most SIZE bytes will lie within 2 GiB of each other, wherever that
 * is: jitscope's own managers promise that.  A replay's has the name of the one whose places it gives again.
 */
bool memory_keeps_near(const struct memory *memory, uint64_t size);

/* Layout, placement, content copied into working memory. */
struct jitscope_error *memory_allocate(struct memory *memory, struct graph *graph,
                                       struct in_flight **in_flight);
/* Transfer, protect, run finalize actions, release FINALIZE segments.  In any case IN_FLIGHT is gone
 * afterwards: on an error everything has been rolled back and abandoned. */
struct jitscope_error *memory_finalize(struct in_flight *in_flight, uint64_t *finalized);
void memory_abandon(struct in_flight *in_flight);
/* Runs deallocate actions in reverse and gives the memory back, whatever the actions say; the first error is
 * returned. */
struct jitscope_error *memory_deallocate(struct memory *memory, uint64_t finalized);

/* What a recording that begins in the middle of a session says of finalized memory, and how a replay takes it
 * up: memory that nothing was linked into. */
struct memory_state {
    uint32_t number;  /* in events */
    void *allocation; /* the manager's; taken over on success */
    const struct jitscope_segment *segments;
    uint32_t segment_count;
    const struct action *actions; /* deallocate halves */
    uint32_t action_count;
};
uint32_t memory_allocation_number(const struct memory *memory, uint64_t finalized);
void memory_tell_state(const struct memory *memory, struct string_pool *names, uint64_t finalized);
struct jitscope_error *memory_restore(struct memory *memory, struct string_pool *names,
                                      const struct memory_state *state, uint64_t *finalized);

/* Without executor: puts VALUE where a slot is, at ADDRESS. */
void memory_store_slot(struct memory *memory, uint64_t address, uint64_t value);

/* Code that an action runs has come back to the linker, which is about to link: what ran so far is told of,
 * and counted. */
void memory_set_aside(struct memory *memory);
/* Halves of actions that have run in the session. */
uint32_t memory_halves(const struct memory *memory);
/* Runs those deallocate actions that run code, which memory_deallocate() then does not run again: of things
 * that go together all code runs first, while all of them are registered. */
struct jitscope_error *memory_end_code(struct memory *memory, uint64_t finalized);

/* exit(3) is running in the executor: runs all deallocate actions, last allocation first, but leaves the
 * memory in place, since other threads may still be running in it.  Deallocation afterwards runs none again.
 * When it was called inside a finalize action, those before that one are rolled back first. */
void memory_run_exit_actions(struct memory *memory);

/* The bytes at [address, address + size) of what is finalized or simulated, read through the manager's
 * working memory when it keeps it (simulated) or directly (in-process); false when not all of it is inside an
 * allocation. */
bool memory_read(const struct memory *memory, uint64_t address, void *buffer, size_t size);

#endif
