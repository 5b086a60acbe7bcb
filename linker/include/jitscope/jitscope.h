/* jitscope: a JIT linker you can see through.  Includes the whole public API.
 *
 *     struct jitscope_session *session;
 *     struct jitscope_link *link;
 *     uint64_t address;
 *     jitscope_session_create(NULL, &session);
 *     jitscope_session_add_file(session, "fib.o");
 *     jitscope_session_link(session, &link);
 *     jitscope_session_lookup(session, "fib", &address);
 *     int answer = ((int (*)(int))address)(30);
 *     jitscope_session_unload(session, link);
 *     jitscope_session_destroy(session);
 *
 * Each call returns NULL or an error that the caller destroys (error.h).  Threads, callbacks and what happens
 * to code that is unloaded: session.h.  `pkg-config jitscope` says how to compile and link; the library is
 * static. */
#ifndef JITSCOPE_JITSCOPE_H
#define JITSCOPE_JITSCOPE_H

#include "jitscope/error.h"
#include "jitscope/event.h"
#include "jitscope/executor.h"
#include "jitscope/graph.h"
#include "jitscope/memory.h"
#include "jitscope/session.h"

#endif
