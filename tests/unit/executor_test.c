/* The executor: order, roll-back and failures of actions; what the built-in ones do and refuse. */
#include "base/bytes.h"
#include "executor/executor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <unwind.h>

/* What happened, in order. */
static char journal[4096];

static void note(const char *text) {
    assert_true(strlen(journal) + strlen(text) + 2 < sizeof journal);
    strcat(strcat(journal, text), " ");
}

static int reset(void **state) {
    (void)state;
    journal[0] = 0;
    os_fail_after(0, false);
    return 0;
}

static void assert_code(struct jitscope_error *error, enum jitscope_error_code code) {
    if (jitscope_error_code(error) != code)
        print_error("%s\n", jitscope_error_message(error));
    assert_int_equal(jitscope_error_code(error), code);
    jitscope_error_destroy(error);
}

static struct executor *make_executor(void) {
    struct executor *executor;
    assert_code(executor_create(&executor), JITSCOPE_SUCCESS);
    return executor;
}

/* Notes its argument; fails when that begins with '!'. */
static const char *note_action(void *context, const uint8_t *arguments, size_t size) {
    char text[32] = {0};
    assert_ptr_equal(context, journal);
    memcpy(text, arguments, size);
    note(text);
    return text[0] == '!' ? "as told" : NULL;
}

static struct action_call call_note(const char *text) {
    return (struct action_call){text ? "note" : NULL, (const uint8_t *)text,
                                text ? (uint32_t)strlen(text) : 0};
}

static struct action pair(const char *finalize, const char *deallocate) {
    return (struct action){call_note(finalize), call_note(deallocate)};
}

static struct executor *make_noting_executor(void) {
    struct executor *executor = make_executor();
    assert_code(executor_register_action(executor, "note", note_action, journal), JITSCOPE_SUCCESS);
    return executor;
}

static void finalize_halves_run_in_order_and_deallocate_halves_in_reverse(void **state) {
    (void)state;
    struct executor *executor = make_noting_executor();
    struct action actions[] = {pair("+a", "-a"), pair("+b", NULL), pair(NULL, "-c"), pair("+d", "-d")};
    struct action_results results = {0};
    assert_code(executor_finalize(executor, actions, 4, &results), JITSCOPE_SUCCESS);
    assert_string_equal(journal, "+a +b +d ");
    assert_int_equal(results.results.count, 3);
    assert_int_equal(results.results.data[2].action, 3);
    assert_int_equal(results.results.data[2].half, ACTION_FINALIZE);
    executor_results_destroy(&results);
    journal[0] = 0;
    assert_code(executor_deallocate(executor, actions, 0, 4, &results), JITSCOPE_SUCCESS);
    assert_string_equal(journal, "-d -c -a ");
    assert_int_equal(results.results.data[0].half, ACTION_DEALLOCATE);
    executor_results_destroy(&results);
    executor_destroy(executor);
}

static void a_failure_rolls_back_what_was_done_in_reverse(void **state) {
    (void)state;
    struct executor *executor = make_noting_executor();
    struct action actions[] = {pair("+a", "-a"), pair(NULL, "!-b"), pair("+c", NULL),
                               pair("+d", "-d"), pair("!e", "-e"),  pair("+f", "-f")};
    struct action_results results = {0};
    struct jitscope_error *error = executor_finalize(executor, actions, 6, &results);
    assert_non_null(strstr(jitscope_error_message(error), "4 'note': as told"));
    assert_code(error, JITSCOPE_ERROR_ACTION_FAILED);
    assert_string_equal(journal, "+a +c +d !e -d !-b -a ");
    assert_int_equal(results.results.count, 7);
    const struct action_result *at = results.results.data;
    assert_true(at[3].failed && at[3].action == 4 && at[3].half == ACTION_FINALIZE);
    assert_string_equal(at[3].message, "as told");
    assert_true(!at[4].failed && at[4].action == 3 && at[4].half == ACTION_ROLLBACK);
    assert_true(at[5].failed && at[5].action == 1 && at[5].half == ACTION_ROLLBACK);
    assert_true(!at[6].failed && at[6].action == 0 && at[6].half == ACTION_ROLLBACK);
    assert_null(at[6].message);
    executor_results_destroy(&results);
    executor_destroy(executor);
}

