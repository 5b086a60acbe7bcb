/* recording_copy: a recording that is looked at, as a file of its own.
 *
 * A followed recording is copied as far as it is told: chunks that are sealed as they are, of open ones, and
 * of those in which something still waits for what comes before it, the records up to there, as a writer
 * leaves them that has died.  So a copy never has a gap that the recording does not have. */
#ifndef TRACE_RECORDING_COPY_H
#define TRACE_RECORDING_COPY_H

#include "trace/recording.h"

/* Writes FILE to TO, an empty file, unpacked.  Errors: SYSTEM, NO_MEMORY, RECORDING (it was cut). */
struct jitscope_error *recording_copy(const struct recording_file *file, int to);

#endif
