#include "executor/executor.h"
#include "executor/executor_state.h"
#include "executor/executor_unwind.h"
#include "executor/exit_list.h"
#include "executor/frame_groups.h"
#include "executor/jit_interface.h"
#include "executor/lazy_resolver.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static char *copy_string(const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = os_allocate(size);
    return copy ? memcpy(copy, text, size) : NULL;
}

/* --- exit
 *
 * exit(3) takes functions without arguments and forgets none: one function for the whole process walks the
 * executors that asked, and an executor that goes away leaves the list. */

static pthread_mutex_t exit_lock = PTHREAD_MUTEX_INITIALIZER;
static struct executor *exit_list;
static bool exit_installed;

/* Callbacks run without the lock: what they undo may create or destroy executors. */
static void run_exit_callbacks(void) {
    for (;;) {
        pthread_mutex_lock(&exit_lock);
        struct executor *executor = exit_list;
        exit_list = executor ? executor->exit_next : NULL;
        pthread_mutex_unlock(&exit_lock);
        if (!executor)
            return;
        executor->exit_callback(executor->exit_context);
    }
}

struct jitscope_error *executor_at_exit(struct executor *executor, void (*callback)(void *), void *context) {
    if (executor->exit_callback)
        return error_create(JITSCOPE_ERROR_USAGE, "an executor has one exit callback, and it is set");
    pthread_mutex_lock(&exit_lock);
    if (!exit_installed && os_at_exit(run_exit_callbacks)) {
        pthread_mutex_unlock(&exit_lock);
        return error_system("atexit", NULL);
    }
    exit_installed = true;
    executor->exit_callback = callback;
    executor->exit_context = context;
    executor->exit_next = exit_list;
    exit_list = executor;
    pthread_mutex_unlock(&exit_lock);
    return NULL;
}

static void leave_exit_list(struct executor *executor) {
    pthread_mutex_lock(&exit_lock);
    struct executor **link = &exit_list;
    while (*link && *link != executor)
        link = &(*link)->exit_next;
    if (*link)
        *link = executor->exit_next;
    pthread_mutex_unlock(&exit_lock);
}

/* --- life */

struct jitscope_error *executor_create(struct executor **out) {
    static char *no_arguments[] = {NULL};
    struct executor *executor = os_allocate_zeroed(sizeof *executor);
    if (!executor)
        return error_no_memory();
    executor_enter_unwinders();
    static uint32_t executors;
    executor->number = __atomic_add_fetch(&executors, 1, __ATOMIC_RELAXED);
    executor_set_arguments(executor, 0, no_arguments, environ);
    struct jitscope_error *error = executor_register_builtin_actions(executor);
    if (error) {
        executor_destroy(executor);
        return error;
    }
    *out = executor;
    return NULL;
}

struct jitscope_error *executor_create_answered(const struct executor_answers *answers,
                                                struct executor **out) {
    struct executor *executor = os_allocate_zeroed(sizeof *executor);
    if (!executor)
        return error_no_memory();
    executor->answers = *answers;
    struct jitscope_error *error = executor_register_builtin_actions(executor);
    if (error)
        executor_destroy(executor);
    else
        *out = executor;
    return error;
}

bool executor_is_answered(const struct executor *executor) {
    return executor->answers.run != NULL;
}

uint32_t executor_number(const struct executor *executor) {
    return executor->number;
}

static void leave_process(struct executor *executor) {
    if (executor_is_answered(executor))
        return;
    leave_exit_list(executor);
    executor_leave_unwinders();
    executor_debug_end();
}

