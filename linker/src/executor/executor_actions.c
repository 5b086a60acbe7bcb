/* The actions of actions.def, as they run in this process.
 *
 * Arguments come from allocation actions that any pass, or an embedding program, can attach: they are checked
 * before anything is touched, and what is wrong with them becomes the action's failure.  That the addresses
 * are mapped cannot be checked and is the attaching side's promise, as for any code that is run.
 *
 * The order in which arrays run is the gABI's (chapter 5, "Initialization and Termination Functions"):
 * .init_array first to last, .fini_array last to first; .ctors and .dtors, which GCC's crtstuff.c defined
 * before it, the other way round, with 0 and -1 as markers of their ends. */
#include "base/bytes.h"
#include "executor/debug_image.h"
#include "executor/executor_state.h"
#include "executor/executor_unwind.h"
#include "executor/exit_list.h"
#include "executor/lazy_resolver.h"
#include "executor/tls_module.h"

#include <inttypes.h>
#include <stdio.h>

#define ACTION(NAME, name, arguments) const char bridge_action_##NAME[] = name;
#include "executor/actions.def"
#undef ACTION

enum { ADOPT_SIZE = 24 };

/* What nearly every built-in action takes. */
struct range {
    uint64_t address;
    uint64_t size;
};

/* __cxa_finalize(d): Itanium C++ ABI, section 3.3.6.3 "Runtime API". */
extern void __cxa_finalize(void *);

#define FAIL(executor, ...)                                                                                  \
    (snprintf((executor)->message, sizeof(executor)->message, __VA_ARGS__), (executor)->message)

static const char *read_range(struct executor *executor, const uint8_t *arguments, size_t size,
                              struct range *range) {
    uint64_t end;
    if (size != sizeof *range)
        return FAIL(executor, "takes 16 bytes of arguments, not %zu", size);
    range->address = load_u64(arguments);
    range->size = load_u64(arguments + 8);
    if (!range->address)
        return "its address is 0";
    if (__builtin_add_overflow(range->address, range->size, &end))
        return FAIL(executor, "0x%" PRIx64 " bytes at 0x%" PRIx64 " reach past the end of memory",
                    range->size, range->address);
    return NULL;
}

static uint64_t array_entry(struct range array, uint64_t index) {
    return load_u64((const void *)(uintptr_t)(array.address + 8 * index));
}

/* gcc and gold end .ctors and .dtors with 0 and begin them with -1. */
static bool is_marker(uint64_t entry) {
    return entry == 0 || entry == UINT64_MAX;
}

/* A 0 in an array without markers would be called: refused before the first entry runs. */
static const char *check_array(struct executor *executor, struct range array, bool markers) {
    if (array.size % 8)
        return FAIL(executor, "an array of 0x%" PRIx64 " bytes is not one of pointers", array.size);
    for (uint64_t i = 0; !markers && i < array.size / 8; i++)
        if (is_marker(array_entry(array, i)))
            return FAIL(executor, "entry %" PRIu64 " of the array at 0x%" PRIx64 " is no function", i,
                        array.address);
    return NULL;
}

static void call_entry(struct executor *executor, uint64_t entry) {
    void (*function)(int, char **, char **) = (void (*)(int, char **, char **))(uintptr_t)entry;
    function(executor->argc, executor->argv, executor->envp);
}

static const char *run_array(struct executor *executor, const uint8_t *arguments, size_t size, bool backwards,
                             bool markers) {
    struct range array;
    const char *failure = read_range(executor, arguments, size, &array);
    if (!failure)
        failure = check_array(executor, array, markers);
    if (failure)
        return failure;
    uint64_t count = array.size / 8;
    executor_announce();
    for (uint64_t i = 0; i < count; i++) {
        uint64_t entry = array_entry(array, backwards ? count - 1 - i : i);
        if (!markers || !is_marker(entry))
            call_entry(executor, entry);
    }
    return NULL;
}

/* --- indirect functions */

enum { IFUNC_HEADER = 16, IFUNC_PAIR = 16 };

