/* executable_stack: inputs whose code puts code on the stack.
 *
 * gcc makes a pointer to a nested function the address of a trampoline: a few instructions, written to the
 * stack when the function around it is entered.  It says so with an executable .note.GNU-stack, an executable
 * gets it from its linker in PT_GNU_STACK (Linux Standard Base, "Program Header"), and the kernel or the
 * dynamic loader makes stacks executable.  Here that is writable and executable memory in a process that may
 * do more than run this batch: only when the embedding program has registered the action
 * (jitscope_session_allow_executable_stack) is it run, and only for a batch that wants it; otherwise such a
 * batch does not link. */
#ifndef PASS_EXECUTABLE_STACK_H
#define PASS_EXECUTABLE_STACK_H

#include "graph/graph.h"

/* What the action is registered as. */
#define MAKE_STACKS_EXECUTABLE "make-stacks-executable"

/* Post-fixup, before all that runs code of the batch. Errors: UNSUPPORTED. */
struct jitscope_error *attach_executable_stack(struct graph *graph);

#endif
