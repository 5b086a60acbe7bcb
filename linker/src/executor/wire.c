#include "executor/wire.h"

#include "executor/executor.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/uio.h>

/* Memory for a payload is had in steps of so much, each when the one before has been filled. */
enum { FIRST_PIECE = 64 << 10 };

const char *bridge_message_name(uint16_t kind) {
    static const char *const names[] = {
#define MESSAGE(NAME, number, name, sender, meaning) [MESSAGE_##NAME] = name,
#include "executor/messages.def"
#undef MESSAGE
    };
    return kind < sizeof names / sizeof *names && names[kind] ? names[kind] : "unknown";
}

static int sender_of(uint16_t kind) {
    switch (kind) {
#define MESSAGE(NAME, number, name, sender, meaning)                                                         \
    case MESSAGE_##NAME:                                                                                     \
        return SENDER_##sender;
#include "executor/messages.def"
#undef MESSAGE
    default:
        return -1;
    }
}

static struct jitscope_error *check_size(const struct wire *wire, uint16_t kind, uint64_t size,
                                         enum jitscope_error_code code) {
    uint64_t most = kind == MESSAGE_FINALIZE ? BRIDGE_MOST + wire->most_extra : BRIDGE_MOST;
    if (size <= most)
        return NULL;
    return error_create(code, "message '%s' has %llu bytes, more than %llu", bridge_message_name(kind),
                        (unsigned long long)size, (unsigned long long)most);
}

/* --- writing */

static uint8_t *room(struct message *message, uint64_t size) {
    if (message->failed)
        return NULL;
    struct jitscope_error *error = vec_reserve(&message->bytes, size);
    if (error) {
        jitscope_error_destroy(error);
        message->failed = true;
        return NULL;
    }
    uint8_t *at = message->bytes.data + message->bytes.count;
    message->bytes.count += (uint32_t)size;
    return at;
}

void message_u32(struct message *message, uint32_t value) {
    uint8_t *at = room(message, sizeof value);
    if (at)
        store_u32(at, value);
}

void message_u64(struct message *message, uint64_t value) {
    uint8_t *at = room(message, sizeof value);
    if (at)
        store_u64(at, value);
}

static void put_bytes(struct message *message, const void *data, uint64_t size) {
    uint8_t *at = size ? room(message, size) : NULL;
    if (at)
        memcpy(at, data, size);
}

void message_text(struct message *message, const char *text) {
    size_t length = text ? strlen(text) : 0;
    if (length >= UINT32_MAX) {
        message->failed = true;
        return;
    }
    message_u32(message, (uint32_t)length);
    put_bytes(message, text ? text : "", length + 1);
}

void message_blob(struct message *message, const void *data, uint64_t size) {
    static const uint8_t zeros[8];
    if (size > UINT32_MAX) {
        message->failed = true;
        return;
    }
    message_u32(message, (uint32_t)size);
    put_bytes(message, zeros, -message->bytes.count & 7);
    put_bytes(message, data, size);
}

void message_error(struct message *message, const struct jitscope_error *error) {
    message_u32(message, (uint32_t)jitscope_error_code(error));
    message_text(message, error ? error_text(error) : NULL);
    if (!error)
        return;
    message_text(message, jitscope_error_input(error));
    message_text(message, error_help(error));
}

void message_destroy(struct message *message) {
    vec_destroy(&message->bytes);
    message->failed = false;
}

static struct jitscope_error *send_all(struct wire *wire, struct iovec *pieces, size_t count,
                                       int descriptor) {
    while (count) {
        ssize_t sent = os_stream_send(wire->out, pieces, count, descriptor);
        if (sent < 0)
            return error_create(JITSCOPE_ERROR_EXECUTOR_GONE, "the other side has gone: %s", strerror(errno));
        descriptor = -1;
        for (size_t left = (size_t)sent; count && left >= pieces->iov_len; count--, pieces++)
            left -= pieces->iov_len, sent = (ssize_t)left;
        if (count) {
            pieces->iov_base = (uint8_t *)pieces->iov_base + sent;
            pieces->iov_len -= (size_t)sent;
        }
    }
    return NULL;
}

