/* replay_state: what the files of a replay share. */
#ifndef RECORD_REPLAY_STATE_H
#define RECORD_REPLAY_STATE_H

#include "record/recorded.h"
#include "record/replay.h"
#include "session/session_replay.h"

/* Passes of the recording that have begun, for the story of a divergence. */
struct pass_place {
    struct name_ref name;
    uint32_t number;
    bool inside;
};

/* The argument of a register-debug-image. */
struct kept_image {
    uint8_t *bytes; /* in the arena, aligned to 16 */
    size_t size;
    uint32_t link;
};

struct replay {
    struct recorded recorded;
    struct replay_options options;
    struct jitscope_session *session;
    const struct string_pool *names; /* the session's */
    struct event_cursor cursor;      /* behind the last event that was compared */
    struct arena arena;              /* texts and lists that live as long as the replay */
    struct jitscope_memory_ops memory_ops;
    VEC(struct kept_image) images; /* with keep_memory */
    const char *manager_name;
    uint32_t halves; /* of actions that have "run" */
    uint64_t compared;
    uint64_t divergence;
    struct replay_bytes bytes; /* of the divergence */
    bool has_bytes;
    void *allocation;  /* the latest one of the memory manager; NULL when it is gone */
    void *allocations; /* all of them */
    struct pass_place pass;
    bool diverged;
    bool exited; /* exit(3) has been called inside an action */
    bool ended;  /* the recording holds nothing from here on: what is said now is not compared */
    enum replay_verdict verdict;
    struct text report;
};

/* The next event that the session must come to; false at the recording's end. */
static inline bool replay_peek(struct replay *replay, struct event_view *view) {
    struct event_cursor ahead = replay->cursor;
    return recorded_next(&replay->recorded, &ahead, view);
}

/* The next event behind CURSOR, which moves; where there is none, the replay has come to the recording's end.
 */
static inline bool replay_next(struct replay *replay, struct event_cursor *cursor, struct event_view *view) {
    if (!replay->ended && recorded_next(&replay->recorded, cursor, view))
        return true;
    replay->ended = true;
    return false;
}

/* The first event of type ID from the next one on, and the failure right before it when there is one, without
 * looking further than one call.  False when there is none. */
struct answer {
    struct event_cursor behind; /* the answer */
    struct event_view view;
    struct event_failure failure;
    bool failed;
};
bool replay_find(struct replay *replay, uint32_t id, struct answer *answer);
/* The recorded error of an answer that failed. */
struct jitscope_error *replay_failure(struct replay *replay, const struct answer *answer);
/* The session asks what the recording does not answer: a divergence, or its end. */
struct jitscope_error *replay_no_answer(struct replay *replay, const char *question);

/* exit(3) ended the process here: what it undid is replayed, and nothing comes behind it.  Why the action at
 * hand, if there is one, failed. */
const char *replay_exit_here(struct replay *replay);

/* --- the files */
void replay_give_world(struct replay *replay, struct session_replay *setting);
void replay_give_memory(struct replay *replay, struct session_replay *setting);
struct jitscope_error *replay_pass(struct jitscope_graph *graph, void *replay);
struct jitscope_error *replay_resolve(void *replay, const char *const *names, size_t count,
                                      uint64_t *addresses, bool *found);
/* Code has come back to the session when so many halves of actions had run as have now: makes these calls. */
void replay_lazy_calls(struct replay *replay);
/* Makes the call that VIEW tells of, the next event. */
struct jitscope_error *replay_call(struct replay *replay, const struct event_view *view);
bool replay_is_call(uint32_t id);
/* A link of before the recording, whose segments and actions follow: its memory is all zeroes. */
struct jitscope_error *replay_restore_link(struct replay *replay, struct jitscope_session *session,
                                           const struct event_state_link *event);
struct jitscope_error *replay_restore_memory(struct replay *replay, void **allocation);
/* The executor wrote VALUE there. */
void replay_write_slot(struct replay *replay, uint64_t address, uint64_t value);
/* Of the latest allocation, finished or not. */
bool replay_read_memory(struct replay *replay, uint64_t address, void *buffer, size_t size);
void replay_compare(void *replay, uint64_t sequence, uint32_t link, const void *record);

/* RECORD is what the session said instead; NULL: nothing.  EXPECTED NULL: the recording says nothing more. */
void replay_diverge(struct replay *replay, const struct event_view *expected, const void *record,
                    const char *what);

#endif
