/* source: a recording to be asked, with more than it holds where replaying it can tell. */
#ifndef TOOLS_SOURCE_H
#define TOOLS_SOURCE_H

#include "record/detail.h"
#include "record/recorded.h"

#include <stdbool.h>

struct source {
    struct recording_file original;
    struct detail detail;
    struct recorded recorded; /* of the original; inputs' bytes */
    bool has_detail, has_bytes;
};

/* Opens the recording at PATH; when it holds less than level NEEDED (LEVEL_*) it is replayed.  One that does
 * not replay is taken as it is, with a warning.  *source is to be closed in any case.  Errors: as
 * recording_open() and detail_make(). */
struct jitscope_error *source_open(const char *path, enum event_level needed, struct source *source);
/* The same, and the inputs' bytes are wanted whatever the level. */
struct jitscope_error *source_open_with_bytes(const char *path, enum event_level needed,
                                              struct source *source);
void source_close(struct source *source);

/* What to look at, and up to which of its events for the moment after event SEQUENCE of the original. */
static inline const struct recording_file *source_file(const struct source *source) {
    return source->has_detail ? &source->detail.file : &source->original;
}
static inline uint64_t source_moment(const struct source *source, uint64_t sequence) {
    return source->has_detail ? detail_sequence(&source->detail, sequence) : sequence;
}

#endif
