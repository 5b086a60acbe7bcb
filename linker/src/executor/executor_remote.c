#define _GNU_SOURCE
#include "executor/executor_remote.h"

#include "executor/remote_state.h"

#include <string.h>

/* --- answers */

struct jitscope_error *remote_finish(struct executor *executor, struct frame *reply,
                                     const struct cursor *cursor) {
    struct jitscope_error *error = cursor_end(cursor, reply->kind);
    frame_destroy(reply);
    return connection_break(executor->remote->connection, error);
}

struct jitscope_error *remote_finish_with(struct executor *executor, struct frame *reply,
                                          const struct cursor *cursor, struct jitscope_error *error) {
    struct jitscope_error *malformed = remote_finish(executor, reply, cursor);
    if (malformed)
        jitscope_error_destroy(error);
    return malformed ? malformed : error;
}

/* --- what several messages have */

/* The first of them are open there; the others are only wished for. */
void remote_put_libraries(struct executor *executor, struct message *message) {
    struct remote *remote = executor->remote;
    message_u32(message, remote->libraries_sent);
    message_u32(message, executor->libraries.count - remote->libraries_sent);
    for (uint32_t i = remote->libraries_sent; i < executor->libraries.count; i++)
        message_text(message, executor->libraries.data[i].path);
}

static void put_words(struct message *message, uint32_t count, char *const *words) {
    message_u32(message, count);
    for (uint32_t i = 0; i < count; i++)
        message_text(message, words[i]);
}

extern char **environ;

/* This process's environment is what an executor that it has started has, too. */
void remote_put_arguments(struct executor *executor, struct message *message) {
    struct remote *remote = executor->remote;
    bool has_environment = executor->envp == environ && remote->connection->inherits;
    uint32_t count = 0;
    bool known =
        remote->argv == executor->argv && remote->argc == executor->argc && remote->envp == executor->envp;
    message_u32(message, !known);
    if (known)
        return;
    put_words(message, (uint32_t)executor->argc, executor->argv);
    message_u32(message, !has_environment);
    while (executor->envp && executor->envp[count])
        count++;
    if (!has_environment)
        put_words(message, count, executor->envp);
    remote->argc = executor->argc;
    remote->argv = executor->argv;
    remote->envp = executor->envp;
}

/* --- libraries */

static struct jitscope_error *open_library(struct executor *executor, const char *path, void **handle) {
    (void)executor, (void)path;
    *handle = NULL; /* with the next message that has libraries */
    return NULL;
}

static struct jitscope_error *not_opened(const struct executor *executor, uint32_t library,
                                         const char *text) {
    struct jitscope_error *error = executor_refusal(text);
    return library < executor->libraries.count ? error_in_input(error, executor->libraries.data[library].path)
                                               : error;
}

/* An executor that does not open a library is asked again, by the next link. */
static struct jitscope_error *take_addresses(struct executor *executor, struct cursor *cursor, size_t count,
                                             uint64_t *addresses) {
    uint32_t failed = take_u32(cursor);
    if (failed)
        return not_opened(executor, failed - 1, take_text(cursor));
    executor->remote->libraries_sent = executor->libraries.count;
    if (take_count(cursor, 8) != count)
        cursor->failed = true;
    for (size_t i = 0; i < count; i++)
        addresses[i] = take_u64(cursor);
    return NULL;
}

static struct jitscope_error *lookup(struct executor *executor, const uint32_t *libraries,
                                     const char *const *names, size_t count, uint64_t *addresses) {
    struct message message = {0};
    struct frame reply;
    remote_put_libraries(executor, &message);
    message_u32(&message, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        message_u32(&message, libraries[i]);
        message_text(&message, names[i]);
    }
    TRY(connection_ask(executor->remote->connection, MESSAGE_LOOKUP, &message, -1, MESSAGE_ADDRESSES,
                       &reply));
    struct cursor cursor = frame_cursor(&reply);
    struct jitscope_error *error = take_addresses(executor, &cursor, count, addresses);
    return remote_finish_with(executor, &reply, &cursor, error);
}

/* --- main */

static void take_turn(struct executor *executor) {
    connection_take_turn(executor->remote->connection);
}

static void end_turn(struct executor *executor) {
    connection_end_turn(executor->remote->connection);
}

static struct jitscope_error *start_main(struct executor *executor, uint64_t address) {
    struct remote *remote = executor->remote;
    struct message message = {0};
    uint64_t started = remote->started;
    remote->started = 0;
    if (started == address)
        return NULL;
    message_u32(&message, remote->connection->follows ? BRIDGE_EXIT : 0);
    message_u64(&message, address);
    remote_put_arguments(executor, &message);
    return connection_tell(remote->connection, MESSAGE_RUN, &message);
}

/* The paths are the other side's choice, and will be read here: what waits for a writer need not end. */
static struct jitscope_error *take_preloaded(struct preloaded *list, const char *path) {
    struct coordinates where = {.input = path, .offset = NO_OFFSET};
    return os_is_special(path) ? error_at(JITSCOPE_ERROR_FORMAT, &where, "it is not a file here")
                               : preloaded_add(list, path);
}

static struct jitscope_error *preloaded(struct executor *executor, struct preloaded *list) {
    const struct hello *hello = &executor->remote->connection->hello;
    struct cursor cursor = hello->preloaded;
    for (uint32_t i = 0; i < hello->preloaded_count; i++)
        TRY(take_preloaded(list, take_text(&cursor)));
    return NULL;
}