static void deallocation_goes_on_after_failures_and_tells_the_first(void **state) {
    (void)state;
    struct executor *executor = make_noting_executor();
    struct action actions[] = {pair(NULL, "-a"), pair(NULL, "!b"), pair(NULL, "-c"), pair(NULL, "!d")};
    struct action_results results = {0};
    struct jitscope_error *error = executor_deallocate(executor, actions, 0, 4, &results);
    assert_non_null(strstr(jitscope_error_message(error), "action 3"));
    assert_code(error, JITSCOPE_ERROR_ACTION_FAILED);
    assert_string_equal(journal, "!d -c !b -a ");
    executor_results_destroy(&results);
    executor_destroy(executor);
}

static void names_are_unique_and_must_be_known(void **state) {
    (void)state;
    struct executor *executor = make_noting_executor();
    struct action_results results = {0};
    assert_code(executor_register_action(executor, "note", note_action, NULL), JITSCOPE_ERROR_DUPLICATE);
    assert_code(executor_register_action(executor, bridge_action_RUN_CTORS, note_action, NULL),
                JITSCOPE_ERROR_DUPLICATE);
    struct action unknown = {{"nobody", NULL, 0}, {NULL, NULL, 0}};
    struct jitscope_error *error = executor_finalize(executor, &unknown, 1, &results);
    assert_non_null(strstr(jitscope_error_message(error), "'nobody'"));
    assert_code(error, JITSCOPE_ERROR_ACTION_FAILED);
    executor_results_destroy(&results);
    executor_destroy(executor);
}

/* --- built-in actions */

/* Runs one built-in action; true when it worked. */
static bool run(struct executor *executor, const char *name, uint64_t address, uint64_t size) {
    uint8_t arguments[16];
    store_u64(arguments, address);
    store_u64(arguments + 8, size);
    struct action action = {{name, arguments, sizeof arguments}, {NULL, NULL, 0}};
    struct action_results results = {0};
    struct jitscope_error *error = executor_finalize(executor, &action, 1, &results);
    bool worked = !error;
    if (error)
        assert_code(error, JITSCOPE_ERROR_ACTION_FAILED);
    executor_results_destroy(&results);
    return worked;
}

static void wrong_arguments_are_failures(void **state) {
    (void)state;
    static const char *const names[] = {
#define ACTION(NAME, name, arguments) bridge_action_##NAME,
#include "executor/actions.def"
#undef ACTION
    };
    struct executor *executor = make_executor();
    uint8_t bytes[32] = {1};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        for (uint32_t size = 0; size <= sizeof bytes; size++) {
            struct action action = {{names[i], size ? bytes : NULL, size}, {NULL, NULL, 0}};
            struct action_results results = {0};
            if (size == 16)
                continue;
            assert_code(executor_finalize(executor, &action, 1, &results), JITSCOPE_ERROR_ACTION_FAILED);
            executor_results_destroy(&results);
        }
        if (names[i] == bridge_action_RESOLVE_IFUNCS) /* 16 bytes are none to resolve */
            continue;
        assert_false(run(executor, names[i], 0, 0));
        assert_false(run(executor, names[i], UINT64_MAX - 7, 16));
    }
    executor_destroy(executor);
}

static char *given_argv[] = {"program", "one", NULL};
static char *given_envp[] = {"A=B", NULL};

static void check_arguments(int argc, char **argv, char **envp) {
    assert_int_equal(argc, 2);
    assert_ptr_equal(argv, given_argv);
    assert_ptr_equal(envp, given_envp);
}

static void first(int argc, char **argv, char **envp) {
    check_arguments(argc, argv, envp);
    note("first");
}

static void second(int argc, char **argv, char **envp) {
    check_arguments(argc, argv, envp);
    note("second");
}

