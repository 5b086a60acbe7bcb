/* partner: which process a program runs in whose linker is another one. */
#ifndef TOOLS_PARTNER_H
#define TOOLS_PARTNER_H

#include "base/error.h"

#include <sys/types.h>

/* PROCESS is a `jitscope` of this machine: the jitscope-executor that it is connected with, that it has
 * started, or that has started it.  0: none, or PROCESS is another program, in which linked code may run
 * itself. Errors: NO_MEMORY. */
struct jitscope_error *partner_of_linker(pid_t process, pid_t *partner);

#endif
