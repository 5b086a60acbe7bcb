#include "record/replay_state.h"

#include <inttypes.h>
#include <string.h>

/* The options as they were; the debug policy decides whether debug images are made. */
static struct jitscope_session_options options_of(const struct replay *replay) {
    const struct event_call_create *create = &replay->recorded.create;
    return (struct jitscope_session_options){
        .size = sizeof(struct jitscope_session_options),
        .simulate = create->simulate,
        .base = create->base,
        .record_path = replay->options.record_path,
        .level = replay->options.level ? replay->options.level : (enum jitscope_level)create->level,
        .keep_debug_sections = create->keep_debug_sections,
        .gc_sections = create->gc_sections,
        .phony_externals = create->phony_externals,
        .no_default_libraries = create->no_default_libraries,
        .debug = (enum jitscope_debug)create->debug};
}

static struct jitscope_error *check_recording(struct replay *replay) {
    struct recorded *recorded = &replay->recorded;
    uint64_t page = recorded->begin.page_size;
    if (page < 512 || page > 1 << 24 || page & (page - 1))
        return error_create(JITSCOPE_ERROR_RECORDING, "a page size of %" PRIu64 " bytes", page);
    if (recorded->create.level < LEVEL_SESSION || recorded->create.level > LEVEL_EDGES ||
        recorded->create.debug > JITSCOPE_DEBUG_OFF)
        return error_create(JITSCOPE_ERROR_RECORDING, "options that no session can have");
    replay->manager_name = recorded_text(recorded, recorded->begin.memory_manager);
    return replay->manager_name ? NULL : error_no_memory();
}

static struct jitscope_error *create_session(struct replay *replay) {
    struct jitscope_session_options options = options_of(replay);
    struct session_replay setting = {
        .page_size = replay->recorded.begin.page_size,
        .level = replay->options.watcher ? LEVEL_EDGES : (enum event_level)replay->recorded.create.level,
        .names = &replay->names,
        .compare = replay_compare,
        .compare_context = replay};
    replay_give_world(replay, &setting);
    replay_give_memory(replay, &setting);
    return session_create(&options, &setting, &replay->session);
}

static bool ends_session(uint32_t id) {
    return id == EVENT_ID_call_destroy || id == EVENT_ID_call_exit;
}

/* Whether all that the next call says is there: another call comes behind it, or the end of a link that
 * worked. */
static bool is_next_call_whole(struct replay *replay) {
    struct event_cursor at = replay->cursor;
    struct event_view view;
    if (!recorded_next(&replay->recorded, &at, &view))
        return false;
    while (recorded_next(&replay->recorded, &at, &view)) {
        if (replay_is_call(view.type->id))
            return true;
        if (view.type->id == EVENT_ID_link_end &&
            decode_event(&replay->recorded.decoder, &view)->link_end.outcome == OUTCOME_OK)
            return true;
    }
    return false;
}

/* Of a recording that is followed the calls are made when they are whole; at its end, as far as they go. */
static struct jitscope_error *wait_for_call(struct replay *replay) {
    const struct replay_watcher *watcher = replay->options.watcher;
    while (watcher && watcher->more && !is_next_call_whole(replay) && watcher->more(watcher->context))
        TRY(recorded_read_on(&replay->recorded));
    return NULL;
}

/* Errors of calls are the recorded ones and told by events; those of the replay itself end it. */
static struct jitscope_error *make_calls(struct replay *replay) {
    struct event_view view;
    while (!replay->diverged && !replay->ended && replay->session) {
        TRY(wait_for_call(replay));
        if (!replay_peek(replay, &view) || view.type->id == EVENT_ID_lost ||
            (replay->options.keep_memory && ends_session(view.type->id)))
            break;
        uint64_t before = replay->compared;
        jitscope_error_destroy(replay_call(replay, &view));
        if (!replay->diverged && !replay->ended && replay->compared == before) {
            replay_diverge(replay, &view, NULL, "event");
            break;
        }
    }
    return NULL;
}

/* --- what to say of a recording that ends early */

static const char *why_it_ends(const struct replay *replay) {
    const struct recorded *recorded = &replay->recorded;
    if (recorded->has_gap)
        return "because what comes next is missing from the file";
    if (recorded->has_lost)
        return "because it could not be written any further";
    if (recorded->exit_ordinal != UINT64_MAX)
        return "because the program called exit inside an action";
    if (replay->exited)
        return "because the program called exit in a function that the linker had called";
    if (replay->ended)
        return "in the middle of a call, because its writer was stopped";
    return recorded->file->open_chunks ? "between two calls, because its writer was stopped"
                                       : "between two calls, where recording was ended";
}

static void tell_end(struct replay *replay) {
    const struct recorded *recorded = &replay->recorded;
    if (!replay->ended && !recorded->has_lost && (recorded->has_end || replay->options.keep_memory))
        return;
    text_print(&replay->report, "the recording ends here, %s: the same up to event %" PRIu64 "\n",
               why_it_ends(replay), recorded->last_sequence);
}

/* --- all of it */

static void impossible(struct replay *replay, struct jitscope_error *error) {
    replay->verdict = REPLAY_IMPOSSIBLE;
    text_append(&replay->report, jitscope_error_message(error));
    text_append(&replay->report, "\n");
    jitscope_error_destroy(error);
}

static struct jitscope_error *run(struct replay *replay, const struct recording_file *file) {
    struct jitscope_error *error = recorded_open(&replay->recorded, file);
    if (!error)
        error = check_recording(replay);
    if (jitscope_error_code(error) == JITSCOPE_ERROR_RECORDING) {
        impossible(replay, error);
        return NULL;
    }
    TRY(error);
    TRY(create_session(replay));
    TRY(make_calls(replay));
    replay->verdict = replay->diverged ? REPLAY_DIVERGED : REPLAY_IDENTICAL;
    if (!replay->diverged)
        tell_end(replay);
    return NULL;
}

struct jitscope_error *replay_run(const struct recording_file *file, const struct replay_options *options,
                                  struct replay **out) {
    struct replay *replay = os_allocate_zeroed(sizeof *replay);
    if (!replay)
        return error_no_memory();
    replay->options = *options;
    replay->cursor.file = file;
    struct jitscope_error *error = run(replay, file);
    if (error)
        replay_destroy(replay);
    else
        *out = replay;
    return error;
}

void replay_end_recording(struct replay *replay) {
    if (!replay->session)
        return;
    trace_flush(&replay->session->trace);
    trace_set_record_level(&replay->session->trace, LEVEL_OFF);
}

void replay_destroy(struct replay *replay) {
    if (!replay)
        return;
    replay->ended = true; /* what the end of a session that was kept says is nobody's */
    jitscope_session_destroy(replay->session);
    recorded_close(&replay->recorded);
    vec_destroy(&replay->images);
    text_destroy(&replay->report);
    arena_destroy(&replay->arena);
    os_release(replay);
}

enum replay_verdict replay_verdict(const struct replay *replay) {
    return replay->verdict;
}

uint64_t replay_compared(const struct replay *replay) {
    return replay->compared;
}

uint64_t replay_divergence(const struct replay *replay) {
    return replay->divergence;
}

const char *replay_report(const struct replay *replay) {
    return replay->report.data ? replay->report.data : "";
}

const struct replay_bytes *replay_bytes(const struct replay *replay) {
    return replay->has_bytes ? &replay->bytes : NULL;
}

struct jitscope_session *replay_session(struct replay *replay) {
    return replay->session;
}