static void arrays_run_in_their_order(void **state) {
    (void)state;
    struct executor *executor = make_executor();
    executor_set_arguments(executor, 2, given_argv, given_envp);
    uint64_t plain[] = {(uint64_t)(uintptr_t)first, (uint64_t)(uintptr_t)second};
    uint64_t marked[] = {UINT64_MAX, plain[0], 0, plain[1], 0};
    uint64_t at = (uint64_t)(uintptr_t)plain, marked_at = (uint64_t)(uintptr_t)marked;
    assert_true(run(executor, bridge_action_RUN_INITIALISERS, at, sizeof plain));
    assert_string_equal(journal, "first second ");
    assert_true(run(executor, bridge_action_RUN_FINALISERS, at, sizeof plain));
    assert_string_equal(journal, "first second second first ");
    journal[0] = 0;
    assert_true(run(executor, bridge_action_RUN_CTORS, marked_at, sizeof marked));
    assert_string_equal(journal, "second first ");
    assert_true(run(executor, bridge_action_RUN_DTORS, marked_at, sizeof marked));
    assert_string_equal(journal, "second first first second ");
    journal[0] = 0;
    assert_true(run(executor, bridge_action_RUN_INITIALISERS, at, 0));
    assert_false(run(executor, bridge_action_RUN_INITIALISERS, at, 12));
    assert_false(run(executor, bridge_action_RUN_INITIALISERS, marked_at + 8, 16)); /* a 0 behind `first` */
    assert_false(run(executor, bridge_action_RUN_FINALISERS, marked_at, 16));
    assert_string_equal(journal, "");
    executor_destroy(executor);
}

static uint64_t slots[2];

static void *resolve_first(void) {
    note("first");
    return (void *)(uintptr_t)first;
}

/* It finds what the one before has chosen. */
static void *resolve_second(void) {
    note(slots[0] == (uint64_t)(uintptr_t)first ? "second" : "too early");
    return (void *)(uintptr_t)second;
}

static void resolve_with(struct executor *executor, const void *arguments, uint32_t size,
                         enum jitscope_error_code code, struct action_results *results) {
    struct action action = {.finalize = {bridge_action_RESOLVE_IFUNCS, arguments, size}};
    assert_code(executor_finalize(executor, &action, 1, results), code);
}

static void resolvers_fill_their_slots(void **state) {
    (void)state;
    struct executor *executor = make_executor();
    struct action_results results = {0};
    uint64_t at[2] = {(uint64_t)(uintptr_t)&slots[0], (uint64_t)(uintptr_t)&slots[1]};
    uint64_t arguments[] = {
        at[0], 16, at[0], (uint64_t)(uintptr_t)resolve_first, at[1], (uint64_t)(uintptr_t)resolve_second};
    resolve_with(executor, arguments, sizeof arguments, JITSCOPE_SUCCESS, &results);
    assert_string_equal(journal, "first second ");
    assert_true(slots[0] == (uint64_t)(uintptr_t)first && slots[1] == (uint64_t)(uintptr_t)second);
    assert_int_equal(results.results.data[0].value_count, 2);
    assert_memory_equal(results.results.data[0].values, slots, sizeof slots);
    journal[0] = 0;
    resolve_with(executor, arguments, 16, JITSCOPE_SUCCESS, &results); /* none */
    static const uint32_t wrong_sizes[] = {0, 8, 24, 47};
    for (size_t i = 0; i < sizeof wrong_sizes / sizeof *wrong_sizes; i++)
        resolve_with(executor, arguments, wrong_sizes[i], JITSCOPE_ERROR_ACTION_FAILED, &results);
    arguments[5] = 0; /* then none of them runs */
    resolve_with(executor, arguments, sizeof arguments, JITSCOPE_ERROR_ACTION_FAILED, &results);
    assert_string_equal(journal, "");
    executor_results_destroy(&results);
    executor_destroy(executor);
}

extern int __cxa_atexit(void (*function)(void *), void *argument, void *dso);

static void note_argument(void *argument) {
    note(argument);
}

static void finalize_dso_runs_what_was_registered_for_it(void **state) {
    (void)state;
    static char handle, other;
    struct executor *executor = make_executor();
    assert_int_equal(__cxa_atexit(note_argument, "one", &handle), 0);
    assert_int_equal(__cxa_atexit(note_argument, "two", &handle), 0);
    assert_true(run(executor, bridge_action_FINALIZE_DSO, (uint64_t)(uintptr_t)&other, 0));
    assert_string_equal(journal, "");
    assert_true(run(executor, bridge_action_FINALIZE_DSO, (uint64_t)(uintptr_t)&handle, 0));
    assert_string_equal(journal, "two one ");
    assert_true(run(executor, bridge_action_FINALIZE_DSO, (uint64_t)(uintptr_t)&handle, 0));
    assert_string_equal(journal, "two one ");
    executor_destroy(executor);
}

