/* The executor that is the linker's own process. */
#include "executor/executor_debug.h"
#include "executor/executor_state.h"
#include "executor/executor_unwind.h"
#include "executor/exit_list.h"
#include "executor/frame_groups.h"
#include "executor/jit_interface.h"
#include "executor/lazy_resolver.h"

#include <stdio.h>
#include <string.h>

/* --- life */

static void leave(struct executor *executor) {
    if (!executor->number) /* it has never quite been there */
        return;
    executor_leave_exit(executor);
    executor_leave_unwinders();
    executor_debug_end();
    for (uint32_t i = executor->exports.count; i-- > 0;)
        exports_close(&executor->exports.data[i]);
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
    executor_look_for_unwinders();
    executor_debug_announce();
}

bool executor_debugger_listens(void) {
    return jit_interface_is_watched();
}

static struct jitscope_error *run_main(struct executor *executor, uint64_t address, int *status) {
    int (*function)(int, char **, char **) = (int (*)(int, char **, char **))(uintptr_t)address;
    executor_announce();
    *status = function(executor->argc, executor->argv, executor->envp);
    return NULL;
}

uint64_t executor_near_address(void) {
    /* The stream itself, not the variable stdout: that one may be copied into the main program. */
    const void *stream = os_library_symbol(NULL, "_IO_2_1_stdout_");
    return (uint64_t)(uintptr_t)(stream ? stream : stdout);
}

/* --- actions */

static const char *run(struct executor *executor, const struct action_call *call,
                       const struct half_name *name) {
    (void)name;
    const struct registered_action *action = executor_find_action(executor, call->function);
    if (!action)
        return "the executor has no action of this name";
    if (action->owned_name) /* a user's own, which can run whatever it knows of */
        executor_announce();
    const struct executor_code_hooks *hooks = &executor->code;
    if (!hooks->begin || !executor_runs_code(executor, call->function))
        return action->function(action->context, call->arguments, call->size);
    uint32_t before = hooks->begin(hooks->context);
    const char *failure = action->function(action->context, call->arguments, call->size);
    hooks->end(hooks->context, before);
    return failure;
}

static uint32_t unwinders(struct executor *executor, const char *names[EXECUTOR_UNWINDERS]) {
    (void)executor;
    return executor_unwinder_names(names);
}

/* --- lazy slots */

static struct jitscope_error *lazy_resolver(struct executor *executor, uint64_t *address) {
    (void)executor;
    *address = lazy_resolver_address();
    return NULL;
}

static void store_slots(struct executor *executor, const struct slot_store *stores, uint32_t count) {
    (void)executor;
    executor_announce();
    for (uint32_t i = 0; i < count; i++)
        lazy_slot_store(stores[i].slot, stores[i].function);
}

/* --- libraries */

static struct jitscope_error *open_library(struct executor *executor, const char *path, void **handle) {
    const char *text;
    (void)executor;
    *handle = os_library_open(path, &text);
    if (*handle)
        return NULL;
    size_t length = strlen(path); /* the loader says first whose fault it is */
    if (!strncmp(text, path, length) && !strncmp(text + length, ": ", 2))
        text += length + 2;
    return executor_refusal(text);
}

struct preloaded_visit {
    struct preloaded *list;
    struct jitscope_error *error;
};

static void add_preloaded(void *context, const char *path) {
    struct preloaded_visit *visit = context;
    if (!visit->error)
        visit->error = preloaded_add(visit->list, path);
}

static struct jitscope_error *preloaded(struct executor *executor, struct preloaded *list) {
    struct preloaded_visit visit = {list, NULL};
    (void)executor;
    if (os_each_preloaded(add_preloaded, &visit) && !visit.error)
        return error_system("cannot find out", "which libraries were preloaded");
    return visit.error;
}

static struct jitscope_error *lookup(struct executor *executor, const uint32_t *libraries,
                                     const char *const *names, size_t count, uint64_t *addresses) {
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
static void close_tls(struct executor *executor, uint32_t link) {
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

static uint64_t tls_address(struct executor *executor, uint32_t link, uint64_t offset) {
    const struct tls_module *module = find_tls_module(executor, link);
    uint64_t block = module ? tls_module_block(module) : 0;
    return block ? block + offset : 0;
}

static struct jitscope_error *open_exports(struct executor *executor, uint32_t link,
                                           const struct exported_symbol *symbols, uint32_t count) {
    struct exports exports;
    TRY(vec_reserve(&executor->exports, 1));
    TRY(exports_open(&exports, link, symbols, count));
    vec_put(&executor->exports, exports);
    return NULL;
}

static void close_exports(struct executor *executor, uint32_t link) {
    for (uint32_t i = executor->exports.count; i-- > 0;) {
        if (executor->exports.data[i].link != link)
            continue;
        exports_close(&executor->exports.data[i]);
        executor->exports.data[i] = executor->exports.data[--executor->exports.count];
    }
}

void executor_own_space(uint64_t start, uint64_t size) {
    frame_groups_allow(start, size);
}

void executor_disown_space(uint64_t start) {
    frame_groups_forbid(start);
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
    .preloaded = preloaded,
    .lookup = lookup,
    .open_tls = open_tls,
    .close_tls = close_tls,
    .tls_address = tls_address,
    .open_exports = open_exports,
    .close_exports = close_exports,
    .lazy_resolver = lazy_resolver,
    .store_slots = store_slots,
    .run_main = run_main,
};

struct jitscope_error *executor_create(struct executor **executor) {
    static uint32_t executors;
    TRY(executor_create_of_kind(&local_ops, executor));
    executor_enter_unwinders();
    (*executor)->number = __atomic_add_fetch(&executors, 1, __ATOMIC_RELAXED);
    return NULL;
}

bool executor_is_here(const struct executor *executor) {
    return executor->ops == &local_ops;
}