static struct jitscope_error *run_main(struct executor *executor, uint64_t address, int *status) {
    (void)address;
    return connection_await_end(executor->remote->connection, status);
}

/* --- life */

static void leave(struct executor *executor) {
    struct remote *remote = executor->remote;
    executor_leave_exit(executor);
    if (!remote)
        return;
    jitscope_executor_disconnect(remote->connection);
    if (remote->working)
        os_unmap(remote->working, remote->working_size);
    if (remote->memory_file >= 0)
        os_close(remote->memory_file);
    vec_destroy(&remote->staged);
    vec_destroy(&remote->by_parts);
    os_release(remote->failure);
    remote_forget_outcome(&remote->outcome);
    jitscope_error_destroy(remote->closed_error);
    os_release(remote);
}

static const struct executor_ops remote_ops = {
    .leave = leave,
    .run = remote_run,
    .transfer = remote_transfer,
    .finalize = remote_finalize,
    .roll_back = remote_roll_back,
    .deallocate = remote_deallocate,
    .close = remote_close,
    .abandon = remote_abandon,
    .unwinders = remote_unwinders,
    .audience = remote_audience,
    .open_library = open_library,
    .preloaded = preloaded,
    .lookup = lookup,
    .open_tls = remote_open_tls,
    .close_tls = remote_close_tls,
    .tls_address = remote_tls_address,
    .open_exports = remote_open_exports,
    .close_exports = remote_close_exports,
    .lazy_resolver = remote_lazy_resolver,
    .store_slots = remote_store_slots,
    .take_turn = take_turn,
    .start_main = start_main,
    .end_turn = end_turn,
    .run_main = run_main,
};

bool executor_is_remote(const struct executor *executor) {
    return executor->ops == &remote_ops;
}

bool executor_holds_copies(const struct executor *executor) {
    return executor_is_remote(executor) && executor->remote->connection->copies == COPIES_HELD;
}

bool executor_lacks_copies(const struct executor *executor) {
    return executor_is_remote(executor) && executor->remote->connection->copies == COPIES_NONE;
}

bool executor_wants_names(const struct executor *executor) {
    return executor_is_remote(executor) && executor->remote->connection->crashed_stack &&
           executor->remote->connection->crashed && !executor->remote->connection->process;
}

struct jitscope_error *executor_name_code(struct executor *executor, uint32_t link,
                                          const struct code_function *functions, uint32_t count) {
    struct jitscope_executor_connection *connection = executor->remote->connection;
    pthread_mutex_lock(&connection->lock);
    struct jitscope_error *error = code_names_add(&connection->names, link, functions, count);
    pthread_mutex_unlock(&connection->lock);
    return error;
}

void executor_forget_code(struct executor *executor, uint32_t link) {
    if (!executor_wants_names(executor))
        return;
    pthread_mutex_lock(&executor->remote->connection->lock);
    code_names_drop(&executor->remote->connection->names, link);
    pthread_mutex_unlock(&executor->remote->connection->lock);
}

static struct jitscope_error *know_actions(struct executor *executor, const struct hello *hello) {
    struct cursor cursor = hello->actions;
    for (uint32_t i = 0; i < hello->action_count; i++) {
        const char *name = take_text(&cursor);
        if (!executor_knows_action(executor, name))
            TRY(executor_register_action(executor, name, NULL, NULL));
    }
    return NULL;
}

struct jitscope_error *executor_create_remote(struct jitscope_executor_connection *connection,
                                              struct executor **out) {
    struct remote *remote = os_allocate_zeroed(sizeof *remote);
    struct executor *executor = NULL;
    struct jitscope_error *error =
        remote ? executor_create_of_kind(&remote_ops, &executor) : error_no_memory();
    if (error) {
        os_release(remote);
        jitscope_executor_disconnect(connection);
        return error;
    }
    remote->connection = connection;
    remote->memory_file = -1;
    executor->remote = remote;
    error = know_actions(executor, &connection->hello);
    if (error)
        executor_destroy(executor);
    else
        *out = executor;
    return error;
}

enum jitscope_executor_state executor_remote_state(const struct executor *executor, int *status) {
    struct jitscope_executor_connection *connection = executor->remote->connection;
    pthread_mutex_lock(&connection->lock);
    enum jitscope_executor_state state = connection->state;
    *status = connection->status;
    pthread_mutex_unlock(&connection->lock);
    return state;
}

uint64_t executor_remote_messages(const struct executor *executor) {
    struct jitscope_executor_connection *connection = executor->remote->connection;
    pthread_mutex_lock(&connection->lock);
    uint64_t messages = connection->messages;
    pthread_mutex_unlock(&connection->lock);
    return messages;
}

bool executor_take_loss(struct executor *executor, char reason[EXECUTOR_REASON]) {
    struct jitscope_executor_connection *connection = executor->remote->connection;
    pthread_mutex_lock(&connection->lock);
    bool lost = connection->is_gone && !connection->is_told && connection->state != JITSCOPE_EXECUTOR_EXITED;
    if (lost)
        memcpy(reason, connection->end, EXECUTOR_REASON);
    connection->is_told |= lost;
    pthread_mutex_unlock(&connection->lock);
    return lost;
}