/* --- eh-frames */

/* A page of code with one function that calls its argument, and its .eh_frame.  Without that, no unwinder can
 * guess its way by the frame pointer:
 *     push %rbp; xor %ebp,%ebp; call *%rdi; pop %rbp; ret */
static const uint8_t thunk_code[] = {0x55, 0x31, 0xed, 0xff, 0xd7, 0x5d, 0xc3};
enum { EH_FRAME_AT = 64, EH_FRAME_SIZE = 24 + 32 + 4 };

static uint8_t *make_thunk(void) {
    static const uint8_t cie[] = {20, 0,    0,  0, 0,    0,    0, 0, 1,    'z', 'R', 0,
                                  1,  0x78, 16, 1, 0x1b, 0x0c, 7, 8, 0x90, 1,   0,   0};
    static const uint8_t fde[] = {28, 0,    0,    0,  28,
                                  0,  0,    0, /* length, distance to the CIE */
                                  0,  0,    0,    0,  sizeof thunk_code,
                                  0,  0,    0, /* start, length of the code */
                                  0,  0x41, 0x0e, 16, 0x86,
                                  2};
    uint8_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(page, MAP_FAILED);
    memcpy(page, thunk_code, sizeof thunk_code);
    memcpy(page + EH_FRAME_AT, cie, sizeof cie);
    memcpy(page + EH_FRAME_AT + 24, fde, sizeof fde); /* the rest are DW_CFA_nop and the terminator */
    store_u32(page + EH_FRAME_AT + 32, (uint32_t) - (EH_FRAME_AT + 32));
    assert_int_equal(mprotect(page, 4096, PROT_READ | PROT_EXEC), 0);
    return page;
}

struct walk {
    const uint8_t *page;
    int depth;
    int depth_of_page;
};

static struct walk walk;

static _Unwind_Reason_Code visit(struct _Unwind_Context *context, void *unused) {
    const uint8_t *ip = (const uint8_t *)_Unwind_GetIP(context);
    (void)unused;
    walk.depth++;
    if (ip >= walk.page && ip < walk.page + sizeof thunk_code)
        walk.depth_of_page = walk.depth;
    return _URC_NO_REASON;
}

static void take_backtrace(void) {
    _Unwind_Backtrace(visit, NULL);
}

/* How many frames an unwinder finds behind the thunk's, -1 when it does not reach it. */
static int frames_behind_thunk(const uint8_t *page) {
    void (*thunk)(void (*)(void)) = (void (*)(void (*)(void)))(uintptr_t)page;
    walk = (struct walk){.page = page};
    thunk(take_backtrace);
    return walk.depth_of_page ? walk.depth - walk.depth_of_page : -1;
}

static void registered_frames_are_walked_through(void **state) {
    (void)state;
    struct executor *executor = make_executor();
    const char *names[EXECUTOR_UNWINDERS];
    uint8_t *page = make_thunk();
    uint64_t at = (uint64_t)(uintptr_t)page + EH_FRAME_AT;
    assert_true(frames_behind_thunk(page) <= 0);
    assert_true(run(executor, bridge_action_REGISTER_EH_FRAMES, at, EH_FRAME_SIZE));
    assert_true(executor_unwinders(executor, names) >= 1);
    assert_string_equal(names[0], "libgcc");
    assert_true(frames_behind_thunk(page) > 2);
    assert_true(run(executor, bridge_action_DEREGISTER_EH_FRAMES, at, EH_FRAME_SIZE));
    assert_true(frames_behind_thunk(page) <= 0);
    munmap(page, 4096);
    executor_destroy(executor);
}

/* nongnu libunwind by its binary interface: the test needs the library only where it is there to be told. */
static struct {
    int (*getcontext)(void *);
    int (*init_local)(void *, void *);
    int (*step)(void *);
    int (*get_reg)(void *, int, unsigned long *);
} nongnu;

