#include "executor/connection.h"

#include "base/os.h"
#include "base/text.h"
#include "executor/address_space.h"
#include "executor/endpoint.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

enum { PATIENCE = 1000 /* milliseconds, for a process that closes its end to end itself */ };

/* --- its end */

static void note_signal(struct jitscope_executor_connection *connection, int signal) {
    connection->state = JITSCOPE_EXECUTOR_KILLED;
    connection->status = signal;
    snprintf(connection->end, sizeof connection->end, "the executor was killed by signal %d (%s)", signal,
             strsignal(signal));
}

/* Of a command that has an executor elsewhere run, the status is not the program's when that has died. */
static void note_status(struct jitscope_executor_connection *connection, int status) {
    connection->child = 0;
    if (WIFSIGNALED(status) || connection->deadly) {
        note_signal(connection, WIFSIGNALED(status) ? WTERMSIG(status) : connection->deadly);
        return;
    }
    connection->state = connection->has_exited  ? JITSCOPE_EXECUTOR_EXITED
                        : connection->has_begun ? JITSCOPE_EXECUTOR_LEFT
                                                : JITSCOPE_EXECUTOR_LOST;
    connection->status = WEXITSTATUS(status);
    snprintf(connection->end, sizeof connection->end, "the executor has ended, with exit status %d",
             WEXITSTATUS(status));
}

/* The stream has ended; BLOCK: so will the process.  Nothing is said to it any more: who hands on what is
 * said waits for that, and a thread that dies in exit(3) need not wait to be looked at. */
static void hear_of_process(struct jitscope_executor_connection *connection, bool block) {
    int status;
    if (connection->child <= 0 || connection->is_broken)
        return;
    if (block)
        os_shut_down_sending(connection->wire.out);
    if (!block && connection->wire.watched >= 0)
        os_wait_readable(connection->wire.watched, PATIENCE);
    if (os_wait_for_child(connection->child, block, &status) == connection->child)
        note_status(connection, status);
}

/* It is told why, if it still listens. */
static void send_away(struct jitscope_executor_connection *connection, const char *why) {
    struct message message = {0};
    message_text(&message, why);
    (void)os_limit_waiting(connection->wire.out, PATIENCE);
    jitscope_error_destroy(wire_send(&connection->wire, MESSAGE_END, 0, &message, -1, NULL));
    os_shut_down_sending(connection->wire.out);
}

/* BROKEN: by what it said; then nothing counts that it does. */
static void note_gone(struct jitscope_executor_connection *connection, const char *why, bool broken) {
    if (connection->is_gone)
        return;
    connection->is_gone = true;
    connection->is_broken = broken;
    if (broken)
        send_away(connection, why);
    connection->state = connection->has_exited ? JITSCOPE_EXECUTOR_EXITED : JITSCOPE_EXECUTOR_LOST;
    snprintf(connection->end, sizeof connection->end, "%s", why);
    if (connection->has_exited)
        snprintf(connection->end, sizeof connection->end, "the program has called exit(3), with status %d",
                 connection->status);
    else if (!broken && connection->deadly && !connection->child)
        note_signal(connection, connection->deadly);
    else
        hear_of_process(connection, false);
    pthread_cond_broadcast(&connection->changed);
}

static struct jitscope_error *gone(const struct jitscope_executor_connection *connection) {
    return error_create(JITSCOPE_ERROR_EXECUTOR_GONE, "%s", connection->end);
}

struct jitscope_error *connection_check(struct jitscope_executor_connection *connection) {
    pthread_mutex_lock(&connection->lock);
    struct jitscope_error *error = connection->is_gone ? gone(connection) : NULL;
    pthread_mutex_unlock(&connection->lock);
    return error;
}

bool connection_has_exited(struct jitscope_executor_connection *connection) {
    pthread_mutex_lock(&connection->lock);
    bool has_exited = connection->has_exited;
    pthread_mutex_unlock(&connection->lock);
    return has_exited;
}

int connection_process_here(const struct jitscope_executor_connection *connection) {
    return connection->process;
}

struct jitscope_error *connection_break(struct jitscope_executor_connection *connection,
                                        struct jitscope_error *error) {
    if (!error)
        return NULL;
    pthread_mutex_lock(&connection->lock);
    note_gone(connection, error_text(error), true);
    pthread_mutex_unlock(&connection->lock);
    return error;
}

