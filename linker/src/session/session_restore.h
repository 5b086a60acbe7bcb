/* session_restore: a recording that begins in the middle of a session.
 *
 * What the session holds is told by `state_` events and by the calls that led there; a replay takes it up
 * with the functions below, each of which tells again what it has taken up. */
#ifndef SESSION_SESSION_RESTORE_H
#define SESSION_SESSION_RESTORE_H

#include "session/session_state.h"

/* Everything that later links, lookups and unloads depend on. */
void session_tell_state(struct jitscope_session *session);

/* BYTES are borrowed for the session's life.  Errors: of the input, and NO_MEMORY. */
struct jitscope_error *session_restore_input(struct jitscope_session *session,
                                             const struct event_state_input *event, const char *name,
                                             struct bytes bytes);
struct jitscope_error *session_restore_definition(struct jitscope_session *session,
                                                  const struct event_state_definition *event,
                                                  const char *name);
struct jitscope_error *session_restore_link(struct jitscope_session *session,
                                            const struct event_state_link *event,
                                            const struct memory_state *memory);
struct jitscope_error *session_restore_use(struct jitscope_session *session,
                                           const struct event_state_use *event);
/* The last one. */
struct jitscope_error *session_restore_numbers(struct jitscope_session *session,
                                               const struct event_state_session *event);

#endif
