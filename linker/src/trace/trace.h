/* trace: where events are emitted.
 *
 * One trace per session.  An emission site is one line:
 *
 *     TRACE(trace, block_placed, .block = id, .segment = segment, .address = address);
 *     TRACE(trace, section, .section = id, .name = trace_name(trace, name), .prot = prot);
 *
 * Off, it costs one predictable branch; the field expressions are evaluated only when the level asks for the
 * event. On, it is a bump of a pointer, a copy of 24 to 48 bytes and a release store of the record's header,
 * which publishes it: a reader of the shared file never sees half a record.
 *
 * There are two sinks, each with a level of its own: a recording file (recording.c), and a callback, which
 * sees the record before it leaves the emitter's stack.  Calls and answers (TRACE_ANSWER) go to the recording
 * alone, or to the callback of a replay.  When the file cannot grow (disk full) it ends with a
 * `lost` record and `failure` says why; a callback goes on getting events, and the link never notices.  A
 * trace is used under its session's lock; each thread that takes the lock gets chunks of its own.  After
 * fork() the recording stays the parent's: the child's trace is off. */
#ifndef TRACE_TRACE_H
#define TRACE_TRACE_H

#include "base/error.h"
#include "base/string_pool.h"
#include "trace/event.h"

#include <stdbool.h>
#include <stddef.h>

struct recording; /* the file behind a trace, trace/recording.h */

/* Sees each record, in order, under the session's lock.  SEQUENCE counts what the trace's callbacks saw. */
typedef void (*trace_callback)(void *context, uint64_t sequence, uint32_t link, const void *record);

struct bit_set {
    uint64_t *words;
    uint32_t count;
};

struct trace {
    enum event_level level; /* the higher of the two below: events above it are not emitted */
    enum event_level record_level, callback_level; /* LEVEL_OFF for none */
    bool compares;                                 /* the callback is a replay's: it gets calls and answers */
    enum event_level emitting;                     /* level of the event whose fields are being collected */
    uint8_t *next;                                 /* where the next record goes */
    uint8_t *end;                                  /* end of the current chunk */
    uint64_t sequence;                             /* of the next event in the recording */
    uint64_t delivered;                            /* of the next event for the callback */
    uint32_t link;                                 /* link that events belong to; 0 between links */
    uint64_t began;                                /* os_time_ns() at session begin */
    struct bit_set recorded, told;                 /* string ids that the recording, and the callback, know */
    struct bit_set named;                          /* those that every sink knows */
    const struct string_pool *names;
    struct contents *contents;   /* bytes that have their number, private to contents.c; NULL: none yet */
    struct recording *recording; /* NULL: none */
    trace_callback callback;
    void *callback_context;
    void *writer;                   /* all threads' writers, private to trace.c */
    int process;                    /* that opened the recording */
    struct jitscope_error *failure; /* why the recording ended before its time; NULL */
};

/* A trace that is off; attach sinks, then trace_set_level().  NAMES must outlive it. */
void trace_create(struct trace *trace, const struct string_pool *names);
/* Seals and closes the recording.  Safe on a zeroed trace. */
void trace_destroy(struct trace *trace);

/* Opens PATH (mode 0600, replaced if it exists) as recording.  Errors: RECORDING, NO_MEMORY. */
struct jitscope_error *trace_record_to(struct trace *trace, const char *path);
/* The same into a file in memory, without a name.  Errors: SYSTEM, NO_MEMORY. */
struct jitscope_error *trace_record_in_memory(struct trace *trace);
/* What is recorded, open for reading only, for the caller to close; -1 when nothing is, or it cannot be. */
int trace_open_again(const struct trace *trace);
/* Ends the recording in good order; the next trace_record_to() begins a new one. */
void trace_end_recording(struct trace *trace);
/* CALLBACK gets events up to LEVEL; NULL ends it. */
void trace_set_callback(struct trace *trace, enum event_level level, trace_callback callback, void *context);
/* The same for a replay, which gets calls and answers as well. */
void trace_compare(struct trace *trace, enum event_level level, trace_callback callback, void *context);
/* The recording gets events up to LEVEL from now on; without recording there is nothing to set. */
void trace_set_record_level(struct trace *trace, enum event_level level);
/* Looks whether the file is still there and whole; why the recording ended before its time, NULL when it did
 * not. */