static void take_nongnu_backtrace(void) {
    enum { REGISTER_IP = 16, CURSOR_WORDS = 127 };
    static unsigned long cursor[CURSOR_WORDS + 1], context[512];
    unsigned long ip;
    nongnu.getcontext(context);
    assert_int_equal(nongnu.init_local(cursor, context), 0);
    while (nongnu.step(cursor) > 0 && nongnu.get_reg(cursor, REGISTER_IP, &ip) == 0) {
        walk.depth++;
        if (ip >= (uintptr_t)walk.page && ip < (uintptr_t)walk.page + sizeof thunk_code)
            walk.depth_of_page = walk.depth;
    }
}

static int nongnu_frames_behind_thunk(const uint8_t *page) {
    void (*thunk)(void (*)(void)) = (void (*)(void (*)(void)))(uintptr_t)page;
    walk = (struct walk){.page = page};
    thunk(take_nongnu_backtrace);
    return walk.depth_of_page ? walk.depth - walk.depth_of_page : -1;
}

static void find(void *library, const char *name, void *function) {
    void *symbol = os_library_symbol(library, name);
    assert_non_null(symbol);
    memcpy(function, &symbol, sizeof symbol);
}

static void nongnu_libunwind_steps_through_registered_frames(void **state) {
    (void)state;
    const char *text, *names[EXECUTOR_UNWINDERS];
    void *library = os_library_open("libunwind.so.8", &text);
    if (!library)
        skip();
    find(library, "_Ux86_64_getcontext", &nongnu.getcontext);
    find(library, "_ULx86_64_init_local", &nongnu.init_local);
    find(library, "_ULx86_64_step", &nongnu.step);
    find(library, "_ULx86_64_get_reg", &nongnu.get_reg);
    struct executor *executor = make_executor();
    uint8_t *page = make_thunk();
    uint64_t at = (uint64_t)(uintptr_t)page + EH_FRAME_AT;
    assert_true(nongnu_frames_behind_thunk(page) <= 0);
    assert_true(run(executor, bridge_action_REGISTER_EH_FRAMES, at, EH_FRAME_SIZE));
    assert_string_equal(names[executor_unwinders(executor, names) - 1], "nongnu libunwind");
    assert_true(nongnu_frames_behind_thunk(page) > 2);
    assert_true(run(executor, bridge_action_DEREGISTER_EH_FRAMES, at, EH_FRAME_SIZE));
    assert_true(nongnu_frames_behind_thunk(page) <= 0);
    assert_true(run(executor, bridge_action_REGISTER_EH_FRAMES, at, EH_FRAME_SIZE));
    assert_true(nongnu_frames_behind_thunk(page) > 2);
    assert_true(run(executor, bridge_action_DEREGISTER_EH_FRAMES, at, EH_FRAME_SIZE));
    munmap(page, 4096);
    executor_destroy(executor);
    os_library_close(library);
}

/* What a linked unwinder was told, in order. */
static struct {
    uintptr_t added[8], removed[8];
    unsigned add_count, remove_count;
} told;

static void note_added(uintptr_t section) {
    told.added[told.add_count++] = section;
}

static void note_removed(uintptr_t section) {
    told.removed[told.remove_count++] = section;
}

static bool run_unwinder(struct executor *executor, const char *name, void (*add)(uintptr_t),
                         void (*remove)(uintptr_t), uint64_t each_fde, uint32_t size) {
    uint64_t arguments[] = {(uintptr_t)add, (uintptr_t)remove, each_fde};
    struct action action = {{name, (const uint8_t *)arguments, size}, {0}};
    struct action_results results = {0};
    struct jitscope_error *error = executor_finalize(executor, &action, 1, &results);
    bool done = !error;
    jitscope_error_destroy(error);
    executor_results_destroy(&results);
    return done;
}

