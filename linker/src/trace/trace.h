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
 * Where records go is the sink's business: a recording file (recording.c), or one chunk of memory used over
 * and over when only a callback listens.  When the file cannot grow (disk full) it ends with a `lost` record
 * and `failure` says why; a callback goes on getting events, and the link never notices.  A trace is used
 * under its session's lock; each thread that takes the lock gets chunks of its own.  After fork() the
 * recording stays the parent's: the child's trace is off. */
#ifndef TRACE_TRACE_H
#define TRACE_TRACE_H

#include "base/error.h"
#include "base/string_pool.h"
#include "trace/event.h"

#include <stdbool.h>
#include <stddef.h>

struct recording; /* the file behind a trace, trace/recording.h */

/* Sees each record after it was appended, in order, under the session's lock. */
typedef void (*trace_callback)(void *context, uint64_t sequence, uint32_t link, const void *record);

struct trace {
    enum event_level level; /* events above it are not emitted; LEVEL_OFF for none */
    uint8_t *next;          /* where the next record goes */
    uint8_t *end;           /* end of the current chunk */
    uint64_t sequence;      /* of the next event */
    uint32_t link;          /* link that events belong to; 0 between links */
    uint64_t began;         /* os_time_ns() at session begin */
    uint64_t *named;        /* bit set of string ids already in the stream */
    uint32_t named_words;
    const struct string_pool *names;
    struct recording *recording; /* NULL: none */
    uint8_t *scratch;            /* the reused chunk when there is no recording */
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
void trace_set_callback(struct trace *trace, trace_callback callback, void *context);
/* Sets the level that takes effect now.  Without sink the level stays LEVEL_OFF. */
void trace_set_level(struct trace *trace, enum event_level level);
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

/* Slow paths of the inline functions below. */
bool trace_next_chunk(struct trace *trace, size_t size);
void trace_define_name(struct trace *trace, uint32_t name);
void trace_notify(struct trace *trace, const void *record);

/* The reference to a pooled string in a record; tells the stream about the text first when it is new. */
static inline struct name_ref trace_name(struct trace *trace, uint32_t name) {
    uint32_t word = name >> 6;
    if (__builtin_expect(word >= trace->named_words || !(trace->named[word] >> (name & 63) & 1), 0))
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
    if (__builtin_expect(trace->callback != NULL, 0))
        trace_notify(trace, at);
}

#define TRACE(trace, event, ...)                                                                             \
    do {                                                                                                     \
        if (trace_wants(trace, (enum event_level)EVENT_LEVEL_##event)) {                                     \
            struct event_##event event_ = {                                                                  \
                .header = EVENT_HEADER(EVENT_ID_##event, sizeof(struct event_##event)), __VA_ARGS__};        \
            trace_append(trace, &event_, sizeof event_);                                                     \
        }                                                                                                    \
    } while (0)

#endif
