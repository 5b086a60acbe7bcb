/* executor: the target of a session, as the linker sees it.
 *
 * Whatever runs in the target is reached through this header and through allocation actions, so that the
 * linker does not notice where that is: in its own process, in another one (executor_remote.h), or nowhere,
 * when a replay answers from a recording. */
#ifndef EXECUTOR_EXECUTOR_H
#define EXECUTOR_EXECUTOR_H

#include "base/error.h"
#include "base/vec.h"
#include "executor/bridge.h"
#include "executor/debuggee.h"
#include "executor/exports.h"
#include "executor/tls_module.h"

#include <stdbool.h>
#include <stddef.h>

struct executor;

enum { EXECUTOR_UNWINDERS = 3 }; /* at most so many unwinders there are to tell */

/* A user's action: ARGUMENTS are SIZE bytes as attached; returns NULL, or why it failed (copied at once). */
typedef const char *(*executor_action_function)(void *context, const uint8_t *arguments, size_t size);

struct jitscope_error *executor_create(struct executor **executor);

/* Libraries that the target's process was started with before all others (LD_PRELOAD), by path: what they
 * define comes before what any other library does. */
struct preloaded {
    VEC(char *) paths; /* owned */
};

/* What a target that is not there would say: a replay has it from a recording. */
struct executor_answers {
    void *context;
    /* CALL, the next half of an action, "runs": NULL, or why it failed, good until the next call. */
    const char *(*run)(void *context, const struct action_call *call);
    /* What the COUNT resolvers of CALL, which "ran" last and well, returned. */
    void (*values)(void *context, const struct action_call *call, uint64_t *values, uint32_t count);
    struct jitscope_error *(*open_library)(void *context, const char *path);
    struct jitscope_error *(*preloaded)(void *context, struct preloaded *list);
    struct jitscope_error *(*lookup)(void *context, const char *const *names, size_t count,
                                     uint64_t *addresses);
    struct jitscope_error *(*open_tls)(void *context, const struct tls_request *request,
                                       struct tls_answer *answers);
    struct jitscope_error *(*lazy_resolver)(void *context, uint64_t *address);
    /* FUNCTION is stored into SLOT. */
    void (*store_slot)(void *context, uint64_t slot, uint64_t function);
    /* Whom the registration that was asked for last was made with; static or long-lived texts. */
    uint32_t (*registrars)(void *context, const char *names[EXECUTOR_UNWINDERS]);
};
/* An executor that runs nothing: ANSWERS, copied, stand for all that it would do. */
struct jitscope_error *executor_create_answered(const struct executor_answers *answers,
                                                struct executor **executor);
bool executor_is_answered(const struct executor *executor);
/* Code runs in this process. */
bool executor_is_here(const struct executor *executor);
/* Its number in the process, which records of debuggee.h have; 0 for one that is not in this process. */
uint32_t executor_number(const struct executor *executor);
/* Closes the libraries it opened.  No allocation may be left. */
void executor_destroy(struct executor *executor);

/* NAME is copied.  Errors: DUPLICATE. */
struct jitscope_error *executor_register_action(struct executor *executor, const char *name,
                                                executor_action_function function, void *context);

/* An action, known only when it is registered: makes the stacks of all threads executable. */
const char *executor_make_stacks_executable(void *context, const uint8_t *arguments, size_t size);

/* Names of the actions that executor_register_action() has made known, in order. */
void executor_each_user_action(const struct executor *executor, void (*function)(void *, const char *name),
                               void *context);
bool executor_knows_action(const struct executor *executor, const char *name);

/* What JIT'd initialisers get as argc, argv, envp; borrowed for the executor's life. */
void executor_set_arguments(struct executor *executor, int argc, char **argv, char **envp);

/* What executor_run_main() will be called with: the name in the session's names; and once a batch that is
 * about to be finalized defines it, its address.  Another process begins with it then (executor_remote.h). */
void executor_set_entry(struct executor *executor, uint32_t name);
uint32_t executor_entry_name(const struct executor *executor);
void executor_set_entry_address(struct executor *executor, uint64_t address);

/* Results of a run of actions, in the order in which they ran. */
struct action_results {
    VEC(struct action_result) results;
    uint32_t told;       /* so many of them have been told of: the caller's to count */
    bool timed;          /* durations are wanted: else they are 0 */
    uint32_t allocation; /* whose actions they are; another process knows it by this number */
};
void executor_results_destroy(struct action_results *results);