/* --- messages that come; under the lock */

struct pending *connection_find_pending(const struct jitscope_executor_connection *connection,
                                        uint64_t serial) {
    struct pending *at = connection->pending;
    while (at && at->serial != serial)
        at = at->next;
    return at;
}

static struct jitscope_error *not_asked(const struct frame *frame) {
    return error_create(JITSCOPE_ERROR_EXECUTOR_GONE, "message '%s' of the executor was not asked for",
                        bridge_message_name(frame->kind));
}

static void pass_results(struct cursor *cursor) {
    struct action_results results = {0};
    struct jitscope_error *error = take_results(cursor, UINT32_MAX, &results);
    cursor->failed |= error != NULL;
    jitscope_error_destroy(error);
    executor_results_destroy(&results);
}

/* What it says of actions is read when it is asked for, which it may never be. */
static struct jitscope_error *check_exited(const struct frame *frame) {
    struct cursor cursor = frame_cursor(frame);
    for (int i = 0; i < 3; i++)
        take_u32(&cursor);
    pass_results(&cursor);
    uint32_t count = take_count(&cursor, 8);
    for (uint32_t i = 0; i < count && !cursor.failed; i++) {
        take_u32(&cursor);
        pass_results(&cursor);
    }
    return cursor_end(&cursor, frame->kind);
}

static struct jitscope_error *take_exited(struct jitscope_executor_connection *connection,
                                          struct frame *frame) {
    struct cursor cursor = frame_cursor(frame);
    if (connection->has_exited)
        return not_asked(frame);
    TRY(check_exited(frame));
    struct pending *within = connection_find_pending(connection, frame->answers);
    if (within) {
        within->exits = true;
        connection->exits = within->thread;
    }
    connection->has_exited = true;
    connection->status = (int)(take_u32(&cursor) & 0xff);
    connection->exited = *frame;
    *frame = (struct frame){0};
    note_gone(connection, "", false);
    return NULL;
}

static struct jitscope_error *take_returned(struct jitscope_executor_connection *connection,
                                            const struct frame *frame) {
    struct cursor cursor = frame_cursor(frame);
    if (!connection->has_begun || connection->has_returned)
        return not_asked(frame);
    connection->returned = take_u32(&cursor);
    connection->has_returned = true;
    return cursor_end(&cursor, frame->kind);
}

/* It was wanted of what would run, and a process dies once. */
static bool may_crash(const struct jitscope_executor_connection *connection) {
    return connection->crashed && connection->has_begun && !connection->deadly;
}

static struct jitscope_error *take_reply(struct jitscope_executor_connection *connection,
                                         struct frame *frame) {
    struct pending *pending = connection_find_pending(connection, frame->answers);
    if (!pending || pending->has_reply)
        return not_asked(frame);
    pending->has_reply = true;
    pending->reply = *frame;
    *frame = (struct frame){0};
    return NULL;
}

/* FRAME's payload is the connection's, or destroyed by the caller. */
static struct jitscope_error *take_in(struct jitscope_executor_connection *connection, struct frame *frame) {
    connection->messages++;
    switch (frame->kind) {
    case MESSAGE_EXITED:
        return take_exited(connection, frame);
    case MESSAGE_RETURNED:
        return take_returned(connection, frame);
    case MESSAGE_CRASHED:
        return may_crash(connection) ? connection_take_crash(connection, frame) : not_asked(frame);
    case MESSAGE_LAZY_CALL:
        if (!connection_take_call(connection, frame))
            return not_asked(frame);
        *frame = (struct frame){0};
        return NULL;
    default:
        return take_reply(connection, frame);
    }
}

/* Somebody else may have been told of by the time it is read. */
static void read_one(struct jitscope_executor_connection *connection) {
    struct frame frame;
    int descriptor;
    bool end;
    connection->is_reading = true;
    pthread_mutex_unlock(&connection->lock);
    struct jitscope_error *error = wire_receive(&connection->wire, &frame, &descriptor, &end);
    pthread_mutex_lock(&connection->lock);
    connection->is_reading = false;
    if (descriptor >= 0)
        os_close(descriptor); /* not asked for */
    if (!error && !end)
        error = take_in(connection, &frame);
    frame_destroy(&frame);
    if (error || end)
        note_gone(connection, error ? error_text(error) : "the executor has closed the connection",
                  error != NULL);
    jitscope_error_destroy(error);
    pthread_cond_broadcast(&connection->changed);
}

