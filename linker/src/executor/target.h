/* target: the executor's side of a connection (bridge.h): what the files of it share.
 *
 * Two threads.  The listener reads messages, always: so it is heard of when the linker has gone.  The thread
 * that serves handles them one after the other, initialisers run on it and main is called on it; while main
 * runs the listener handles them itself.  Handling holds one lock; exit(3), which may be called inside, takes
 * it too, unless its caller holds it. */
#ifndef EXECUTOR_TARGET_H
#define EXECUTOR_TARGET_H

#include "executor/executor.h"
#include "executor/wire.h"
#include "jitscope/executor.h"

#include <pthread.h>

struct target_segment {
    uint64_t address;
    uint64_t size; /* 0: it is closed */
    uint64_t content_size;
    uint64_t offset;
    uint32_t prot;
    uint32_t lifetime;
};

/* One allocation, from its FINALIZE to its DEALLOCATE. */
struct target_allocation {
    struct target_allocation *older;
    uint32_t number;
    uint32_t action_count;
    struct action *actions; /* deallocate halves; in front of what they point to */
    uint32_t segment_count;
    struct action_results results; /* of the deallocate halves, with room for all */
    struct target_segment segments[];
};

struct target_range {
    uint64_t start, size;
    uint64_t *taken; /* a bit for each page that a segment has */
};

enum { TARGET_UNTIL_FINALIZED = 1 }; /* a segment's lifetime; 0: until the allocation goes */

struct jitscope_target {
    struct wire wire;
    struct executor *executor;
    int process;     /* a child of fork(2) has another */
    int memory_file; /* the linker's; -1 */
    VEC(struct target_range) reserved;
    uint64_t near;

    pthread_mutex_t lock; /* while a message is handled */
    pthread_t owner;      /* atomic; 0: nobody */
    struct target_allocation *newest;
    const struct target_allocation *busy; /* whose actions run */
    const struct action_results *results; /* of these */
    bool finalizes;                       /* or it deallocates */
    int crashed;    /* atomic: 1 while a thread waits to be looked at, 2 when it has been */
    bool exiting;   /* exit(3) has been called: nothing is handled any more */
    uint64_t entry; /* to be called as main, 0: nothing */
    bool exits;     /* with what main returns */
    int argc;
    char **argv, **envp;

    pthread_mutex_t queue_lock;
    pthread_cond_t changed;
    struct frame frame; /* to be handled by the thread that serves */
    bool has_frame, is_handling, main_runs, is_over, was_ended;
    struct jitscope_error *failure; /* why it is over */
    struct os_thread listener;
};

/* --- target_memory.c */

/* Checks that all segments lie in what was reserved and nowhere where others do, and that none is to be
 * writable and executable; then they have their pages, until they are closed.  EXECUTOR_GONE: nobody asks for
 * that. */
struct jitscope_error *target_claim(struct jitscope_target *target, struct target_allocation *allocation,
                                    const struct bytes *contents);
/* Opens what was claimed, takes content (from the memory file, or CONTENTS: one each), protects it.  On an
 * error all are closed. */
struct jitscope_error *target_open(struct jitscope_target *target, struct target_allocation *allocation,
                                   const struct bytes *contents);
/* Closes those of LIFETIME, or all. */
struct jitscope_error *target_close(const struct jitscope_target *target,
                                    struct target_allocation *allocation, bool all);
/* One more range; the first failure is the error. */
struct jitscope_error *target_reserve(struct jitscope_target *target, uint64_t size, uint64_t wanted,
                                      bool low, struct target_range *range);
struct target_allocation *target_find(const struct jitscope_target *target, uint32_t number);
/* Whether SIZE bytes at ADDRESS lie in one segment that can be read. */
bool target_can_read(const struct jitscope_target *target, uint64_t address, uint64_t size);

/* --- target_crash.c */

/* From now on signals that end the process are told of first; once. */
void target_watch_crashes(struct jitscope_target *target);

/* --- target_requests.c */

/* Handles one message, and answers; an error when it makes no sense.  Under the lock. */
struct jitscope_error *target_handle(struct jitscope_target *target, struct frame *frame);
/* Runs the deallocate halves of ALLOCATION's actions from FIRST on, which are then not left. */
void target_undo(struct jitscope_target *target, struct target_allocation *allocation, uint32_t first);
void target_forget(struct jitscope_target *target, struct target_allocation *allocation);

#endif