static void linked_unwinders_are_told(void **state) {
    (void)state;
    struct executor *executor = make_executor();
    uint8_t *page = make_thunk();
    uint64_t at = (uint64_t)(uintptr_t)page + EH_FRAME_AT, fde = at + 24;
    const char *come = bridge_action_ADOPT_UNWINDER, *go = bridge_action_DISMISS_UNWINDER;
    for (uint32_t size = 0; size < 24; size += 8)
        assert_false(run_unwinder(executor, come, note_added, note_removed, 0, size));
    assert_false(run_unwinder(executor, come, NULL, note_removed, 0, 24));
    assert_false(run_unwinder(executor, come, note_added, NULL, 0, 24));
    assert_false(run_unwinder(executor, go, note_added, note_removed, 0, 24));
    for (unsigned each_fde = 0; each_fde < 2; each_fde++) {
        uint64_t what = each_fde ? fde : at;
        memset(&told, 0, sizeof told);
        assert_true(run(executor, bridge_action_REGISTER_EH_FRAMES, at, EH_FRAME_SIZE));
        assert_true(run_unwinder(executor, come, note_added, note_removed, each_fde, 24));
        assert_int_equal(told.add_count, 1);
        assert_int_equal(told.added[0], what);
        assert_true(run(executor, bridge_action_DEREGISTER_EH_FRAMES, at, EH_FRAME_SIZE));
        assert_int_equal(told.remove_count, 1);
        assert_int_equal(told.removed[0], what);
        assert_true(run(executor, bridge_action_REGISTER_EH_FRAMES, at, EH_FRAME_SIZE));
        assert_int_equal(told.add_count, 2);
        assert_true(run_unwinder(executor, go, note_added, note_removed, each_fde, 24));
        assert_int_equal(told.remove_count, 2);
        assert_true(run(executor, bridge_action_DEREGISTER_EH_FRAMES, at, EH_FRAME_SIZE));
        assert_int_equal(told.remove_count, 2);
    }
    munmap(page, 4096);
    executor_destroy(executor);
}

static void broken_eh_frames_are_failures(void **state) {
    (void)state;
    struct executor *executor = make_executor();
    uint8_t *page = make_thunk();
    uint64_t at = (uint64_t)(uintptr_t)page + EH_FRAME_AT;
    uint32_t extended[] = {0xffffffff, 0, 0, 0, 0};
    uint32_t tiny[] = {2, 0, 0};
    for (uint64_t size = 0; size < EH_FRAME_SIZE; size++)
        assert_false(run(executor, bridge_action_REGISTER_EH_FRAMES, at, size));
    assert_false(
        run(executor, bridge_action_REGISTER_EH_FRAMES, (uint64_t)(uintptr_t)extended, sizeof extended));
    assert_false(run(executor, bridge_action_REGISTER_EH_FRAMES, (uint64_t)(uintptr_t)tiny, sizeof tiny));
    assert_false(run(executor, bridge_action_DEREGISTER_EH_FRAMES, at, EH_FRAME_SIZE));
    assert_true(run(executor, bridge_action_REGISTER_EH_FRAMES, at, EH_FRAME_SIZE));
    assert_false(run(executor, bridge_action_DEREGISTER_EH_FRAMES, at, EH_FRAME_SIZE + 4));
    assert_true(run(executor, bridge_action_DEREGISTER_EH_FRAMES, at, EH_FRAME_SIZE));
    assert_false(run(executor, bridge_action_DEREGISTER_EH_FRAMES, at, EH_FRAME_SIZE));
    assert_true(run(executor, bridge_action_REGISTER_EH_FRAMES, at + EH_FRAME_SIZE - 4, 4)); /* empty */
    assert_true(run(executor, bridge_action_DEREGISTER_EH_FRAMES, at + EH_FRAME_SIZE - 4, 4));
    munmap(page, 4096);
    executor_destroy(executor);
}

/* --- libraries, main, exit */

/* Many names share buckets; each is found, and found where it is now. */
static void exports_are_found_until_they_go(void **state) {
    (void)state;
    enum { COUNT = 300 };
    static char names[COUNT][24];
    struct exported_symbol symbols[COUNT];
    struct executor *executor = make_executor();
    for (uint64_t i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof names[i], "exported_name_%u", (unsigned)i);
        symbols[i] = (struct exported_symbol){names[i], 0x7000000000000000 + i};
    }
    assert_code(executor_open_exports(executor, 1, symbols, COUNT - 1), JITSCOPE_SUCCESS);
    assert_code(executor_open_exports(executor, 2, symbols + COUNT - 1, 1), JITSCOPE_SUCCESS);
    assert_code(executor_open_exports(executor, 3, NULL, 0), JITSCOPE_SUCCESS);
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal((uintptr_t)os_library_symbol(NULL, names[i]), symbols[i].address);
    assert_null(os_library_symbol(NULL, "exported_name_300"));
    executor_close_exports(executor, 1);
    assert_null(os_library_symbol(NULL, names[0]));
    assert_int_equal((uintptr_t)os_library_symbol(NULL, names[COUNT - 1]), symbols[COUNT - 1].address);
    executor_destroy(executor);
    assert_null(os_library_symbol(NULL, names[COUNT - 1]));
}