void connection_wait_for_news(struct jitscope_executor_connection *connection) {
    if (connection->is_reading)
        pthread_cond_wait(&connection->changed, &connection->lock);
    else
        read_one(connection);
}

/* --- asking */

struct jitscope_error *connection_send(struct jitscope_executor_connection *connection,
                                       enum bridge_message kind, uint64_t answers, struct message *message,
                                       int descriptor, uint64_t *serial) {
    if (connection->is_gone) {
        message_destroy(message);
        return gone(connection);
    }
    connection->messages++;
    connection->has_begun |= kind == MESSAGE_FINALIZE || kind == MESSAGE_RUN;
    struct jitscope_error *error = wire_send(&connection->wire, kind, answers, message, descriptor, serial);
    if (jitscope_error_code(error) != JITSCOPE_ERROR_EXECUTOR_GONE)
        return error;
    while (!connection->is_gone) /* whatever it said last is in the stream */
        connection_wait_for_news(connection);
    jitscope_error_destroy(error);
    return gone(connection);
}

/* The lazy call that this thread is answering, which is what it asks for; 0: none. */
static uint64_t on_behalf(const struct jitscope_executor_connection *connection) {
    const struct answering *at = connection->answering;
    while (at && !pthread_equal(at->thread, pthread_self()))
        at = at->next;
    return at ? at->call : 0;
}

/* Another thread is about to call exit(3), as the program has: whatever this one would do does not count. */
static void leave_exit_to_others(struct jitscope_executor_connection *connection) {
    while (connection->follows && connection->exits && !pthread_equal(connection->exits, pthread_self()))
        pthread_cond_wait(&connection->changed, &connection->lock);
}

static void forget_pending(struct jitscope_executor_connection *connection, struct pending *pending) {
    struct pending **at = &connection->pending;
    while (*at != pending)
        at = &(*at)->next;
    *at = pending->next;
    if (pending->has_call)
        frame_destroy(&pending->call);
}

static void await_reply(struct jitscope_executor_connection *connection, struct pending *pending) {
    pending->next = connection->pending;
    connection->pending = pending;
    while (!pending->has_reply && !connection->is_gone) {
        if (!pending->has_call) {
            connection_wait_for_news(connection);
            continue;
        }
        pending->has_call = false;
        connection_serve_call(connection, &pending->call);
    }
    forget_pending(connection, pending);
}

static struct jitscope_error *ask(struct jitscope_executor_connection *connection, enum bridge_message kind,
                                  struct message *message, int descriptor, enum bridge_message expected,
                                  struct pending *pending) {
    TRY(connection_send(connection, kind, on_behalf(connection), message, descriptor, &pending->serial));
    await_reply(connection, pending);
    if (!pending->has_reply)
        return gone(connection);
    if (pending->reply.kind == expected)
        return NULL;
    note_gone(connection, "the executor has answered something else than was asked", true);
    frame_destroy(&pending->reply);
    return gone(connection);
}

struct jitscope_error *connection_ask(struct jitscope_executor_connection *connection,
                                      enum bridge_message kind, struct message *message, int descriptor,
                                      enum bridge_message expected, struct frame *reply) {
    struct pending pending = {.thread = pthread_self()};
    pthread_mutex_lock(&connection->lock);
    struct jitscope_error *error = ask(connection, kind, message, descriptor, expected, &pending);
    pthread_mutex_unlock(&connection->lock);
    *reply = pending.reply;
    return error;
}

struct jitscope_error *connection_ask_half(struct jitscope_executor_connection *connection,
                                           struct message *message, struct frame *reply, bool *exits) {
    struct pending pending = {.thread = pthread_self()};
    pthread_mutex_lock(&connection->lock);
    struct jitscope_error *error = ask(connection, MESSAGE_RUN_HALF, message, -1, MESSAGE_HALF_RAN, &pending);
    pthread_mutex_unlock(&connection->lock);
    *reply = pending.reply;
    *exits = pending.exits;
    return error;
}