struct jitscope_error *wire_send(struct wire *wire, enum bridge_message kind, uint64_t answers,
                                 struct message *message, int descriptor, uint64_t *serial) {
    struct message empty = {0};
    struct message *whole = message ? message : &empty;
    uint8_t header[BRIDGE_HEADER];
    struct jitscope_error *error =
        whole->failed ? error_no_memory()
                      : check_size(wire, (uint16_t)kind, whole->bytes.count, JITSCOPE_ERROR_UNSUPPORTED);
    if (error) {
        message_destroy(whole);
        return error;
    }
    store_u32(header, whole->bytes.count);
    store_u16(header + 4, BRIDGE_VERSION);
    store_u16(header + 6, (uint16_t)kind);
    store_u64(header + 8, wire->sent + 1);
    store_u64(header + 16, answers);
    struct iovec pieces[] = {{header, sizeof header}, {whole->bytes.data, whole->bytes.count}};
    error = send_all(wire, pieces, whole->bytes.count ? 2 : 1, descriptor);
    message_destroy(whole);
    wire->sent++;
    if (serial)
        *serial = wire->sent;
    return error;
}

/* --- reading */

enum news { NEWS_LATE, NEWS_BYTES, NEWS_END };

/* Milliseconds; -1: without limit. */
static int time_left(const struct wire *wire) {
    uint64_t now = os_time_ns();
    if (!wire->deadline)
        return -1;
    uint64_t left = wire->deadline > now ? (wire->deadline - now + 999999) / 1000000 : 0;
    return left < INT_MAX ? (int)left : INT_MAX;
}

/* Whatever is in the stream is read before an end of the other process counts. */
static enum news await(const struct wire *wire) {
    struct pollfd entries[] = {{.fd = wire->in, .events = POLLIN}, {.fd = wire->watched, .events = POLLIN}};
    int found;
    if (wire->watched < 0 && !wire->deadline)
        return NEWS_BYTES;
    do
        found = os_poll(entries, 2, time_left(wire));
    while (found < 0 && errno == EINTR);
    return !found ? NEWS_LATE : entries[0].revents ? NEWS_BYTES : NEWS_END;
}

/* *GOT less than SIZE: the stream has ended. */
static struct jitscope_error *read_some(struct wire *wire, uint8_t *buffer, size_t size, int *descriptor,
                                        size_t *got) {
    for (*got = 0; *got < size;) {
        int with = -1;
        enum news news = await(wire);
        wire->is_late = news == NEWS_LATE;
        if (news == NEWS_LATE)
            return error_create(JITSCOPE_ERROR_EXECUTOR_GONE, "nothing has come from it for too long");
        if (news == NEWS_END)
            return NULL;
        ssize_t count = os_stream_receive(wire->in, buffer + *got, size - *got, &with);
        if (with >= 0 && *descriptor >= 0)
            os_close(with);
        else if (with >= 0)
            *descriptor = with;
        if (count == 0 || (count < 0 && errno == ECONNRESET))
            return NULL;
        if (count < 0)
            return error_create(JITSCOPE_ERROR_EXECUTOR_GONE, "the connection does not work: %s",
                                strerror(errno));
        *got += (size_t)count;
        wire->come += (size_t)count;
    }
    return NULL;
}

static struct jitscope_error *cut_off(void) {
    return error_create(JITSCOPE_ERROR_EXECUTOR_GONE, "the connection ended inside a message");
}

static struct jitscope_error *check_header(const struct wire *wire, const struct frame *frame,
                                           uint16_t version, uint64_t size) {
    if (version != BRIDGE_VERSION)
        return error_create(JITSCOPE_ERROR_EXECUTOR_GONE,
                            "the other side speaks version %u of the protocol, this one version %d", version,
                            BRIDGE_VERSION);
    if (sender_of(frame->kind) != wire->other)
        return error_create(JITSCOPE_ERROR_EXECUTOR_GONE, "a message of kind %u comes from the wrong side",
                            frame->kind);
    if (frame->serial != wire->received + 1)
        return error_create(JITSCOPE_ERROR_EXECUTOR_GONE, "message '%s' has the number %llu, not %llu",
                            bridge_message_name(frame->kind), (unsigned long long)frame->serial,
                            (unsigned long long)wire->received + 1);
    return check_size(wire, frame->kind, size, JITSCOPE_ERROR_EXECUTOR_GONE);
}

