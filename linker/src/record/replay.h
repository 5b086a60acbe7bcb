/* replay: a recorded session once more, without its machine.
 *
 * The calls of the recording are made again, to a session whose world is the recording (session_replay.h): it
 * answers for files, libraries, symbols, memory and actions; nothing is executed.  What the session says is
 * compared with what is recorded, event by event, all fields but times.  The first difference is the
 * divergence; from there on nothing is compared, since what follows follows from it.
 *
 *     recorded.c        the recording: contents, calls, answers ahead
 *     replay_world.c    answers: files, libraries, symbols, actions
 *     replay_memory.c   the memory manager that places segments where they were
 *     replay_pass.c     passes of the embedding program: what they changed
 *     replay_calls.c    the calls
 *     compare.c         the comparison
 *     divergence.c      what is told about the first difference */
#ifndef RECORD_REPLAY_H
#define RECORD_REPLAY_H

#include "base/string_pool.h"
#include "base/text.h"
#include "executor/bridge.h"
#include "jitscope/memory.h"
#include "jitscope/session.h"
#include "trace/recording.h"

enum replay_verdict {
    REPLAY_IDENTICAL,
    REPLAY_DIVERGED,
    REPLAY_IMPOSSIBLE, /* not a recording that can be replayed */
};

/* Sees a replay while it runs, on its thread; functions that are NULL are not called. */
struct replay_watcher {
    /* Every event of every level, calls and answers included, as a record of this version's schema; texts are
     * those of NAMES. */
    void (*event)(void *context, uint32_t link, const void *record, const struct string_pool *names);
    /* The memory of LINK is as it is handed over to the executor: its segments, at their addresses, and the
     * actions that are attached. */
    void (*memory)(void *context, uint32_t link, const struct jitscope_segment *segments, size_t count,
                   const struct action *actions, uint32_t action_count);
    /* The file is followed (trace/recording_follow.h), and the next call is not recorded to its end: brings
     * more of it in, waiting for it if need be.  False: there will be no more. */
    bool (*more)(void *context);
    void *context;
};

struct replay_options {
    const char *record_path;   /* records the replay itself; NULL: not */
    enum jitscope_level level; /* of that recording; 0: as the original */
    bool renamed;              /* names are others than recorded: neither they nor digests are compared */
    bool keep_memory;          /* stop before the session's end, so that its memory can be read */
    const struct replay_watcher *watcher; /* NULL: nobody; outlives the replay */
};

struct replay;

/* FILE must outlive *replay.  On success *replay is to be ended with replay_destroy(), whatever the verdict.
 * Errors: NO_MEMORY, RECORDING and SYSTEM (the recording of the replay cannot be written). */
struct jitscope_error *replay_run(const struct recording_file *file, const struct replay_options *options,
                                  struct replay **replay);
void replay_destroy(struct replay *replay);

/* The recording of the replay ends with what was replayed so far, without the end of a session that is still
 * there. */
void replay_end_recording(struct replay *replay);

enum replay_verdict replay_verdict(const struct replay *replay);
/* Events that were compared and are the same. */
uint64_t replay_compared(const struct replay *replay);
/* Sequence number, in the recording, of the first event that differs; valid after DIVERGED. */
uint64_t replay_divergence(const struct replay *replay);
/* The bytes that a divergence is about. */
struct replay_bytes {
    uint64_t address;
    bool is_code;        /* of an executable segment */
    bool has_expected;   /* only recordings with edges hold what was written */
    uint32_t at, length; /* the bytes that differ, in ACTUAL and EXPECTED */
    uint32_t count;      /* of bytes below: those that differ and what is around them */
    uint8_t actual[64], expected[64];
};
/* NULL when it is not about bytes. */
const struct replay_bytes *replay_bytes(const struct replay *replay);
/* What there is to say: the divergence, why replaying is impossible, where the recording ends early; "" when
 * all is well. */
const char *replay_report(const struct replay *replay);
/* With keep_memory: the debug image that LINK was registered with (executor/debug_image.h); false when there
 * was none. Good until replay_destroy(). */
bool replay_debug_image(const struct replay *replay, uint32_t link, struct bytes *image);
/* The session as it is at the end; NULL when it could not be made. */
struct jitscope_session *replay_session(struct replay *replay);

#endif
