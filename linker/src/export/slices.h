/* slices: spans of time per thread, which end up nested whatever the recording says. */
#ifndef EXPORT_SLICES_H
#define EXPORT_SLICES_H

#include "export/timeline.h"

enum slice_kind { SLICE_LINK, SLICE_PASS, SLICE_ALLOCATION, SLICE_ACTION };

struct slice {
    uint64_t begin, end;
    uint32_t thread;               /* index in the timeline's clocks */
    uint32_t order;                /* of recording, for equal times */
    uint8_t kind;                  /* enum slice_kind */
    bool open;                     /* its end is not recorded */
    struct event_view first, last; /* what began and what ended it; LAST alone when they are one */
};

struct slices {
    VEC(struct slice) list;
    struct map64 open; /* link and pass to index in LIST */
};

/* The event at hand, when it begins or ends a slice. */
struct jitscope_error *slices_take(struct slices *slices, const struct timeline *timeline);
/* After the last event: by thread and begin, outer ones first; slices that never ended end with their thread.
 * What reaches out of the slice around it is cut. */
struct jitscope_error *slices_settle(struct slices *slices, const struct timeline *timeline);
void slices_destroy(struct slices *slices);

#endif
