#include "executor/executor.h"
#include "base/string_pool.h"
#include "executor/executor_state.h"

#include <string.h>
#include <unistd.h>

extern char **environ;

char *executor_copy_text(const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = os_allocate(size);
    return copy ? memcpy(copy, text, size) : NULL;
}

/* --- life */

struct jitscope_error *executor_create_of_kind(const struct executor_ops *ops, struct executor **out) {
    static char *no_arguments[] = {NULL};
    struct executor *executor = os_allocate_zeroed(sizeof *executor);
    if (!executor)
        return error_no_memory();
    executor->ops = ops;
    executor->entry_name = NO_NAME;
    executor_set_arguments(executor, 0, no_arguments, environ);
    struct jitscope_error *error = executor_register_builtin_actions(executor);
    if (error) {
        executor_destroy(executor);
        return error;
    }
    *out = executor;
    return NULL;
}

uint32_t executor_number(const struct executor *executor) {
    return executor->number;
}

void executor_destroy(struct executor *executor) {
    if (!executor)
        return;
    if (executor->ops->leave)
        executor->ops->leave(executor);
    for (uint32_t i = 0; i < executor->libraries.count; i++)
        os_release(executor->libraries.data[i].path);
    vec_destroy(&executor->libraries);
    vec_destroy(&executor->tls_modules);
    vec_destroy(&executor->exports);
    os_release(executor->values);
    for (uint32_t i = 0; i < executor->actions.count; i++)
        os_release(executor->actions.data[i].owned_name);
    vec_destroy(&executor->actions);
    os_release(executor);
}

void executor_set_arguments(struct executor *executor, int argc, char **argv, char **envp) {
    executor->argc = argc;
    executor->argv = argv;
    executor->envp = envp;
}

void executor_set_entry(struct executor *executor, uint32_t name) {
    executor->entry_name = name;
}

uint32_t executor_entry_name(const struct executor *executor) {
    return executor->entry_name;
}

void executor_set_entry_address(struct executor *executor, uint64_t address) {
    executor->entry = address;
}

void executor_set_debug_policy(struct executor *executor, enum debuggee_policy policy) {
    executor->debug_policy = policy;
}

void executor_offer_image(struct executor *executor, struct image_memory *memory) {
    executor->offered_image = memory;
}

void executor_tell_at_once(struct executor *executor) {
    executor->tells_at_once = true;
}

const char *executor_debug_audience(struct executor *executor) {
    return executor->ops->audience(executor);
}

void executor_begin_end(struct executor *executor) {
    if (executor->ops->begin_end)
        executor->ops->begin_end(executor);
}

void executor_take_turn(struct executor *executor) {
    if (executor->ops->take_turn)
        executor->ops->take_turn(executor);
}

struct jitscope_error *executor_start_main(struct executor *executor, uint64_t address) {
    return executor->ops->start_main ? executor->ops->start_main(executor, address) : NULL;
}

void executor_end_turn(struct executor *executor) {
    if (executor->ops->end_turn)
        executor->ops->end_turn(executor);
}

struct jitscope_error *executor_run_main(struct executor *executor, uint64_t address, int *status) {
    return executor->ops->run_main(executor, address, status);
}

/* --- actions */

const struct registered_action *executor_find_action(const struct executor *executor, const char *name) {
    for (uint32_t i = 0; i < executor->actions.count; i++)
        if (strcmp(executor->actions.data[i].name, name) == 0)
            return &executor->actions.data[i];
    return NULL;
}

void executor_each_user_action(const struct executor *executor, void (*function)(void *, const char *name),
                               void *context) {
    for (uint32_t i = 0; i < executor->actions.count; i++)
        if (executor->actions.data[i].owned_name)
            function(context, executor->actions.data[i].name);
}

bool executor_knows_action(const struct executor *executor, const char *name) {
    return executor_find_action(executor, name) != NULL;
}

struct jitscope_error *executor_register_action(struct executor *executor, const char *name,
                                                executor_action_function function, void *context) {
    if (executor_find_action(executor, name))
        return error_create(JITSCOPE_ERROR_DUPLICATE, "the executor already has an action '%s'", name);
    TRY(vec_reserve(&executor->actions, 1));
    char *copy = executor_copy_text(name);
    if (!copy)
        return error_no_memory();
    vec_put(&executor->actions, (struct registered_action){copy, function, context, copy});
    return NULL;
}

void executor_results_destroy(struct action_results *results) {
    for (uint32_t i = 0; i < results->results.count; i++) {
        os_release((char *)results->results.data[i].message);
        os_release(results->results.data[i].values);
    }
    vec_destroy(&results->results);
}

struct jitscope_error *executor_transfer(struct executor *executor, const struct action *actions,
                                         uint32_t count, const struct action_results *results) {
    return executor->ops->transfer ? executor->ops->transfer(executor, actions, count, results) : NULL;
}

struct jitscope_error *executor_finalize(struct executor *executor, const struct action *actions,
                                         uint32_t count, struct action_results *results) {
    return executor->ops->finalize(executor, actions, count, results);
}

bool executor_roll_back_interrupted(struct executor *executor) {
    return executor->ops->roll_back(executor);
}

