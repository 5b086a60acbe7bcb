/* target_threads: stops the threads of another process and lets them go, as if nothing had happened.
 *
 * What a thread was about to get, a signal, it gets when it goes on; a process that was stopped (SIGSTOP)
 * stays so.  While threads stand still, signals that would end this program wait until they have been let go.
 */
#ifndef TOOLS_TARGET_THREADS_H
#define TOOLS_TARGET_THREADS_H

#include "base/error.h"
#include "base/vec.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

struct target_thread {
    pid_t number;
    int signal;   /* it was about to get; 0 for none */
    bool stopped; /* false: waits in the kernel for something that lasts (vfork, a dead file server) */
};

struct target_threads {
    VEC(struct target_thread) list;
    sigset_t mask; /* of this program, before */
};

/* Takes about a second when a thread does not stop.  Errors: NOT_FOUND (the process has ended), SYSTEM (not
 * permitted, traced by another); nothing is stopped then. */
struct jitscope_error *target_threads_stop(pid_t process, struct target_threads *threads);
/* A signal that waited meanwhile may end this program here. */
void target_threads_release(struct target_threads *threads);
/* Whether a signal waits that is meant to end this program. */
bool target_threads_hurry(void);

#endif
