/* timeline: when each event happened.
 *
 * Only phases carry times (a clock costs more than an event), many events a duration, and most nothing.  The
 * rest is put in order: what has a duration begins where the thing before it in its thread ended, and all of
 * it lies inside the pass it belongs to; what has nothing happened at the last known moment of its thread. An
 * allocation's duration covers the actions recorded before it in the same pass. */
#ifndef EXPORT_TIMELINE_H
#define EXPORT_TIMELINE_H

#include "export/export.h"

#include "base/map64.h"
#include "trace/decode.h"

struct thread_clock {
    uint64_t now;
    uint64_t floor;  /* nothing without own time began before */
    uint64_t limit;  /* nor ends after: the pass's end, UINT64_MAX when not known */
    uint32_t number; /* thread's, in the recording */
};

struct timeline {
    const struct mirror *mirror;
    struct event_cursor cursor;
    struct decoder decoder;
    struct map64 index; /* thread number to clock */
    VEC(struct thread_clock) clocks;

    /* the event at hand */
    struct event_view view;
    const union any_event *event; /* NULL when this version does not know it */
    uint32_t thread;              /* index in CLOCKS */
    uint64_t begin, end;          /* nanoseconds since the session began; equal for what takes no time */
};

struct jitscope_error *timeline_create(struct timeline *timeline, const struct export_source *source);
void timeline_destroy(struct timeline *timeline);
/* The next event; *more is false behind the last.  Errors: NO_MEMORY. */
struct jitscope_error *timeline_next(struct timeline *timeline, bool *more);

#endif
