/* thread_locals: the batch's thread-local storage gets its place, and the words that only the loader knows.
 */
#ifndef LINK_THREAD_LOCALS_H
#define LINK_THREAD_LOCALS_H

#include "memory/memory.h"

struct thread_local_job {
    const struct in_flight *in_flight;
    struct executor *executor; /* NULL: simulated, everything is made up */
};

/* Whether the batch has or uses thread-local variables. */
bool has_thread_locals(const struct graph *graph, const struct in_flight *in_flight);
/* Resolve pass, when all addresses but those of thread-local variables are known: makes the initial values of
 * the batch's block (pointers in them included), has the executor open it (executor/tls_module.h), and fills
 * in what it said: TP, the words of the TLS table's entries, and how far externals lie from the thread
 * pointer, which become their addresses.  The executor's module
 * is the link's: executor_close_tls() when the link fails or is unloaded. */
struct jitscope_error *place_thread_locals(struct graph *graph, void *thread_local_job);

#endif
