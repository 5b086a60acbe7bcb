/* bridge: the one definitive list of what linker and executor share: messages, their layouts, action names,
 * argument layouts, results, the protocol's version.
 *
 * The two are one process (then there are no messages), or two with a stream of bytes between them: a socket
 * that the executor inherits, or at which both meet (endpoint.h), or pipes that lead to another machine.
 *
 * A message is a header and a payload; numbers are little-endian everywhere:
 *
 *     u32 size     of the payload, in bytes
 *     u16 version  BRIDGE_VERSION: another one is refused before the payload is looked at
 *     u16 kind     messages.def
 *     u64 serial   1 for the first message of a direction, then one more each: a gap or a repetition is
 *                  refused
 *     u64 answers  the serial of the message that this one answers, or, of a request, on whose behalf it is
 *                  made: of a LAZY_CALL, by whoever answers it; of a RUN_HALF, of a LAZY_CALL that the code
 *                  which the half runs makes on the same thread.  0: none
 *
 * A payload is made of u32 and u64, texts (u32 length, the bytes, a NUL) and blobs (u32 length, zeros up to a
 * multiple of 8 from the payload's start, the bytes).  Layouts, in the order of messages.def:
 *
 *     HELLO        text magic, text version of the library, u32 process, u64 page size, u64 near address,
 *                  u64 lazy resolver (lazy_resolver.h), u64 start and u64 size of the range reserved near it,
 *                  u32 n, n texts: user's actions, u32 n, n texts: libraries that it was started with
 *                  before all others (LD_PRELOAD)
 *     LOOKUP       libraries; u32 n, n of: u32 number of library, text name
 *     ADDRESSES    u32 1 + number of the library that could not be opened, text why; or u32 0, u32 n, n u64
 *     FINALIZE     u32 allocation, u32 flags (BRIDGE_*), u32 debug policy, libraries, arguments, u64 entry,
 *                  u32 n, n of: u64 address, u64 size, u64 content size, u64 offset, u32 protection,
 *                  u32 lifetime; u32 n, n of: call, call (finalize, deallocate); with BRIDGE_INLINE
 *                  as many blobs as segments: the contents
 *     FINALIZED    u32 step (enum bridge_step), error, u32 a debugger listens, results,
 *                  u32 n, n texts: unwinders, u32 audience (executor_debug.h)
 *     EXITED       u32 status, u32 allocation whose finalize actions were interrupted or 0, u32 how many of
 *                  their results were there before, all of these; u32 n, n of: u32 allocation, results
 *     DEALLOCATE   u32 allocation, u32 flags, u32 first: halves from this action on run;
 *                  0: the memory goes, too
 *     DEALLOCATED  error (of memory), u32 a debugger listens, results
 *     RUN          u32 flags, u64 address, arguments
 *     RETURNED     u32 status
 *     OPEN_TLS     libraries, u32 link, u64 size, u64 alignment, blob image, u32 the batch wants
 *                  executable stacks, u32 n, n of: text name or empty, u32 link, u32 kind, u64 addend
 *                  (tls_module.h)
 *     TLS_ANSWERS  error, u32 n, n of: u64, u64
 *     CLOSE_TLS    u32 link
 *     TLS_ADDRESS  u32 link, u64 offset
 *     TLS_PLACE    u64
 *     RESERVE      u64 size, u32 below 2 GiB
 *     RESERVED     error, u64 start, u64 size
 *     READ         u64 address, u32 size
 *     BYTES        blob
 *     OPEN_EXPORTS u32 link, u32 n, n of: text name, u64 address
 *     EXPORTS_OPENED  error
 *     CLOSE_EXPORTS   u32 link
 *     CRASHED      u32 signal, u32 thread, u64 address, u32 n, n of (with BRIDGE_FRAMES): u64 where it
 *                  stands or comes back to, u64 start of its function, text library or empty, text
 *                  function or empty
 *     RUN_HALF     u32 allocation, u32 action, u32 half, u32 flags (BRIDGE_TIMED)
 *     HALF_RAN     u32 a debugger listens, results: the one, u32 n, n texts: unwinders, u32 audience
 *     LAZY_CALL    u64 address of the slot
 *     BOUND        u64 address of the function or 0, text its name, text why it is 0
 *     STORE_SLOTS  u32 n, n of: u64 address, u64 what it holds from now on
 *     SLOTS_STORED
 *     GO_ON
 *     END          nothing; or text: what the linker did not understand
 *
 *     libraries    u32 first number, u32 n, n texts: paths, opened in this order
 *     arguments    u32 given; if so u32 argc, argc texts, u32 given; if so u32 n, n texts: the environment
 *     call         text name of the action or empty, blob arguments
 *     error        u32 code (errors.def, 0: none), text; if any: text input, text what would help
 *     results      u32 n, n of: u32 action, u32 half, u32 failed, u64 nanoseconds, text message,
 *                  u32 n, n u64 values
 *
 * Content goes through a memfd of the linker's where both are on one host, with a Unix socket between them:
 * the linker sends it with its first FINALIZE and links right in it; OFFSET is where a segment's content
 * begins there.  The executor reads it into private memory of its own, so that breakpoints, core files and
 * fork(2) work in it as in any program.  Over any other stream content comes inside of FINALIZE.
 *
 * Segments lie in what the executor has reserved, in whole pages, in none that another has; none is writable
 * and executable.  A message that asks for anything else is as malformed as one that ends too early.  Whoever
 * gets such a message ends the connection, and says why: the executor on standard error; the linker in END,
 * in the error of what it was doing, and in its recording (event executor_lost).
 *
 * Over TCP the two show each other first that they know one secret (secret.h):
 *
 *     head         u8[8] "jitscope", u32 version of the protocol, u32 0
 *     proof        u8[32] HMAC-SHA256, under the secret, of: u8[16] "linker" or "executor", whose proof it
 * is, zeros behind it; u32 version of the protocol; u32 port; what the executor has drawn, then what the
 * linker has
 *
 *     linker    -> executor   head
 *     executor  -> linker     head, u8[32] drawn by chance
 *     linker    -> executor   u8[32] drawn by chance, proof
 *     executor  -> linker     proof, and messages follow
 *
 * A session with lazy or replaceable links runs halves of actions one by one (BRIDGE_BY_PARTS, RUN_HALF):
 * while one runs code, that code may call what waits, and the linker must know where it stands.  RUN_HALF,
 * and all that is asked on behalf of a lazy call, is handled by the thread that calls, which waits for BOUND;
 * what is asked on nobody's behalf by the thread that serves, or, when that one runs code, by the listener,
 * and halves then by a thread of their own.
 *
 * An action's arguments are bytes that mean the same on both sides: little-endian u64 values, nothing else.
 * A user's action has its own name and layout; the executor knows it after executor_register_action(). */
