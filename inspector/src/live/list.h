/* list: which sessions can be inspected. */
#ifndef LIVE_LIST_H
#define LIVE_LIST_H

#include "base/vec.h"

#include <stdint.h>

struct live_session {
    uint32_t process;
    uint32_t session;  /* number among the process's inspectable sessions, from 1 */
    uint64_t started;  /* when the session began: CLOCK_REALTIME in nanoseconds */
    uint64_t age;      /* since then, in nanoseconds */
    char program[16];  /* the process's name for itself (proc(5), comm) */
    char command[256]; /* its command line, words apart by blanks, cut when longer; empty when it is not told.
                          Both are the process's own choice: escape them */
};

struct live_sessions {
    VEC(struct live_session) list; /* by process and session */
};

/* All that this user's processes let be inspected, and that can be reached from here: who is listed can be
 * attached to, unless it has ended or is stopped.  Sockets that dead processes left are removed.  *sessions
 * is the caller's to destroy, not written on an error.  Thread-safe.  Errors: SYSTEM, NO_MEMORY. */
struct jitscope_error *live_list(struct live_sessions *sessions);
void live_sessions_destroy(struct live_sessions *sessions);

#endif
