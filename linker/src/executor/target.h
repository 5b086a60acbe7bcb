/* target: the executor's side of a connection (bridge.h): what the files of it share.
 *
 * Two threads.  The listener reads messages, always: so it is heard of when the linker has gone.  The thread
 * that serves handles them one after the other, initialisers run on it and main is called on it; while main
 * runs the listener handles them itself.  Handling holds one lock; exit(3), which may be called inside, takes
 * it too, unless its caller holds it.
 *
 * With halves that are asked for one by one (bridge.h) code runs without the lock, since what it calls may
 * have to be linked first: target_lazy.c. */
#ifndef EXECUTOR_TARGET_H
#define EXECUTOR_TARGET_H

#include "base/os.h"
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
    uint32_t left;          /* deallocate halves below this one have not run, and are to */
    uint32_t next;          /* by parts: first finalize half that has not been asked for */
    bool is_unfinished;     /* by parts: some have not run */
    bool code_has_ended;    /* at exit */
    uint32_t runs;          /* of its halves, now */
    struct action *actions; /* deallocate halves, by parts all; in front of what they point to */
    uint32_t segment_count;
    struct action_results results; /* of the deallocate halves, with room for all */
    struct target_segment segments[];
};

struct target_range {
    uint64_t start, size;
    uint64_t *taken; /* a bit for each page that a segment has */
};

enum { TARGET_UNTIL_FINALIZED = 1 }; /* a segment's lifetime; 0: until the allocation goes */
/* A half that runs, asked for by itself; or the end of the program. */
struct target_run {
    pthread_t thread;
    uint64_t serial; /* of RUN_HALF */
    struct target_run *outer;
};

/* A thread that calls what waits, and waits for an answer. */
struct target_call {
    uint64_t serial;    /* of LAZY_CALL */
    struct frame frame; /* the answer, or something to do */
    bool has_frame;
    struct target_call *next;
};

struct jitscope_target {
    struct wire wire;
    struct executor *executor;
    int process;     /* a child of fork(2) has another */
    int memory_file; /* the linker's; -1 */
    struct os_identity in, out, memory;
    VEC(struct target_range) reserved;
    uint64_t near;

    pthread_mutex_t lock; /* while a message is handled */
    pthread_t owner;      /* atomic; 0: nobody */
    struct target_allocation *newest;
    const struct target_allocation *busy; /* whose actions run */
    const struct action_results *results; /* of these */
    bool finalizes;                       /* or it deallocates */
    struct target_run *runs;              /* innermost first */
    pthread_cond_t run_ended;
    bool by_parts;       /* halves of some allocation were asked for one by one */
    uint32_t unfinished; /* such allocations */
    bool tells_frames;   /* of a crash */
    int crashed;         /* atomic: 1 while a thread waits to be looked at, 2 when it has been */
    bool exiting;        /* atomic: exit(3) has been called, nothing is handled any more */
    uint64_t entry;      /* to be called as main, 0: nothing */
    bool exits;          /* with what main returns */
    int argc;
    char **argv, **envp;

    pthread_mutex_t send_lock; /* then queue_lock may be taken */

    pthread_mutex_t queue_lock;
    pthread_cond_t changed;
    struct frame frame; /* to be handled by the thread that serves */
    bool has_frame, is_handling, main_runs;
    bool is_over;                   /* atomic: a signal's handler takes no lock */
    bool was_ended;                 /* atomic: by END */
    struct jitscope_error *failure; /* why it is over */
    struct os_thread listener;
    bool listens;     /* there is one */
    bool is_counted;  /* it was seen to come by os_counted_threads() */
    pthread_t server; /* the thread that serves */
    bool is_in_half;  /* the thread that serves runs code, and may wait for others */
    struct target_call *calls;
    struct frame half; /* to be run by the helper, while the thread that serves cannot */
    bool has_half, has_helper;
    struct os_thread helper;
};

/* --- target.c */

