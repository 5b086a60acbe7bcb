/* connection: messages with an executor process, and what became of it.
 *
 * Requests and answers alternate, but a program that runs can end at any time: whoever waits reads for all
 * that wait. */
#ifndef EXECUTOR_CONNECTION_H
#define EXECUTOR_CONNECTION_H

#include "executor/executor_remote.h"
#include "executor/wire.h"
#include "jitscope/executor.h"

#include <pthread.h>

/* What HELLO said. */
struct hello {
    uint32_t process;
    uint64_t page_size;
    uint64_t near;
    uint64_t start, size;  /* reserved */
    struct cursor actions; /* names of user's actions, in the frame */
    uint32_t action_count;
};

struct jitscope_executor_connection {
    struct wire wire;
    struct frame hello_frame;
    struct hello hello;
    int child;     /* the process, when this one has started it; 0: not, or its end was heard of */
    int process;   /* that the code runs in, as this machine knows it; 0: it does not */
    bool inherits; /* it has this process's environment */
    bool inlines;  /* content comes with the message: memory cannot be shared, or is not to be */
    void (*crashed)(void *context, int process, int thread, int signal, uint64_t address);
    void *context;
    bool follows;      /* the program's end is this process's */
    uint64_t messages; /* both ways */
    int deadly;        /* signal that the process was about to die of, when it was heard of last; 0 */

    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_reading;    /* somebody is */
    bool is_busy;       /* a request is under way */
    uint64_t awaited;   /* serial of the request; 0: none */
    struct frame reply; /* to it, owned is NULL and kind 0 before */
    struct frame exited;
    bool has_exited, has_returned, is_gone;
    bool is_broken;    /* gone because of what it said */
    bool has_begun;    /* something of the program may run: initialisers, main */
    uint32_t returned; /* status */
    enum jitscope_executor_state state;
    int status;                /* of exit, or the signal */
    char end[EXECUTOR_REASON]; /* why it is gone */
    bool is_told;              /* executor_take_loss() */
};

/* Sends a request and waits for its answer, of kind EXPECTED.  EXITED in its place is an error of the same
 * kind as all others, EXECUTOR_GONE, but has_exited is set.  DESCRIPTOR as wire_send(). */
struct jitscope_error *connection_ask(struct jitscope_executor_connection *connection,
                                      enum bridge_message kind, struct message *message, int descriptor,
                                      enum bridge_message expected, struct frame *reply);
/* Sends what has no answer. */
struct jitscope_error *connection_tell(struct jitscope_executor_connection *connection,
                                       enum bridge_message kind, struct message *message);
/* Waits until main has returned, or the executor is gone. */
void connection_await_end(struct jitscope_executor_connection *connection);
/* What is said of it now: EXECUTOR_GONE. */
struct jitscope_error *connection_gone(const struct jitscope_executor_connection *connection);
/* An answer that makes no sense: nothing it says can be believed any more.  Returns ERROR. */
struct jitscope_error *connection_break(struct jitscope_executor_connection *connection,
                                        struct jitscope_error *error);

#endif
