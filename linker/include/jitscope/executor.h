/* Executors: code that runs in another process than it is linked in.
 *
 * The linker's side makes a connection, by starting `jitscope-executor` or any program that becomes a target,
 * and gives it to a session (jitscope_session_options.executor).  The other side creates a target with its
 * end of the stream and serves: it reserves memory, opens libraries, takes content, and runs what it is told.
 * Who has one end can have the other end's process do anything: connect only to whom you trust as much as
 * yourself.
 *
 * A connection is used by one session.  Functions here may be called by any thread, on one object one at a
 * time, unless they say otherwise. */
#ifndef JITSCOPE_EXECUTOR_H
#define JITSCOPE_EXECUTOR_H

#include "jitscope/error.h"
#include "jitscope/session.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- the linker's side */

struct jitscope_executor_connection;

/* How a connection is made; zero-initialise, set SIZE, then what you need. */
struct jitscope_executor_options {
    size_t size; /* sizeof(struct jitscope_executor_options): the struct can grow */
    /* The program to start and its arguments, ended by NULL; behind them come "--fd" and a number.  NULL: the
     * jitscope-executor that the environment variable JITSCOPE_EXECUTOR names, that lies beside this program,
     * or that was installed with the library.  But when an executor has started this process
     * (`jitscope-executor
     * --linker`), the first call gets that one. */
    char *const *command;
    bool inline_content; /* content always comes with messages, as to another host, never in shared memory */
    /* The program's end is this process's end: what main returns is given to exit(3) there, and when an
     * initialiser or finaliser calls exit(3), so does this process, from inside the session's call. */
    bool ends_with_program;
    /* Called, if not NULL, when a signal is about to end the executor: THREAD in PROCESS stands in the middle
     * of what was wrong, or what raised the signal, below a handler, until this returns.  ADDRESS is the one
     * that could not be accessed, or executed, of signals that have one.  By whichever thread waits for the
     * executor; from inside, no session with this connection can be used. */
    void (*crashed)(void *context, int process, int thread, int signal, uint64_t address);
    void *context;
};

/* Starts a process, with this one's environment and standard streams.  OPTIONS may be NULL.  *connection is
 * the caller's until a session is created with it.  Errors: NOT_FOUND, SYSTEM, EXECUTOR_GONE (it is of
 * another version, or no executor). */
struct jitscope_error *jitscope_executor_spawn(const struct jitscope_executor_options *options,
                                               struct jitscope_executor_connection **connection);
/* FD is a stream, both ways, whose other end is an executor's; it is closed with the connection, or on an
 * error.  OPTIONS as for spawn, without COMMAND.  Errors: EXECUTOR_GONE, SYSTEM. */
struct jitscope_error *jitscope_executor_connect(int fd, const struct jitscope_executor_options *options,
                                                 struct jitscope_executor_connection **connection);
/* Ends a connection that no session was created with; NULL is allowed. */
void jitscope_executor_disconnect(struct jitscope_executor_connection *connection);

/* What has become of the process that runs the code. */
enum jitscope_executor_state {
    JITSCOPE_EXECUTOR_RUNNING = 0,
    JITSCOPE_EXECUTOR_EXITED, /* by exit(3): *status */
    JITSCOPE_EXECUTOR_LEFT,   /* without that, by _exit(2): *status */
    JITSCOPE_EXECUTOR_KILLED, /* by the signal *status */
    JITSCOPE_EXECUTOR_LOST,   /* the connection ended, and nothing is known of the process */
};
/* Of the executor of SESSION, as far as it was heard of; RUNNING also for one in this process.  May be called
 * by any thread at any time. */
enum jitscope_executor_state jitscope_session_executor_state(struct jitscope_session *session, int *status);
/* The process that the code runs in, by the number that it has itself. */
int jitscope_session_executor_process(struct jitscope_session *session);
/* How many messages have gone both ways; 0 for a session in this process. */
uint64_t jitscope_session_executor_messages(struct jitscope_session *session);

/* --- the target's side */

struct jitscope_target;

/* Makes this process the target of a linker, whose end of the stream is the other end of FD.  Before it
 * creates threads: code is run on the thread that serves.  One in a process.  FD is closed with it, or on an
 * error. Errors: SYSTEM, NO_MEMORY, USAGE (there is one). */
struct jitscope_error *jitscope_target_create(int fd, struct jitscope_target **target);
/* As jitscope_session_register_action(); before serving. */
struct jitscope_error *jitscope_target_register_action(struct jitscope_target *target, const char *name,
                                                       jitscope_action action, void *context);
/* Serves until the linker ends the connection, or is gone: NULL; or says something that makes no sense:
 * EXECUTOR_GONE.  When a program that runs outlives its linker, the process gets SIGHUP, and SIGKILL two
 * seconds later.  Deallocate actions of what is left run in exit(3). */
struct jitscope_error *jitscope_target_serve(struct jitscope_target *target);

#ifdef __cplusplus
}
#endif
#endif