void executor_destroy(struct executor *executor) {
    if (!executor)
        return;
    leave_process(executor);
    for (uint32_t i = executor->exports.count; i-- > 0;)
        exports_close(&executor->exports.data[i]);
    for (uint32_t i = executor->tls_modules.count; i-- > 0;)
        tls_module_close(&executor->tls_modules.data[i]);
    for (uint32_t i = executor->libraries.count; i-- > 0;) {
        if (executor->libraries.data[i].handle)
            os_library_close(executor->libraries.data[i].handle);
        os_release(executor->libraries.data[i].path);
    }
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

void executor_set_debug_policy(struct executor *executor, enum debuggee_policy policy) {
    executor->debug_policy = policy;
}

void executor_tell_at_once(struct executor *executor) {
    executor->tells_at_once = true;
}

void executor_announce(void) {
    executor_look_for_unwinders();
    executor_debug_announce();
}

const char *executor_debug_audience(const struct executor *executor) {
    const char *names[EXECUTOR_UNWINDERS] = {"nobody"};
    if (executor_is_answered(executor)) {
        executor->answers.registrars(executor->answers.context, names);
        return names[0];
    }
    static const char *const texts[] = {
        [LISTING_NONE] = "nobody",
        [LISTING_ANNOUNCED] = "debuggers, before it runs",
        [LISTING_LISTED] = "debuggers, at attach",
        [LISTING_UNLISTED] = "debuggers' plug-ins",
    };
    return texts[executor->debug_listing];
}

void executor_begin_end(struct executor *executor) {
    if (!executor_is_answered(executor))
        executor_debug_begin_end(executor);
}

bool executor_debugger_listens(void) {
    return jit_interface_is_watched();
}

void executor_run_main(struct executor *executor, uint64_t address, int *status) {
    int (*function)(int, char **, char **) = (int (*)(int, char **, char **))(uintptr_t)address;
    executor_announce();
    *status = function(executor->argc, executor->argv, executor->envp);
}

uint64_t executor_near_address(void) {
    /* The stream itself, not the variable stdout: that one may be copied into the main program. */
    const void *stream = os_library_symbol(NULL, "_IO_2_1_stdout_");
    return (uint64_t)(uintptr_t)(stream ? stream : stdout);
}

/* --- actions */

static const struct registered_action *find_action(const struct executor *executor, const char *name) {
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
    return find_action(executor, name) != NULL;
}

struct jitscope_error *executor_register_action(struct executor *executor, const char *name,
                                                executor_action_function function, void *context) {
    if (find_action(executor, name))
        return error_create(JITSCOPE_ERROR_DUPLICATE, "the executor already has an action '%s'", name);
    TRY(vec_reserve(&executor->actions, 1));
    char *copy = copy_string(name);
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

static const char *answer(struct executor *executor, const struct action_call *call) {
    const struct executor_answers *answers = &executor->answers;
    const char *failure = answers->run(answers->context, call);
    if (failure || strcmp(call->function, bridge_action_RESOLVE_IFUNCS) != 0)
        return failure;
    failure = executor_reserve_values(executor, call->size);
    if (!failure)
        answers->values(answers->context, call, executor->values, executor->value_count);
    return failure;
}

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

/* Whether the action calls functions that are not the executor's. */
static bool runs_code(const struct registered_action *action) {
    const char *const names[] = {bridge_action_RESOLVE_IFUNCS, bridge_action_RUN_INITIALISERS,
                                 bridge_action_RUN_CTORS,      bridge_action_RUN_FINALISERS,
                                 bridge_action_RUN_DTORS,      bridge_action_FINALIZE_DSO};
    for (size_t i = 0; !action->owned_name && i < sizeof names / sizeof *names; i++)
        if (action->name == names[i])
            return true;
    return action->owned_name;
}

static const char *run_action(const struct executor *executor, const struct registered_action *action,
                              const struct action_call *call) {
    const struct executor_code_hooks *hooks = &executor->code;
    if (!hooks->begin || !runs_code(action))
        return action->function(action->context, call->arguments, call->size);
    uint32_t before = hooks->begin(hooks->context);
    const char *failure = action->function(action->context, call->arguments, call->size);
    hooks->end(hooks->context, before);
    return failure;
}

/* Runs one half and notes its result, for which there is room.  NULL, or why it failed: good until the next
 * action runs. */
static const char *run_half(struct executor *executor, const struct action_call *call, uint32_t index,
                            uint8_t half, struct action_results *results) {
    if (!call->function)
        return NULL;
    const struct registered_action *action = find_action(executor, call->function);
    if (action && action->owned_name) /* a user's own, which can run whatever it knows of */
        executor_announce();
    drop_values(executor);
    uint64_t start = results->timed ? os_time_ns() : 0;
    const char *failure = executor_is_answered(executor) ? answer(executor, call)
                          : action                       ? run_action(executor, action, call)
                                                         : "the executor has no action of this name";
    uint64_t duration = results->timed ? os_time_ns() - start : 0;
    vec_put(&results->results,
            take_values(executor, (struct action_result){.action = index,
                                                         .half = half,
                                                         .failed = failure != NULL,
                                                         .duration = duration,
                                                         .message = failure ? copy_string(failure) : NULL}));
    return failure;
}

static struct jitscope_error *action_error(uint32_t index, const char *name, const char *failure) {
    return error_create(JITSCOPE_ERROR_ACTION_FAILED, "allocation action %u '%s': %s", index, name, failure);
}

/* The deallocate halves of the actions from FIRST to COUNT, last first; the first failure is the error. */
static struct jitscope_error *undo(struct executor *executor, const struct action *actions, uint32_t first,
                                   uint32_t count, uint8_t half, struct action_results *results) {
    struct jitscope_error *error = NULL;
    for (uint32_t i = count; i-- > first;) {
        const char *failure = run_half(executor, &actions[i].deallocate, i, half, results);
        if (failure && !error)
            error = action_error(i, actions[i].deallocate.function, failure);
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

struct jitscope_error *executor_finalize(struct executor *executor, const struct action *actions,
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
            error = action_error(i, actions[i].finalize.function, failure);
            roll_back(executor, &run, i); /* not behind a replayed exit(3), which did */
        }
    }
    executor->running = run.outer;
    take_up(executor, aside);
    return error;
}

bool executor_roll_back_interrupted(struct executor *executor) {
    struct executor_run *run = executor->running;
    if (!run)
        return false;
    executor->running = run->outer;
    run->rolled_back = true;
    jitscope_error_destroy(undo(executor, run->actions, 0, run->index, ACTION_ROLLBACK, run->results));
    return true;
}

struct jitscope_error *executor_deallocate(struct executor *executor, const struct action *actions,
                                           uint32_t first, uint32_t count, struct action_results *results) {
    TRY(vec_reserve(&results->results, count));
    struct put_aside aside = put_aside(executor);
    struct jitscope_error *error = undo(executor, actions, first, count, ACTION_DEALLOCATE, results);
    take_up(executor, aside);
    return error;
}

bool executor_runs_code(const struct executor *executor, const char *name) {
    const struct registered_action *action = find_action(executor, name);
    return action && runs_code(action);
}

uint32_t executor_unwinders(const struct executor *executor, const char *names[EXECUTOR_UNWINDERS]) {
    if (executor_is_answered(executor))
        return executor->answers.registrars(executor->answers.context, names);
    return executor_unwinder_names(names);
}

void executor_own_space(uint64_t start, uint64_t size) {
    frame_groups_allow(start, size);
}

void executor_disown_space(uint64_t start) {
    frame_groups_forbid(start);
}

/* --- lazy slots */

void executor_set_code_hooks(struct executor *executor, struct executor_code_hooks hooks) {
    executor->code = hooks;
}

struct jitscope_error *executor_lazy_resolver(struct executor *executor, uint64_t *address) {
    if (executor_is_answered(executor))
        return executor->answers.lazy_resolver(executor->answers.context, address);
    *address = lazy_resolver_address();
    return NULL;
}

void executor_set_lazy_answer(struct executor *executor, uint64_t (*answer)(void *context, uint64_t slot),
                              void *context) {
    executor->lazy_answer = answer;
    executor->lazy_context = context;
}

void executor_store_slots(struct executor *executor, const struct slot_store *stores, uint32_t count) {
    if (!executor_is_answered(executor))
        executor_announce();
    for (uint32_t i = 0; i < count; i++) {
        if (executor_is_answered(executor))
            executor->answers.store_slot(executor->answers.context, stores[i].slot, stores[i].function);
        else
            lazy_slot_store(stores[i].slot, stores[i].function);
    }
}

/* --- libraries */

static struct jitscope_error *open_handle(const struct executor *executor, const char *path, void **handle) {
    const char *text;
    if (executor_is_answered(executor))
        return executor->answers.open_library(executor->answers.context, path);
    *handle = os_library_open(path, &text);
    if (*handle)
        return NULL;
    size_t length = strlen(path); /* the loader says first whose fault it is */
    if (!strncmp(text, path, length) && !strncmp(text + length, ": ", 2))
        text += length + 2;
    return error_in_input(error_create(JITSCOPE_ERROR_NOT_FOUND, "%s", text), path);
}

struct jitscope_error *executor_open_library(struct executor *executor, const char *path, uint32_t *library) {
    for (uint32_t i = 0; i < executor->libraries.count; i++)
        if (strcmp(executor->libraries.data[i].path, path) == 0) {
            *library = i;
            return NULL;
        }
    TRY(vec_reserve(&executor->libraries, 1));
    char *copy = copy_string(path);
    if (!copy)
        return error_no_memory();
    void *handle = NULL;
    struct jitscope_error *error = open_handle(executor, path, &handle);
    if (error) {
        os_release(copy);
        return error;
    }
    *library = executor->libraries.count;
    vec_put(&executor->libraries, (struct library){copy, handle});
    return NULL;
}

struct jitscope_error *executor_lookup(struct executor *executor, const uint32_t *libraries,
                                       const char *const *names, size_t count, uint64_t *addresses) {
    for (size_t i = 0; i < count; i++)
        if (libraries[i] >= executor->libraries.count)
            return error_create(JITSCOPE_ERROR_USAGE, "the executor has no library %u", libraries[i]);
    if (executor_is_answered(executor))
        return executor->answers.lookup(executor->answers.context, names, count, addresses);
    for (size_t i = 0; i < count; i++) {
        const void *ours = exit_list_function(names[i]);
        if (!ours)
            ours = executor_unwinder_function(names[i]);
        addresses[i] =
            (uint64_t)(uintptr_t)(ours ? ours
                                       : os_library_symbol(executor->libraries.data[libraries[i]].handle,
                                                           names[i]));
    }
    return NULL;
}

/* --- thread-local storage */

/* Those that go first were mostly opened last. */
static struct tls_module *find_tls_module(const struct executor *executor, uint32_t link) {
    for (uint32_t i = executor->tls_modules.count; i-- > 0;)
        if (executor->tls_modules.data[i].link == link)
            return &executor->tls_modules.data[i];
    return NULL;
}

/* Modules of other links that REQUEST's wishes are about, each once. */
static struct jitscope_error *find_needed(const struct executor *executor, const struct tls_request *request,
                                          const struct tls_module **needed, size_t *count) {
    for (uint32_t i = 0; i < request->wish_count; i++) {
        const struct tls_wish *wish = &request->wishes[i];
        const struct tls_module *module;
        if (wish->name || wish->link == request->link)
            continue;
        module = find_tls_module(executor, wish->link);
        if (!module)
            return error_create(JITSCOPE_ERROR_USAGE, "link %u has no thread-local storage", wish->link);
        bool known = false;
        for (size_t n = 0; n < *count; n++)
            known |= needed[n] == module;
        if (!known)
            needed[(*count)++] = module;
    }
    return NULL;
}

/* Whether the module is needed when it has answered: for its block, or for what the loader's descriptors
 * point at.  The loader's lists are linear: what need not be there is not. */
static bool is_lasting(const struct tls_request *request) {
    for (uint32_t i = 0; i < request->wish_count; i++)
        if (request->wishes[i].kind == TLS_WORD_DESCRIPTOR)
            return true;
    return request->size != 0;
}

/* A block whose distance from the thread pointer was asked for has one from now on, whichever link's it is.
 */
static void note_static_blocks(struct executor *executor, const struct tls_request *request) {
    for (uint32_t i = 0; i < request->wish_count; i++) {
        const struct tls_wish *wish = &request->wishes[i];
        struct tls_module *module =
            wish->kind == TLS_WORD_TP_OFFSET && !wish->name ? find_tls_module(executor, wish->link) : NULL;
        if (module && !module->static_rank)
            module->static_rank = ++executor->static_tls_blocks;
    }
}

struct jitscope_error *executor_open_tls(struct executor *executor, const struct tls_request *request,
                                         struct tls_answer *answers) {
    if (executor_is_answered(executor))
        return executor->answers.open_tls(executor->answers.context, request, answers);
    TRY(vec_reserve(&executor->tls_modules, 1));
    size_t count = 0;
    const struct tls_module **needed =
        os_allocate((executor->tls_modules.count + (size_t)1) * sizeof(const struct tls_module *));
    if (!needed)
        return error_no_memory();
    struct tls_module module;
    struct jitscope_error *error = find_needed(executor, request, needed, &count);
    if (!error)
        error = tls_module_open(&module, request, needed, count, answers);
    os_release(needed);
    if (error)
        return error;
    if (is_lasting(request))
        vec_put(&executor->tls_modules, module);
    else
        tls_module_close(&module);
    note_static_blocks(executor, request);
    return NULL;
}

static void remove_tls_module(struct executor *executor, struct tls_module *module) {
    tls_module_close(module);
    size_t behind = (size_t)(executor->tls_modules.data + executor->tls_modules.count - (module + 1));
    memmove(module, module + 1, behind * sizeof *module);
    executor->tls_modules.count--;
}

/* The block that lies at the end of what is used of static TLS. */
static struct tls_module *last_static_block(const struct executor *executor) {
    struct tls_module *last = NULL;
    for (uint32_t i = 0; i < executor->tls_modules.count; i++) {
        struct tls_module *module = &executor->tls_modules.data[i];
        if (module->static_rank && (!last || module->static_rank > last->static_rank))
            last = module;
    }
    return last;
}

/* The loader takes room in static TLS back from its end only: what is closed before a later block is lost for
 * good.  So such a module waits until those behind it are closed too. */
void executor_close_tls(struct executor *executor, uint32_t link) {
    struct tls_module *module = find_tls_module(executor, link);
    if (!module)
        return;
    if (!module->static_rank) {
        remove_tls_module(executor, module);
        return;
    }
    module->link = 0;
    while ((module = last_static_block(executor)) && !module->link)
        remove_tls_module(executor, module);
}

uint64_t executor_tls_address(struct executor *executor, uint32_t link, uint64_t offset) {
    const struct tls_module *module = find_tls_module(executor, link);
    uint64_t block = module ? tls_module_block(module) : 0;
    return block ? block + offset : 0;
}

struct jitscope_error *executor_open_exports(struct executor *executor, uint32_t link,
                                             const struct exported_symbol *symbols, uint32_t count) {
    struct exports exports;
    TRY(vec_reserve(&executor->exports, 1));
    TRY(exports_open(&exports, link, symbols, count));
    vec_put(&executor->exports, exports);
    return NULL;
}

void executor_close_exports(struct executor *executor, uint32_t link) {
    for (uint32_t i = executor->exports.count; i-- > 0;) {
        if (executor->exports.data[i].link != link)
            continue;
        exports_close(&executor->exports.data[i]);
        executor->exports.data[i] = executor->exports.data[--executor->exports.count];
    }
}
