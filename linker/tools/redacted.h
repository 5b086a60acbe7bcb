/* redacted: a recording linked again with other names (record/redact.h). */
#ifndef TOOLS_REDACTED_H
#define TOOLS_REDACTED_H

#include "base/text.h"
#include "trace/recording.h"

struct redacted {
    struct recording_file file; /* what was recorded of the new link */
    struct text about;          /* what was replaced, and what was left */
};

/* WHAT is the option's argument; the new recording passes through a file beside OUT.  Errors: USAGE,
 * RECORDING (the recording does not replay, or goes another way with other names), NO_MEMORY, SYSTEM. */
struct jitscope_error *redacted_make(const struct recording_file *file, const char *what, const char *out,
                                     struct redacted *redacted);
void redacted_destroy(struct redacted *redacted);

#endif
