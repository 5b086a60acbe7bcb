/* The executor that is not there: a replay says what it said. */
#include "executor/executor_state.h"

#include <string.h>

static const char *run(struct executor *executor, const struct action_call *call,
                       const struct half_name *name) {
    (void)name;
    const struct executor_answers *answers = &executor->answers;
    const char *failure = answers->run(answers->context, call);
    if (failure || strcmp(call->function, bridge_action_RESOLVE_IFUNCS) != 0)
        return failure;
    failure = executor_reserve_values(executor, call->size);
    if (!failure)
        answers->values(answers->context, call, executor->values, executor->value_count);
    return failure;
}

static uint32_t unwinders(struct executor *executor, const char *names[EXECUTOR_UNWINDERS]) {
    return executor->answers.registrars(executor->answers.context, names);
}

static const char *audience(struct executor *executor) {
    const char *names[EXECUTOR_UNWINDERS] = {"nobody"};
    executor->answers.registrars(executor->answers.context, names);
    return names[0];
}

static struct jitscope_error *open_library(struct executor *executor, const char *path, void **handle) {
    *handle = NULL;
    return executor->answers.open_library(executor->answers.context, path);
}

static struct jitscope_error *preloaded(struct executor *executor, struct preloaded *list) {
    return executor->answers.preloaded(executor->answers.context, list);
}

static struct jitscope_error *lookup(struct executor *executor, const uint32_t *libraries,
                                     const char *const *names, size_t count, uint64_t *addresses) {
    (void)libraries;
    return executor->answers.lookup(executor->answers.context, names, count, addresses);
}

static struct jitscope_error *open_tls(struct executor *executor, const struct tls_request *request,
                                       struct tls_answer *answers) {
    return executor->answers.open_tls(executor->answers.context, request, answers);
}

static struct jitscope_error *lazy_resolver(struct executor *executor, uint64_t *address) {
    return executor->answers.lazy_resolver(executor->answers.context, address);
}

static void store_slots(struct executor *executor, const struct slot_store *stores, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        executor->answers.store_slot(executor->answers.context, stores[i].slot, stores[i].function);
}

static const struct executor_ops answered_ops = {
    .run = run,
    .finalize = executor_run_finalize_halves,
    .roll_back = executor_run_interrupted_halves,
    .deallocate = executor_run_deallocate_halves,
    .unwinders = unwinders,
    .audience = audience,
    .open_library = open_library,
    .preloaded = preloaded,
    .lookup = lookup,
    .open_tls = open_tls,
    .lazy_resolver = lazy_resolver,
    .store_slots = store_slots,
};

struct jitscope_error *executor_create_answered(const struct executor_answers *answers,
                                                struct executor **executor) {
    TRY(executor_create_of_kind(&answered_ops, executor));
    (*executor)->answers = *answers;
    return NULL;
}

bool executor_is_answered(const struct executor *executor) {
    return executor->ops == &answered_ops;
}