/* Before executor_finalize() with the same ACTIONS and RESULTS: another process gets all of them, with the
 * memory that was placed (executor_remote.h), protects it and runs the halves.  An error is one of memory: no
 * half has run, or nobody is left to say so.  Elsewhere nothing happens. */
struct jitscope_error *executor_transfer(struct executor *executor, const struct action *actions,
                                         uint32_t count, const struct action_results *results);
/* Runs the finalize halves of ACTIONS in order.  When one fails, the deallocate halves of those already done
 * run in reverse (half ROLLBACK) and the error names the action: ACTION_FAILED, or EXECUTOR_GONE.  Every half
 * that ran is in RESULTS. */
struct jitscope_error *executor_finalize(struct executor *executor, const struct action *actions,
                                         uint32_t count, struct action_results *results);
/* exit(3) was called inside one of these actions, or while they were rolled back, so that executor_finalize()
 * never returns: rolls back those before it, as if it had failed, once.  The results are still where they
 * were asked for.  False when none is running.  Runs nest, when code that an action runs has something
 * linked: it is the innermost that is rolled back. */
bool executor_roll_back_interrupted(struct executor *executor);
/* Runs the deallocate halves from FIRST on in reverse, all of them whatever fails; the first failure is the
 * error.  Only NO_MEMORY for RESULTS keeps them from running: reserve room beforehand where that must not be.
 */
struct jitscope_error *executor_deallocate(struct executor *executor, const struct action *actions,
                                           uint32_t first, uint32_t count, struct action_results *results);
/* Whether the action of that NAME calls functions that are not the executor's. */
bool executor_runs_code(const struct executor *executor, const char *name);

/* After executor_deallocate(), which need not have been called when there is nothing to run: another process
 * closes the allocation's memory. */
struct jitscope_error *executor_close(struct executor *executor, uint32_t allocation);

/* An allocation is given up whose actions have failed and were rolled back, or were never asked for: another
 * process closes its memory, if it has any. */
void executor_abandon(struct executor *executor, uint32_t allocation);

/* The unwinders that .eh_frame sections are registered with, by name ("libgcc", ...); how many.  0 before the
 * first registration. */
uint32_t executor_unwinders(struct executor *executor, const char *names[EXECUTOR_UNWINDERS]);

/* SIZE bytes of address space from START on hold nothing but what this library links; and no more.  Then
 * unwinders can be told of neighbours there together. */
void executor_own_space(uint64_t start, uint64_t size);
void executor_disown_space(uint64_t start);

/* What debuggers are told; DEBUGGEE_AUTO before. */
void executor_set_debug_policy(struct executor *executor, enum debuggee_policy policy);
/* MEMORY holds the arguments of an action of executor_finalize() that registers a debug image: the executor
 * may keep it, and then leaves it empty.  NULL: no more. */
struct image_memory;
void executor_offer_image(struct executor *executor, struct image_memory *memory);
/* Addresses of what is finalized get out in other ways than executor_announce() knows of: from now on
 * debuggers are told of each batch when it is finalized. */
void executor_tell_at_once(struct executor *executor);
/* To be called before an address of what was finalized is given away: debuggers that listen hear of it first,
 * and unwinders that have come into the process meanwhile. */
void executor_announce(void);
/* Whom the last debug image was made known to, or withdrawn from, for events; static. */
const char *executor_debug_audience(struct executor *executor);

/* Everything that was finalized is about to be deallocated, nothing will be finalized any more: saves work.
 */
void executor_begin_end(struct executor *executor);

/* A debugger is attached that wants to hear of JIT'd code. */
bool executor_debugger_listens(void);

/* Opens a shared library for its symbols (dlopen, RTLD_NOW | RTLD_GLOBAL); closed with the executor.  Opening
 * the same path again gives the same handle.  Errors: NOT_FOUND with the loader's text. */
struct jitscope_error *executor_open_library(struct executor *executor, const char *path, uint32_t *library);
/* Adds what there is to LIST, which is to be destroyed in any case.  Errors: SYSTEM, NO_MEMORY; FORMAT (what
 * another process says of itself). */
