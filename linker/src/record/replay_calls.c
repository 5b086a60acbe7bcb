/* The calls of the embedding program, made again.  What they return is not looked at: a call that failed
 * then fails now, and both tell of it. */
#include "record/replay_state.h"
#include "session/session_restore.h"

#include <stdlib.h>

#define CALL(name)                                                                                           \
    static struct jitscope_error *make_##name(struct replay *replay, struct jitscope_session *session,       \
                                              const struct event_##name *call)

#define TEXT(variable, field)                                                                                \
    const char *variable = recorded_text(&replay->recorded, call->field);                                    \
    if (!variable)                                                                                           \
    return error_no_memory()

CALL(call_add_file) {
    TEXT(path, path);
    return jitscope_session_add_file(session, path);
}

CALL(call_add_memory) {
    struct bytes bytes;
    TEXT(name, name);
    TRY(recorded_content(&replay->recorded, call->content, &bytes));
    return jitscope_session_add_borrowed(session, name, bytes.data, bytes.size);
}

CALL(call_add_library) {
    TEXT(name, name);
    return jitscope_session_add_library(session, name);
}

CALL(call_add_library_path) {
    TEXT(path, path);
    return jitscope_session_add_library_path(session, path);
}

/* One event for two settings: only the one that changes is called for, so that one event comes of it. */
CALL(call_set_modes) {
    (void)replay;
    if ((call->as_needed != 0) != session->as_needed)
        return jitscope_session_set_as_needed(session, call->as_needed);
    return jitscope_session_set_whole_archive(session, call->whole_archive);
}

CALL(call_define) {
    TEXT(name, name);
    return jitscope_session_define(session, name, call->address);
}

CALL(call_add_root) {
    TEXT(name, name);
    return jitscope_session_add_root(session, name);
}

CALL(call_add_pass) {
    static const enum jitscope_phase phases[] = {
        [PHASE_PRE_PRUNE] = JITSCOPE_PRE_PRUNE,
        [PHASE_POST_PRUNE] = JITSCOPE_POST_PRUNE,
        [PHASE_POST_ALLOCATION] = JITSCOPE_POST_ALLOCATION,
        [PHASE_PRE_FIXUP] = JITSCOPE_PRE_FIXUP,
        [PHASE_POST_FIXUP] = JITSCOPE_POST_FIXUP,
    };
    TEXT(name, name);
    if (call->phase >= sizeof phases / sizeof *phases)
        return replay_no_answer(replay, "a phase that there is");
    return jitscope_session_add_pass(session, phases[call->phase], name, replay_pass, replay);
}

static const char *never_run(void *context, const uint8_t *arguments, size_t size) {
    (void)context, (void)arguments, (void)size;
    return "a replay runs no action";
}

CALL(call_register_action) {
    TEXT(name, name);
    return jitscope_session_register_action(session, name, never_run, NULL);
}

CALL(call_set_resolver) {
    return jitscope_session_set_resolver(session, call->present ? replay_resolve : NULL, replay);
}

CALL(call_link) {
    (void)replay, (void)call;
    return jitscope_session_link(session, NULL);
}

CALL(call_set_linking) {
    (void)replay;
    if ((call->lazy != 0) != session->lazy)
        return jitscope_session_set_lazy(session, call->lazy);
    return jitscope_session_set_replaceable(session, call->replaceable);
}

CALL(call_replace) {
    struct jitscope_link *link = session_link_by_number(session, call->link);
    return link ? jitscope_session_replace(session, link, NULL)
                : replay_no_answer(replay, "the link that is to be replaced");
}

/* By whichever thread, and wherever in another call, it was made then. */
CALL(call_lazy) {
    struct jitscope_link *link = session_link_by_number(session, call->link);
    if (!link || call->slot >= link->slots.count)
        return replay_no_answer(replay, "the slot that was called through");
    return session_call_lazy(session, link, call->slot);
}

CALL(call_batch) {
    (void)replay;
    if (call->open)
        session_open_batch(session);
    else
        session_close_batch(session);
    return NULL;
}

CALL(executor_lost) {
    TEXT(reason, reason);
    session_tell_loss(session, reason);
    return NULL;
}

CALL(call_unload) {
    struct jitscope_link *link = session_link_by_number(session, call->link);
    return link ? jitscope_session_unload(session, link)
                : replay_no_answer(replay, "the link that is to be unloaded");
}

CALL(call_exit) {
    (void)replay, (void)call;
    session_exit(session);
    return NULL;
}

CALL(call_destroy) {
    (void)session, (void)call;
    jitscope_session_destroy(session);
    replay->session = NULL;
    return NULL;
}

/* --- a recording that begins in the middle */

CALL(state_input) {
    struct bytes bytes;
    TEXT(name, name);
    TRY(recorded_content(&replay->recorded, call->content, &bytes));
    return session_restore_input(session, call, name, bytes);
}

CALL(state_definition) {
    TEXT(name, name);
    return session_restore_definition(session, call, name);
}

CALL(state_link) {
    return replay_restore_link(replay, session, call);
}

CALL(state_use) {
    (void)replay;
    return session_restore_use(session, call);
}

CALL(state_session) {
    replay->halves = call->halves;
    return session_restore_numbers(session, call);
}

#define CALLS(X)                                                                                             \
    X(call_add_file)                                                                                         \
    X(call_add_memory)                                                                                       \
    X(call_add_library)                                                                                      \
    X(call_add_library_path)                                                                                 \
    X(call_set_modes)                                                                                        \
    X(call_define)                                                                                           \
    X(call_add_root)                                                                                         \
    X(call_add_pass)                                                                                         \
    X(call_register_action)                                                                                  \
    X(call_set_resolver)                                                                                     \
    X(call_link)                                                                                             \
    X(call_set_linking)                                                                                      \
    X(call_lazy)                                                                                             \
    X(call_replace)                                                                                          \
    X(executor_lost)                                                                                         \
    X(call_batch)                                                                                            \
    X(call_unload)                                                                                           \
    X(call_exit)                                                                                             \
    X(call_destroy) X(state_input) X(state_definition) X(state_link) X(state_use) X(state_session)

bool replay_is_call(uint32_t id) {
    switch (id) {
#define CASE(name) case EVENT_ID_##name:
        CALLS(CASE)
#undef CASE
        return true;
    default:
        return false;
    }
}

struct jitscope_error *replay_call(struct replay *replay, const struct event_view *view) {
    const union any_event *event = decode_event(&replay->recorded.decoder, view);
    switch (view->type->id) {
#define CASE(name)                                                                                           \
    case EVENT_ID_##name: {                                                                                  \
        const struct event_##name copy = event->name;                                                        \
        return make_##name(replay, replay->session, &copy);                                                  \
    }
        CALLS(CASE)
#undef CASE
    default:
        replay_diverge(replay, view, NULL, "event");
        return NULL;
    }
}