const char *executor_reserve_values(struct executor *executor, uint32_t size) {
    uint32_t count = size < IFUNC_HEADER ? 0 : (size - IFUNC_HEADER) / IFUNC_PAIR;
    executor->values = os_allocate_zeroed((size_t)count * sizeof *executor->values);
    if (!executor->values)
        return "out of memory";
    executor->value_count = count;
    return NULL;
}

/* Nothing runs before all of it is seen to make sense. */
static const char *check_pairs(struct executor *executor, const uint8_t *arguments, size_t size) {
    if (size < IFUNC_HEADER || size > UINT32_MAX || (size - IFUNC_HEADER) % IFUNC_PAIR)
        return FAIL(executor, "takes 16 bytes of arguments and 16 for each function, not %zu", size);
    for (size_t at = IFUNC_HEADER; at < size; at += 8)
        if (!load_u64(arguments + at))
            return "the address of a slot or of a resolver is 0";
    return NULL;
}

/* One after the other: a resolver may call what those before it have found. */
static const char *run_RESOLVE_IFUNCS(void *context, const uint8_t *arguments, size_t size) {
    struct executor *executor = context;
    const char *failure = check_pairs(executor, arguments, size);
    if (!failure)
        failure = executor_reserve_values(executor, (uint32_t)size);
    if (failure)
        return failure;
    executor_announce();
    uint64_t *values = executor->values; /* the executor's are others while a resolver has something linked */
    for (uint32_t i = 0, count = executor->value_count; i < count; i++) {
        const uint8_t *pair = arguments + IFUNC_HEADER + (size_t)i * IFUNC_PAIR;
        uint64_t (*resolver)(void) = (uint64_t(*)(void))(uintptr_t)load_u64(pair + 8);
        values[i] = resolver();
        store_u64((void *)(uintptr_t)load_u64(pair), values[i]);
    }
    return NULL;
}

/* --- the stack */

/* The dynamic loader does it for a library whose PT_GNU_STACK asks for it, to stacks that there are and to
 * those to come; an empty one will do. */
const char *executor_make_stacks_executable(void *context, const uint8_t *arguments, size_t size) {
    struct tls_request request = {.executable_stack = true};
    struct tls_answer answer;
    struct tls_module module;
    (void)context, (void)arguments, (void)size;
    struct jitscope_error *error = tls_module_open(&module, &request, NULL, 0, &answer);
    if (error) {
        jitscope_error_destroy(error);
        return "the dynamic loader does not make stacks executable";
    }
    tls_module_close(&module);
    return NULL;
}

/* --- initialisers, finalisers */

static const char *run_RUN_INITIALISERS(void *context, const uint8_t *arguments, size_t size) {
    return run_array(context, arguments, size, false, false);
}

static const char *run_RUN_CTORS(void *context, const uint8_t *arguments, size_t size) {
    return run_array(context, arguments, size, true, true);
}

static const char *run_RUN_FINALISERS(void *context, const uint8_t *arguments, size_t size) {
    return run_array(context, arguments, size, true, false);
}

static const char *run_RUN_DTORS(void *context, const uint8_t *arguments, size_t size) {
    return run_array(context, arguments, size, false, true);
}

/* Thread-local objects go before those that live as long as the program, as in exit(3).  The C library has
 * what the batch registered by other ways than ours, and with pthread_atfork(3). */
static void end_dso(void *dso) {
    exit_list_end(dso);
    __cxa_finalize(dso);
}

static const char *run_FINALIZE_DSO(void *context, const uint8_t *arguments, size_t size) {
    struct range dso;
    const char *failure = read_range(context, arguments, size, &dso); /* 0 would end the whole process */
    executor_announce();
    if (!failure)
        end_dso((void *)(uintptr_t)dso.address);
    return failure;
}

static const char *run_REGISTER_EH_FRAMES(void *context, const uint8_t *arguments, size_t size) {
    struct executor *executor = context;
    struct range section;
    const char *failure = read_range(executor, arguments, size, &section);
    return failure ? failure : executor_register_eh_frame(section.address, section.size);
}

