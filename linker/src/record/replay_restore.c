/* Links of before a recording that begins in the middle of its session. */
#include "record/replay_state.h"
#include "session/session_restore.h"

struct restored {
    VEC(struct jitscope_segment) segments;
    VEC(struct action) actions;
};

static struct jitscope_error *add_segment(struct restored *restored,
                                          const struct event_state_segment *event) {
    return vec_push(&restored->segments,
                    (struct jitscope_segment){.prot = event->prot,
                                              .lifetime = (enum jitscope_lifetime)event->lifetime,
                                              .content_size = event->content_size,
                                              .zero_fill_size = event->zero_fill_size,
                                              .alignment = event->alignment,
                                              .address = event->address});
}

static struct jitscope_error *add_action(struct replay *replay, struct restored *restored,
                                         const struct event_state_action *event) {
    struct bytes arguments = {0};
    const char *function = recorded_text(&replay->recorded, event->deallocate);
    if (!function)
        return error_no_memory();
    if (event->arguments != NO_CONTENT)
        TRY(recorded_content(&replay->recorded, event->arguments, &arguments));
    return vec_push(&restored->actions,
                    (struct action){.deallocate = {*function ? function : NULL, arguments.data,
                                                   (uint32_t)arguments.size}});
}

/* All that follows the link up to something else. */
static struct jitscope_error *collect(struct replay *replay, struct restored *restored) {
    struct event_cursor at = replay->cursor;
    struct event_view view;
    bool link = true; /* the first is the link itself */
    while (recorded_next(&replay->recorded, &at, &view)) {
        const union any_event *event = decode_event(&replay->recorded.decoder, &view);
        const struct event_state_segment segment = event->state_segment;
        const struct event_state_action action = event->state_action;
        if (view.type->id == EVENT_ID_state_segment)
            TRY(add_segment(restored, &segment));
        else if (view.type->id == EVENT_ID_state_action)
            TRY(add_action(replay, restored, &action));
        else if (!link)
            return NULL;
        link = false;
    }
    return NULL;
}

static struct jitscope_error *restore(struct replay *replay, struct jitscope_session *session,
                                      const struct event_state_link *event, struct restored *restored) {
    struct memory_state state = {.number = event->allocation};
    TRY(collect(replay, restored));
    TRY(replay_restore_memory(replay, &state.allocation));
    state.segments = restored->segments.data;
    state.segment_count = restored->segments.count;
    state.actions = restored->actions.data;
    state.action_count = restored->actions.count;
    struct jitscope_error *error = session_restore_link(session, event, &state);
    if (error)
        replay->memory_ops.abandon(replay, state.allocation);
    return error;
}

struct jitscope_error *replay_restore_link(struct replay *replay, struct jitscope_session *session,
                                           const struct event_state_link *event) {
    struct restored restored = {0};
    struct jitscope_error *error = restore(replay, session, event, &restored);
    vec_destroy(&restored.segments);
    vec_destroy(&restored.actions);
    return error;
}