static void no_failing_call_exports_by_halves(void **state) {
    (void)state;
    const struct exported_symbol symbol = {"exported_by_halves", 1};
    int64_t before = os_live_allocations();
    bool done = false;
    for (uint64_t n = 1; !done; n++) {
        struct executor *executor = make_executor();
        os_fail_after(n, false);
        struct jitscope_error *error = executor_open_exports(executor, 1, &symbol, 1);
        done = os_call_count() < n;
        os_fail_after(0, false);
        assert_int_equal(os_library_symbol(NULL, symbol.name) != NULL, !error);
        assert_true(!done || !error);
        jitscope_error_destroy(error);
        executor_destroy(executor);
        assert_int_equal(os_live_allocations(), before);
        assert_true(n < 100);
    }
}

static void libraries_answer_lookups(void **state) {
    (void)state;
    struct executor *executor = make_executor();
    uint32_t c, m, again;
    assert_code(executor_open_library(executor, "libc.so.6", &c), JITSCOPE_SUCCESS);
    assert_code(executor_open_library(executor, "libm.so.6", &m), JITSCOPE_SUCCESS);
    assert_code(executor_open_library(executor, "libc.so.6", &again), JITSCOPE_SUCCESS);
    assert_int_equal(c, again);
    assert_int_not_equal(c, m);
    struct jitscope_error *error = executor_open_library(executor, "libnobody.so.9", &again);
    assert_non_null(strstr(jitscope_error_message(error),
                           "cannot open shared object file")); /* whose fault it is, the caller knows */
    assert_code(error, JITSCOPE_ERROR_NOT_FOUND);

    const uint32_t libraries[] = {c, m, m, c};
    const char *names[] = {"abs", "cos", "no_such_name", "strlen"}; /* strlen is an IFUNC */
    uint64_t addresses[4];
    assert_code(executor_lookup(executor, libraries, names, 4, addresses), JITSCOPE_SUCCESS);
    assert_int_equal(((int (*)(int))(uintptr_t)addresses[0])(-4), 4);
    assert_true(((double (*)(double))(uintptr_t)addresses[1])(0) == 1);
    assert_int_equal(addresses[2], 0);
    assert_int_equal(((size_t(*)(const char *))(uintptr_t)addresses[3])("four"), 4);
    const uint32_t wrong = 7;
    assert_code(executor_lookup(executor, &wrong, names, 1, addresses), JITSCOPE_ERROR_USAGE);

    uint64_t near = executor_near_address();
    assert_true(near - addresses[0] < 1 << 28 || addresses[0] - near < 1 << 28);
    executor_destroy(executor);
}

static int given_main(int argc, char **argv, char **envp) {
    check_arguments(argc, argv, envp);
    return 42;
}

static void main_gets_its_arguments_and_returns_its_status(void **state) {
    (void)state;
    struct executor *executor = make_executor();
    int status = 0;
    executor_set_arguments(executor, 2, given_argv, given_envp);
    executor_run_main(executor, (uint64_t)(uintptr_t)given_main, &status);
    assert_int_equal(status, 42);
    executor_destroy(executor);
}

static int exit_pipe[2];

static void write_at_exit(void *context) {
    (void)!write(exit_pipe[1], context, 1);
}

/* In the child: exit(3) with two executors left and one gone. */
static void exit_with_executors(void) {
    struct executor *one = make_executor(), *gone = make_executor(), *two = make_executor();
    assert_code(executor_at_exit(one, write_at_exit, "1"), JITSCOPE_SUCCESS);
    assert_code(executor_at_exit(gone, write_at_exit, "x"), JITSCOPE_SUCCESS);
    assert_code(executor_at_exit(two, write_at_exit, "2"), JITSCOPE_SUCCESS);
    assert_code(executor_at_exit(two, write_at_exit, "y"), JITSCOPE_ERROR_USAGE);
    executor_destroy(gone);
    static struct executor *kept[2]; /* still reachable for leak checkers */
    kept[0] = one, kept[1] = two;
    assert_non_null(kept[0]);
    exit(0);
}