struct jitscope_error *connection_tell(struct jitscope_executor_connection *connection,
                                       enum bridge_message kind, struct message *message) {
    pthread_mutex_lock(&connection->lock);
    struct jitscope_error *error =
        connection_send(connection, kind, on_behalf(connection), message, -1, NULL);
    pthread_mutex_unlock(&connection->lock);
    return error;
}

void connection_take_turn(struct jitscope_executor_connection *connection) {
    pthread_mutex_lock(&connection->lock);
    while (connection->main_runs)
        pthread_cond_wait(&connection->changed, &connection->lock);
    connection->main_runs = true;
    pthread_mutex_unlock(&connection->lock);
}

void connection_end_turn(struct jitscope_executor_connection *connection) {
    pthread_mutex_lock(&connection->lock);
    connection->main_runs = false;
    pthread_cond_broadcast(&connection->changed);
    pthread_mutex_unlock(&connection->lock);
}

/* With a program that ends this process, its last words are behind EXITED: buffers that exit(3) flushes. */
struct jitscope_error *connection_await_end(struct jitscope_executor_connection *connection, int *status) {
    struct jitscope_error *error = NULL;
    pthread_mutex_lock(&connection->lock);
    while (!connection->has_returned && !connection->is_gone)
        connection_wait_for_news(connection);
    if (connection->is_gone) {
        leave_exit_to_others(connection);
        hear_of_process(connection, true);
        *status = connection->status;
        if (!connection->follows || connection->state > JITSCOPE_EXECUTOR_LEFT)
            error = gone(connection);
    } else {
        *status = (int)connection->returned;
    }
    connection->has_returned = false;
    pthread_mutex_unlock(&connection->lock);
    return error;
}

void connection_await_last_words(struct jitscope_executor_connection *connection) {
    pthread_mutex_lock(&connection->lock);
    hear_of_process(connection, true);
    pthread_mutex_unlock(&connection->lock);
}

/* --- its beginning */

static struct jitscope_error *read_hello(struct jitscope_executor_connection *connection) {
    struct hello *hello = &connection->hello;
    int descriptor;
    bool end;
    TRY(wire_receive(&connection->wire, &connection->hello_frame, &descriptor, &end));
    if (descriptor >= 0)
        os_close(descriptor);
    if (end)
        return error_create(JITSCOPE_ERROR_EXECUTOR_GONE, "it ended before it said anything");
    connection->messages++;
    struct cursor cursor = frame_cursor(&connection->hello_frame);
    if (connection->hello_frame.kind != MESSAGE_HELLO || strcmp(take_text(&cursor), BRIDGE_MAGIC) != 0)
        return error_create(JITSCOPE_ERROR_EXECUTOR_GONE, "it is no executor");
    const char *version = take_text(&cursor);
    if (strcmp(version, JITSCOPE_VERSION) != 0)
        return error_create(JITSCOPE_ERROR_EXECUTOR_GONE, "it is of version %s, the linker of version %s",
                            version, JITSCOPE_VERSION);
    hello->process = take_u32(&cursor);
    hello->page_size = take_u64(&cursor);
    hello->near = take_u64(&cursor);
    hello->lazy_resolver = take_u64(&cursor);
    hello->start = take_u64(&cursor);
    hello->size = take_u64(&cursor);
    hello->action_count = take_count(&cursor, 5);
    hello->actions = cursor;
    for (uint32_t i = 0; i < hello->action_count; i++)
        take_text(&cursor);
    hello->preloaded_count = take_count(&cursor, 5);
    hello->preloaded = cursor;
    for (uint32_t i = 0; i < hello->preloaded_count; i++)
        take_text(&cursor);
    if (!is_power_of_two(hello->page_size) || hello->start % CHUNK || hello->size % CHUNK ||
        hello->size > 2 * GIB || hello->start > UINT64_MAX / 2)
        cursor.failed = true;
    return cursor_end(&cursor, MESSAGE_HELLO);
}

struct jitscope_executor_options connection_options(const struct jitscope_executor_options *given) {
    struct jitscope_executor_options options = {0};
    if (given)
        memcpy(&options, given, given->size < sizeof options ? given->size : sizeof options);
    return options;
}

