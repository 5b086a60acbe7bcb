/* executor_state: what the files of this folder share. */
#ifndef EXECUTOR_STATE_H
#define EXECUTOR_STATE_H

#include "executor/executor.h"
#include "executor/executor_debug.h"

struct registered_action {
    const char *name;
    executor_action_function function;
    void *context;
    char *owned_name; /* NAME when it is a copy */
};

struct library {
    char *path;
    void *handle;
};

/* Finalize actions that are running; what is found while an inner run interrupts them is put aside here. */
struct executor_run {
    const struct action *actions;
    uint32_t index;
    struct action_results *results;
    struct executor_run *outer;
    bool rolled_back; /* by exit(3) */
};

struct executor {
    struct executor_answers answers; /* all NULL: this executor is real */
    VEC(struct registered_action) actions;
    VEC(struct library) libraries;
    VEC(struct tls_module) tls_modules; /* in the order in which they were opened */
    uint32_t static_tls_blocks;         /* how many went into static TLS */
    VEC(struct exports) exports;
    int argc;
    char **argv;
    char **envp;
    uint32_t number; /* of this executor in its process, from 1 */
    enum debuggee_policy debug_policy;
    bool tells_at_once; /* debuggers need not be told later: addresses get out in other ways than lookups */
    enum debug_listing debug_listing; /* how the last debug image was made known, or had been */
    uint64_t *values;                 /* what the built-in action that runs has found out */
    uint32_t value_count;
    char message[192]; /* the last failure of a built-in action */

    struct executor_run *running; /* what executor_finalize() is in the middle of; NULL: it is not running */

    struct executor_code_hooks code;

    /* See executor_set_lazy_answer(). */
    uint64_t (*lazy_answer)(void *context, uint64_t slot);
    void *lazy_context;

    /* At exit; see executor_at_exit(). */
    void (*exit_callback)(void *);
    void *exit_context;
    struct executor *exit_next;
};

/* Room for what the resolvers of an action with SIZE bytes of arguments return, 0 so far; NULL or why not. */
const char *executor_reserve_values(struct executor *executor, uint32_t size);
/* Registers the actions of actions.def. */
struct jitscope_error *executor_register_builtin_actions(struct executor *executor);

#endif
