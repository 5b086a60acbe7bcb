/* doors: the sockets at which sessions can be inspected, seen from outside (executor/inspect_protocol.h). */
#ifndef LIVE_DOORS_H
#define LIVE_DOORS_H

#include "base/error.h"

#include <stdint.h>

/* One socket: in a folder that was found safe, open while the function it is given to runs. */
struct live_door {
    int folder;
    uint32_t user; /* whose folder it is */
    uint32_t process, session;
};

/* Calls FUNCTION for each socket of USER's processes, in no order.  Folders that are not there, or not safe,
 * hold none. */
struct jitscope_error *
live_each_door(uint32_t user, struct jitscope_error *(*function)(void *context, const struct live_door *door),
               void *context);
enum live_answer {
    LIVE_NOBODY, /* or somebody else than the door says */
    LIVE_BUSY,   /* so many wait already that one more was not let in: its process has been stopped, say */
    LIVE_OPEN,
};
/* Neither this nor a call on the connection waits longer than MILLISECONDS.  When it is open, *connection is
 * the caller's to close.  Errors: SYSTEM, NO_MEMORY. */
struct jitscope_error *live_knock(const struct live_door *door, uint32_t milliseconds,
                                  enum live_answer *answer, int *connection);
/* Removes the socket when its process is gone. */
void live_remove_stale(const struct live_door *door);

#endif
