/* terminfo: the two things that are asked of terminfo(5) itself, beside ncurses. */
#ifndef TERMINAL_TERMINFO_H
#define TERMINAL_TERMINFO_H

#include <stdbool.h>

/* Whether there is a terminal of this name.  To be asked first: newterm() leaks when there is none. */
bool terminfo_knows(const char *name);

/* From now on ncurses writes a character as often as it stands there.  Many terminals go by the name of one
 * that repeats characters when told how often (ECMA-48's REP), and show it once. */
void terminfo_forget_repetition(void);

#endif
