/* session_replay: a session whose outside world is a recording.
 *
 * What the session would ask the machine (files), the executor (libraries, symbols, actions) and the memory
 * manager (places) is answered by functions of the replay; what it then says, calls and answers included,
 * goes to COMPARE, in order, as records of this version's schema. */
#ifndef SESSION_SESSION_REPLAY_H
#define SESSION_SESSION_REPLAY_H

#include "session/session_state.h"

struct session_replay {
    struct session_world world;
    struct executor_answers executor;
    const struct jitscope_memory_ops *memory; /* must outlive the session, which destroys the context */
    void *memory_context;
    uint64_t page_size;
    enum event_level level;           /* what COMPARE gets */
    const struct string_pool **names; /* OUT, before the first event: texts behind the records' names */
    trace_callback compare;
    void *compare_context;
};

/* REPLAY is copied; NULL for a session that runs.  OPTIONS are complete and checked.  Errors: as
 * jitscope_session_create(). */
struct jitscope_error *session_create(const struct jitscope_session_options *options,
                                      const struct session_replay *replay, struct jitscope_session **session);

/* What exit(3) does to a session that is still there. */
void session_exit(struct jitscope_session *session);

#endif