static inline bool target_is_over(const struct jitscope_target *target) {
    return __atomic_load_n(&target->is_over, __ATOMIC_RELAXED);
}
static inline bool target_was_ended(const struct jitscope_target *target) {
    return __atomic_load_n(&target->was_ended, __ATOMIC_RELAXED);
}
static inline bool target_is_exiting(const struct jitscope_target *target) {
    return __atomic_load_n(&target->exiting, __ATOMIC_RELAXED);
}
void target_lock(struct jitscope_target *target);
void target_unlock(struct jitscope_target *target);
bool target_is_owner(struct jitscope_target *target);
/* A program may close all descriptors that it does not know, and have others in their place: nothing of the
 * linker's is to be written there. */
bool target_is_connected(const struct jitscope_target *target);
struct jitscope_error *target_closed_here(void);
/* As wire_send(), from any thread. */
struct jitscope_error *target_send(struct jitscope_target *target, enum bridge_message kind, uint64_t answers,
                                   struct message *message);
/* Handles one message under the lock; it is gone then. */
struct jitscope_error *target_take(struct jitscope_target *target, struct frame *frame);
/* Nothing is heard any more, because of FAILURE or since the linker has gone. */
void target_end_connection(struct jitscope_target *target, struct jitscope_error *failure);

/* --- target_lazy.c */

/* Calls of linked code are asked about from here on. */
void target_begin_lazy(struct jitscope_target *target);
/* A message on behalf of a call: hands it over.  False: nobody waits for it. */
bool target_give_to_call(struct jitscope_target *target, const struct frame *frame);
/* A half that the thread that serves cannot run now.  Errors: SYSTEM. */
struct jitscope_error *target_give_to_helper(struct jitscope_target *target, const struct frame *frame);
struct jitscope_error *target_run_half(struct jitscope_target *target, struct frame *frame,
                                       struct cursor *cursor);
struct jitscope_error *target_store_slots(struct jitscope_target *target, struct frame *frame,
                                          struct cursor *cursor);
/* An allocation has come whose halves are asked for one by one. */
void target_begin_parts(struct jitscope_target *target, struct target_allocation *allocation);
/* It goes. */
void target_end_parts(struct jitscope_target *target, struct target_allocation *allocation);
/* Whether this thread, which calls exit(3), must let links that others are making come to their end. */
void target_await_links(struct jitscope_target *target);
/* Serial of the half that this thread runs, 0: none.  Under the lock. */
uint64_t target_half_of_thread(const struct jitscope_target *target);
/* At exit: rolls back what was not finished, and ends all code before anything else goes. */
void target_end_code(struct jitscope_target *target);

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
bool target_can_write(const struct jitscope_target *target, uint64_t address, uint64_t size);

/* --- target_crash.c */

/* From now on signals that end the process are told of first; once.  WITH_FRAMES: and where the thread was.
 */
void target_watch_crashes(struct jitscope_target *target, bool with_frames);
/* This thread has all signals blocked, but is to run code: faults come again. */
void target_let_faults_come(void);

/* --- target_frames.c: of the thread that dies, in its signal's handler */

/* Before. */
void target_frames_prepare(void);
/* The signal comes again for a walk of this thread's that goes wrong: does not come back then. */
void target_frames_leave(void);
struct crash_place {
    uint64_t address, stack; /* of the instruction; and the stack's pointer */
    bool is_no_code;         /* there is nothing that could be executed */
};
/* As far as they can be found. */
void target_frames_find(int signal, const struct crash_place *where);
/* As CRASHED has them; how many bytes. */
enum { TARGET_FRAMES_SIZE = 20 << 10 };
uint32_t target_frames_put(uint8_t to[TARGET_FRAMES_SIZE]);

/* --- target_requests.c */

/* Handles one message, and answers; an error when it makes no sense.  Under the lock. */
struct jitscope_error *target_handle(struct jitscope_target *target, struct frame *frame);
void target_put_unwinders(struct jitscope_target *target, struct message *message);
/* Runs the deallocate halves of ALLOCATION's actions from FIRST on, which are then not left. */
void target_undo(struct jitscope_target *target, struct target_allocation *allocation, uint32_t first);
void target_forget(struct jitscope_target *target, struct target_allocation *allocation);
/* Arguments and environments of all targets, for who knows that nobody looks at them any more. */
void target_forget_words(void);

#endif
