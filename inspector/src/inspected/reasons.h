/* reasons: the answer to a question of why, worked out by a child process, so that no key waits for it.
 *
 * What the recording itself tells comes first; when it holds no edges, as most recordings, the child then
 * replays it and asks again, and that answer takes the place of the first. */
#ifndef INSPECTED_REASONS_H
#define INSPECTED_REASONS_H

#include "inspected/inspected.h"
#include "mirror/why.h"

struct reason {
    uint64_t sequence; /* of the event that decided it; UINT64_MAX: none of this recording */
    enum why_step_kind kind;
    const char *text;
    uint32_t length;
};

struct reasons;

/* Asks QUESTION at the moment that INSPECTED shows.  *REASONS is the caller's.  Errors: SYSTEM, NO_MEMORY. */
struct jitscope_error *reasons_ask(struct inspected *inspected, const char *question,
                                   struct reasons **reasons);
void reasons_destroy(struct reasons *reasons);

/* Takes in what the child has found; false while nothing is known yet.  Errors: what why_ask() said,
 * NO_MEMORY. */
struct jitscope_error *reasons_listen(struct reasons *reasons, bool *known);
/* Whether a better answer is still being worked out. */
bool reasons_are_final(const struct reasons *reasons);
/* To poll(2) for reading until then. */
int reasons_descriptor(const struct reasons *reasons);

uint32_t reasons_count(const struct reasons *reasons);
/* Valid until the next reasons_listen(). */
const struct reason *reasons_get(const struct reasons *reasons, uint32_t number);

#endif