static struct jitscope_error *read_payload(struct wire *wire, struct frame *frame, uint64_t size,
                                           int *descriptor) {
    uint64_t have = 0, capacity = 0;
    while (have < size) {
        size_t got;
        uint64_t wanted = capacity ? 2 * capacity : FIRST_PIECE;
        capacity = wanted < size ? wanted : size;
        uint8_t *grown = os_reallocate(frame->owned, capacity);
        if (!grown)
            return error_no_memory();
        frame->owned = grown;
        TRY(read_some(wire, grown + have, capacity - have, descriptor, &got));
        have += got;
        if (have < capacity)
            return cut_off();
    }
    frame->payload = (struct bytes){frame->owned, size};
    return NULL;
}

static bool is_text(uint8_t byte) {
    enum { LAST_OF_UTF8 = 0xf4, DELETE = 0x7f };
    return byte < ' ' ? byte && strchr("\a\t\n\r\33", byte) : byte <= LAST_OF_UTF8 && byte != DELETE;
}

bool wire_was_greeted(const struct wire *wire) {
    size_t i = 0;
    while (i < wire->first_size && is_text(wire->first[i]))
        i++;
    return i && i == wire->first_size;
}

/* Of the first message as many bytes as tell it from a greeting are looked at before more is waited for. */
static struct jitscope_error *read_header(struct wire *wire, uint8_t *header, int *descriptor, size_t *got) {
    size_t begun = wire->received ? 0 : sizeof wire->first, more;
    struct jitscope_error *error = read_some(wire, header, begun, descriptor, got);
    if (begun) {
        memcpy(wire->first, header, *got);
        wire->first_size = (uint8_t)*got;
    }
    if (!error && begun && wire_was_greeted(wire))
        error = error_create(JITSCOPE_ERROR_EXECUTOR_GONE, "what came first is no message");
    if (error || *got < begun)
        return error;
    error = read_some(wire, header + begun, BRIDGE_HEADER - begun, descriptor, &more);
    *got += more;
    return error;
}

static struct jitscope_error *receive(struct wire *wire, struct frame *frame, int *descriptor, bool *end) {
    uint8_t header[BRIDGE_HEADER];
    size_t got;
    TRY(read_header(wire, header, descriptor, &got));
    *end = got == 0;
    if (got < sizeof header)
        return *end ? NULL : cut_off();
    frame->kind = load_u16(header + 6);
    frame->serial = load_u64(header + 8);
    frame->answers = load_u64(header + 16);
    TRY(check_header(wire, frame, load_u16(header + 4), load_u32(header)));
    wire->received++;
    return read_payload(wire, frame, load_u32(header), descriptor);
}

struct jitscope_error *wire_receive(struct wire *wire, struct frame *frame, int *descriptor, bool *end) {
    *frame = (struct frame){0};
    *descriptor = -1;
    *end = false;
    struct jitscope_error *error = receive(wire, frame, descriptor, end);
    if (error) {
        frame_destroy(frame);
        if (*descriptor >= 0)
            os_close(*descriptor);
        *descriptor = -1;
    }
    return error;
}

void frame_destroy(struct frame *frame) {
    os_release(frame->owned);
    frame->owned = NULL;
    frame->payload = (struct bytes){0};
}

/* --- a payload */

struct cursor frame_cursor(const struct frame *frame) {
    return (struct cursor){.bytes = frame->payload};
}

static const uint8_t *take(struct cursor *cursor, uint64_t size) {
    if (cursor->failed || !bytes_contain(cursor->bytes, cursor->at, size)) {
        cursor->failed = true;
        return NULL;
    }
    const uint8_t *at = cursor->bytes.data + cursor->at;
    cursor->at += size;
    return at;
}

uint32_t take_u32(struct cursor *cursor) {
    const uint8_t *at = take(cursor, 4);
    return at ? load_u32(at) : 0;
}

uint64_t take_u64(struct cursor *cursor) {
    const uint8_t *at = take(cursor, 8);
    return at ? load_u64(at) : 0;
}

