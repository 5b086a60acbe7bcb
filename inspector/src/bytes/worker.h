/* worker: a child process that finds something out, so that a screen need not wait for it.
 *
 * What it finds goes into files that both have open, or memory that both see; a byte through a pipe says that
 * there is more, and one through another that it may go on.  A child, not a thread: replaying a recording,
 * and libdwarf, take memory that is to be given back, may take long and can be stopped at any time, and what
 * they stumble over does not end the program. */
#ifndef BYTES_WORKER_H
#define BYTES_WORKER_H

#include "base/error.h"

#include <stdbool.h>

struct worker {
    int process; /* 0: none was started */
    int heard;   /* this end of the pipe; -1: none */
    int told[2]; /* the other one, by which the child is told things; -1: none */
    bool ended;
    int status; /* of waitpid(2), once it has ended */
};

/* The child's ends: it says that there is something new, and is told so. */
struct worker_ends {
    int says, hears;
};

/* Runs WORK in a child, which ends behind it.  *worker is to be stopped in any case.  Errors: SYSTEM. */
struct jitscope_error *worker_start(struct worker *worker,
                                    void (*work)(void *context, const struct worker_ends *ends),
                                    void *context);
/* The child's: says that there is something new; waits until it is told WORD, false when it cannot be told
 * any. */
void worker_say(const struct worker_ends *ends);
bool worker_hear(const struct worker_ends *ends, char *word);
/* The parent's. */
void worker_tell(const struct worker *worker, char word);

/* Notes what was said since the last time, and whether the child has ended; never blocks. */
void worker_listen(struct worker *worker);
/* Blocks until something is said, or the child ends; TIMEOUT in milliseconds, -1 for none. */
void worker_wait(struct worker *worker, int timeout);
/* Ends the child if it still runs. */
void worker_stop(struct worker *worker);

#endif
