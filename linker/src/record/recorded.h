/* recorded: a recording as a replay reads it: calls in order, answers ahead of the place that was compared
 * last, inputs by number.
 *
 * The file is untrusted: contents are no larger than their parts, which lie in the file; texts and numbers
 * mean nothing until the linker, which trusts no input either, has taken them. */
#ifndef RECORD_RECORDED_H
#define RECORD_RECORDED_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/map64.h"
#include "trace/decode.h"

struct recorded_content {
    struct bytes bytes;
    uint8_t *owned; /* assembled from parts; NULL when they lie in the file */
    uint64_t size;  /* as announced; the bytes may be fewer when the writer died */
};

/* A half of an action that failed. */
struct recorded_half {
    uint32_t ordinal;
    struct name_ref message;
};

/* What a resolver of indirect functions returned. */
struct recorded_value {
    uint32_t ordinal; /* of the half that ran it */
    uint64_t address;
};

struct recorded {
    const struct recording_file *file; /* borrowed */
    struct decoder decoder;
    struct event_session_begin begin;
    struct event_call_create create;
    VEC(struct recorded_content) contents;
    VEC(struct recorded_half) failed_halves; /* by ordinal */
    VEC(struct recorded_value) values;       /* by ordinal, then in order */
    uint64_t exit_ordinal;                   /* of the half that called exit(3); UINT64_MAX: none did */
    bool has_begin, has_create, has_lost;
    bool has_end;              /* the session's, or exit(3) */
    struct arena texts;        /* those that were asked for, as C strings */
    struct map64 text_by_name; /* in text_list, by string id */
    VEC(const char *) text_list;
    struct event_cursor noted; /* behind the last event that was looked at when opening, or reading on */
    uint64_t last_sequence, next_sequence;
    bool has_gap; /* events behind that one are missing: parts of the file are lost */
};

/* FILE must outlive RECORDED.  Errors: RECORDING (no recording of a session's inputs), NO_MEMORY. */
struct jitscope_error *recorded_open(struct recorded *recorded, const struct recording_file *file);
void recorded_close(struct recorded *recorded);
/* Takes in what has come into the file since: it is followed (trace/recording_follow.h).  Errors: as above.
 */
struct jitscope_error *recorded_read_on(struct recorded *recorded);

/* The bytes of content NUMBER.  Errors: RECORDING when the recording does not hold all of them. */
struct jitscope_error *recorded_content(const struct recorded *recorded, uint32_t number,
                                        struct bytes *bytes);
/* The half that failed with that many before it; NULL when it did not. */
const struct recorded_half *recorded_failed_half(const struct recorded *recorded, uint32_t ordinal);
/* What the COUNT resolvers of that half returned; 0 for those of which the recording says nothing. */
void recorded_values(const struct recorded *recorded, uint32_t ordinal, uint64_t *values, uint32_t count);
/* The bytes that the session got when it first read the file at PATH; false when it did not, or could not. */
bool recorded_file(struct recorded *recorded, const char *path, struct bytes *bytes);
/* A text as a C string, until RECORDED is closed; NULL without memory.  Each is copied once, however often it
 * is asked for: a small file can name a large text many times. */
const char *recorded_text(struct recorded *recorded, struct name_ref name);
/* The error that FAILURE describes; never NULL. */
struct jitscope_error *recorded_error(struct recorded *recorded, const struct event_failure *failure);

/* The next event at CURSOR that means something to a replay: no string, no content, no report.  False at the
 * end. */
bool recorded_next(struct recorded *recorded, struct event_cursor *cursor, struct event_view *view);

#endif
