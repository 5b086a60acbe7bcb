/* report: a recording that is a bug report, complete in one file.
 *
 * It is a recording like any other, with a manifest for people: one `report` event for each line, behind all
 * other events.  Replays pass over them.  What the manifest says of inputs, links and passes is read from the
 * events; how the recording replays is told by who has tried it. */
#ifndef RECORD_REPORT_H
#define RECORD_REPORT_H

#include "base/text.h"
#include "trace/recording.h"

/* The manifest but for the verdict: what was recorded, by what, from what, and how it went.  Errors:
 * NO_MEMORY, RECORDING. */
struct jitscope_error *report_describe(struct text *out, const struct recording_file *file);

/* FILE with the lines of MANIFEST behind its events, as the bytes of an unpacked recording.  Errors:
 * NO_MEMORY, RECORDING (a recording that cannot take them). */
struct jitscope_error *report_append(const struct recording_file *file, const struct text *manifest,
                                     struct text *image);

/* The manifest of a report; false when FILE is none. */
bool report_read(const struct recording_file *file, struct text *out);

#endif
