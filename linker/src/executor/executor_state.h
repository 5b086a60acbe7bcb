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

/* One half of an action, as it is asked for. */
struct half_name {
    uint32_t allocation;
    uint32_t action;
    uint8_t half; /* enum action_half */
    bool timed;
};

/* What each kind of executor does in its own way: executor_local.c, executor_answered.c, executor_remote.c.
 * Functions are executor.h's, without the prefix; those marked so may be NULL: there is nothing to do. */
struct executor_ops {
    void (*leave)(struct executor *executor);     /* before it is freed; NULL */
    void (*begin_end)(struct executor *executor); /* NULL */
    /* CALL, the next half, runs, in those that are asked for each. */
    const char *(*run)(struct executor *executor, const struct action_call *call,
                       const struct half_name *name);
    struct jitscope_error *(*transfer)(struct executor *executor, const struct action *actions,
                                       uint32_t count, const struct action_results *results); /* NULL */
    struct jitscope_error *(*finalize)(struct executor *executor, const struct action *actions,
                                       uint32_t count, struct action_results *results);
    bool (*roll_back)(struct executor *executor);
    struct jitscope_error *(*deallocate)(struct executor *executor, const struct action *actions,
                                         uint32_t first, uint32_t count, struct action_results *results);
    struct jitscope_error *(*close)(struct executor *executor, uint32_t allocation); /* NULL */
    void (*abandon)(struct executor *executor, uint32_t allocation);                 /* NULL */
    uint32_t (*unwinders)(struct executor *executor, const char *names[EXECUTOR_UNWINDERS]);
    const char *(*audience)(struct executor *executor);
    struct jitscope_error *(*open_library)(struct executor *executor, const char *path, void **handle);
    struct jitscope_error *(*preloaded)(struct executor *executor, struct preloaded *list);
    struct jitscope_error *(*lookup)(struct executor *executor, const uint32_t *libraries,
                                     const char *const *names, size_t count, uint64_t *addresses);
    struct jitscope_error *(*open_tls)(struct executor *executor, const struct tls_request *request,
                                       struct tls_answer *answers);
    void (*close_tls)(struct executor *executor, uint32_t link);                        /* NULL */
    uint64_t (*tls_address)(struct executor *executor, uint32_t link, uint64_t offset); /* NULL: 0 */
    /* NULL: nobody looks for them. */
    struct jitscope_error *(*open_exports)(struct executor *executor, uint32_t link,
                                           const struct exported_symbol *symbols, uint32_t count);
    void (*close_exports)(struct executor *executor, uint32_t link);
    struct jitscope_error *(*lazy_resolver)(struct executor *executor, uint64_t *address);
    void (*store_slots)(struct executor *executor, const struct slot_store *stores, uint32_t count);
    void (*take_turn)(struct executor *executor);                                      /* NULL */
    struct jitscope_error *(*start_main)(struct executor *executor, uint64_t address); /* NULL */
    void (*end_turn)(struct executor *executor);                                       /* NULL */
    struct jitscope_error *(*run_main)(struct executor *executor, uint64_t address, int *status);
};

struct remote;

/* Finalize actions that are running; what is found while an inner run interrupts them is put aside here. */
struct executor_run {
    const struct action *actions;
    uint32_t index;
    struct action_results *results;
    struct executor_run *outer;
    bool rolled_back; /* by exit(3) */
};

struct executor {
    const struct executor_ops *ops;
    struct executor_answers answers; /* of one that is answered */
    struct remote *remote;           /* of one in another process */
    VEC(struct registered_action) actions;
    VEC(struct library) libraries;
    VEC(struct tls_module) tls_modules; /* in the order in which they were opened */
    uint32_t static_tls_blocks;         /* how many went into static TLS */
    VEC(struct exports) exports;
    uint32_t entry_name; /* executor_set_entry() */
    uint64_t entry;
    int argc;
    char **argv;
    char **envp;
    uint32_t number; /* of this executor in its process, from 1 */
    enum debuggee_policy debug_policy;
    bool tells_at_once; /* debuggers need not be told later: addresses get out in other ways than lookups */
    enum debug_listing debug_listing;   /* how the last debug image was made known, or had been */
    struct image_memory *offered_image; /* see executor_offer_image() */
    uint64_t *values;                   /* what the built-in action that runs has found out */
    uint32_t value_count;
    uint64_t duration; /* of the half that has run, when another process has measured it */
    bool lost;         /* that half failed because nobody is there any more */
    char message[192]; /* the last failure of a built-in action */

    struct executor_run *running; /* what executor_finalize() is in the middle of; NULL: it is not running */

    struct executor_code_hooks code;

    /* See executor_set_lazy_answer(). */
    executor_lazy_answer lazy_answer;
    void *lazy_context;

    /* At exit; see executor_at_exit(). */
    void (*exit_callback)(void *);
    void *exit_context;
    struct executor *exit_next;
};

struct jitscope_error *executor_create_of_kind(const struct executor_ops *ops, struct executor **executor);
const struct registered_action *executor_find_action(const struct executor *executor, const char *name);
/* NULL without memory. */
char *executor_copy_text(const char *text);
/* The loader does not open a library, and says TEXT. */
struct jitscope_error *executor_refusal(const char *text);
/* Action INDEX has failed; LOST: because nobody is there to run it, or to say what became of it. */
struct jitscope_error *executor_action_error(uint32_t index, const char *name, const char *failure,
                                             bool lost);

/* No exit callback any more: executor_at_exit(). */
void executor_leave_exit(struct executor *executor);

/* Runs one half, of which there may be others in the middle of theirs; RESULTS has room for one more. */
void executor_run_half(struct executor *executor, const struct action_call *call, uint32_t index,
                       uint8_t half, struct action_results *results);
/* executor_finalize(), executor_roll_back_interrupted() and executor_deallocate() by way of ops->run. */
struct jitscope_error *executor_run_finalize_halves(struct executor *executor, const struct action *actions,
                                                    uint32_t count, struct action_results *results);
bool executor_run_interrupted_halves(struct executor *executor);
struct jitscope_error *executor_run_deallocate_halves(struct executor *executor, const struct action *actions,
                                                      uint32_t first, uint32_t count,
                                                      struct action_results *results);

/* Room for what the resolvers of an action with SIZE bytes of arguments return, 0 so far; NULL or why not. */
const char *executor_reserve_values(struct executor *executor, uint32_t size);
/* Registers the actions of actions.def. */
struct jitscope_error *executor_register_builtin_actions(struct executor *executor);

#endif