const struct jitscope_error *trace_check(struct trace *trace);
/* Seals what was written, so that readers can check it; the recording stays open. */
void trace_flush(struct trace *trace);

/* Events from here on belong to LINK (0: none).  Also to be called when another thread takes the session
 * over. */
void trace_enter_link(struct trace *trace, uint32_t link);

/* Nanoseconds since the session began; 0 when off, so that an untraced link reads no clock. */
uint64_t trace_time(const struct trace *trace);

static inline bool trace_wants(const struct trace *trace, enum event_level level) {
    return __builtin_expect(trace->level >= level, 0);
}

/* Puts one record into a chunk of its own, past the chunk at hand: CHUNK has RECORDING_CHUNK_SIZE bytes, and
 * the record fills it behind the header and one run, both of which this puts in.  False when the recording
 * has failed. */
struct chunk_header;
bool trace_append_apart(struct trace *trace, struct chunk_header *chunk);

/* Slow paths of the inline functions below. */
bool trace_next_chunk(struct trace *trace, size_t size);
void trace_define_name(struct trace *trace, uint32_t name);
void trace_notify(struct trace *trace, const void *record);

static inline bool bit_set_has(const struct bit_set *set, uint32_t bit) {
    return bit >> 6 < set->count && set->words[bit >> 6] >> (bit & 63) & 1;
}

/* The reference to a pooled string in a record; tells the stream about the text first when it is new. */
static inline struct name_ref trace_name(struct trace *trace, uint32_t name) {
    if (__builtin_expect(!bit_set_has(&trace->named, name), 0))
        trace_define_name(trace, name);
    return (struct name_ref){name};
}

/* SIZE is a compile-time constant at every call: the copy becomes a few moves. */
static inline void trace_append(struct trace *trace, const void *record, size_t size) {
    if (__builtin_expect((size_t)(trace->end - trace->next) < size, 0) && !trace_next_chunk(trace, size))
        return;
    uint8_t *at = trace->next;
    __builtin_memcpy(at + 4, (const uint8_t *)record + 4, size - 4);
    __atomic_store_n((uint32_t *)(void *)at, *(const uint32_t *)record, __ATOMIC_RELEASE);
    trace->next = at + size;
    trace->sequence++;
}

/* LEVEL is a constant too. */
static inline void trace_emit(struct trace *trace, enum event_level level, const void *record, size_t size) {
    if (trace->record_level >= level)
        trace_append(trace, record, size);
    if (__builtin_expect(trace->callback_level >= level, 0))
        trace_notify(trace, record);
}

/* Calls and answers (events.def) are kept by recordings and compared by replays, whatever the level. */
static inline bool trace_keeps_answers(const struct trace *trace) {
    return __builtin_expect(trace->record_level || trace->compares, 0);
}

static inline void trace_emit_answer(struct trace *trace, const void *record, size_t size) {
    if (trace->record_level)
        trace_append(trace, record, size);
    if (trace->compares)
        trace_notify(trace, record);
}

#define TRACE_ANSWER(trace, event, ...)                                                                      \
    do {                                                                                                     \
        if (trace_keeps_answers(trace)) {                                                                    \
            (trace)->emitting = LEVEL_SESSION;                                                               \
            struct event_##event record_ = {                                                                 \
                .header = EVENT_HEADER(EVENT_ID_##event, sizeof(struct event_##event)), __VA_ARGS__};        \
            trace_emit_answer(trace, &record_, sizeof record_);                                              \
        }                                                                                                    \
    } while (0)

#define TRACE(trace, event, ...)                                                                             \
    do {                                                                                                     \
        if (trace_wants(trace, (enum event_level)EVENT_LEVEL_##event)) {                                     \
            (trace)->emitting = (enum event_level)EVENT_LEVEL_##event;                                       \
            struct event_##event record_ = {                                                                 \
                .header = EVENT_HEADER(EVENT_ID_##event, sizeof(struct event_##event)), __VA_ARGS__};        \
            trace_emit(trace, (enum event_level)EVENT_LEVEL_##event, &record_, sizeof record_);              \
        }                                                                                                    \
    } while (0)

#endif