static const char *run_DEREGISTER_EH_FRAMES(void *context, const uint8_t *arguments, size_t size) {
    struct executor *executor = context;
    struct range section;
    const char *failure = read_range(executor, arguments, size, &section);
    return failure ? failure : executor_deregister_eh_frame(section.address, section.size);
}

/* Its functions are the batch's own: JIT'd code runs. */
static const char *run_ADOPT_UNWINDER(void *context, const uint8_t *arguments, size_t size) {
    if (size != ADOPT_SIZE)
        return FAIL((struct executor *)context, "takes %d bytes of arguments, not %zu", ADOPT_SIZE, size);
    executor_announce();
    return executor_adopt_unwinder(load_u64(arguments + 16), load_u64(arguments), load_u64(arguments + 8));
}

static const char *run_DISMISS_UNWINDER(void *context, const uint8_t *arguments, size_t size) {
    if (size != ADOPT_SIZE)
        return FAIL((struct executor *)context, "takes %d bytes of arguments, not %zu", ADOPT_SIZE, size);
    executor_announce();
    return executor_dismiss_unwinder(load_u64(arguments));
}

enum { STATUS_NOT_FOUND = 127 }; /* what the dynamic loader exits with, when a lazy binding fails */

/* The program cannot go on: there is nothing to call.  No lock is held, so that the embedding program's
 * function can leave by an exception, or longjmp. */
static _Noreturn void fail(const struct lazy_outcome *outcome, struct jitscope_error *error) {
    char text[4096];
    const char *name = outcome->name ? outcome->name : "?";
    snprintf(text, sizeof text, "%s", jitscope_error_message(error));
    jitscope_error_destroy(error);
    if (outcome->failure)
        outcome->failure(outcome->context, name, text);
    fprintf(stderr, "jitscope: the function '%s' could not be linked when it was first called: %s\n", name,
            text);
    os_exit_child(STATUS_NOT_FOUND);
    __builtin_unreachable();
}

static uint64_t answer_slot(void *context, uint64_t slot) {
    const struct executor *executor = context;
    struct lazy_outcome outcome = {0};
    struct jitscope_error *error = executor->lazy_answer(executor->lazy_context, slot, &outcome);
    if (error)
        fail(&outcome, error);
    return outcome.function;
}

static const char *run_REGISTER_LAZY_SLOTS(void *context, const uint8_t *arguments, size_t size) {
    struct executor *executor = context;
    struct range slots;
    const char *failure = read_range(executor, arguments, size, &slots);
    if (!failure && !executor->lazy_answer)
        failure = "nobody answers for slots";
    return failure ? failure : lazy_slots_register(slots.address, slots.size, answer_slot, executor);
}

static const char *run_DEREGISTER_LAZY_SLOTS(void *context, const uint8_t *arguments, size_t size) {
    struct range slots;
    const char *failure = read_range(context, arguments, size, &slots);
    if (!failure)
        lazy_slots_forget(slots.address);
    return failure;
}

static const char *run_REGISTER_DEBUG_IMAGE(void *context, const uint8_t *arguments, size_t size) {
    struct executor *executor = context;
    return executor_register_debug_image(executor, (struct bytes){arguments, size});
}

static const char *run_DEREGISTER_DEBUG_IMAGE(void *context, const uint8_t *arguments, size_t size) {
    struct executor *executor = context;
    struct debug_image_name name;
    if (size != sizeof name)
        return FAIL(executor, "takes %zu bytes of arguments, not %zu", sizeof name, size);
    memcpy(&name, arguments, sizeof name);
    return executor_deregister_debug_image(executor, (uint32_t)name.link);
}

struct jitscope_error *executor_register_builtin_actions(struct executor *executor) {
#define ACTION(NAME, name, arguments)                                                                        \
    TRY(vec_push(&executor->actions,                                                                         \
                 (struct registered_action){bridge_action_##NAME, run_##NAME, executor, NULL}));
#include "executor/actions.def"
#undef ACTION
    return NULL;
}
