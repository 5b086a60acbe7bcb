/* redact: a recording whose names are others.
 *
 * Names in inputs, calls and answers are replaced by pseudonyms of the same length (redact_words.h,
 * redact_contents.h); no offset and no number changes.  What follows from the inputs, events and digests, is
 * wrong from then on: the result is for replaying with `renamed`, and what is recorded of that replay is a
 * recording like any other, of the same graph with other names.
 *
 * The bytes of the program are not touched: its code, its data and what strings it has. */
#ifndef RECORD_REDACT_H
#define RECORD_REDACT_H

#include "base/text.h"
#include "trace/recording.h"

struct redact_options {
    bool paths; /* of files and folders, members of archives, sources in debug information */
    bool names; /* of symbols, and of what debug information names */
};

/* IMAGE gets the bytes of an unpacked recording, ABOUT lines on what was replaced and what was left as it is.
 * Errors: NO_MEMORY, RECORDING. */
struct jitscope_error *redact_recording(const struct recording_file *file,
                                        const struct redact_options *options, struct text *image,
                                        struct text *about);

#endif