#ifndef EXECUTOR_BRIDGE_H
#define EXECUTOR_BRIDGE_H

#include <stdint.h>

#define ACTION(NAME, name, arguments) extern const char bridge_action_##NAME[];
#include "executor/actions.def"
#undef ACTION

/* A user's action by its name, but the linker's own: known only where it was allowed. */
#define MAKE_STACKS_EXECUTABLE "make-stacks-executable"

/* One function to run in the executor. */
struct action_call {
    const char *function; /* NULL: this half does nothing */
    const uint8_t *arguments;
    uint32_t size;
};

/* FINALIZE runs when memory has its protections, in order of attachment; DEALLOCATE before memory goes, in
 * reverse. */
struct action {
    struct action_call finalize;
    struct action_call deallocate;
};

/* Which half ran, and why; as HALF_* of trace/enums.def, which this side does not see (memory.c compares
 * them). */
enum action_half { ACTION_FINALIZE = 0, ACTION_DEALLOCATE = 1, ACTION_ROLLBACK = 2 };

/* What became of one half. */
struct action_result {
    uint32_t action; /* index */
    uint8_t half;    /* enum action_half */
    uint8_t failed;
    uint64_t duration;   /* nanoseconds */
    const char *message; /* when failed, NULL without memory for it; owned by the result list */
    uint64_t *values;    /* what resolvers returned, in order; owned by the result list */
    uint32_t value_count;
};

/* --- before messages, over TCP */

enum { BRIDGE_HEAD = 16, BRIDGE_DRAWN = 32, BRIDGE_PROOF = 32 };
#define BRIDGE_HEAD_MAGIC "jitscope"

/* --- messages */

enum { BRIDGE_VERSION = 1, BRIDGE_HEADER = 24 };
#define BRIDGE_MAGIC "jitscope executor"

/* An executor may start its linker, instead of being started by it: then JITSCOPE_EXECUTOR in the linker's
 * environment is this, and the number of a descriptor that the linker has from it. */
#define EXECUTOR_GIVEN "fd:"

/* What a payload may have at most; of FINALIZE besides that as much as memory was reserved. */
#define BRIDGE_MOST ((uint64_t)16 << 20)

enum bridge_side { SENDER_LINKER, SENDER_EXECUTOR };

enum bridge_message {
#define MESSAGE(NAME, number, name, sender, meaning) MESSAGE_##NAME = number,
#include "executor/messages.def"
#undef MESSAGE
};

enum {
    BRIDGE_TIMED = 1,     /* durations of actions are wanted */
    BRIDGE_AT_ONCE = 2,   /* executor_tell_at_once() */
    BRIDGE_RUN = 4,       /* ENTRY is to be called as main when all went well */
    BRIDGE_EXIT = 8,      /* what main returns is given to exit(3); else RETURNED */
    BRIDGE_INLINE = 16,   /* contents come with the message */
    BRIDGE_CRASHES = 32,  /* CRASHED is wanted, from now on */
    BRIDGE_BY_PARTS = 64, /* halves run when RUN_HALF says so */
    BRIDGE_FRAMES = 128,  /* and its stack with it: nobody can look from outside */
    BRIDGE_FLAGS = 255,
};

enum { BRIDGE_MOST_FRAMES = 64 };

/* How far a FINALIZE has come when it failed. */
enum bridge_step { STEP_DONE, STEP_LIBRARIES, STEP_MEMORY, STEP_ACTIONS };

#endif
