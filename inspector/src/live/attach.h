/* attach: gets hold of a session that runs, which goes on running. */
#ifndef LIVE_ATTACH_H
#define LIVE_ATTACH_H

#include "base/error.h"
#include "executor/inspect_protocol.h"

#include <stdint.h>

/* What the process has said of itself: its numbers have been checked, its texts end and want escaping, its
 * addresses are for process_vm_readv(2), which checks them. */
struct live_attached {
    int recording; /* open for reading, with an offset of its own; grows while the session is there.  A
                      recording is untrusted as always */
    struct inspect_header header;
};

/* SESSION is a number from live_list(); 0: the process's first.  For root processes of all users, but of
 * others than its own only those with their folder in the usual places.  Of a process that runs what another
 * of this user links, it is the session, or the first, of that other whose code is there.  *attached is for
 * live_detach(), not written on an error.  Waits at most two seconds, or two for each process that does not
 * answer when PROCESS has no session itself.  Thread-safe. Errors: NOT_FOUND (no such process or session, or
 * it does not allow it), USAGE (another user's), UNSUPPORTED (another version), FORMAT (not what a process
 * should say), RECORDING (it has none), SYSTEM, NO_MEMORY. */
struct jitscope_error *live_attach(uint32_t process, uint32_t session, struct live_attached *attached);
void live_detach(struct live_attached *attached);

#endif
