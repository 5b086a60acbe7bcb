/* connection: messages with an executor process, and what became of it.
 *
 * A program that runs can end at any time: whoever waits reads for all that wait.
 *
 * Lazy calls (session/lazy.c) come from the other side, at any time and from any thread there.  So, once the
 * first slot can be called, a thread of its own reads.  Who answers is chosen so that each thread there has
 * one here that stands for it:
 *
 *   - A call that comes while a half of an action runs there, on the thread that runs it, is answered by the
 * thread that has asked for the half and waits: it owns the session, and lends it to itself.
 *   - Any other is answered by a *worker*; there are as many as there are such calls at a time.
 *
 * What is asked while a call is answered is asked of the thread that calls: initialisers run there, as they
 * would without a connection.  In both directions the header's `answers` says it: a request has there the
 * serial of the request which it is made on behalf of. */
#ifndef EXECUTOR_CONNECTION_H
#define EXECUTOR_CONNECTION_H

#include "executor/code_names.h"
#include "executor/executor.h"
#include "executor/executor_remote.h"
#include "executor/launcher.h"
#include "executor/wire.h"
#include "jitscope/executor.h"

#include <pthread.h>

/* What HELLO said. */
struct hello {
    uint32_t process;
    uint64_t page_size;
    uint64_t near;
    uint64_t lazy_resolver;
    uint64_t start, size;  /* reserved */
    struct cursor actions; /* names of user's actions, in the frame */
    uint32_t action_count;
    struct cursor preloaded; /* paths of libraries, behind the actions */
    uint32_t preloaded_count;
};

/* Data of shared libraries that lies below 2 GiB there (launcher.h). */
enum copies { COPIES_UNKNOWN, COPIES_NONE, COPIES_HELD };

/* A request whose answer a thread waits for. */
struct pending {
    uint64_t serial;
    pthread_t thread;
    struct frame reply, call; /* a lazy call from inside of what is asked */
    bool has_reply, has_call;
    bool exits; /* exit(3) was called inside of it */
    struct pending *next;
};

/* A lazy call that a thread is answering. */
struct answering {
    uint64_t call;
    pthread_t thread;
    struct answering *next;
};

struct jitscope_executor_connection {
    struct wire wire;
    struct frame hello_frame;
    struct hello hello;
    int child;     /* the process, when this one has started it; 0: not, or its end was heard of */
    int process;   /* that the code runs in, as this machine knows it; 0: it does not */
    bool inherits; /* it has this process's environment */
    bool inlines;  /* content comes with the message: memory cannot be shared, or is not to be */
    enum copies copies;
    void (*crashed)(void *context, int process, int thread, int signal, uint64_t address);
    void (*crashed_stack)(void *context, const struct jitscope_crash_frame *frames, size_t count);
    void *context;
    struct code_names names; /* under the lock; for it */
    bool follows;            /* the program's end is this process's */
    uint64_t messages;       /* both ways */
    int deadly;              /* signal that the process was about to die of, when it was heard of last; 0 */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_reading; /* somebody is */
    bool main_runs;  /* somebody has the turn */
    struct pending *pending;
    struct answering *answering; /* innermost of each thread first */
    struct frame exited;
    pthread_t exits; /* the thread that waits for what exit(3) was called in; 0: none */
    bool has_exited, has_returned, is_gone;
    bool is_broken;    /* gone because of what it said */
    bool has_begun;    /* something of the program may run: initialisers, main */
    uint32_t returned; /* status */
    enum jitscope_executor_state state;
    int status;                /* of exit, or the signal */
    char end[EXECUTOR_REASON]; /* why it is gone */
    bool is_told;              /* executor_take_loss() */

    executor_lazy_answer answer; /* NULL: nobody calls */
    void *answer_context;
    struct os_thread reader;
    VEC(struct os_thread) workers;
    uint32_t idle;           /* of these */
    VEC(struct frame) calls; /* for them */
    bool stops;              /* they end */
};

/* The options as this library knows them, whatever size the caller's struct has. */
struct jitscope_executor_options connection_options(const struct jitscope_executor_options *given);
/* Who has started whom: this process the executor, or a command that leads to it; the executor this process;
 * somebody else the executor, which waited; or it is not known. */
