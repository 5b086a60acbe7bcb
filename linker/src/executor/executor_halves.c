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
    const struct half_name name = {results->allocation, index, half, results->timed};
    uint64_t start = results->timed ? os_time_ns() : 0;
    executor->duration = 0;
    const char *failure = executor->ops->run(executor, call, &name);
    uint64_t duration = !results->timed ? 0 : executor->duration ? executor->duration : os_time_ns() - start;
    vec_put(&results->results,
            take_values(executor,
                        (struct action_result){.action = index,
                                               .half = half,
                                               .failed = failure != NULL,
                                               .duration = duration,
                                               .message = failure ? executor_copy_text(failure) : NULL}));
    return failure;
}

struct jitscope_error *executor_action_error(uint32_t index, const char *name, const char *failure,
                                             bool lost) {
    return error_create(lost ? JITSCOPE_ERROR_EXECUTOR_GONE : JITSCOPE_ERROR_ACTION_FAILED,
                        "allocation action %u '%s': %s", index, name, failure);
}

/* The deallocate halves of the actions from FIRST to COUNT, last first; the first failure is the error. */
static struct jitscope_error *undo(struct executor *executor, const struct action *actions, uint32_t first,
                                   uint32_t count, uint8_t half, struct action_results *results) {
    struct jitscope_error *error = NULL;
    for (uint32_t i = count; i-- > first;) {
        const char *failure = run_half(executor, &actions[i].deallocate, i, half, results);
        if (failure && !error)
            error = executor_action_error(i, actions[i].deallocate.function, failure, executor->lost);
    }
    return error;
}

/* Each half once: one that calls exit(3) leaves those before it to executor_roll_back_interrupted(). */
static void roll_back(struct executor *executor, struct executor_run *run, uint32_t count) {
    for (uint32_t i = count; i-- > 0 && !run->rolled_back;) {
        run->index = i;
        run_half(executor, &run->actions[i].deallocate, i, ACTION_ROLLBACK, run->results);
    }
}

/* What the half that is interrupted has found out so far. */
struct put_aside {
    uint64_t *values;
    uint32_t count;
};

static struct put_aside put_aside(struct executor *executor) {
    struct put_aside aside = {executor->values, executor->value_count};
    executor->values = NULL;
    executor->value_count = 0;
    return aside;
}

static void take_up(struct executor *executor, struct put_aside aside) {
    drop_values(executor);
    executor->values = aside.values;
    executor->value_count = aside.count;
}

void executor_run_half(struct executor *executor, const struct action_call *call, uint32_t index,
                       uint8_t half, struct action_results *results) {
    struct put_aside aside = put_aside(executor);
    run_half(executor, call, index, half, results);
    take_up(executor, aside);
}

struct jitscope_error *executor_run_finalize_halves(struct executor *executor, const struct action *actions,
                                                    uint32_t count, struct action_results *results) {
    TRY(vec_reserve(&results->results, 2 * (uint64_t)count));
    struct jitscope_error *error = NULL;
    struct executor_run run = {.actions = actions, .results = results, .outer = executor->running};
    struct put_aside aside = put_aside(executor);
    executor->running = &run;
    for (uint32_t i = 0; i < count && !error; i++) {
        run.index = i;
        const char *failure = run_half(executor, &actions[i].finalize, i, ACTION_FINALIZE, results);
        if (failure) {
            error = executor_action_error(i, actions[i].finalize.function, failure, executor->lost);
            roll_back(executor, &run, i); /* not behind a replayed exit(3), which did */
        }
    }
    executor->running = run.outer;
    take_up(executor, aside);
    return error;
}

bool executor_run_interrupted_halves(struct executor *executor) {
    struct executor_run *run = executor->running;
    if (!run)
        return false;
    executor->running = run->outer;
    run->rolled_back = true;
    jitscope_error_destroy(undo(executor, run->actions, 0, run->index, ACTION_ROLLBACK, run->results));
    return true;
}

struct jitscope_error *executor_run_deallocate_halves(struct executor *executor, const struct action *actions,
                                                      uint32_t first, uint32_t count,
                                                      struct action_results *results) {
    TRY(vec_reserve(&results->results, count));
    struct put_aside aside = put_aside(executor);
    struct jitscope_error *error = undo(executor, actions, first, count, ACTION_DEALLOCATE, results);
    take_up(executor, aside);
    return error;
}
