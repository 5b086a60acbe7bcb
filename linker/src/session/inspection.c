/* Sessions that may be inspected while they run: executor/inspect_protocol.h says how.
 *
 * Such a session always has a recording, for that is what inspectors get: the program's own, or else one in
 * memory, which ends when the program begins one and begins again when that has ended.  Nothing of this is a
 * decision of the linker: it is in no recording, and a replay is never inspectable. */
#include "session/session_state.h"

#include "base/text.h"
#include "executor/connection.h"
#include "executor/inspect_server.h"
#include "session/session_restore.h"

#include <string.h>

static void note_failure(struct jitscope_session *session, struct jitscope_error *error) {
    if (session->inspection_failure)
        jitscope_error_destroy(error);
    else
        session->inspection_failure = error;
}

/* Who set the variable has nobody else to hear it from. */
static void tell_user(const struct jitscope_error *error) {
    enum { STANDARD_ERROR = 2 };
    struct text line = {0};
    text_append(&line, "jitscope: JITSCOPE_INSPECT: this process cannot be inspected: ");
    text_append(&line, error_text(error));
    if (error_help(error))
        text_print(&line, " (%s)", error_help(error));
    text_append(&line, "\n");
    if (!line.failed)
        (void)!os_write(STANDARD_ERROR, line.data, line.length);
    text_destroy(&line);
}

static bool environment_allows(void) {
    const char *value = os_environment("JITSCOPE_INSPECT");
    return value && !strcmp(value, "1");
}

/* Inspectors read the memory of the process that the code runs in, and of this host's only. */
static struct jitscope_error *open_door(struct jitscope_session *session,
                                        const struct jitscope_session_options *options) {
    int process = options->executor ? connection_process_here(options->executor) : 0;
    if (options->executor && !process)
        return error_create(JITSCOPE_ERROR_UNSUPPORTED,
                            "its code runs in a process that is not known to be on this machine");
    return inspect_server_open(session->trace.began, process, &session->door);
}

void session_open_door(struct jitscope_session *session, const struct jitscope_session_options *options) {
    if (!options->inspectable && !environment_allows())
        return;
    /* Without a recording of its own a program that did not ask has not chosen a level. */
    session->inspection_level = !options->inspectable                  ? LEVEL_BLOCK
                                : options->level == JITSCOPE_LEVEL_OFF ? LEVEL_OFF
                                                                       : (enum event_level)options->level;
    struct jitscope_error *error = open_door(session, options);
    if (!error)
        return;
    if (!options->inspectable)
        tell_user(error);
    note_failure(session, error);
}

void session_close_door(struct jitscope_session *session) {
    inspect_server_close(session->door);
    jitscope_error_destroy(session->inspection_failure);
    session->door = NULL;
    session->inspection_failure = NULL;
}

/* What cannot be inspected need not be recorded for that. */
static void give_up(struct jitscope_session *session, struct jitscope_error *error) {
    inspect_server_close(session->door);
    session->door = NULL;
    note_failure(session, error);
    if (session->recorded_in_memory)
        trace_end_recording(&session->trace);
    session->recorded_in_memory = session->recording_gives_way = false;
}

void session_show_recording(struct jitscope_session *session) {
    if (!inspect_server_is_here(session->door))
        return;
    uint32_t number = session->executor ? executor_number(session->executor) : 0;
    struct jitscope_error *error = inspect_server_show(session->door, trace_open_again(&session->trace),
                                                       session->recorded_in_memory, number);
    if (error)
        give_up(session, error);
}

void session_record_in_memory(struct jitscope_session *session) {
    if (!inspect_server_is_here(session->door))
        return;
    session->recorded_in_memory = session->recording_gives_way = true;
    struct jitscope_error *error = trace_record_in_memory(&session->trace);
    if (error)
        give_up(session, error);
}

static struct jitscope_error *tell_all(struct jitscope_session *session) {
    trace_set_record_level(&session->trace, session->inspection_level);
    TRY(session_announce_itself(session));
    session_tell_state(session);
    return NULL;
}

void session_resume_in_memory(struct jitscope_session *session) {
    if (!inspect_server_is_here(session->door))
        return;
    trace_end_recording(&session->trace);
    if (session->has_slots || session->waiting.count) {
        give_up(session, error_create(JITSCOPE_ERROR_UNSUPPORTED,
                                      "a recording of lazy or replaceable links begins before them"));
        return;
    }
    session_record_in_memory(session);
    if (!session->recorded_in_memory)
        return;
    struct jitscope_error *error = tell_all(session);
    if (error)
        give_up(session, error);
    else
        session_show_recording(session);
}

const char *jitscope_session_inspection_failure(struct jitscope_session *session) {
    session_lock_to_read(session);
    const char *message =
        session->inspection_failure ? jitscope_error_message(session->inspection_failure) : NULL;
    session_unlock(session);
    return message;
}