static void exit_calls_back_once_for_each_executor_left(void **state) {
    (void)state;
    char got[8] = {0};
    int status;
    assert_int_equal(pipe(exit_pipe), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        exit_with_executors();
    close(exit_pipe[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(read(exit_pipe[0], got, sizeof got - 1), 2);
    assert_string_equal(got, "21");
    close(exit_pipe[0]);
}

/* --- failures from below */

static struct jitscope_error *everything(struct executor **executor, struct action_results *results,
                                         const uint8_t *page) {
    uint8_t arguments[16];
    uint32_t library;
    store_u64(arguments, (uint64_t)(uintptr_t)page + EH_FRAME_AT);
    store_u64(arguments + 8, EH_FRAME_SIZE);
    struct action actions[] = {
        pair("+a", "-a"),
        {{bridge_action_REGISTER_EH_FRAMES, arguments, 16},
         {bridge_action_DEREGISTER_EH_FRAMES, arguments, 16}},
        pair("!b", NULL),
    };
    TRY(executor_create(executor));
    TRY(executor_register_action(*executor, "note", note_action, journal));
    TRY(executor_open_library(*executor, "libm.so.6", &library));
    TRY(executor_finalize(*executor, actions, 2, results));
    struct jitscope_error *error = executor_deallocate(*executor, actions, 0, 2, results);
    if (error) /* no room for results: a second try has it */
        assert_null(executor_deallocate(*executor, actions, 0, 2, results));
    TRY(error);
    error = executor_finalize(*executor, actions, 3, results);
    if (jitscope_error_code(error) != JITSCOPE_ERROR_ACTION_FAILED)
        return error;
    jitscope_error_destroy(error);
    return NULL;
}

static int count_in_journal(const char *text) {
    int count = 0;
    for (const char *at = journal; (at = strstr(at, text)); at++)
        count++;
    return count;
}

static void every_failing_call_leaves_nothing_behind(void **state) {
    (void)state;
    uint8_t *page = make_thunk();
    int64_t before = os_live_allocations();
    bool done = false;
    for (uint64_t n = 1; !done; n++) {
        struct executor *executor = NULL;
        struct action_results results = {0};
        journal[0] = 0;
        os_fail_after(n, false);
        struct jitscope_error *error = everything(&executor, &results, page);
        done = os_call_count() < n;
        os_fail_after(0, false);
        assert_true(!done || !error);
        assert_int_equal(count_in_journal("+a"), count_in_journal("-a"));
        jitscope_error_destroy(error);
        executor_results_destroy(&results);
        executor_destroy(executor);
        assert_int_equal(os_live_allocations(), before);
        assert_true(n < 1000);
    }
    munmap(page, 4096);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(finalize_halves_run_in_order_and_deallocate_halves_in_reverse, reset),
        cmocka_unit_test_setup(a_failure_rolls_back_what_was_done_in_reverse, reset),
        cmocka_unit_test_setup(deallocation_goes_on_after_failures_and_tells_the_first, reset),
        cmocka_unit_test_setup(names_are_unique_and_must_be_known, reset),
        cmocka_unit_test_setup(wrong_arguments_are_failures, reset),
        cmocka_unit_test_setup(arrays_run_in_their_order, reset),
        cmocka_unit_test_setup(resolvers_fill_their_slots, reset),
        cmocka_unit_test_setup(finalize_dso_runs_what_was_registered_for_it, reset),
        cmocka_unit_test_setup(registered_frames_are_walked_through, reset),
        cmocka_unit_test_setup(nongnu_libunwind_steps_through_registered_frames, reset),
        cmocka_unit_test_setup(linked_unwinders_are_told, reset),
        cmocka_unit_test_setup(broken_eh_frames_are_failures, reset),
        cmocka_unit_test_setup(exports_are_found_until_they_go, reset),
        cmocka_unit_test_setup(no_failing_call_exports_by_halves, reset),
        cmocka_unit_test_setup(libraries_answer_lookups, reset),
        cmocka_unit_test_setup(main_gets_its_arguments_and_returns_its_status, reset),
        cmocka_unit_test_setup(exit_calls_back_once_for_each_executor_left, reset),
        cmocka_unit_test_setup(every_failing_call_leaves_nothing_behind, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
