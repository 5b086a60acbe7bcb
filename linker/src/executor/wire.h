/* wire: messages of bridge.h on a stream of bytes, and what they are made of.
 *
 * Nothing that arrives is trusted: sizes have limits, memory grows with what has come and not with what was
 * announced, numbers out of order end the reading, and a payload is read through a cursor that knows its end.
 * What is wrong is an error, EXECUTOR_GONE; the stream is of no use afterwards. */
#ifndef EXECUTOR_WIRE_H
#define EXECUTOR_WIRE_H

#include "base/bytes.h"
#include "base/vec.h"
#include "executor/bridge.h"

#include <stdbool.h>

/* One end of a connection. */
struct wire {
    int in, out;   /* descriptors; a socket is both */
    int watched;   /* becomes readable when the other side has ended, or -1 */
    uint8_t other; /* enum bridge_side: whose messages come */
    uint64_t sent; /* serial of the last one of each direction */
    uint64_t received;
    uint64_t most_extra; /* what a FINALIZE may have beyond BRIDGE_MOST */
    uint64_t deadline;   /* by os_time_ns(), of what is to come; 0: none */
    bool is_late;        /* it has passed while more was waited for */
    uint64_t come;       /* bytes, of all messages */
    uint8_t first[4];    /* what came first: the size of a message, */
    uint8_t first_size;  /* as far as it did */
};

/* One message that has come. */
struct frame {
    uint16_t kind;
    uint64_t serial;
    uint64_t answers;
    struct bytes payload;
    uint8_t *owned; /* the payload, aligned as malloc does */
};

const char *bridge_message_name(uint16_t kind);

/* A payload that is being written.  Failures (no memory, too large) show when it is sent. */
struct message {
    VEC(uint8_t) bytes;
    bool failed;
};
void message_u32(struct message *message, uint32_t value);
void message_u64(struct message *message, uint64_t value);
void message_text(struct message *message, const char *text); /* NULL as the empty one */
void message_blob(struct message *message, const void *data, uint64_t size);
void message_error(struct message *message, const struct jitscope_error *error);
void message_destroy(struct message *message);

/* Sends it, with a descriptor (-1: none); *serial (may be NULL) gets its number.  MESSAGE is empty afterwards
 * in any case, NULL is an empty payload. */
struct jitscope_error *wire_send(struct wire *wire, enum bridge_message kind, uint64_t answers,
                                 struct message *message, int descriptor, uint64_t *serial);
/* Whether what came first is text, as people are greeted with, and can be no message. */
bool wire_was_greeted(const struct wire *wire);
/* Waits for the next one; *DESCRIPTOR (-1: none) is the caller's.  *END: the other side has closed the stream
 * between two messages, or ended; that is no error. */
struct jitscope_error *wire_receive(struct wire *wire, struct frame *frame, int *descriptor, bool *end);
void frame_destroy(struct frame *frame);

/* Reads a payload; what lies behind its end reads as 0 and "", and `failed` says so. */
struct cursor {
    struct bytes bytes;
    uint64_t at;
    bool failed;
};
struct cursor frame_cursor(const struct frame *frame);
uint32_t take_u32(struct cursor *cursor);
uint64_t take_u64(struct cursor *cursor);
/* Points into the payload; never NULL. */
const char *take_text(struct cursor *cursor);
struct bytes take_blob(struct cursor *cursor);
/* A number of things that have LEAST bytes each: 0, and a failure, when that is more than there is. */
uint32_t take_count(struct cursor *cursor, uint32_t least);
/* NULL for none.  Errors that are made up of it are of the code it names. */
struct jitscope_error *take_error(struct cursor *cursor);
/* Whether all of it was read, and nothing beyond: else an error that names the message. */
struct jitscope_error *cursor_end(const struct cursor *cursor, uint16_t kind);

/* Results of actions, as every message has them. */
struct action_results;
void message_results(struct message *message, const struct action_results *results);
/* Appends to RESULTS.  Actions are numbers below ACTIONS. */
struct jitscope_error *take_results(struct cursor *cursor, uint32_t actions, struct action_results *results);

#endif
