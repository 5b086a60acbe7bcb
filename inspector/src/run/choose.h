/* choose: which of several processes is to be looked at. */
#ifndef RUN_CHOOSE_H
#define RUN_CHOOSE_H

#include "inspected/inspected.h"
#include "live/list.h"

/* A line for each: process, session, age, program, command. */
void sessions_print(struct text *out, const struct live_sessions *sessions);
/* Prints them, numbered, and asks on the terminal; attaches to the one that is chosen.  Errors: USAGE (none
 * was, or there is no terminal to ask on), and those of inspected_attach(). */
struct jitscope_error *choose_on_terminal(const struct live_sessions *sessions, uint64_t nanoseconds,
                                          struct inspected **inspected);

#endif
