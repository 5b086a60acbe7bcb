#include "trace/answers.h"

#include "base/digest.h"
#include "base/map64.h"
#include "trace/recording.h"

#include <string.h>

/* Bytes are told apart by 128 bits of XXH3: enough against chance; who makes two inputs collide on purpose
 * gets a recording that does not replay. */
struct contents {
    struct map64 by_low; /* low half of the digest -> number */
    VEC(struct digest_128) digests;
};

static struct contents *contents_of(struct trace *trace) {
    if (!trace->contents)
        trace->contents = os_allocate_zeroed(sizeof *trace->contents);
    return trace->contents;
}

void trace_forget_contents(struct trace *trace) {
    struct contents *contents = trace->contents;
    if (!contents)
        return;
    map64_destroy(&contents->by_low);
    vec_destroy(&contents->digests);
    os_release(contents);
    trace->contents = NULL;
}

static uint64_t key_of(struct digest_128 digest) {
    return digest.low == MAP64_NO_KEY ? 0 : digest.low;
}

/* A part goes where there is room: chunks are filled to the end. */
enum { SMALLEST_PART = 4096 };

static void put_part(struct trace *trace, uint32_t number, struct bytes bytes, uint64_t offset,
                     uint32_t length) {
    uint32_t padded = (length + 3) & ~3u;
    struct event_content event = {.header = EVENT_HEADER(EVENT_ID_content, sizeof event + padded),
                                  .content = number,
                                  .size = bytes.size,
                                  .offset = offset,
                                  .length = length};
    uint8_t *at = trace->next;
    memcpy(at + 4, (uint8_t *)&event + 4, sizeof event - 4);
    if (length)
        memcpy(at + sizeof event, bytes.data + offset, length);
    memset(at + sizeof event + length, 0, padded - length);
    __atomic_store_n((uint32_t *)(void *)at, event.header, __ATOMIC_RELEASE);
    trace->next += sizeof event + padded;
    trace->sequence++;
}

static bool put_parts(struct trace *trace, uint32_t number, struct bytes bytes, uint64_t done) {
    do {
        uint64_t left = bytes.size - done, least = left < SMALLEST_PART ? left : SMALLEST_PART;
        size_t needed = sizeof(struct event_content) + (size_t)((least + 3) & ~UINT64_C(3));
        if ((size_t)(trace->end - trace->next) < needed && !trace_next_chunk(trace, needed))
            return false;
        uint64_t room = (uint64_t)(trace->end - trace->next) - sizeof(struct event_content);
        room &= ~UINT64_C(3);
        uint32_t length = (uint32_t)(left < room ? left : room);
        put_part(trace, number, bytes, done, length);
        done += length;
    } while (done < bytes.size);
    return true;
}

/* Whole chunks of a large input are written as they are: no page is touched for them but the file's own.
 * Without memory for that, they go where all else goes. */
enum {
    APART_OFFSET = sizeof(struct chunk_header) + sizeof(struct event_run),
    APART_LENGTH = RECORDING_CHUNK_SIZE - APART_OFFSET - sizeof(struct event_content),
};
_Static_assert(APART_LENGTH % 4 == 0, "a chunk is filled to its end");

static bool put_whole_chunks(struct trace *trace, uint32_t number, struct bytes bytes, uint64_t *done) {
    uint8_t *chunk = os_allocate(RECORDING_CHUNK_SIZE);
    bool good = true;
    for (*done = 0; chunk && good && bytes.size - *done >= APART_LENGTH;) {
        struct event_content event = {.header = EVENT_HEADER(EVENT_ID_content, sizeof event + APART_LENGTH),
                                      .content = number,
                                      .size = bytes.size,
                                      .offset = *done,
                                      .length = APART_LENGTH};
        memcpy(chunk + APART_OFFSET, &event, sizeof event);
        memcpy(chunk + APART_OFFSET + sizeof event, bytes.data + *done, APART_LENGTH);
        good = trace_append_apart(trace, (struct chunk_header *)(void *)chunk);
        *done += APART_LENGTH;
    }
    os_release(chunk);
    return good;
}

static bool put_content(struct trace *trace, uint32_t number, struct bytes bytes) {
    uint64_t done = 0;
    if (bytes.size >= APART_LENGTH && !put_whole_chunks(trace, number, bytes, &done))
        return false;
    return (bytes.size && done == bytes.size) || put_parts(trace, number, bytes, done);
}

uint32_t trace_content(struct trace *trace, struct bytes bytes) {
    if (!trace_keeps_answers(trace))
        return NO_CONTENT;
    struct contents *contents = contents_of(trace);
    if (!contents)
        return NO_CONTENT;
    struct digest_128 digest = digest_128(bytes.data, bytes.size);
    uint32_t number = map64_find(&contents->by_low, key_of(digest));
    if (number != MAP64_NO_VALUE && digest_128_equal(contents->digests.data[number], digest))
        return number;
    number = contents->digests.count;
    struct jitscope_error *error = vec_reserve(&contents->digests, 1);
    if (!error)
        error = map64_set(&contents->by_low, key_of(digest), number);
    if (error) { /* no number is given out for bytes that are not stored */
        jitscope_error_destroy(error);
        return NO_CONTENT;
    }
    vec_put(&contents->digests, digest);
    return !trace->record_level || put_content(trace, number, bytes) ? number : NO_CONTENT;
}

struct name_ref trace_text(struct trace *trace, struct string_pool *names, const char *text) {
    uint32_t id = NO_NAME;
    if (text)
        jitscope_error_destroy(string_pool_intern(names, text, strlen(text), &id));
    return trace_name(trace, id);
}

void trace_failure(struct trace *trace, struct string_pool *names, const struct jitscope_error *error) {
    if (!error)
        return;
    TRACE_ANSWER(trace, failure, .code = (uint32_t)jitscope_error_code(error),
                 .input = trace_text(trace, names, jitscope_error_input(error)),
                 .section = trace_text(trace, names, jitscope_error_section(error)),
                 .offset = jitscope_error_offset(error),
                 .symbol = trace_text(trace, names, jitscope_error_symbol(error)),
                 .text = trace_text(trace, names, error_text(error)),
                 .help = trace_text(trace, names, error_help(error)));
}

void trace_segment_digest(struct trace *trace, uint32_t segment, uint32_t first, const uint32_t *digests,
                          uint32_t count) {
    struct {
        struct event_segment_digest event;
        uint32_t digests[MOST_DIGESTS];
    } record;
    uint32_t bytes = count * (uint32_t)sizeof *digests;
    record.event = (struct event_segment_digest){
        .header = EVENT_HEADER(EVENT_ID_segment_digest, sizeof record.event + bytes),
        .segment = segment,
        .first = first,
        .length = bytes};
    memcpy(record.digests, digests, bytes);
    trace_emit_answer(trace, &record, sizeof record.event + bytes);
}