struct jitscope_error *executor_preloaded(struct executor *executor, struct preloaded *list);
struct jitscope_error *preloaded_add(struct preloaded *list, const char *path);
void preloaded_destroy(struct preloaded *list);
/* One batched lookup: addresses[i] of names[i] in libraries[i] or a library that one needs, 0 when there is
 * no such symbol.  IFUNCs are resolved.  Errors: USAGE (no such library). */
struct jitscope_error *executor_lookup(struct executor *executor, const uint32_t *libraries,
                                       const char *const *names, size_t count, uint64_t *addresses);

/* Makes REQUEST's block known to the loader and answers its wishes, of which those about other links name
 * such as have their block open.  Errors: as tls_module_open(). */
struct jitscope_error *executor_open_tls(struct executor *executor, const struct tls_request *request,
                                         struct tls_answer *answers);
/* The block of LINK, if there is one, goes: no thread may use it any more. */
void executor_close_tls(struct executor *executor, uint32_t link);
/* Lets libraries that the process opens find SYMBOLS, as those of LINK.  Errors: as exports_open(). */
struct jitscope_error *executor_open_exports(struct executor *executor, uint32_t link,
                                             const struct exported_symbol *symbols, uint32_t count);
/* Nobody finds those of LINK any more. */
void executor_close_exports(struct executor *executor, uint32_t link);
/* Where what is OFFSET bytes into the block of LINK lies for the calling thread; 0 without such a block. */
uint64_t executor_tls_address(struct executor *executor, uint32_t link, uint64_t offset);

/* Called around each action that calls functions which are not the executor's, and which may come back:
 * between the two the executor does nothing itself. */
struct executor_code_hooks {
    uint32_t (*begin)(void *context); /* what END is to get */
    void (*end)(void *context, uint32_t before);
    void *context;
};
void executor_set_code_hooks(struct executor *executor, struct executor_code_hooks hooks);

/* What a lazy call comes to. */
struct lazy_outcome {
    uint64_t function;
    const char *name; /* the function's, for messages; NULL: nobody knows.  Lives as long as who answers */
    /* The embedding program's, when it has one (jitscope_session_set_lazy_failure()). */
    void (*failure)(void *context, const char *function, const char *message);
    void *context;
};
/* The function of the slot at the address SLOT, or why there is none. */
typedef struct jitscope_error *(*executor_lazy_answer)(void *context, uint64_t slot,
                                                       struct lazy_outcome *outcome);

/* Where lazy stubs' unbound slots lead to in the end (executor/lazy_resolver.h).  ANSWER is asked about them,
 * by the thread that calls; of an executor in another process by threads that stand for those there
 * (connection.h).  From then on code that runs in actions may be in the middle of a call, so that halves are
 * asked for one by one wherever they run. */
struct jitscope_error *executor_lazy_resolver(struct executor *executor, uint64_t *address);
void executor_set_lazy_answer(struct executor *executor, executor_lazy_answer answer, void *context);

/* Slots lead elsewhere from now on, one after the other, each at once for all threads.  Debuggers that listen
 * hear of what they lead to first. */
struct slot_store {
    uint64_t slot, function;
};
void executor_store_slots(struct executor *executor, const struct slot_store *stores, uint32_t count);

/* Calls the function at ADDRESS as main(argc, argv, envp), on this thread if it is this process's; *status is
 * what it returned.  Three steps: another process has one main at a time, so that threads take turns; the
 * second is the one that messages of other threads must not come between.  Errors: EXECUTOR_GONE. */
void executor_take_turn(struct executor *executor);
struct jitscope_error *executor_start_main(struct executor *executor, uint64_t address);
struct jitscope_error *executor_run_main(struct executor *executor, uint64_t address, int *status);
void executor_end_turn(struct executor *executor);

/* From now on exit(3) in the target runs the deallocate halves of the finalized allocations that are still
 * there (as exit runs a program's .fini_array): CALLBACK does it.  Once per executor; not after
 * executor_destroy().  Errors: USAGE (set already), SYSTEM, NO_MEMORY. */
struct jitscope_error *executor_at_exit(struct executor *executor, void (*callback)(void *), void *context);

/* An address that JIT'd code must reach rip-relatively: somewhere in the C library's data. */
uint64_t executor_near_address(void);

#endif