/* The first line of what came, and of what is still to be read, in place of a message. */
static void read_greeting(const struct wire *wire, struct text *line) {
    enum { MOST = 200, PAUSE = 100 /* milliseconds */ };
    char bytes[sizeof wire->first + MOST + 1];
    size_t size = wire->first_size;
    int descriptor = -1;
    memcpy(bytes, wire->first, size);
    ssize_t more =
        os_wait_readable(wire->in, PAUSE) ? os_stream_receive(wire->in, bytes + size, MOST, &descriptor) : 0;
    if (descriptor >= 0)
        os_close(descriptor);
    bytes[size + (more > 0 ? (size_t)more : 0)] = '\0';
    size = strcspn(bytes, "\n");
    text_append_escaped(line, bytes, size && bytes[size - 1] == '\r' ? size - 1 : size);
}

static struct jitscope_error *greeted(const struct wire *wire) {
    struct text line = {0};
    read_greeting(wire, &line);
    struct jitscope_error *error = error_with_help(
        error_create(JITSCOPE_ERROR_EXECUTOR_GONE, "what came first is no message of an executor but '%s'",
                     line.failed || !line.data ? "" : line.data),
        "nothing else may write to the stream on which it talks: of a command that is its standard output, "
        "where nobody is to be greeted, and no start file of a shell may print anything");
    text_destroy(&line);
    return error;
}

/* Who has said something by then has said less than one message, or it would have been answered. */
static struct jitscope_error *late(const struct wire *wire, uint32_t patience) {
    double seconds = patience / 1000.0;
    if (wire->come)
        return error_with_help(
            error_create(JITSCOPE_ERROR_EXECUTOR_GONE,
                         "it has said %llu bytes in %g seconds, which are no whole message",
                         (unsigned long long)wire->come, seconds),
            "see what it is that runs there: an executor begins with one message, at once");
    return error_with_help(
        error_create(JITSCOPE_ERROR_EXECUTOR_GONE, "it has said nothing for %g seconds", seconds),
        "see whether it comes to run there; `jitscope run --executor-timeout SECONDS`, or `patience` of "
        "struct "
        "jitscope_executor_options, waits longer");
}

/* What is no executor need not end because somebody does not listen any more.  Of a command that is the
 * shell, and what that waits for.  They are no process group of their own: one that the terminal does not
 * belong to could not ask its user for a password, and Ctrl-C would not reach it. */
static void end_stranger(const struct jitscope_executor_connection *connection) {
    if (connection->child > 0)
        os_signal_family(connection->child, SIGTERM);
}

static struct jitscope_error *explain(struct jitscope_executor_connection *connection,
                                      struct jitscope_error *error, uint32_t patience) {
    const struct wire *wire = &connection->wire;
    bool was_greeted = wire_was_greeted(wire);
    struct jitscope_error *better = was_greeted ? greeted(wire) : wire->is_late ? late(wire, patience) : NULL;
    if (better) {
        jitscope_error_destroy(error);
        error = better;
    }
    send_away(connection, error_text(error));
    hear_of_process(connection, false);
    if (was_greeted || connection->wire.is_late)
        end_stranger(connection);
    if (jitscope_error_code(error) != JITSCOPE_ERROR_EXECUTOR_GONE)
        return error;
    better = error_create(JITSCOPE_ERROR_EXECUTOR_GONE, "no connection with the executor: %s%s%s",
                          error_text(error), *connection->end ? "; " : "", connection->end);
    if (error_help(error))
        better = error_with_help(better, "%s", error_help(error));
    jitscope_error_destroy(error);
    return better;
}

/* Over TCP, or a pair of sockets that neither has made: whoever it is has it open. */
static bool is_at_the_end_of(int process, int fd) {
    return os_has_socket(process, os_socket_peer(os_socket_inode(fd)));
}

/* What it says of itself is believed where the kernel says the same.  The same number on another machine
 * would be by chance, and would only make the first link fail. */
static void place_process(struct jitscope_executor_connection *connection, bool inherits) {
    int peer = 0, said = (int)connection->hello.process, child = connection->child;
    uint32_t user;
    bool is_peer = !child && said > 0 && os_peer(connection->wire.in, &peer, &user) == 0 && peer == said;
    bool is_here = is_peer || (child && os_descends(said, child)) ||
                   (!child && said > 0 && is_at_the_end_of(said, connection->wire.in));
    connection->inherits = inherits;
    connection->process = is_here ? said : 0;
    connection->inlines |= !inherits && !is_peer;
}