enum starter { STARTER_LINKER, STARTER_EXECUTOR, STARTER_OTHER, STARTER_UNKNOWN };
/* FD is closed on an error.  CHILD: the process that was started, which is waited for; 0: none. */
struct jitscope_error *connection_begin(int fd, int child, enum starter starter,
                                        const struct jitscope_executor_options *options,
                                        struct jitscope_executor_connection **connection);
/* As jitscope_executor_spawn(), for the program that LAUNCHER describes; executor_spawn.c.  Errors: also
 * ADDRESS_SPACE. */
struct jitscope_error *connection_launch(const struct launcher *launcher,
                                         const struct jitscope_executor_options *options,
                                         struct jitscope_executor_connection **connection);
/* The program to start when none is given: the one that the environment names, that lies beside this program,
 * that was installed.  BUFFER may be used. */
const char *connection_executor_program(char *buffer, size_t size);

/* The process at the other end, when it is known to be one of this host; else 0. */
int connection_process_here(const struct jitscope_executor_connection *connection);

/* Sends a request and waits for its answer, of kind EXPECTED.  EXITED in its place is an error of the same
 * kind as all others, EXECUTOR_GONE, but has_exited is set.  DESCRIPTOR as wire_send(). */
struct jitscope_error *connection_ask(struct jitscope_executor_connection *connection,
                                      enum bridge_message kind, struct message *message, int descriptor,
                                      enum bridge_message expected, struct frame *reply);
/* The same for a half of an action.  *EXITS: exit(3) was called inside of it. */
struct jitscope_error *connection_ask_half(struct jitscope_executor_connection *connection,
                                           struct message *message, struct frame *reply, bool *exits);
/* Sends what has no answer. */
struct jitscope_error *connection_tell(struct jitscope_executor_connection *connection,
                                       enum bridge_message kind, struct message *message);
/* One main at a time runs there: waits until no other does. */
void connection_take_turn(struct jitscope_executor_connection *connection);
void connection_end_turn(struct jitscope_executor_connection *connection);
/* Waits until main has returned, or the executor is gone: an error, EXECUTOR_GONE, unless this process is to
 * end as the program has. */
struct jitscope_error *connection_await_end(struct jitscope_executor_connection *connection, int *status);
/* The program has called exit(3): waits for what it says while it ends. */
void connection_await_last_words(struct jitscope_executor_connection *connection);
/* EXECUTOR_GONE when it is, with what is said of that now: later more may be known. */
struct jitscope_error *connection_check(struct jitscope_executor_connection *connection);
/* Then what it has said in exit(3) is there, and stays as it is. */
bool connection_has_exited(struct jitscope_executor_connection *connection);
/* An answer that makes no sense: nothing it says can be believed any more.  Returns ERROR. */
struct jitscope_error *connection_break(struct jitscope_executor_connection *connection,
                                        struct jitscope_error *error);

/* From now on lazy calls are answered by ANSWER; once. */
struct jitscope_error *connection_answer_calls(struct jitscope_executor_connection *connection,
                                               executor_lazy_answer answer, void *context);

/* --- between connection.c, connection_calls.c and connection_crash.c; under the lock */

/* CRASHED has come, which was asked for. */
struct jitscope_error *connection_take_crash(struct jitscope_executor_connection *connection,
                                             const struct frame *frame);

struct jitscope_error *connection_send(struct jitscope_executor_connection *connection,
                                       enum bridge_message kind, uint64_t answers, struct message *message,
                                       int descriptor, uint64_t *serial);
void connection_wait_for_news(struct jitscope_executor_connection *connection);
struct pending *connection_find_pending(const struct jitscope_executor_connection *connection,
                                        uint64_t serial);
/* A lazy call has come.  False: it makes no sense. */
bool connection_take_call(struct jitscope_executor_connection *connection, struct frame *frame);
/* Answers FRAME, which is gone then. */
void connection_serve_call(struct jitscope_executor_connection *connection, struct frame *frame);
/* Not under the lock, when nothing comes any more. */
void connection_stop_calls(struct jitscope_executor_connection *connection);

#endif
