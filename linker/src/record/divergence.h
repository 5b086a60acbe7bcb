/* divergence: what an event of the recording is about. */
#ifndef RECORD_DIVERGENCE_H
#define RECORD_DIVERGENCE_H

#include "mirror/mirror.h"
#include "record/replay_state.h"

struct subject {
    uint32_t link;
    uint32_t block; /* NO_ID: none */
    uint64_t offset;
    struct name_ref symbol; /* id 0: none */
};

/* Of EXPECTED; RECORD, what was said instead, decides which block of a segment it is.  MIRROR shows the
 * moment before. */
struct subject subject_of(struct replay *replay, const struct mirror *mirror,
                          const struct event_view *expected, const void *record);
/* Fills replay->bytes when the events are about bytes in memory. */
void note_bytes(struct replay *replay, const struct mirror *mirror, const struct subject *subject,
                const struct event_view *expected, const void *record);

#endif
