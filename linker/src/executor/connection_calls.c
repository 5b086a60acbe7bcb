/* Lazy calls of an executor process: who reads, and who answers (connection.h). */
#include "base/os.h"
#include "executor/connection.h"

/* Each call is a thread of the program's that waits.  Who says that it has more of them than can be is not
 * given a thread for each: calls wait for those that there are, and too many are believed no more. */
enum { MOST_WORKERS = 1000, MOST_CALLS = 4096 };

/* --- answering */

static void send_outcome(struct jitscope_executor_connection *connection, uint64_t call,
                         const struct lazy_outcome *outcome, struct jitscope_error *error) {
    struct message message = {0};
    message_u64(&message, error ? 0 : outcome->function);
    message_text(&message, outcome->name);
    message_text(&message, error ? jitscope_error_message(error) : NULL);
    jitscope_error_destroy(error);
    jitscope_error_destroy(connection_send(connection, MESSAGE_BOUND, call, &message, -1, NULL));
}

static void begin_answering(struct jitscope_executor_connection *connection, struct answering *answering) {
    answering->next = connection->answering;
    connection->answering = answering;
}

static void end_answering(struct jitscope_executor_connection *connection, struct answering *answering) {
    struct answering **at = &connection->answering;
    while (*at != answering)
        at = &(*at)->next;
    *at = answering->next;
}

void connection_serve_call(struct jitscope_executor_connection *connection, struct frame *frame) {
    struct cursor cursor = frame_cursor(frame);
    struct answering answering = {.call = frame->serial, .thread = pthread_self()};
    struct lazy_outcome outcome = {0};
    uint64_t slot = take_u64(&cursor);
    frame_destroy(frame);
    begin_answering(connection, &answering);
    pthread_mutex_unlock(&connection->lock);
    struct jitscope_error *error = connection->answer(connection->answer_context, slot, &outcome);
    pthread_mutex_lock(&connection->lock);
    end_answering(connection, &answering);
    send_outcome(connection, answering.call, &outcome, error);
}

/* --- workers */

static void *work(void *context) {
    struct jitscope_executor_connection *connection = context;
    pthread_mutex_lock(&connection->lock);
    while (!connection->stops) {
        if (!connection->calls.count) {
            connection->idle++;
            pthread_cond_wait(&connection->changed, &connection->lock);
            connection->idle--;
            continue;
        }
        struct frame frame = connection->calls.data[--connection->calls.count];
        connection_serve_call(connection, &frame);
    }
    pthread_mutex_unlock(&connection->lock);
    return NULL;
}

static struct jitscope_error *start_worker(struct jitscope_executor_connection *connection) {
    struct os_thread thread;
    TRY(vec_reserve(&connection->workers, 1));
    if (os_start_roomy_thread(work, connection, "jitscope", &thread))
        return error_system("pthread_create", NULL);
    vec_put(&connection->workers, thread);
    return NULL;
}

static struct jitscope_error *leave_to_workers(struct jitscope_executor_connection *connection,
                                               const struct frame *frame) {
    TRY(vec_reserve(&connection->calls, 1));
    if (connection->calls.count >= connection->idle && connection->workers.count < MOST_WORKERS)
        TRY(start_worker(connection));
    vec_put(&connection->calls, *frame);
    return NULL;
}

bool connection_take_call(struct jitscope_executor_connection *connection, struct frame *frame) {
    struct pending *pending = frame->answers ? connection_find_pending(connection, frame->answers) : NULL;
    struct lazy_outcome nothing = {0};
    if (!connection->answer || frame->payload.size != sizeof(uint64_t) || (frame->answers && !pending) ||
        connection->calls.count >= MOST_CALLS || (pending && (pending->has_call || pending->has_reply)))
        return false;
    if (pending) {
        pending->has_call = true;
        pending->call = *frame;
        return true;
    }
    struct jitscope_error *error = leave_to_workers(connection, frame);
    if (!error)
        return true;
    send_outcome(connection, frame->serial, &nothing, error);
    frame_destroy(frame);
    return true;
}

/* --- the thread that reads */

/* It stays until it is joined, though there may be nothing left to read. */
static void *read_on(void *context) {
    struct jitscope_executor_connection *connection = context;
    pthread_mutex_lock(&connection->lock);
    while (!connection->is_gone)
        connection_wait_for_news(connection);
    while (!connection->stops)
        pthread_cond_wait(&connection->changed, &connection->lock);
    pthread_mutex_unlock(&connection->lock);
    return NULL;
}

struct jitscope_error *connection_answer_calls(struct jitscope_executor_connection *connection,
                                               executor_lazy_answer answer, void *context) {
    pthread_mutex_lock(&connection->lock);
    connection->answer = answer;
    connection->answer_context = context;
    pthread_mutex_unlock(&connection->lock);
    if (!os_start_roomy_thread(read_on, connection, "jitscope", &connection->reader))
        return NULL;
    connection->answer = NULL;
    return error_system("pthread_create", NULL);
}

void connection_stop_calls(struct jitscope_executor_connection *connection) {
    if (!connection->answer)
        return;
    pthread_mutex_lock(&connection->lock);
    connection->stops = true;
    pthread_cond_broadcast(&connection->changed);
    pthread_mutex_unlock(&connection->lock);
    os_join_thread(connection->reader);
    for (uint32_t i = 0; i < connection->workers.count; i++)
        os_join_thread(connection->workers.data[i]);
    for (uint32_t i = 0; i < connection->calls.count; i++)
        frame_destroy(&connection->calls.data[i]);
    vec_destroy(&connection->workers);
    vec_destroy(&connection->calls);
}