struct jitscope_error *executor_deallocate(struct executor *executor, const struct action *actions,
                                           uint32_t first, uint32_t count, struct action_results *results) {
    return executor->ops->deallocate(executor, actions, first, count, results);
}

bool executor_runs_code(const struct executor *executor, const char *name) {
    const char *const names[] = {bridge_action_RESOLVE_IFUNCS, bridge_action_RUN_INITIALISERS,
                                 bridge_action_RUN_CTORS,      bridge_action_RUN_FINALISERS,
                                 bridge_action_RUN_DTORS,      bridge_action_FINALIZE_DSO};
    const struct registered_action *action = executor_find_action(executor, name);
    for (size_t i = 0; action && !action->owned_name && i < sizeof names / sizeof *names; i++)
        if (action->name == names[i])
            return true;
    return action && action->owned_name;
}

struct jitscope_error *executor_close(struct executor *executor, uint32_t allocation) {
    return executor->ops->close ? executor->ops->close(executor, allocation) : NULL;
}

void executor_abandon(struct executor *executor, uint32_t allocation) {
    if (executor->ops->abandon)
        executor->ops->abandon(executor, allocation);
}

uint32_t executor_unwinders(struct executor *executor, const char *names[EXECUTOR_UNWINDERS]) {
    return executor->ops->unwinders(executor, names);
}

/* --- lazy slots */

void executor_set_code_hooks(struct executor *executor, struct executor_code_hooks hooks) {
    executor->code = hooks;
}

struct jitscope_error *executor_lazy_resolver(struct executor *executor, uint64_t *address) {
    return executor->ops->lazy_resolver(executor, address);
}

void executor_set_lazy_answer(struct executor *executor, executor_lazy_answer answer, void *context) {
    executor->lazy_answer = answer;
    executor->lazy_context = context;
}

void executor_store_slots(struct executor *executor, const struct slot_store *stores, uint32_t count) {
    executor->ops->store_slots(executor, stores, count);
}

/* --- libraries, thread-local storage */

/* Libraries are there before the program is: what one wants of it, it cannot have. */
struct jitscope_error *executor_refusal(const char *text) {
    struct jitscope_error *error = error_create(JITSCOPE_ERROR_NOT_FOUND, "%s", text);
    if (strstr(text, "static TLS"))
        return error_with_help(error, "have it in the process from its start: LD_PRELOAD=FILE");
    if (strstr(text, "undefined symbol"))
        return error_with_help(
            error,
            "libraries among the inputs are opened before the program is linked, and cannot refer to it: "
            "let the program open this one with dlopen, and give -rdynamic");
    return error;
}

struct jitscope_error *executor_open_library(struct executor *executor, const char *path, uint32_t *library) {
    for (uint32_t i = 0; i < executor->libraries.count; i++)
        if (strcmp(executor->libraries.data[i].path, path) == 0) {
            *library = i;
            return NULL;
        }
    TRY(vec_reserve(&executor->libraries, 1));
    char *copy = executor_copy_text(path);
    if (!copy)
        return error_no_memory();
    void *handle = NULL;
    struct jitscope_error *error = executor->ops->open_library(executor, path, &handle);
    if (error) {
        os_release(copy);
        return error;
    }
    *library = executor->libraries.count;
    vec_put(&executor->libraries, (struct library){copy, handle});
    return NULL;
}

struct jitscope_error *executor_preloaded(struct executor *executor, struct preloaded *list) {
    return executor->ops->preloaded(executor, list);
}

struct jitscope_error *preloaded_add(struct preloaded *list, const char *path) {
    TRY(vec_reserve(&list->paths, 1));
    char *copy = executor_copy_text(path);
    if (!copy)
        return error_no_memory();
    vec_put(&list->paths, copy);
    return NULL;
}

void preloaded_destroy(struct preloaded *list) {
    for (uint32_t i = 0; i < list->paths.count; i++)
        os_release(list->paths.data[i]);
    vec_destroy(&list->paths);
}

struct jitscope_error *executor_lookup(struct executor *executor, const uint32_t *libraries,
                                       const char *const *names, size_t count, uint64_t *addresses) {
    for (size_t i = 0; i < count; i++)
        if (libraries[i] >= executor->libraries.count)
            return error_create(JITSCOPE_ERROR_USAGE, "the executor has no library %u", libraries[i]);
    return executor->ops->lookup(executor, libraries, names, count, addresses);
}

struct jitscope_error *executor_open_tls(struct executor *executor, const struct tls_request *request,
                                         struct tls_answer *answers) {
    return executor->ops->open_tls(executor, request, answers);
}

void executor_close_tls(struct executor *executor, uint32_t link) {
    if (executor->ops->close_tls)
        executor->ops->close_tls(executor, link);
}

uint64_t executor_tls_address(struct executor *executor, uint32_t link, uint64_t offset) {
    return executor->ops->tls_address ? executor->ops->tls_address(executor, link, offset) : 0;
}

struct jitscope_error *executor_open_exports(struct executor *executor, uint32_t link,
                                             const struct exported_symbol *symbols, uint32_t count) {
    return executor->ops->open_exports ? executor->ops->open_exports(executor, link, symbols, count) : NULL;
}

void executor_close_exports(struct executor *executor, uint32_t link) {
    if (executor->ops->close_exports)
        executor->ops->close_exports(executor, link);
}