static struct jitscope_executor_connection *create(int fd, int child,
                                                   const struct jitscope_executor_options *options) {
    struct jitscope_executor_connection *connection = os_allocate_zeroed(sizeof *connection);
    if (!connection)
        return NULL;
    connection->wire = (struct wire){.in = fd, .out = fd, .watched = -1, .other = SENDER_EXECUTOR};
    connection->child = child;
    connection->inlines = options->inline_content;
    connection->follows = options->ends_with_program;
    connection->crashed = options->crashed;
    connection->crashed_stack = options->crashed_stack;
    connection->context = options->context;
    pthread_mutex_init(&connection->lock, NULL); /* neither can fail on Linux */
    pthread_cond_init(&connection->changed, NULL);
    if (child)
        connection->wire.watched = os_open_process(child);
    return connection;
}

/* In milliseconds; 0: without limit. */
static uint32_t patience_of(const struct jitscope_executor_options *options, bool is_elsewhere) {
    enum { USUAL = 120000 /* who is asked for a password has so long */ };
    if (options->patience == UINT32_MAX)
        return 0;
    return options->patience ? options->patience : is_elsewhere ? USUAL : 0;
}

struct jitscope_error *connection_begin(int fd, int child, enum starter starter,
                                        const struct jitscope_executor_options *options,
                                        struct jitscope_executor_connection **out) {
    struct jitscope_executor_connection *connection = create(fd, child, options);
    if (!connection) {
        os_close(fd);
        return error_no_memory();
    }
    uint32_t patience = patience_of(options, starter == STARTER_OTHER || options->on_standard_streams);
    connection->wire.deadline = patience ? os_time_ns() + patience * UINT64_C(1000000) : 0;
    struct jitscope_error *error = read_hello(connection);
    if (error) {
        error = explain(connection, error, patience);
        jitscope_executor_disconnect(connection);
        return error;
    }
    connection->wire.deadline = 0;
    place_process(connection, starter == STARTER_EXECUTOR || (child && !options->on_standard_streams));
    connection->wire.most_extra = connection->hello.size;
    *out = connection;
    return NULL;
}

struct jitscope_error *jitscope_executor_connect(int fd, const struct jitscope_executor_options *given,
                                                 struct jitscope_executor_connection **connection) {
    struct jitscope_executor_options options = connection_options(given);
    return connection_begin(fd, 0, STARTER_UNKNOWN, &options, connection);
}

struct jitscope_error *jitscope_executor_connect_to(const char *where,
                                                    const struct jitscope_executor_options *given,
                                                    struct jitscope_executor_connection **connection) {
    struct jitscope_executor_options options = connection_options(given);
    struct endpoint endpoint;
    int fd;
    TRY(endpoint_parse(where, &endpoint));
    TRY(endpoint_connect(&endpoint, &options.secret, &fd));
    return connection_begin(fd, 0, STARTER_OTHER, &options, connection);
}

/* It ends by itself, or is no executor. */
static void end_process(struct jitscope_executor_connection *connection) {
    enum { PATIENCE_AT_END = 10000 };
    int watched = connection->wire.watched;
    if (connection->child && watched >= 0 && !os_wait_readable(watched, PATIENCE_AT_END))
        os_kill(connection->child, SIGKILL);
    connection->is_broken = false;
    hear_of_process(connection, true);
}

void jitscope_executor_disconnect(struct jitscope_executor_connection *connection) {
    if (!connection)
        return;
    pthread_mutex_lock(&connection->lock);
    if (!connection->is_gone) {
        struct message nothing = {0};
        jitscope_error_destroy(wire_send(&connection->wire, MESSAGE_END, 0, &nothing, -1, NULL));
        os_shut_down(connection->wire.out);
    }
    pthread_mutex_unlock(&connection->lock);
    connection_stop_calls(connection);
    os_close(connection->wire.in);
    end_process(connection);
    if (connection->wire.watched >= 0)
        os_close(connection->wire.watched);
    frame_destroy(&connection->hello_frame);
    frame_destroy(&connection->exited);
    code_names_destroy(&connection->names);
    pthread_cond_destroy(&connection->changed);
    pthread_mutex_destroy(&connection->lock);
    os_release(connection);
}
