#define _GNU_SOURCE
#include "executor/executor_remote.h"

#include "executor/address_space.h"
#include "executor/connection.h"
#include "executor/executor_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

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
    uint32_t closed; /* allocation that was deallocated last, and what became of its memory */
    struct jitscope_error *closed_error;
};

static struct jitscope_error *broken(struct executor *executor, struct jitscope_error *error) {
    return connection_break(executor->remote->connection, error);
}

static struct jitscope_error *finish(struct executor *executor, struct frame *reply,
                                     const struct cursor *cursor) {
    struct jitscope_error *error = cursor_end(cursor, reply->kind);
    frame_destroy(reply);
    return broken(executor, error);
}

/* --- what several messages have */

/* The first of them are open there; the others are only wished for. */
static void put_libraries(struct executor *executor, struct message *message) {
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
static void put_arguments(struct executor *executor, struct message *message) {
    struct remote *remote = executor->remote;
    bool has_environment = executor->envp == environ && remote->connection->wire.watched >= 0;
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

static void put_call(struct message *message, const struct action_call *call) {
    message_text(message, call->function);
    message_blob(message, call->arguments, call->function ? call->size : 0);
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
    put_libraries(executor, &message);
    message_u32(&message, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        message_u32(&message, libraries[i]);
        message_text(&message, names[i]);
    }
    TRY(connection_ask(executor->remote->connection, MESSAGE_LOOKUP, &message, -1, MESSAGE_ADDRESSES,
                       &reply));
    struct cursor cursor = frame_cursor(&reply);
    struct jitscope_error *error = take_addresses(executor, &cursor, count, addresses);
    struct jitscope_error *malformed = finish(executor, &reply, &cursor);
    if (malformed)
        jitscope_error_destroy(error);
    return malformed ? malformed : error;
}

/* --- memory */

uint64_t executor_page_size(const struct executor *executor) {
    return executor->remote->connection->hello.page_size;
}

uint32_t executor_process(const struct executor *executor) {
    return executor->remote->connection->hello.process;
}

bool executor_is_watched(const struct executor *executor) {
    return executor->remote->watched;
}

struct jitscope_error *executor_reserve(struct executor *executor, uint64_t size, bool low, uint64_t *start,
                                        uint64_t *got) {
    struct remote *remote = executor->remote;
    struct message message = {0};
    struct frame reply;
    *start = remote->connection->hello.start;
    *got = remote->connection->hello.size;
    if (!low && !remote->first_range_taken && size <= *got) {
        remote->first_range_taken = true;
        return NULL;
    }
    message_u64(&message, size);
    message_u32(&message, low);
    TRY(connection_ask(remote->connection, MESSAGE_RESERVE, &message, -1, MESSAGE_RESERVED, &reply));
    struct cursor cursor = frame_cursor(&reply);
    struct jitscope_error *error = take_error(&cursor);
    *start = take_u64(&cursor);
    *got = take_u64(&cursor);
    cursor.failed |= !error && (*got < size || *got > 2 * GIB || *start % CHUNK || *got % CHUNK ||
                                *start > UINT64_MAX / 2);
    if (!error)
        remote->connection->wire.most_extra += *got;
    struct jitscope_error *malformed = finish(executor, &reply, &cursor);
    if (malformed)
        jitscope_error_destroy(error);
    return malformed ? malformed : error;
}

/* A descriptor can go with a message only by a socket, and is of use only on the same host: whether the
 * executor could use it, it would have to say.  One that was started from here with a socket can. */
static bool shares_memory(const struct remote *remote) {
    return !remote->connection->inlines && remote->connection->wire.watched >= 0;
}

static struct jitscope_error *make_file(struct remote *remote) {
    if (remote->memory_file >= 0 || !shares_memory(remote))
        return NULL;
    remote->memory_file = os_sealable_file("jitscope-content");
    if (remote->memory_file < 0)
        return error_system("memfd_create", NULL);
    if (os_seal_against_shrinking(remote->memory_file)) /* else the executor could have this process killed */
        return error_system("fcntl", "F_ADD_SEALS");
    return NULL;
}

static struct jitscope_error *enlarge(struct remote *remote, uint64_t size) {
    uint64_t wanted = 2 * remote->working_size > size ? 2 * remote->working_size : size;
    wanted = (wanted + MIB - 1) & ~(MIB - 1);
    int fd = remote->memory_file, flags = fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
    if (fd >= 0 && os_resize(fd, wanted))
        return error_system("ftruncate", "the content's memory");
    uint8_t *memory = os_map(NULL, wanted, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, fd, 0);
    if (!memory)
        return error_system("mmap", "the content's memory");
    if (remote->working)
        os_unmap(remote->working, remote->working_size);
    remote->working = memory;
    remote->working_size = wanted;
    return NULL;
}

struct jitscope_error *executor_working_memory(struct executor *executor, uint64_t size, uint8_t **memory) {
    struct remote *remote = executor->remote;
    if (remote->connection->is_gone)
        return connection_gone(remote->connection);
    if (remote->used)
        return error_create(JITSCOPE_ERROR_USAGE, "two allocations are in flight to one executor");
    if (size > 4 * GIB)
        return error_create(JITSCOPE_ERROR_ADDRESS_SPACE, "the batch has more than 4 GiB");
    TRY(make_file(remote));
    if (size > remote->working_size)
        TRY(enlarge(remote, size));
    remote->used = size;
    *memory = remote->working;
    return NULL;
}

void executor_drop_working_memory(struct executor *executor) {
    struct remote *remote = executor->remote;
    uint64_t size = (remote->used + 4095) & ~(uint64_t)4095;
    remote->staged.count = 0;
    remote->used = 0;
    if (!size)
        return;
    bool done =
        !(remote->memory_file >= 0 ? os_punch(remote->working, size) : os_discard(remote->working, size));
    if (!done)
        memset(remote->working, 0, size);
}

struct jitscope_error *executor_stage(struct executor *executor, const struct staged_segment *segment) {
    return vec_push(&executor->remote->staged, *segment);
}

bool executor_read(struct executor *executor, uint64_t address, void *buffer, size_t size) {
    struct message message = {0};
    struct frame reply;
    if (size > BRIDGE_MOST / 2) {
        size_t half = BRIDGE_MOST / 2;
        return executor_read(executor, address, buffer, half) &&
               executor_read(executor, address + half, (uint8_t *)buffer + half, size - half);
    }
    message_u64(&message, address);
    message_u32(&message, (uint32_t)size);
    struct jitscope_error *error =
        connection_ask(executor->remote->connection, MESSAGE_READ, &message, -1, MESSAGE_BYTES, &reply);
    if (error) {
        jitscope_error_destroy(error);
        return false;
    }
    struct cursor cursor = frame_cursor(&reply);
    struct bytes bytes = take_blob(&cursor);
    bool whole = bytes.size == size;
    if (whole && size)
        memcpy(buffer, bytes.data, size);
    error = finish(executor, &reply, &cursor);
    whole &= !error;
    jitscope_error_destroy(error);
    return whole;
}

/* --- finalize */

static void put_segments(const struct remote *remote, struct message *message) {
    message_u32(message, remote->staged.count);
    for (uint32_t i = 0; i < remote->staged.count; i++) {
        const struct staged_segment *segment = &remote->staged.data[i];
        message_u64(message, segment->address);
        message_u64(message, segment->size);
        message_u64(message, segment->content_size);
        message_u64(message, segment->offset);
        message_u32(message, segment->prot);
        message_u32(message, segment->lifetime);
    }
}

static void put_contents(const struct remote *remote, struct message *message) {
    for (uint32_t i = 0; remote->memory_file < 0 && i < remote->staged.count; i++)
        message_blob(message, remote->working + remote->staged.data[i].offset,
                     remote->staged.data[i].content_size);
}

static void put_finalize(struct executor *executor, const struct action *actions, uint32_t count,
                         const struct action_results *results, struct message *message) {
    struct remote *remote = executor->remote;
    bool runs = executor->entry && remote->connection->follows;
    message_u32(message, results->allocation);
    message_u32(message,
                (results->timed ? BRIDGE_TIMED : 0) | (executor->tells_at_once ? BRIDGE_AT_ONCE : 0) |
                    (runs ? BRIDGE_RUN | BRIDGE_EXIT : 0) | (remote->memory_file < 0 ? BRIDGE_INLINE : 0) |
                    (remote->connection->crashed ? BRIDGE_CRASHES : 0));
    message_u32(message, executor->debug_policy);
    put_libraries(executor, message);
    put_arguments(executor, message);
    message_u64(message, runs ? executor->entry : 0);
    put_segments(remote, message);
    message_u32(message, count);
    for (uint32_t i = 0; i < count; i++) {
        put_call(message, &actions[i].finalize);
        put_call(message, &actions[i].deallocate);
    }
    put_contents(remote, message);
}

static void take_unwinders(struct remote *remote, struct cursor *cursor) {
    uint32_t count = take_count(cursor, 5);
    cursor->failed |= count > EXECUTOR_UNWINDERS;
    for (uint32_t i = 0; i < count && !cursor->failed; i++)
        snprintf(remote->unwinders[i], UNWINDER_NAME, "%s", take_text(cursor));
    remote->unwinder_count = cursor->failed ? 0 : count;
}

/* The error is memory's; what actions have to say waits for finalize(). */
static struct jitscope_error *take_finalized(struct executor *executor, struct cursor *cursor, uint32_t count,
                                             uint32_t allocation) {
    struct remote *remote = executor->remote;
    struct outcome *outcome = &remote->outcome;
    uint32_t step = take_u32(cursor);
    struct jitscope_error *error = take_error(cursor);
    remote->watched = take_u32(cursor) != 0;
    struct jitscope_error *second = take_results(cursor, count, &outcome->results);
    take_unwinders(remote, cursor);
    remote->audience = take_u32(cursor);
    cursor->failed |= step > STEP_ACTIONS || remote->audience > LISTING_UNLISTED ||
                      (step != STEP_DONE && step != STEP_ACTIONS) != (error != NULL);
    if (step != STEP_LIBRARIES)
        remote->libraries_sent = executor->libraries.count;
    outcome->allocation = allocation;
    outcome->before = outcome->results.results.count;
    if (!error)
        return second;
    jitscope_error_destroy(second);
    return error;
}

/* exit(3) was called by an initialiser.  Results of halves come with EXITED. */
static struct jitscope_error *take_interruption(struct executor *executor, uint32_t count,
                                                uint32_t allocation, struct jitscope_error *gone) {
    struct remote *remote = executor->remote;
    struct outcome *outcome = &remote->outcome;
    if (!remote->connection->has_exited || !remote->connection->follows)
        return gone;
    struct cursor cursor = frame_cursor(&remote->connection->exited);
    take_u32(&cursor);
    if (take_u32(&cursor) != allocation)
        return gone;
    jitscope_error_destroy(gone);
    outcome->allocation = allocation;
    outcome->is_interrupted = true;
    outcome->before = take_u32(&cursor);
    TRY(take_results(&cursor, count, &outcome->results));
    if (cursor.failed || outcome->before > outcome->results.results.count)
        return cursor_end(&cursor, MESSAGE_EXITED);
    return NULL;
}

static void forget_outcome(struct outcome *outcome) {
    executor_results_destroy(&outcome->results);
    *outcome = (struct outcome){0};
}

static struct jitscope_error *transfer(struct executor *executor, const struct action *actions,
                                       uint32_t count, const struct action_results *results) {
    struct remote *remote = executor->remote;
    struct message message = {0};
    struct frame reply;
    forget_outcome(&remote->outcome);
    put_finalize(executor, actions, count, results, &message);
    int file = remote->memory_sent ? -1 : remote->memory_file;
    struct jitscope_error *error =
        connection_ask(remote->connection, MESSAGE_FINALIZE, &message, file, MESSAGE_FINALIZED, &reply);
    executor_drop_working_memory(executor);
    remote->memory_sent = true;
    uint64_t entry = executor->entry;
    executor->entry = 0;
    if (error)
        return take_interruption(executor, count, results->allocation, error);
    struct cursor cursor = frame_cursor(&reply);
    error = take_finalized(executor, &cursor, count, results->allocation);
    struct jitscope_error *malformed = finish(executor, &reply, &cursor);
    remote->started = error || malformed || !remote->connection->follows ? 0 : entry;
    if (malformed)
        jitscope_error_destroy(error);
    return malformed ? malformed : error;
}

/* Hands results FROM .. TO of the outcome over. */
static void hand_over(struct outcome *outcome, struct action_results *results, uint32_t from, uint32_t to) {
    for (uint32_t i = from; i < to; i++) {
        vec_put(&results->results, outcome->results.results.data[i]);
        outcome->results.results.data[i].message = NULL;
        outcome->results.results.data[i].values = NULL;
    }
}

/* The first half that failed is the error. */
static struct jitscope_error *error_of(const struct action *actions, const struct action_results *results,
                                       uint8_t half) {
    for (uint32_t i = 0; i < results->results.count; i++) {
        const struct action_result *result = &results->results.data[i];
        const struct action *action = &actions[result->action];
        const char *name = half == ACTION_FINALIZE ? action->finalize.function : action->deallocate.function;
        if (result->failed && result->half == half)
            return executor_action_error(result->action, name ? name : "",
                                         result->message ? result->message : "out of memory");
    }
    return NULL;
}

static struct jitscope_error *finalize(struct executor *executor, const struct action *actions,
                                       uint32_t count, struct action_results *results) {
    struct outcome *outcome = &executor->remote->outcome;
    (void)count;
    TRY(vec_reserve(&results->results, outcome->results.results.count));
    hand_over(outcome, results, 0, outcome->before);
    executor->running_results = results;
    if (outcome->is_interrupted)
        exit(executor->remote->connection->status); /* the rest is told from inside */
    struct jitscope_error *error = error_of(actions, results, ACTION_FINALIZE);
    forget_outcome(outcome);
    return error;
}

static bool roll_back(struct executor *executor) {
    struct remote *remote = executor->remote;
    struct outcome *outcome = &remote->outcome;
    if (!outcome->is_interrupted)
        return false;
    hand_over(outcome, executor->running_results, outcome->before, outcome->results.results.count);
    forget_outcome(outcome);
    return true;
}

/* --- deallocate */

static struct jitscope_error *take_deallocated(struct executor *executor, struct frame *reply, uint32_t count,
                                               uint32_t allocation, struct action_results *results) {
    struct remote *remote = executor->remote;
    struct cursor cursor = frame_cursor(reply);
    jitscope_error_destroy(remote->closed_error);
    remote->closed = allocation;
    remote->closed_error = take_error(&cursor);
    remote->watched = take_u32(&cursor) != 0;
    struct jitscope_error *error = take_results(&cursor, count, results);
    struct jitscope_error *malformed = finish(executor, reply, &cursor);
    if (malformed)
        jitscope_error_destroy(error);
    return malformed ? malformed : error;
}

static struct jitscope_error *ask_to_deallocate(struct executor *executor, uint32_t count,
                                                struct action_results *results) {
    struct message message = {0};
    struct frame reply;
    message_u32(&message, results->allocation);
    message_u32(&message, results->timed ? BRIDGE_TIMED : 0);
    TRY(connection_ask(executor->remote->connection, MESSAGE_DEALLOCATE, &message, -1, MESSAGE_DEALLOCATED,
                       &reply));
    return take_deallocated(executor, &reply, count, results->allocation, results);
}

/* What ran in the executor's exit(3). */
static bool find_exited(const struct jitscope_executor_connection *connection, uint32_t count,
                        struct action_results *results) {
    struct cursor cursor = frame_cursor(&connection->exited);
    struct action_results others = {0};
    bool found = false;
    for (int i = 0; i < 3; i++)
        take_u32(&cursor);
    jitscope_error_destroy(take_results(&cursor, UINT32_MAX, &others));
    executor_results_destroy(&others);
    uint32_t allocations = take_count(&cursor, 8);
    for (uint32_t i = 0; i < allocations && !found && !cursor.failed; i++) {
        found = take_u32(&cursor) == results->allocation;
        jitscope_error_destroy(take_results(&cursor, found ? count : UINT32_MAX, found ? results : &others));
        executor_results_destroy(&others);
    }
    return found && !cursor.failed;
}

/* Nobody is there to run them. */
static void fail_all(const struct executor *executor, const struct action *actions, uint32_t count,
                     struct action_results *results) {
    for (uint32_t i = count; i-- > 0;)
        if (actions[i].deallocate.function)
            vec_put(&results->results,
                    (struct action_result){.action = i,
                                           .half = ACTION_DEALLOCATE,
                                           .failed = true,
                                           .message = executor_copy_text(executor->remote->connection->end)});
}

/* RESULTS has room for all of them, whatever comes. */
static struct jitscope_error *deallocate(struct executor *executor, const struct action *actions,
                                         uint32_t count, struct action_results *results) {
    const struct jitscope_executor_connection *connection = executor->remote->connection;
    TRY(vec_reserve(&results->results, count));
    struct jitscope_error *error = ask_to_deallocate(executor, count, results);
    if (error && !(connection->has_exited && find_exited(connection, count, results))) {
        for (uint32_t i = 0; i < results->results.count; i++) {
            os_release((char *)(uintptr_t)results->results.data[i].message);
            os_release(results->results.data[i].values);
        }
        results->results.count = 0;
        fail_all(executor, actions, count, results);
    }
    jitscope_error_destroy(error);
    return error_of(actions, results, ACTION_DEALLOCATE);
}

static struct jitscope_error *close_allocation(struct executor *executor, uint32_t allocation) {
    struct remote *remote = executor->remote;
    struct action_results results = {.allocation = allocation};
    if (remote->closed != allocation && !remote->connection->is_gone) {
        jitscope_error_destroy(ask_to_deallocate(executor, 0, &results)); /* who is gone has closed it */
        executor_results_destroy(&results);
    }
    struct jitscope_error *error = remote->closed == allocation ? remote->closed_error : NULL;
    remote->closed = 0;
    remote->closed_error = NULL;
    return error;
}

static uint32_t unwinders(struct executor *executor, const char *names[EXECUTOR_UNWINDERS]) {
    for (uint32_t i = 0; i < executor->remote->unwinder_count; i++)
        names[i] = executor->remote->unwinders[i];
    return executor->remote->unwinder_count;
}

static const char *audience(struct executor *executor) {
    return debug_listing_text((enum debug_listing)executor->remote->audience);
}

/* --- thread-local storage */

static void put_wishes(const struct tls_request *request, struct message *message) {
    message_u32(message, request->link);
    message_u64(message, request->size);
    message_u64(message, request->alignment);
    message_blob(message, request->image, request->image_size);
    message_u32(message, request->executable_stack);
    message_u32(message, request->wish_count);
    for (uint32_t i = 0; i < request->wish_count; i++) {
        const struct tls_wish *wish = &request->wishes[i];
        message_text(message, wish->name);
        message_u32(message, wish->link);
        message_u32(message, wish->kind);
        message_u64(message, wish->addend);
    }
}

static struct jitscope_error *open_tls(struct executor *executor, const struct tls_request *request,
                                       struct tls_answer *answers) {
    struct message message = {0};
    struct frame reply;
    TRY(vec_reserve(&executor->tls_modules, 1));
    put_libraries(executor, &message);
    put_wishes(request, &message);
    TRY(connection_ask(executor->remote->connection, MESSAGE_OPEN_TLS, &message, -1, MESSAGE_TLS_ANSWERS,
                       &reply));
    struct cursor cursor = frame_cursor(&reply);
    struct jitscope_error *error = take_error(&cursor);
    uint32_t count = take_count(&cursor, 16);
    cursor.failed |= count != (error ? 0 : request->wish_count);
    for (uint32_t i = 0; i < count && !cursor.failed; i++)
        answers[i] = (struct tls_answer){{take_u64(&cursor), take_u64(&cursor)}};
    if (!error) {
        executor->remote->libraries_sent = executor->libraries.count;
        vec_put(&executor->tls_modules, (struct tls_module){.link = request->link});
    }
    struct jitscope_error *malformed = finish(executor, &reply, &cursor);
    if (malformed)
        jitscope_error_destroy(error);
    return malformed ? malformed : error;
}

/* Most links have none. */
static bool forget_tls(struct executor *executor, uint32_t link) {
    for (uint32_t i = executor->tls_modules.count; i-- > 0;)
        if (executor->tls_modules.data[i].link == link) {
            executor->tls_modules.data[i] = executor->tls_modules.data[--executor->tls_modules.count];
            return true;
        }
    return false;
}

static void close_tls(struct executor *executor, uint32_t link) {
    struct message message = {0};
    if (!forget_tls(executor, link))
        return;
    message_u32(&message, link);
    jitscope_error_destroy(connection_tell(executor->remote->connection, MESSAGE_CLOSE_TLS, &message));
}

static uint64_t tls_address(struct executor *executor, uint32_t link, uint64_t offset) {
    struct message message = {0};
    struct frame reply;
    message_u32(&message, link);
    message_u64(&message, offset);
    struct jitscope_error *error = connection_ask(executor->remote->connection, MESSAGE_TLS_ADDRESS, &message,
                                                  -1, MESSAGE_TLS_PLACE, &reply);
    if (error) {
        jitscope_error_destroy(error);
        return 0;
    }
    struct cursor cursor = frame_cursor(&reply);
    uint64_t address = take_u64(&cursor);
    jitscope_error_destroy(finish(executor, &reply, &cursor));
    return address;
}

/* --- exports */

static struct jitscope_error *open_exports(struct executor *executor, uint32_t link,
                                           const struct exported_symbol *symbols, uint32_t count) {
    struct message message = {0};
    struct frame reply;
    TRY(vec_reserve(&executor->exports, 1));
    message_u32(&message, link);
    message_u32(&message, count);
    for (uint32_t i = 0; i < count; i++) {
        message_text(&message, symbols[i].name);
        message_u64(&message, symbols[i].address);
    }
    TRY(connection_ask(executor->remote->connection, MESSAGE_OPEN_EXPORTS, &message, -1,
                       MESSAGE_EXPORTS_OPENED, &reply));
    struct cursor cursor = frame_cursor(&reply);
    struct jitscope_error *error = take_error(&cursor);
    struct jitscope_error *malformed = finish(executor, &reply, &cursor);
    if (malformed)
        jitscope_error_destroy(error);
    if (!error && !malformed)
        vec_put(&executor->exports, (struct exports){.link = link});
    return malformed ? malformed : error;
}

static void close_exports(struct executor *executor, uint32_t link) {
    for (uint32_t i = executor->exports.count; i-- > 0;) {
        struct message message = {0};
        if (executor->exports.data[i].link != link)
            continue;
        executor->exports.data[i] = executor->exports.data[--executor->exports.count];
        message_u32(&message, link);
        jitscope_error_destroy(
            connection_tell(executor->remote->connection, MESSAGE_CLOSE_EXPORTS, &message));
    }
}

/* --- main */

static struct jitscope_error *start_main(struct executor *executor, uint64_t address) {
    struct remote *remote = executor->remote;
    struct message message = {0};
    if (remote->started == address)
        return NULL;
    message_u32(&message, remote->connection->follows ? BRIDGE_EXIT : 0);
    message_u64(&message, address);
    put_arguments(executor, &message);
    return connection_tell(remote->connection, MESSAGE_RUN, &message);
}

static struct jitscope_error *run_main(struct executor *executor, uint64_t address, int *status) {
    struct jitscope_executor_connection *connection = executor->remote->connection;
    TRY(start_main(executor, address));
    executor->remote->started = 0;
    connection_await_end(connection);
    if (!connection->is_gone) {
        *status = (int)connection->returned;
        return NULL;
    }
    if (!connection->follows || connection->state > JITSCOPE_EXECUTOR_LEFT)
        return connection_gone(connection);
    *status = connection->status;
    return NULL;
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
    forget_outcome(&remote->outcome);
    jitscope_error_destroy(remote->closed_error);
    os_release(remote);
}

static const struct executor_ops remote_ops = {
    .leave = leave,
    .transfer = transfer,
    .finalize = finalize,
    .roll_back = roll_back,
    .deallocate = deallocate,
    .close = close_allocation,
    .unwinders = unwinders,
    .audience = audience,
    .open_library = open_library,
    .lookup = lookup,
    .open_tls = open_tls,
    .close_tls = close_tls,
    .tls_address = tls_address,
    .open_exports = open_exports,
    .close_exports = close_exports,
    .run_main = run_main,
};

bool executor_is_remote(const struct executor *executor) {
    return executor->ops == &remote_ops;
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
