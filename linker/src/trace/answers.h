/* answers: those calls and answers of events.def that are more than one line where they are emitted. */
#ifndef TRACE_ANSWERS_H
#define TRACE_ANSWERS_H

#include "base/bytes.h"
#include "trace/trace.h"

#define NO_CONTENT UINT32_MAX

/* Puts BYTES into the recording, once for equal bytes; their number, or NO_CONTENT when nobody keeps answers
 * or there is no memory.  Numbers are dense and given in order of first sight. */
uint32_t trace_content(struct trace *trace, struct bytes bytes);
void trace_forget_contents(struct trace *trace);

/* ERROR came from outside; emitted before the answer that it explains.  NULL is nothing. */
void trace_failure(struct trace *trace, struct string_pool *names, const struct jitscope_error *error);
/* OUTCOME_* of ERROR. */
static inline uint32_t outcome_of(const struct jitscope_error *error) {
    return error ? OUTCOME_FAILED : OUTCOME_OK;
}

/* Block digests of one segment, COUNT from the one at place FIRST; see segment_digest in events.def. */
enum { MOST_DIGESTS = 4096 };
void trace_segment_digest(struct trace *trace, uint32_t segment, uint32_t first, const uint32_t *digests,
                          uint32_t count);

/* A text that is no name yet, for events; the empty one without memory for it. */
struct name_ref trace_text(struct trace *trace, struct string_pool *names, const char *text);

#endif
