/* The executor that is the linker's own process. */
#include "executor/executor_debug.h"
#include "executor/executor_state.h"
#include "executor/jit_interface.h"
#include "executor/thread_exit.h"

#include <stdio.h>
#include <string.h>

/* --- life */

static void leave(struct executor *executor) {
    executor_leave_exit(executor);
    executor_unwinders_destroy(&executor->unwinders);
    executor_debug_end();
    for (uint32_t i = executor->tls_modules.count; i-- > 0;)
        tls_module_close(&executor->tls_modules.data[i]);
    for (uint32_t i = executor->libraries.count; i-- > 0;)
        os_library_close(executor->libraries.data[i].handle);
}

static void begin_end(struct executor *executor) {
    executor_debug_begin_end(executor);
}

static const char *audience(struct executor *executor) {
    return debug_listing_text(executor->debug_listing);
}

void executor_announce(void) {
    executor_debug_announce();
}

bool executor_debugger_listens(void) {
    return jit_interface_is_watched();
}

static struct jitscope_error *run_main(struct executor *executor, uint64_t address, int *status) {
    int (*function)(int, char **, char **) = (int (*)(int, char **, char **))(uintptr_t)address;
    executor_debug_announce();
    *status = function(executor->argc, executor->argv, executor->envp);
    return NULL;
}

uint64_t executor_near_address(void) {
    /* The stream itself, not the variable stdout: that one may be copied into the main program. */
    const void *stream = os_library_symbol(NULL, "_IO_2_1_stdout_");
    return (uint64_t)(uintptr_t)(stream ? stream : stdout);
}

/* --- actions */

static const char *run(struct executor *executor, const struct action_call *call) {
    const struct registered_action *action = executor_find_action(executor, call->function);
    if (!action)
        return "the executor has no action of this name";
    if (action->owned_name) /* a user's own, which can run whatever it knows of */
        executor_debug_announce();
    return action->function(action->context, call->arguments, call->size);
}

static uint32_t unwinders(struct executor *executor, const char *names[EXECUTOR_UNWINDERS]) {
    return executor_unwinder_names(&executor->unwinders, names);
}

/* --- libraries */

static struct jitscope_error *open_library(struct executor *executor, const char *path, void **handle) {
    const char *text;
    *handle = os_library_open(path, &text);
    if (!*handle)
        return error_create(JITSCOPE_ERROR_NOT_FOUND, "%s", text);
    executor->unwinders.found = false; /* it may have brought one */
    return NULL;
}

static struct jitscope_error *lookup(struct executor *executor, const uint32_t *libraries,
                                     const char *const *names, size_t count, uint64_t *addresses) {
    for (size_t i = 0; i < count; i++) {
        const void *ours = thread_exit_function(names[i]);
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

static struct jitscope_error *open_tls(struct executor *executor, const struct tls_request *request,
                                       struct tls_answer *answers) {
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
    if (!error)
        vec_put(&executor->tls_modules, module);
    return error;
}

static void close_tls(struct executor *executor, uint32_t link) {
    struct tls_module *module = find_tls_module(executor, link);
    if (!module)
        return;
    tls_module_close(module);
    size_t behind = (size_t)(executor->tls_modules.data + executor->tls_modules.count - (module + 1));
    memmove(module, module + 1, behind * sizeof *module);
    executor->tls_modules.count--;
}

static uint64_t tls_address(struct executor *executor, uint32_t link, uint64_t offset) {
    const struct tls_module *module = find_tls_module(executor, link);
    uint64_t block = module ? tls_module_block(module) : 0;
    return block ? block + offset : 0;
}

static const struct executor_ops local_ops = {
    .leave = leave,
    .begin_end = begin_end,
    .run = run,
    .finalize = executor_run_finalize_halves,
    .roll_back = executor_run_interrupted_halves,
    .deallocate = executor_run_deallocate_halves,
    .unwinders = unwinders,
    .audience = audience,
    .open_library = open_library,
    .lookup = lookup,
    .open_tls = open_tls,
    .close_tls = close_tls,
    .tls_address = tls_address,
    .run_main = run_main,
};

struct jitscope_error *executor_create(struct executor **executor) {
    static uint32_t executors;
    TRY(executor_create_of_kind(&local_ops, executor));
    (*executor)->number = __atomic_add_fetch(&executors, 1, __ATOMIC_RELAXED);
    return NULL;
}

bool executor_is_here(const struct executor *executor) {
    return executor->ops == &local_ops;
}
