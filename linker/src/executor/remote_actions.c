/* Actions that run in another process: all halves of a link with one message, and what they come to. */
#include "executor/remote_state.h"

#include <stdio.h>
#include <stdlib.h>

static void put_call(struct message *message, const struct action_call *call) {
    message_text(message, call->function);
    message_blob(message, call->arguments, call->function ? call->size : 0);
}

/* --- finalize */

static void put_segments(const struct remote *remote, struct message *message) {
    message_u32(message, remote->staged.count);
    for (uint32_t i = 0; i < remote->staged.count; i++) {
        const struct staged_segment *segment = &remote->staged.data[i];
        message_u64(message, segment->address);
        message_u64(message, segment->size);
        message_u64(message, segment->content_size);
        message_u64(message, segment->offset);
        message_u32(message, segment->prot);
        message_u32(message, segment->lifetime);
    }
}

static void put_contents(const struct remote *remote, struct message *message) {
    for (uint32_t i = 0; remote->memory_file < 0 && i < remote->staged.count; i++)
        message_blob(message, remote->working + remote->staged.data[i].offset,
                     remote->staged.data[i].content_size);
}

static void put_finalize(struct executor *executor, const struct action *actions, uint32_t count,
                         const struct action_results *results, struct message *message) {
    struct remote *remote = executor->remote;
    bool by_parts = remote_goes_by_parts(executor);
    bool runs = executor->entry && remote->connection->follows && !by_parts;
    message_u32(message, results->allocation);
    message_u32(message,
                (results->timed ? BRIDGE_TIMED : 0) | (executor->tells_at_once ? BRIDGE_AT_ONCE : 0) |
                    (runs ? BRIDGE_RUN | BRIDGE_EXIT : 0) | (remote->memory_file < 0 ? BRIDGE_INLINE : 0) |
                    (remote->connection->crashed ? BRIDGE_CRASHES : 0) | (by_parts ? BRIDGE_BY_PARTS : 0) |
                    (executor_wants_names(executor) ? BRIDGE_FRAMES : 0));
    message_u32(message, executor->debug_policy);
    remote_put_libraries(executor, message);
    remote_put_arguments(executor, message);
    message_u64(message, runs ? executor->entry : 0);
    put_segments(remote, message);
    message_u32(message, count);
    for (uint32_t i = 0; i < count; i++) {
        put_call(message, &actions[i].finalize);
        put_call(message, &actions[i].deallocate);
    }
    put_contents(remote, message);
}

void remote_take_unwinders(struct remote *remote, struct cursor *cursor) {
    uint32_t count = take_count(cursor, 5);
    cursor->failed |= count > EXECUTOR_UNWINDERS;
    for (uint32_t i = 0; i < count && !cursor->failed; i++)
        snprintf(remote->unwinders[i], UNWINDER_NAME, "%s", take_text(cursor));
    remote->unwinder_count = cursor->failed ? 0 : count;
}

/* The error is memory's; what actions have to say waits for finalize(). */
static struct jitscope_error *take_finalized(struct executor *executor, struct cursor *cursor,
                                             const struct action *actions, uint32_t count,
                                             uint32_t allocation) {
    struct remote *remote = executor->remote;
    struct outcome *outcome = &remote->outcome;
    uint32_t step = take_u32(cursor);
    struct jitscope_error *error = take_error(cursor);
    remote->watched = take_u32(cursor) != 0;
    struct jitscope_error *second = take_results(cursor, count, &outcome->results);
    remote_take_unwinders(remote, cursor);
    remote->audience = take_u32(cursor);
    cursor->failed |= step > STEP_ACTIONS || remote->audience > LISTING_UNLISTED ||
                      (step != STEP_DONE && step != STEP_ACTIONS) != (error != NULL) ||
                      (error || remote_goes_by_parts(executor)
                           ? outcome->results.results.count != 0
                           : !remote_is_finalized(actions, count, &outcome->results, step == STEP_ACTIONS));
    if (step != STEP_LIBRARIES)
        remote->libraries_sent = executor->libraries.count;
    outcome->allocation = allocation;
    outcome->before = outcome->results.results.count;
    if (!error)
        return second;
    jitscope_error_destroy(second);
    return error;
}

