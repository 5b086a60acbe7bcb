/* stack_walk: the stacks of another process's threads, walked by nongnu libunwind. */
#ifndef TOOLS_STACK_WALK_H
#define TOOLS_STACK_WALK_H

#include "target_code.h"
#include "target_threads.h"

struct stack_frame {
    uint64_t address; /* of the instruction that runs, or that is returned to */
    uint64_t inside;  /* the same for frame 0 and interrupted frames; otherwise inside the call */
    bool jit;
    bool signal; /* not a call: the system interrupted the next frame for a signal's handler */
};

/* Sees each frame of a thread, innermost first; false ends the walk. */
typedef bool (*stack_frame_function)(void *context, const struct stack_frame *frame);

struct stack_walker;

/* Stops every thread of PROCESS until stack_walker_destroy(), which lets them run on (target_threads.h, with
 * its errors).  Errors also: NOT_FOUND (libunwind). */
struct jitscope_error *stack_walker_create(const struct target_process *process,
                                           struct stack_walker **walker);
void stack_walker_destroy(struct stack_walker *walker);

size_t stack_walker_count(const struct stack_walker *walker);
const struct target_thread *stack_walker_thread(const struct stack_walker *walker, size_t index);
/* CODE may be NULL.  A thread that did not stop has no frames. */
struct jitscope_error *stack_walker_walk(struct stack_walker *walker, size_t index, struct target_code *code,
                                         stack_frame_function function, void *context);

/* On standard error, what a thread was doing when it got the signal whose handler it is in.  command_stack.c.
 */
struct jitscope_error *print_crashed_stack(int process, int thread);

#endif
