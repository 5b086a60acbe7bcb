/* signals: what the terminal owes to signals: the event loop learns of them through a pipe, and whatever
 * kills the process gives the terminal back first, with bytes that were made ready before.
 *
 * One per process; handlers touch nothing but what is here. */
#ifndef TERMINAL_SIGNALS_H
#define TERMINAL_SIGNALS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct termios;

struct signals_seen {
    bool resized, continued, stop;
    int end; /* signal, or 0 */
};

/* Takes the signals; MODE is what FD, a terminal, is given back with.  Errors: SYSTEM, NO_MEMORY, and nothing
 * is taken. */
struct jitscope_error *signals_take(int fd, const struct termios *mode);
/* Gives them back as they were. */
void signals_release(void);
/* Readable when something was seen. */
int signals_descriptor(void);
/* What came since the last call. */
struct signals_seen signals_look(void);

enum { SIGNALS_MOST_RESCUE = 480 };
/* What a dying process writes to the terminal; NULL when the terminal is not ours, now or until the next
 * call. Longer ones are cut. */
void signals_set_rescue(const char *bytes, size_t length, const struct termios *mode);
/* Stops the process, or its whole GROUP, as SIGTSTP does by default; comes back when it is continued. */
void signals_stop(bool group);

#endif
