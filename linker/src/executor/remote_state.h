/* remote_state: what the files of executor_remote share: executor_remote.c (life, libraries, main),
 * remote_memory.c, remote_actions.c and remote_services.c, one for each group of messages. */
#ifndef EXECUTOR_REMOTE_STATE_H
#define EXECUTOR_REMOTE_STATE_H

#include "executor/connection.h"
#include "executor/executor_remote.h"
#include "executor/executor_state.h"

enum { UNWINDER_NAME = 32 };

/* What a FINALIZE, or an exit(3) in its place, has left to be told. */
struct outcome {
    uint32_t allocation; /* 0: nothing is to be told */
    struct action_results results;
    uint32_t before; /* so many of them, before exit(3) was called; all, when it was not */
    bool is_interrupted;
};

struct remote {
    struct jitscope_executor_connection *connection;
    bool first_range_taken;
    uint32_t libraries_sent;
    int argc; /* the arguments that were sent last */
    char **argv, **envp;
    VEC(struct staged_segment) staged;
    int memory_file; /* shared with the executor; -1: there is none */
    bool memory_sent;
    uint8_t *working;
    uint64_t working_size;
    uint64_t used; /* bytes of it */
    struct outcome outcome;
    uint64_t started; /* address of what was called as main with a FINALIZE; 0: nothing */
    bool watched;
    char unwinders[EXECUTOR_UNWINDERS][UNWINDER_NAME];
    uint32_t unwinder_count;
    uint32_t audience;
    VEC(uint32_t) by_parts; /* allocations whose finalize halves have not all run */
    char *failure;          /* of the half that was asked for last */
    uint32_t closed;        /* allocation that was deallocated last, and what became of its memory */
    struct jitscope_error *closed_error;
    struct action_results *wanted; /* where finalize() was asked to put results */
};

/* REPLY was read to its end.  One that makes no sense is the error, and the executor gone. */
struct jitscope_error *remote_finish(struct executor *executor, struct frame *reply,
                                     const struct cursor *cursor);
/* As remote_finish(), of an answer that said ERROR. */
struct jitscope_error *remote_finish_with(struct executor *executor, struct frame *reply,
                                          const struct cursor *cursor, struct jitscope_error *error);

/* Parts of several messages (bridge.h). */
void remote_put_libraries(struct executor *executor, struct message *message);
void remote_put_arguments(struct executor *executor, struct message *message);

/* --- remote_actions.c: of struct executor_ops */

struct jitscope_error *remote_transfer(struct executor *executor, const struct action *actions,
                                       uint32_t count, const struct action_results *results);
struct jitscope_error *remote_finalize(struct executor *executor, const struct action *actions,
                                       uint32_t count, struct action_results *results);
bool remote_roll_back(struct executor *executor);
struct jitscope_error *remote_deallocate(struct executor *executor, const struct action *actions,
                                         uint32_t first, uint32_t count, struct action_results *results);
struct jitscope_error *remote_close(struct executor *executor, uint32_t allocation);
uint32_t remote_unwinders(struct executor *executor, const char *names[EXECUTOR_UNWINDERS]);
const char *remote_audience(struct executor *executor);
/* Parts of answers. */
void remote_take_unwinders(struct remote *remote, struct cursor *cursor);
/* What ran, of the ALLOCATION of RESULTS with COUNT actions, in the executor's exit(3). */
bool remote_find_exited(const struct jitscope_executor_connection *connection, uint32_t count,
                        struct action_results *results);
void remote_forget_outcome(struct outcome *outcome);

/* --- remote_results.c: whether RESULTS can be what running halves of ACTIONS came to */

/* As many values as CALL has resolvers.  Finalize halves, all, or with FAILED_ONE up to one that failed and
 * what was rolled back then; those that exit(3) was called in; deallocate halves, ALL of those from FIRST to
 * COUNT, as results from BEFORE on. */
bool remote_has_values(const struct action_call *call, const struct action_result *result);
bool remote_is_finalized(const struct action *actions, uint32_t count, const struct action_results *results,
                         bool failed_one);
bool remote_is_interrupted(const struct action *actions, uint32_t count,
                           const struct action_results *results);
bool remote_is_deallocated(const struct action *actions, uint32_t first, uint32_t count,
                           const struct action_results *results, uint32_t before, bool all);
/* --- remote_halves.c: of struct executor_ops, of sessions whose halves are asked for one by one */

static inline bool remote_goes_by_parts(const struct executor *executor) {
    return executor->lazy_answer != NULL;
}
const char *remote_run(struct executor *executor, const struct action_call *call,
                       const struct half_name *name);
struct jitscope_error *remote_finalize_by_parts(struct executor *executor, const struct action *actions,
                                                uint32_t count, struct action_results *results);
void remote_abandon(struct executor *executor, uint32_t allocation);

/* --- remote_services.c: of struct executor_ops */

struct jitscope_error *remote_open_tls(struct executor *executor, const struct tls_request *request,
                                       struct tls_answer *answers);
void remote_close_tls(struct executor *executor, uint32_t link);
uint64_t remote_tls_address(struct executor *executor, uint32_t link, uint64_t offset);
struct jitscope_error *remote_open_exports(struct executor *executor, uint32_t link,
                                           const struct exported_symbol *symbols, uint32_t count);
void remote_close_exports(struct executor *executor, uint32_t link);
struct jitscope_error *remote_lazy_resolver(struct executor *executor, uint64_t *address);
void remote_store_slots(struct executor *executor, const struct slot_store *stores, uint32_t count);

#endif
