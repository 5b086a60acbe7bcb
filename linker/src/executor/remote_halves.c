/* Actions that run in another process, one half after the other: while one runs code, that code can call what
 * waits to be linked, and so the session is as open meanwhile as if it ran here (executor_local.c). */
#include "executor/remote_state.h"

#include <stdlib.h>
#include <string.h>

static const char *keep_failure(struct remote *remote, const char *text) {
    os_release(remote->failure);
    remote->failure = executor_copy_text(text);
    return remote->failure ? remote->failure : "out of memory";
}

/* What there is to know of a half that came to its end. */
static const char *note_result(struct executor *executor, struct action_result *result) {
    executor->duration = result->duration;
    executor->values = result->values;
    executor->value_count = result->value_count;
    result->values = NULL;
    if (!result->failed)
        return NULL;
    return keep_failure(executor->remote, result->message ? result->message : "out of memory");
}

static bool is_result_of(const struct action_results *results, const struct action_call *call,
                         const struct half_name *name) {
    const struct action_result *result = results->results.data;
    return results->results.count == 1 && result->action == name->action && result->half == name->half &&
           remote_has_values(call, result);
}

static const char *take_result(struct executor *executor, struct frame *reply, const struct action_call *call,
                               const struct half_name *name) {
    struct remote *remote = executor->remote;
    struct action_results results = {0};
    struct cursor cursor = frame_cursor(reply);
    const char *failure = NULL;
    remote->watched = take_u32(&cursor) != 0;
    struct jitscope_error *error = take_results(&cursor, name->action + 1, &results);
    remote_take_unwinders(remote, &cursor);
    remote->audience = take_u32(&cursor);
    cursor.failed |= remote->audience > LISTING_UNLISTED || (!error && !is_result_of(&results, call, name));
    error = remote_finish_with(executor, reply, &cursor, error);
    failure = error ? keep_failure(remote, error_text(error)) : note_result(executor, results.results.data);
    executor->lost = jitscope_error_code(error) == JITSCOPE_ERROR_EXECUTOR_GONE;
    jitscope_error_destroy(error);
    executor_results_destroy(&results);
    return failure;
}

/* Nobody is there to run it, as ERROR says; but it may have been run, by exit(3). */
static const char *find_result(struct executor *executor, const struct half_name *name,
                               struct jitscope_error *error) {
    struct jitscope_executor_connection *connection = executor->remote->connection;
    struct action_results results = {.allocation = name->allocation};
    const char *failure = keep_failure(executor->remote, error_text(error));
    executor->lost = jitscope_error_code(error) == JITSCOPE_ERROR_EXECUTOR_GONE;
    bool found = name->half != ACTION_FINALIZE && connection_has_exited(connection) &&
                 remote_find_exited(connection, UINT32_MAX, &results);
    for (uint32_t i = 0; found && i < results.results.count; i++)
        if (results.results.data[i].action == name->action) {
            failure = note_result(executor, &results.results.data[i]);
            executor->lost = false;
        }
    executor_results_destroy(&results);
    jitscope_error_destroy(error);
    return failure;
}

static struct jitscope_error *ask(struct jitscope_executor_connection *connection,
                                  const struct half_name *name, struct frame *reply) {
    struct message message = {0};
    bool exits;
    message_u32(&message, name->allocation);
    message_u32(&message, name->action);
    message_u32(&message, name->half);
    message_u32(&message, name->timed ? BRIDGE_TIMED : 0);
    struct jitscope_error *error = connection_ask_half(connection, &message, reply, &exits);
    if (error && exits && connection->follows) {
        jitscope_error_destroy(error);
        connection_await_last_words(connection);
        exit(connection->status);
    }
    return error;
}

/* While the session is open others may have borrowed it: what came is looked at when it is shut again. */
const char *remote_run(struct executor *executor, const struct action_call *call,
                       const struct half_name *name) {
    const struct executor_code_hooks *hooks = &executor->code;
    bool opens = hooks->begin && executor_runs_code(executor, call->function);
    struct frame reply;
    uint32_t before = opens ? hooks->begin(hooks->context) : 0;
    struct jitscope_error *error = ask(executor->remote->connection, name, &reply);
    if (opens)
        hooks->end(hooks->context, before);
    return error ? find_result(executor, name, error) : take_result(executor, &reply, call, name);
}

static bool forget(struct remote *remote, uint32_t allocation) {
    for (uint32_t i = remote->by_parts.count; i-- > 0;)
        if (remote->by_parts.data[i] == allocation) {
            remote->by_parts.data[i] = remote->by_parts.data[--remote->by_parts.count];
            return true;
        }
    return false;
}

struct jitscope_error *remote_finalize_by_parts(struct executor *executor, const struct action *actions,
                                                uint32_t count, struct action_results *results) {
    struct jitscope_error *error = executor_run_finalize_halves(executor, actions, count, results);
    if (!error)
        forget(executor->remote, results->allocation);
    return error;
}

void remote_abandon(struct executor *executor, uint32_t allocation) {
    if (forget(executor->remote, allocation))
        jitscope_error_destroy(remote_close(executor, allocation));
}
