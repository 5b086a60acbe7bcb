/* Halves of actions, one after the other, for those kinds of executors that are asked for each. */
#include "executor/executor_state.h"

/* Of resolvers that never came to an end. */
static void drop_values(struct executor *executor) {
    os_release(executor->values);
    executor->values = NULL;
    executor->value_count = 0;
}

static struct action_result take_values(struct executor *executor, struct action_result result) {
    result.values = executor->values;
    result.value_count = executor->value_count;
    executor->values = NULL;
    executor->value_count = 0;
    return result;
}

/* Runs one half and notes its result, for which there is room.  NULL, or why it failed: good until the next
 * action runs. */
static const char *run_half(struct executor *executor, const struct action_call *call, uint32_t index,
                            uint8_t half, struct action_results *results) {
    if (!call->function)
        return NULL;
    drop_values(executor);
    uint64_t start = results->timed ? os_time_ns() : 0;
    const char *failure = executor->ops->run(executor, call);
    uint64_t duration = results->timed ? os_time_ns() - start : 0;
    vec_put(&results->results,
            take_values(executor,
                        (struct action_result){.action = index,
                                               .half = half,
                                               .failed = failure != NULL,
                                               .duration = duration,
                                               .message = failure ? executor_copy_text(failure) : NULL}));
    return failure;
}

struct jitscope_error *executor_action_error(uint32_t index, const char *name, const char *failure) {
    return error_create(JITSCOPE_ERROR_ACTION_FAILED, "allocation action %u '%s': %s", index, name, failure);
}

/* The deallocate halves of the first COUNT actions, last first; the first failure is the error. */
static struct jitscope_error *undo(struct executor *executor, const struct action *actions, uint32_t count,
                                   uint8_t half, struct action_results *results) {
    struct jitscope_error *first = NULL;
    for (uint32_t i = count; i-- > 0;) {
        const char *failure = run_half(executor, &actions[i].deallocate, i, half, results);
        if (failure && !first)
            first = executor_action_error(i, actions[i].deallocate.function, failure);
    }
    return first;
}

/* Each half once: one that calls exit(3) leaves those before it to executor_roll_back_interrupted(). */
static void roll_back(struct executor *executor, const struct action *actions, uint32_t count,
                      struct action_results *results) {
    for (uint32_t i = count; i-- > 0 && executor->running;) {
        executor->running_index = i;
        run_half(executor, &actions[i].deallocate, i, ACTION_ROLLBACK, results);
    }
}

struct jitscope_error *executor_run_finalize_halves(struct executor *executor, const struct action *actions,
                                                    uint32_t count, struct action_results *results) {
    TRY(vec_reserve(&results->results, 2 * (uint64_t)count));
    struct jitscope_error *error = NULL;
    executor->running = actions;
    executor->running_results = results;
    for (uint32_t i = 0; i < count && !error; i++) {
        executor->running_index = i;
        const char *failure = run_half(executor, &actions[i].finalize, i, ACTION_FINALIZE, results);
        if (failure) {
            error = executor_action_error(i, actions[i].finalize.function, failure);
            roll_back(executor, actions, i, results); /* not behind a replayed exit(3), which did */
        }
    }
    executor->running = NULL;
    return error;
}

bool executor_run_interrupted_halves(struct executor *executor) {
    const struct action *actions = executor->running;
    if (!actions)
        return false;
    executor->running = NULL;
    jitscope_error_destroy(
        undo(executor, actions, executor->running_index, ACTION_ROLLBACK, executor->running_results));
    return true;
}

struct jitscope_error *executor_run_deallocate_halves(struct executor *executor, const struct action *actions,
                                                      uint32_t count, struct action_results *results) {
    TRY(vec_reserve(&results->results, count));
    return undo(executor, actions, count, ACTION_DEALLOCATE, results);
}