/* exit(3) was called by an initialiser.  Results of halves come with EXITED. */
static struct jitscope_error *take_interruption(struct executor *executor, const struct action *actions,
                                                uint32_t count, uint32_t allocation,
                                                struct jitscope_error *gone) {
    struct remote *remote = executor->remote;
    struct outcome *outcome = &remote->outcome;
    if (!remote->connection->follows || !connection_has_exited(remote->connection))
        return gone;
    struct cursor cursor = frame_cursor(&remote->connection->exited);
    take_u32(&cursor);
    if (take_u32(&cursor) != allocation)
        return gone;
    jitscope_error_destroy(gone);
    outcome->allocation = allocation;
    outcome->is_interrupted = true;
    outcome->before = take_u32(&cursor);
    TRY(take_results(&cursor, count, &outcome->results));
    cursor.failed |= outcome->before > outcome->results.results.count ||
                     !remote_is_interrupted(actions, count, &outcome->results);
    if (!cursor.failed)
        return NULL;
    outcome->is_interrupted = false;
    return cursor_end(&cursor, MESSAGE_EXITED);
}

void remote_forget_outcome(struct outcome *outcome) {
    executor_results_destroy(&outcome->results);
    *outcome = (struct outcome){0};
}

struct jitscope_error *remote_transfer(struct executor *executor, const struct action *actions,
                                       uint32_t count, const struct action_results *results) {
    struct remote *remote = executor->remote;
    struct message message = {0};
    struct frame reply;
    bool by_parts = remote_goes_by_parts(executor);
    remote_forget_outcome(&remote->outcome);
    TRY(vec_reserve(&remote->by_parts, 1));
    put_finalize(executor, actions, count, results, &message);
    int file = remote->memory_sent ? -1 : remote->memory_file;
    struct jitscope_error *error =
        connection_ask(remote->connection, MESSAGE_FINALIZE, &message, file, MESSAGE_FINALIZED, &reply);
    executor_drop_working_memory(executor);
    remote->memory_sent = true;
    uint64_t entry = executor->entry;
    executor->entry = 0;
    if (error)
        return take_interruption(executor, actions, count, results->allocation, error);
    struct cursor cursor = frame_cursor(&reply);
    error = take_finalized(executor, &cursor, actions, count, results->allocation);
    struct jitscope_error *malformed = remote_finish(executor, &reply, &cursor);
    remote->started = error || malformed || by_parts || !remote->connection->follows ? 0 : entry;
    if (by_parts && !error && !malformed)
        vec_put(&remote->by_parts, results->allocation);
    if (malformed)
        jitscope_error_destroy(error);
    return malformed ? malformed : error;
}

/* Hands results FROM .. TO of the outcome over. */
static void hand_over(struct outcome *outcome, struct action_results *results, uint32_t from, uint32_t to) {
    for (uint32_t i = from; i < to; i++) {
        vec_put(&results->results, outcome->results.results.data[i]);
        outcome->results.results.data[i].message = NULL;
        outcome->results.results.data[i].values = NULL;
    }
}

/* The first half that failed is the error; LOST as for executor_action_error(). */
static struct jitscope_error *error_of(const struct action *actions, const struct action_results *results,
                                       uint32_t from, uint8_t half, bool lost) {
    for (uint32_t i = from; i < results->results.count; i++) {
        const struct action_result *result = &results->results.data[i];
        const struct action *action = &actions[result->action];
        const char *name = half == ACTION_FINALIZE ? action->finalize.function : action->deallocate.function;
        if (result->failed && result->half == half)
            return executor_action_error(result->action, name ? name : "",
                                         result->message ? result->message : "out of memory", lost);
    }
    return NULL;
}

struct jitscope_error *remote_finalize(struct executor *executor, const struct action *actions,
                                       uint32_t count, struct action_results *results) {
    struct outcome *outcome = &executor->remote->outcome;
    if (remote_goes_by_parts(executor))
        return remote_finalize_by_parts(executor, actions, count, results);
    TRY(vec_reserve(&results->results, outcome->results.results.count));
    hand_over(outcome, results, 0, outcome->before);
    executor->remote->wanted = results;
    if (outcome->is_interrupted)
        exit(executor->remote->connection->status); /* the rest is told from inside */
    struct jitscope_error *error = error_of(actions, results, 0, ACTION_FINALIZE, false);
    remote_forget_outcome(outcome);
    return error;
}

bool remote_roll_back(struct executor *executor) {
    struct remote *remote = executor->remote;
    struct outcome *outcome = &remote->outcome;
    if (remote_goes_by_parts(executor))
        return executor_run_interrupted_halves(executor);
    if (!outcome->is_interrupted)
        return false;
    hand_over(outcome, remote->wanted, outcome->before, outcome->results.results.count);
    remote_forget_outcome(outcome);
    return true;
}

/* --- deallocate */

