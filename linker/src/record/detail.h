/* detail: a recording with every edge, made from one without by replaying it.
 *
 * A recording at the default level holds no relocations and fixups; since a link is a function of what the
 * recording does hold, they can be had again.  Events of the original keep their numbers: the detailed
 * recording counts anew, and NUMBERS leads back. */
#ifndef RECORD_DETAIL_H
#define RECORD_DETAIL_H

#include "base/text.h"
#include "trace/recording.h"

struct detail {
    struct recording_file file;
    uint64_t until;    /* last event of FILE that the original knows of */
    uint64_t *numbers; /* by sequence in FILE: that of the original; NO_NUMBER for what it does not hold */
    uint64_t count;
    int memory_file;
};
#define NO_NUMBER UINT64_MAX

/* Whether FILE was recorded at a lower level than NEEDED, so that a replay could tell more. */
bool detail_is_missing(const struct recording_file *file, enum event_level needed);
/* FILE must outlive DETAIL.  *made is false, and there is nothing to close, when FILE does not replay: REASON
 * then says why, in lines.  Errors: NO_MEMORY, SYSTEM, RECORDING. */
struct jitscope_error *detail_make(const struct recording_file *file, struct detail *detail, bool *made,
                                   struct text *reason);
void detail_close(struct detail *detail);

/* The event of DETAIL's file that is number SEQUENCE, or comes last before it, in the original. */
uint64_t detail_sequence(const struct detail *detail, uint64_t sequence);

#endif
