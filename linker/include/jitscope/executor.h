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

/* Where the secret of a TCP connection is read: bytes that both sides have and nobody else, at least 128 bits
 * (32 characters of text, else 16 bytes), made for one connection.  Exactly one of both. */
struct jitscope_secret {
    const char *file; /* closed to other users (mode 0600), the user's own; removed when it is used */
    bool is_descriptor;
    int descriptor; /* if so: is read to its end, and stays open */
};

/* --- the linker's side */

struct jitscope_executor_connection;

/* A frame of a stack. */
struct jitscope_crash_frame {
    uint64_t address;     /* where it stands, or comes back to */
    const char *function; /* the symbol's name; NULL: not known */
    uint64_t start;       /* of the function; without one of the library */
    const char *library;  /* where that is loaded from there; NULL: it is none */
    bool is_linked;       /* the function was linked by the session */
};

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
     * executor, or, when calls can be lazy, by one of the library's; from inside, no session with this
     * connection can be used.
     * PROCESS is 0 when it is on another machine, or not known to be on this one. */
    void (*crashed)(void *context, int process, int thread, int signal, uint64_t address);
    void *context;
    /* COMMAND, which must be given then, gets nothing behind its arguments: it talks with its standard input
     * and output, as `ssh HOST jitscope-executor --stdio` does. */
    bool on_standard_streams;
    struct jitscope_secret secret; /* for jitscope_executor_connect_to() */
    /* Milliseconds until the executor must have said who it is; UINT32_MAX: there is no limit.  0: two
     * minutes with ON_STANDARD_STREAMS and for jitscope_executor_connect_to(), else no limit. */
    uint32_t patience;
    /* Called, if not NULL, right after CRASHED, which must be there, when PROCESS is 0: the stack of that
     * thread as far as it could walk it itself, COUNT frames (at most 64), the innermost first.  Good until
     * this returns; as CRASHED else.  For it the executor loads libgcc_s, if it is there. */
    void (*crashed_stack)(void *context, const struct jitscope_crash_frame *frames, size_t count);
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
/* Code compiled with -fno-pic reaches data of shared libraries (stdout, std::cout) only where it lies below
 * 2 GiB, as a copy in the process's executable, which libraries and everybody else then use in place of their
 * own.  So a link with such references fails with OUT_OF_RANGE in an executor that jitscope_executor_spawn()
 * has started without COMMAND: nothing has run, no library has been opened; and this is how many objects the
 * last link of SESSION has failed for, 0 otherwise.  A lazy link fails for what waits, too, as far as that is
 * known, but does not tell all of that: a link of the same inputs that is not lazy does. */
uint32_t jitscope_session_wants_copies(struct jitscope_session *session);
/* As jitscope_executor_spawn(), but the process is started with a program that is made for it, in memory, and
 * holds copies of what the last link of SESSION has wanted.  For another session, whose links all lie below
 * 2 GiB; SESSION itself is as it was, and need not be there any longer.  Errors: also USAGE (COMMAND is
 * given, nothing was wanted), ADDRESS_SPACE (more than 256 MiB of copies). */
struct jitscope_error *jitscope_executor_spawn_for(struct jitscope_session *session,
                                                   const struct jitscope_executor_options *options,
                                                   struct jitscope_executor_connection **connection);
/* Goes to an executor that waits (jitscope_target_listen(), `jitscope-executor --listen`) at WHERE:
 *
 *     unix:PATH            (or a path with a / in it) a socket of mode 0600 in a folder of mode 0700, both
 * this user's own; what listens must be, too tcp:127.0.0.1:PORT   with OPTIONS->secret, which is used up by
 * it; neither side tells the other
 *
 * OPTIONS as for spawn, without COMMAND; may be NULL for a Unix socket.  Errors: EXECUTOR_GONE (who is there
 * is another user's, or does not know the secret, or is no executor, or of another version), USAGE (no such
 * place; a folder, socket or file that is open to others; no secret), NOT_FOUND, SYSTEM. */
struct jitscope_error *jitscope_executor_connect_to(const char *where,
                                                    const struct jitscope_executor_options *options,
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
/* The process that the code runs in; 0 when it is on another machine, or not known to be on this one. */
int jitscope_session_executor_process(struct jitscope_session *session);
/* How many messages have gone both ways; 0 for a session in this process. */
uint64_t jitscope_session_executor_messages(struct jitscope_session *session);

/* --- the target's side */

struct jitscope_target;

/* Makes this process the target of a linker, whose end of the stream is the other end of FD.  Before it
 * creates threads: code is run on the thread that serves.  One in a process.  FD is closed with it, or on an
 * error. Errors: SYSTEM, NO_MEMORY, USAGE (there is one). */
struct jitscope_error *jitscope_target_create(int fd, struct jitscope_target **target);
/* The same with a stream in two parts, as pipes are. */
struct jitscope_error *jitscope_target_create_on(int in, int out, struct jitscope_target **target);

/* How a target waits for a linker; zero-initialise, set SIZE, then what you need. */
struct jitscope_listen_options {
    size_t size;                   /* sizeof(struct jitscope_listen_options): the struct can grow */
    struct jitscope_secret secret; /* for TCP */
    /* Called, if not NULL, with a line for the user: where it waits, once it does, and who was sent away. */
    void (*told)(void *context, const char *text);
    void *context;
};
/* Waits for one linker at WHERE, as jitscope_executor_connect_to() has it; PORT may be 0 for any that is
 * free. A Unix socket's folder is made when there is none, and the socket is gone afterwards.  *FD is for
 * jitscope_target_create().  OPTIONS may be NULL for a Unix socket.  Errors: EXECUTOR_GONE (who came does not
 * know the secret, or is no linker, or of another version), USAGE, NOT_FOUND, SYSTEM. */
struct jitscope_error *jitscope_target_listen(const char *where,
                                              const struct jitscope_listen_options *options, int *fd);
/* As jitscope_session_register_action(); before serving. */
struct jitscope_error *jitscope_target_register_action(struct jitscope_target *target, const char *name,
                                                       jitscope_action action, void *context);
/* Serves until the linker ends the connection, or is gone: NULL; or says something that makes no sense:
 * EXECUTOR_GONE.  When a program that runs outlives its linker, or the connection that it was linked over,
 * the process gets SIGHUP, and SIGKILL two seconds later.  Deallocate actions of what is left run in exit(3).
 */
struct jitscope_error *jitscope_target_serve(struct jitscope_target *target);

#ifdef __cplusplus
}
#endif
#endif