static struct jitscope_error *take_deallocated(struct executor *executor, struct frame *reply,
                                               const struct action *actions, uint32_t first, uint32_t count,
                                               struct action_results *results) {
    struct remote *remote = executor->remote;
    uint32_t before = results->results.count;
    struct cursor cursor = frame_cursor(reply);
    jitscope_error_destroy(remote->closed_error);
    remote->closed = results->allocation;
    remote->closed_error = take_error(&cursor);
    remote->watched = take_u32(&cursor) != 0;
    struct jitscope_error *error = take_results(&cursor, count, results);
    cursor.failed |= !error && !remote_is_deallocated(actions, first, count, results, before, true);
    struct jitscope_error *malformed = remote_finish(executor, reply, &cursor);
    if (malformed)
        jitscope_error_destroy(error);
    return malformed ? malformed : error;
}

static struct jitscope_error *ask_to_deallocate(struct executor *executor, const struct action *actions,
                                                uint32_t first, uint32_t count,
                                                struct action_results *results) {
    struct message message = {0};
    struct frame reply;
    message_u32(&message, results->allocation);
    message_u32(&message, results->timed ? BRIDGE_TIMED : 0);
    message_u32(&message, first);
    TRY(connection_ask(executor->remote->connection, MESSAGE_DEALLOCATE, &message, -1, MESSAGE_DEALLOCATED,
                       &reply));
    return take_deallocated(executor, &reply, actions, first, count, results);
}

/* What ran in the executor's exit(3). */
bool remote_find_exited(const struct jitscope_executor_connection *connection, uint32_t count,
                        struct action_results *results) {
    struct cursor cursor = frame_cursor(&connection->exited);
    struct action_results others = {0};
    bool found = false;
    for (int i = 0; i < 3; i++)
        take_u32(&cursor);
    jitscope_error_destroy(take_results(&cursor, UINT32_MAX, &others));
    executor_results_destroy(&others);
    uint32_t allocations = take_count(&cursor, 8);
    for (uint32_t i = 0; i < allocations && !found && !cursor.failed; i++) {
        found = take_u32(&cursor) == results->allocation;
        jitscope_error_destroy(take_results(&cursor, found ? count : UINT32_MAX, found ? results : &others));
        executor_results_destroy(&others);
    }
    return found && !cursor.failed;
}

/* Nobody is there to run them. */
static void fail_all(const struct action *actions, uint32_t first, uint32_t count, const char *why,
                     struct action_results *results) {
    for (uint32_t i = count; i-- > first;)
        if (actions[i].deallocate.function)
            vec_put(&results->results, (struct action_result){.action = i,
                                                              .half = ACTION_DEALLOCATE,
                                                              .failed = true,
                                                              .message = executor_copy_text(why)});
}

/* Those behind the first COUNT were not heard of to the end. */
static void drop_results(struct action_results *results, uint32_t count) {
    for (uint32_t i = count; i < results->results.count; i++) {
        os_release((char *)(uintptr_t)results->results.data[i].message);
        os_release(results->results.data[i].values);
    }
    results->results.count = count;
}

/* RESULTS has room for all of them, whatever comes. */
struct jitscope_error *remote_deallocate(struct executor *executor, const struct action *actions,
                                         uint32_t first, uint32_t count, struct action_results *results) {
    struct jitscope_executor_connection *connection = executor->remote->connection;
    uint32_t before = results->results.count;
    if (remote_goes_by_parts(executor))
        return executor_run_deallocate_halves(executor, actions, first, count, results);
    TRY(vec_reserve(&results->results, count));
    struct jitscope_error *error = ask_to_deallocate(executor, actions, first, count, results);
    bool lost = false;
    if (error && !(connection_has_exited(connection) && remote_find_exited(connection, count, results) &&
                   remote_is_deallocated(actions, first, count, results, before, false))) {
        lost = jitscope_error_code(error) == JITSCOPE_ERROR_EXECUTOR_GONE;
        drop_results(results, before);
        fail_all(actions, first, count, error_text(error), results);
    }
    jitscope_error_destroy(error);
    return error_of(actions, results, before, ACTION_DEALLOCATE, lost);
}

struct jitscope_error *remote_close(struct executor *executor, uint32_t allocation) {
    struct remote *remote = executor->remote;
    struct action_results results = {.allocation = allocation};
    if (remote->closed != allocation) {
        jitscope_error_destroy(
            ask_to_deallocate(executor, NULL, 0, 0, &results)); /* who is gone has closed it */
        executor_results_destroy(&results);
    }
    struct jitscope_error *error = remote->closed == allocation ? remote->closed_error : NULL;
    remote->closed = 0;
    remote->closed_error = NULL;
    return error;
}

uint32_t remote_unwinders(struct executor *executor, const char *names[EXECUTOR_UNWINDERS]) {
    for (uint32_t i = 0; i < executor->remote->unwinder_count; i++)
        names[i] = executor->remote->unwinders[i];
    return executor->remote->unwinder_count;
}

const char *remote_audience(struct executor *executor) {
    return debug_listing_text((enum debug_listing)executor->remote->audience);
}
