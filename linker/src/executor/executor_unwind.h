/* executor_unwind: making .eh_frame sections known to every unwinder of this process.
 *
 * What is here is the process's, shared by all executors, under one lock: an exception that one session's
 * code throws may pass another's. */
#ifndef EXECUTOR_UNWIND_H
#define EXECUTOR_UNWIND_H

#include <stdint.h>

/* Both return NULL, or why it failed (a static text). */
const char *executor_register_eh_frame(uint64_t address, uint64_t size);
const char *executor_deregister_eh_frame(uint64_t address, uint64_t size);

/* A batch brings an unwinder of its own: ADD and REMOVE are the addresses of its __register_frame and
 * __deregister_frame, of libgcc (KIND 0), or of its __unw_add_dynamic_fde and __unw_remove_dynamic_fde, of
 * LLVM's libunwind (KIND 1).  It hears of all sections, until it is dismissed.  Both return NULL, or why it
 * failed. */
const char *executor_adopt_unwinder(uint64_t kind, uint64_t add, uint64_t remove);
const char *executor_dismiss_unwinder(uint64_t add);

/* Unwinders that came into the process since are told of what is registered.  Cheap when none came. */
void executor_look_for_unwinders(void);
/* The unwinders that there are now are looked for and loaded before anything is registered: for who has
 * nothing else to do until then. */
void executor_look_ahead_for_unwinders(void);

/* The function of an unwinder that JIT'd code gets when it asks for NAME; NULL: there is no choice to be
 * made. */
void *executor_unwinder_function(const char *name);

/* An executor comes, goes.  What nobody needs any more is given back behind the last. */
void executor_enter_unwinders(void);
void executor_leave_unwinders(void);
/* The names of the unwinders found so far, but for those of batches; how many, at most EXECUTOR_UNWINDERS. */
uint32_t executor_unwinder_names(const char **names);

#endif
