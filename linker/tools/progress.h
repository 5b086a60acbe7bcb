/* progress: --progress, what a link is doing right now, on standard error.  On a terminal one line that is
 * written over and over and goes away; elsewhere a line for each step. */
#ifndef TOOLS_PROGRESS_H
#define TOOLS_PROGRESS_H

#include "jitscope/event.h"

#include <stdbool.h>

/* Zero-initialised, then terminal as it is. */
struct progress {
    bool terminal;
    bool visible;       /* something stands in the terminal's line */
    uint64_t inputs;    /* seen so far */
    uint64_t next_time; /* ns, when the line may change again */
    char pass[48];
};

void progress_add(struct progress *progress, const struct jitscope_event *event);
/* Takes the line away, before anything else is written. */
void progress_end(struct progress *progress);

#endif