const char *take_text(struct cursor *cursor) {
    uint64_t length = take_u32(cursor);
    const char *text = (const char *)take(cursor, length + 1);
    if (!text)
        return "";
    if (strnlen(text, length + 1) == length)
        return text;
    cursor->failed = true;
    return "";
}

struct bytes take_blob(struct cursor *cursor) {
    uint64_t size = take_u32(cursor);
    take(cursor, -cursor->at & 7);
    const uint8_t *at = take(cursor, size);
    return (struct bytes){at, at ? size : 0};
}

uint32_t take_count(struct cursor *cursor, uint32_t least) {
    uint32_t count = take_u32(cursor);
    if (!cursor->failed && count <= (cursor->bytes.size - cursor->at) / least)
        return count;
    cursor->failed = true;
    return 0;
}

struct jitscope_error *take_error(struct cursor *cursor) {
    uint32_t code = take_u32(cursor);
    const char *text = take_text(cursor);
    const char *input = code ? take_text(cursor) : "", *help = code ? take_text(cursor) : "";
    if (!code || cursor->failed)
        return NULL;
    if (code > JITSCOPE_ERROR_EXECUTOR_GONE)
        code = JITSCOPE_ERROR_EXECUTOR_GONE;
    struct jitscope_error *error = error_create((enum jitscope_error_code)code, "%s", text);
    if (*help)
        error = error_with_help(error, "%s", help);
    return *input ? error_in_input(error, input) : error;
}

struct jitscope_error *cursor_end(const struct cursor *cursor, uint16_t kind) {
    if (!cursor->failed && cursor->at == cursor->bytes.size)
        return NULL;
    return error_create(JITSCOPE_ERROR_EXECUTOR_GONE, "message '%s' is malformed %s byte %llu of %llu",
                        bridge_message_name(kind), cursor->failed ? "at" : "behind",
                        (unsigned long long)cursor->at, (unsigned long long)cursor->bytes.size);
}

/* --- results */

void message_results(struct message *message, const struct action_results *results) {
    message_u32(message, results->results.count);
    for (uint32_t i = 0; i < results->results.count; i++) {
        const struct action_result *result = &results->results.data[i];
        message_u32(message, result->action);
        message_u32(message, result->half);
        message_u32(message, result->failed);
        message_u64(message, result->duration);
        message_text(message, result->message);
        message_u32(message, result->value_count);
        for (uint32_t at = 0; at < result->value_count; at++)
            message_u64(message, result->values[at]);
    }
}

static struct jitscope_error *take_values(struct cursor *cursor, struct action_result *result) {
    result->value_count = take_count(cursor, 8);
    if (!result->value_count)
        return NULL;
    result->values = os_allocate(result->value_count * sizeof *result->values);
    if (!result->values)
        return error_no_memory();
    for (uint32_t i = 0; i < result->value_count; i++)
        result->values[i] = take_u64(cursor);
    return NULL;
}

static struct jitscope_error *take_result(struct cursor *cursor, uint32_t actions,
                                          struct action_result *result) {
    *result = (struct action_result){.action = take_u32(cursor), .half = (uint8_t)take_u32(cursor)};
    result->failed = take_u32(cursor) != 0;
    result->duration = take_u64(cursor);
    const char *text = take_text(cursor);
    size_t size = strlen(text) + 1;
    if (cursor->failed || result->action >= actions || result->half > ACTION_ROLLBACK) {
        cursor->failed = true;
        return NULL;
    }
    char *copy = result->failed ? os_allocate(size) : NULL;
    result->message = copy ? memcpy(copy, text, size) : NULL;
    return take_values(cursor, result);
}

struct jitscope_error *take_results(struct cursor *cursor, uint32_t actions, struct action_results *results) {
    enum { LEAST = 4 + 4 + 4 + 8 + 5 + 4 };
    uint32_t count = take_count(cursor, LEAST);
    TRY(vec_reserve(&results->results, count));
    for (uint32_t i = 0; i < count && !cursor->failed; i++) {
        struct action_result result;
        struct jitscope_error *error = take_result(cursor, actions, &result);
        if (!error && !cursor->failed) {
            vec_put(&results->results, result);
            continue;
        }
        os_release((char *)(uintptr_t)result.message);
        os_release(result.values);
        return error;
    }
    return NULL;
}
