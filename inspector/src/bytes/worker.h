/* worker: a child process that finds something out, so that a screen need not wait for it.
 *
 * What it finds goes into files that both have open, or memory that both see; a byte through a pipe says that
 * there is more.  A child, not a thread: replaying a recording, and libdwarf, take memory that is to be given
 * back, may take long and can be stopped at any time, and what they stumble over does not end the program. */
#ifndef BYTES_WORKER_H
#define BYTES_WORKER_H

#include "base/error.h"

#include <stdbool.h>

struct worker {
    int process; /* 0: none was started */
    int heard;   /* this end of the pipe; -1: none */
    bool ended;
    int status; /* of waitpid(2), once it has ended */
};

/* Runs WORK in a child, which ends behind it; it says that there is more by worker_say(SAYS).  *worker is to
 * be stopped in any case.  Errors: SYSTEM. */
struct jitscope_error *worker_start(struct worker *worker, void (*work)(void *context, int says),
                                    void *context);
void worker_say(int says);

/* Notes what was said since the last time, and whether the child has ended; never blocks. */
void worker_listen(struct worker *worker);
/* Blocks until something is said, or the child ends; TIMEOUT in milliseconds, -1 for none. */
void worker_wait(struct worker *worker, int timeout);
/* Ends the child if it still runs. */
void worker_stop(struct worker *worker);

#endif
