/* executor_linked: unwinders that are JIT'd code themselves.
 *
 * A program that is linked with libgcc_eh.a (as -static-libgcc has it) or LLVM's libunwind.a throws by a copy
 * of the unwinder that no library's symbol leads to, with a list of its own.  It is told every .eh_frame
 * section there is when it comes and those that come later, and forgets them all before it goes: its list is
 * on the heap and would not go with it. */
#ifndef EXECUTOR_EXECUTOR_LINKED_H
#define EXECUTOR_EXECUTOR_LINKED_H

#include "executor/executor_unwind.h"

/* UNWINDER has been filled in; the sections that are registered so far are told to it.  NULL or why not. */
const char *executor_add_linked_unwinder(struct unwinders *unwinders, struct linked_unwinder unwinder);
const char *executor_remove_linked_unwinder(struct unwinders *unwinders, struct linked_unwinder unwinder);
/* To all of them. */
void executor_tell_linked_unwinders(const struct unwinders *unwinders, struct bytes section, bool comes);

#endif
