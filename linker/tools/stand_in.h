/* stand_in: this process stands in for the program that runs in another, towards whoever started it. */
#ifndef TOOLS_STAND_IN_H
#define TOOLS_STAND_IN_H

#include <stdbool.h>

/* From now on signals are those of the process PROGRAM, and stops, when
 * it is a child.  TOGETHER: the terminal reaches it by itself. */
void stand_in_for(int program, bool together);
/* It is to be replaced: a process that is started next finds signals as this one has. */
void stand_in_no_more(void);
/* The program, a child, runs: descriptors that came with this process are its alone. */
void stand_in_leave_descriptors(void);
/* The program has ended: its number may be another's now. */
void stand_in_is_over(void);
/* The program was ended by SIGNAL: says so, if its shell would not end silently, and ends this process. */
_Noreturn void stand_in_end(int signal);
/* To be called last of what exit(3) calls. */
void stand_in_at_exit(void);

#endif
