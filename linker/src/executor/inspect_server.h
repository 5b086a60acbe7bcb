/* inspect_server: the door of a session that may be inspected (inspect_protocol.h).
 *
 * A thread of its own waits for inspectors and hands each the recording.  It takes no lock that is held
 * while anything is waited for, so that neither the session nor an inspector can hold up the other; and it
 * is the only thing that an inspector can keep busy.  The door is closed by exit(3), by dlclose(3) of the
 * library that holds this code, and by inspect_server_close().  A child of fork(2) has no door. */
#ifndef EXECUTOR_INSPECT_SERVER_H
#define EXECUTOR_INSPECT_SERVER_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct inspect_server;

/* Makes the socket; nobody is answered yet.  SESSION_BEGAN as in struct inspect_header; CODE_PROCESS: 0
 * for this one.  Errors: SYSTEM,
 * NO_MEMORY, USAGE (the folder is not safe, or the program has more rights than its caller). */
struct jitscope_error *inspect_server_open(uint64_t session_began, int code_process,
                                           struct inspect_server **server);
/* From now on inspectors get READER, the recording open for reading, which is the server's from here on; -1:
 * there is none just now.  EXECUTOR as in struct inspect_header.  Errors: SYSTEM (there is no thread). */
struct jitscope_error *inspect_server_show(struct inspect_server *server, int reader, bool in_memory,
                                           uint32_t executor);
/* False in a child of fork(2). */
bool inspect_server_is_here(const struct inspect_server *server);
/* NULL is allowed. */
void inspect_server_close(struct inspect_server *server);

#endif
