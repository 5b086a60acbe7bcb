/* What an executor process does when it is told to, one function for each message. */
#include "executor/target.h"

#include "executor/address_space.h"
#include "executor/executor_debug.h"
#include "executor/executor_state.h"

#include <string.h>
#include <unistd.h>

static struct jitscope_error *answer(struct jitscope_target *target, const struct frame *frame,
                                     enum bridge_message kind, struct message *message) {
    return target_send(target, kind, frame->serial, message);
}

/* --- what several messages have */

/* FAILED is the number, plus 1, of the first that cannot be opened, for which ERROR says why. */
static struct jitscope_error *take_libraries(struct jitscope_target *target, struct cursor *cursor,
                                             uint32_t *failed, struct jitscope_error **why) {
    uint32_t first = take_u32(cursor), count = take_count(cursor, 5);
    struct executor *executor = target->executor;
    *failed = 0;
    *why = NULL;
    if (first > executor->libraries.count)
        cursor->failed = true;
    for (uint32_t i = 0; i < count && !cursor->failed; i++) {
        const char *path = take_text(cursor);
        uint32_t library = first + i;
        if (*why || cursor->failed || first + i < executor->libraries.count)
            continue;
        *why = error_in_input(executor_open_library(executor, path, &library), path);
        if (*why)
            *failed = first + i + 1;
        cursor->failed |= library != first + i; /* the linker names each once */
    }
    return NULL;
}

/* Arguments and environments are kept for as long as the process lives, longer than their target: whoever was
 * given them may look at them in exit(3), and environ points to them. */
struct words {
    struct words *older;
    char *texts[];
};
static struct words *all_words;

static struct jitscope_error *take_words(struct cursor *cursor, uint32_t *count, char ***texts) {
    *count = take_count(cursor, 5);
    struct words *words = os_allocate_zeroed(sizeof *words + ((size_t)*count + 1) * sizeof words->texts[0]);
    if (!words)
        return error_no_memory();
    words->older = all_words;
    all_words = words;
    for (uint32_t i = 0; i < *count; i++) {
        words->texts[i] = executor_copy_text(take_text(cursor));
        if (!words->texts[i])
            return error_no_memory();
    }
    *texts = words->texts;
    return NULL;
}

void target_forget_words(void) {
    while (all_words) {
        struct words *words = all_words;
        all_words = words->older;
        for (char **text = words->texts; *text; text++)
            os_release(*text);
        os_release(words);
    }
}

extern char **environ;

static struct jitscope_error *take_arguments(struct jitscope_target *target, struct cursor *cursor) {
    uint32_t argc, count;
    if (!take_u32(cursor))
        return NULL;
    TRY(take_words(cursor, &argc, &target->argv));
    target->argc = (int)argc;
    target->envp = environ;
    if (take_u32(cursor)) {
        TRY(take_words(cursor, &count, &target->envp));
        environ = target->envp;
    }
    executor_set_arguments(target->executor, target->argc, target->argv, target->envp);
    return NULL;
}

static struct action_call take_call(struct cursor *cursor) {
    const char *name = take_text(cursor);
    struct bytes arguments = take_blob(cursor);
    return (struct action_call){*name ? name : NULL, arguments.data, (uint32_t)arguments.size};
}

/* --- libraries */

static struct jitscope_error *find_names(struct jitscope_target *target, struct cursor *cursor,
                                         uint32_t count, struct message *message) {
    message_u32(message, 0);
    message_u32(message, count);
    for (uint32_t i = 0; i < count && !cursor->failed; i++) {
        uint32_t library = take_u32(cursor);
        const char *name = take_text(cursor);
        uint64_t address = 0;
        cursor->failed |= library >= target->executor->libraries.count;
        if (cursor->failed)
            break;
        TRY(executor_lookup(target->executor, &library, &name, 1, &address));
        message_u64(message, address);
    }
    return NULL;
}

static struct jitscope_error *look_up(struct jitscope_target *target, struct frame *frame,
                                      struct cursor *cursor) {
    struct message message = {0};
    struct jitscope_error *why;
    uint32_t failed;
    TRY(take_libraries(target, cursor, &failed, &why));
    uint32_t count = take_count(cursor, 9);
    if (!failed) {
        struct jitscope_error *error = find_names(target, cursor, count, &message);
        if (!error)
            error = cursor_end(cursor, frame->kind);
        if (error) {
            message_destroy(&message);
            return error;
        }
    } else {
        message_u32(&message, failed);
        message_text(&message, error_text(why));
        jitscope_error_destroy(why);
    }
    return answer(target, frame, MESSAGE_ADDRESSES, &message);
}

/* --- finalize */

struct finalize {
    uint32_t number, flags;
    uint32_t failed_library;
    struct jitscope_error *error; /* of libraries, or memory */
    uint64_t entry;
    struct target_allocation *allocation;
    struct action *actions;
    uint32_t action_count;
    struct bytes *contents;
    struct action_results results;
    enum bridge_step step;
};

static void finalize_destroy(struct finalize *finalize) {
    jitscope_error_destroy(finalize->error);
    executor_results_destroy(&finalize->results);
    os_release(finalize->actions);
    os_release(finalize->contents);
}

static size_t call_bytes(const struct action_call *call) {
    return call->function ? strlen(call->function) + 1 + call->size + 8 : 0;
}

static uint8_t *copy_call(struct action_call *to, const struct action_call *from, uint8_t *bytes) {
    *to = (struct action_call){NULL, NULL, 0};
    if (!from->function)
        return bytes;
    if (from->size)
        memcpy(bytes, from->arguments, from->size);
    size_t name = strlen(from->function) + 1, padded = ((size_t)from->size + 7) & ~(size_t)7;
    memcpy(bytes + padded, from->function, name);
    *to = (struct action_call){(const char *)bytes + padded, bytes, from->size};
    return bytes + ((padded + name + 7) & ~(size_t)7);
}

/* The deallocate halves are all that is kept, unless the others are asked for later. */
static struct jitscope_error *keep_actions(struct target_allocation *allocation, const struct action *actions,
                                           uint32_t count, bool by_parts) {
    size_t bytes = 0;
    for (uint32_t i = 0; i < count; i++)
        bytes +=
            call_bytes(&actions[i].deallocate) + 8 + (by_parts ? call_bytes(&actions[i].finalize) + 8 : 0);
    allocation->actions = os_allocate_zeroed(count * sizeof(struct action) + bytes + 8);
    if (!allocation->actions)
        return error_no_memory();
    uint8_t *next = (uint8_t *)(allocation->actions + count);
    for (uint32_t i = 0; i < count; i++)
        next = copy_call(&allocation->actions[i].deallocate, &actions[i].deallocate, next);
    for (uint32_t i = 0; by_parts && i < count; i++)
        next = copy_call(&allocation->actions[i].finalize, &actions[i].finalize, next);
    allocation->action_count = count;
    allocation->left = by_parts ? 0 : count;
    return vec_reserve(&allocation->results.results, count);
}

static struct jitscope_error *take_segments(struct cursor *cursor, struct finalize *finalize) {
    uint32_t count = take_count(cursor, 40);
    struct target_allocation *allocation =
        os_allocate_zeroed(sizeof *allocation + count * sizeof allocation->segments[0]);
    if (!allocation)
        return error_no_memory();
    allocation->number = finalize->number;
    allocation->segment_count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct target_segment *segment = &allocation->segments[i];
        segment->address = take_u64(cursor);
        segment->size = take_u64(cursor);
        segment->content_size = take_u64(cursor);
        segment->offset = take_u64(cursor);
        segment->prot = take_u32(cursor);
        segment->lifetime = take_u32(cursor);
    }
    finalize->allocation = allocation;
    return NULL;
}

static struct jitscope_error *take_actions(struct cursor *cursor, struct finalize *finalize) {
    enum { LEAST = 2 * (5 + 4) };
    finalize->action_count = take_count(cursor, LEAST);
    finalize->actions = os_allocate_zeroed(((size_t)finalize->action_count + 1) * sizeof *finalize->actions);
    if (!finalize->actions)
        return error_no_memory();
    for (uint32_t i = 0; i < finalize->action_count; i++) {
        finalize->actions[i].finalize = take_call(cursor);
        finalize->actions[i].deallocate = take_call(cursor);
    }
    return NULL;
}

static struct jitscope_error *take_contents(struct cursor *cursor, struct finalize *finalize) {
    uint32_t count = finalize->allocation->segment_count;
    if (!(finalize->flags & BRIDGE_INLINE))
        return NULL;
    finalize->contents = os_allocate_zeroed(((size_t)count + 1) * sizeof *finalize->contents);
    if (!finalize->contents)
        return error_no_memory();
    for (uint32_t i = 0; i < count; i++)
        finalize->contents[i] = take_blob(cursor);
    return NULL;
}

/* Nothing happens before all of it was seen to make sense, but for libraries, which are wished for in any
 * case.
 */
static struct jitscope_error *take_finalize(struct jitscope_target *target, struct frame *frame,
                                            struct cursor *cursor, struct finalize *finalize) {
    finalize->number = take_u32(cursor);
    finalize->flags = take_u32(cursor);
    uint32_t policy = take_u32(cursor);
    cursor->failed |= finalize->flags & ~(uint32_t)BRIDGE_FLAGS || policy > DEBUGGEE_OFF ||
                      (finalize->flags & BRIDGE_RUN && target->main_runs) || !finalize->number ||
                      target_find(target, finalize->number) != NULL;
    if (cursor->failed)
        return cursor_end(cursor, frame->kind);
    TRY(take_libraries(target, cursor, &finalize->failed_library, &finalize->error));
    TRY(take_arguments(target, cursor));
    finalize->entry = take_u64(cursor);
    TRY(take_segments(cursor, finalize));
    TRY(take_actions(cursor, finalize));
    TRY(take_contents(cursor, finalize));
    cursor->failed |= finalize->flags & BRIDGE_RUN && !finalize->entry;
    TRY(cursor_end(cursor, frame->kind));
    TRY(target_claim(target, finalize->allocation, finalize->contents));
    executor_set_debug_policy(target->executor, (enum debuggee_policy)policy);
    if (finalize->flags & BRIDGE_CRASHES)
        target_watch_crashes(target, finalize->flags & BRIDGE_FRAMES);
    if (finalize->flags & BRIDGE_AT_ONCE)
        executor_tell_at_once(target->executor);
    return NULL;
}

void target_forget(struct jitscope_target *target, struct target_allocation *allocation) {
    struct target_allocation **at = &target->newest;
    while (*at && *at != allocation)
        at = &(*at)->older;
    if (*at)
        *at = allocation->older;
    target_end_parts(target, allocation);
    executor_results_destroy(&allocation->results);
    os_release(allocation->actions);
    os_release(allocation);
}

static struct jitscope_error *run_finalize_halves(struct jitscope_target *target, struct finalize *finalize) {
    target->busy = finalize->allocation;
    target->results = &finalize->results;
    target->finalizes = true;
    struct jitscope_error *error =
        executor_finalize(target->executor, finalize->actions, finalize->action_count, &finalize->results);
    target->busy = NULL;
    return error;
}

/* What went wrong, and how far it had come, is in FINALIZE. */
static void do_finalize(struct jitscope_target *target, struct finalize *finalize) {
    struct target_allocation *allocation = finalize->allocation;
    finalize->results.timed = allocation->results.timed = finalize->flags & BRIDGE_TIMED;
    finalize->step = finalize->error ? STEP_LIBRARIES : STEP_MEMORY;
    bool by_parts = finalize->flags & BRIDGE_BY_PARTS;
    if (!finalize->error)
        finalize->error = keep_actions(allocation, finalize->actions, finalize->action_count, by_parts);
    if (!finalize->error)
        finalize->error = target_open(target, allocation, finalize->contents);
    if (!finalize->error && by_parts) {
        finalize->step = STEP_DONE;
    } else if (!finalize->error) {
        struct jitscope_error *error = run_finalize_halves(target, finalize);
        finalize->step = error ? STEP_ACTIONS : STEP_DONE;
        jitscope_error_destroy(error); /* its results tell it */
        jitscope_error_destroy(target_close(target, allocation, error != NULL));
    }
    if (finalize->step == STEP_DONE) {
        allocation->older = target->newest;
        target->newest = allocation;
        if (by_parts)
            target_begin_parts(target, allocation);
    } else {
        jitscope_error_destroy(target_close(target, allocation, true));
        target_forget(target, allocation);
    }
}

void target_put_unwinders(struct jitscope_target *target, struct message *message) {
    const char *names[EXECUTOR_UNWINDERS];
    uint32_t count = executor_unwinders(target->executor, names);
    message_u32(message, count);
    for (uint32_t i = 0; i < count; i++)
        message_text(message, names[i]);
}

static struct jitscope_error *finalize(struct jitscope_target *target, struct frame *frame,
                                       struct cursor *cursor) {
    struct finalize finalize = {0};
    struct message message = {0};
    struct jitscope_error *error = take_finalize(target, frame, cursor, &finalize);
    if (error) {
        if (finalize.allocation)
            target_forget(target, finalize.allocation);
        finalize_destroy(&finalize);
        return error;
    }
    do_finalize(target, &finalize);
    message_u32(&message, finalize.step);
    message_error(&message, finalize.error);
    message_u32(&message, executor_debugger_listens());
    message_results(&message, &finalize.results);
    target_put_unwinders(target, &message);
    message_u32(&message, target->executor->debug_listing);
    if (finalize.step == STEP_DONE && finalize.flags & BRIDGE_RUN) {
        target->entry = finalize.entry;
        target->exits = finalize.flags & BRIDGE_EXIT;
    }
    finalize_destroy(&finalize);
    return answer(target, frame, MESSAGE_FINALIZED, &message);
}

/* --- deallocate */

void target_undo(struct jitscope_target *target, struct target_allocation *allocation, uint32_t first) {
    uint32_t count = allocation->left;
    allocation->left = first < count ? first : count;
    target->busy = allocation;
    target->results = &allocation->results;
    target->finalizes = false;
    jitscope_error_destroy(
        executor_deallocate(target->executor, allocation->actions, first, count, &allocation->results));
    target->busy = NULL;
}

/* They have been told; the room for those to come stays. */
static void forget_results(struct action_results *results) {
    for (uint32_t i = 0; i < results->results.count; i++) {
        os_release((char *)(uintptr_t)results->results.data[i].message);
        os_release(results->results.data[i].values);
    }
    results->results.count = 0;
}

static struct jitscope_error *deallocate(struct jitscope_target *target, struct frame *frame,
                                         struct cursor *cursor) {
    struct message message = {0};
    struct target_allocation *allocation = target_find(target, take_u32(cursor));
    uint32_t flags = take_u32(cursor), first = take_u32(cursor);
    cursor->failed |= !allocation || allocation->runs;
    TRY(cursor_end(cursor, frame->kind));
    allocation->results.timed = flags & BRIDGE_TIMED;
    target_undo(target, allocation, first);
    struct jitscope_error *error = first ? NULL : target_close(target, allocation, true);
    message_error(&message, error);
    message_u32(&message, executor_debugger_listens());
    message_results(&message, &allocation->results);
    jitscope_error_destroy(error);
    if (first)
        forget_results(&allocation->results);
    else
        target_forget(target, allocation);
    return answer(target, frame, MESSAGE_DEALLOCATED, &message);
}

/* --- thread-local storage */

static void take_wishes(struct cursor *cursor, uint32_t count, struct tls_wish *wishes) {
    for (uint32_t i = 0; i < count; i++) {
        const char *name = take_text(cursor);
        wishes[i].name = *name ? name : NULL;
        wishes[i].link = take_u32(cursor);
        uint32_t kind = take_u32(cursor);
        wishes[i].kind = (uint8_t)kind;
        wishes[i].addend = take_u64(cursor);
        cursor->failed |= kind > TLS_WORD_DESCRIPTOR;
    }
}

static void put_tls_answers(const struct jitscope_error *error, const struct tls_answer *answers,
                            uint32_t count, struct message *message) {
    count = error ? 0 : count;
    message_error(message, error);
    message_u32(message, count);
    for (uint32_t i = 0; i < count; i++) {
        message_u64(message, answers[i].words[0]);
        message_u64(message, answers[i].words[1]);
    }
}

static struct jitscope_error *open_wished(struct jitscope_target *target, struct frame *frame,
                                          struct cursor *cursor, struct tls_request *request,
                                          struct jitscope_error *failure) {
    struct message message = {0};
    struct tls_wish *wishes = os_allocate_zeroed(((size_t)request->wish_count + 1) * sizeof *wishes);
    struct tls_answer *answers = os_allocate_zeroed(((size_t)request->wish_count + 1) * sizeof *answers);
    struct jitscope_error *error = wishes && answers ? NULL : error_no_memory();
    if (!error) {
        take_wishes(cursor, request->wish_count, wishes);
        error = cursor_end(cursor, frame->kind);
    }
    if (!error) {
        request->wishes = wishes;
        struct jitscope_error *result =
            failure ? NULL : executor_open_tls(target->executor, request, answers);
        put_tls_answers(failure ? failure : result, answers, request->wish_count, &message);
        jitscope_error_destroy(result);
        error = answer(target, frame, MESSAGE_TLS_ANSWERS, &message);
    }
    os_release(wishes);
    os_release(answers);
    return error;
}

static struct jitscope_error *open_tls(struct jitscope_target *target, struct frame *frame,
                                       struct cursor *cursor) {
    struct tls_request request = {0};
    struct jitscope_error *failure;
    uint32_t failed;
    enum { LEAST_WISH = 5 + 4 + 4 + 8 };
    TRY(take_libraries(target, cursor, &failed, &failure));
    request.link = take_u32(cursor);
    request.size = take_u64(cursor);
    request.alignment = take_u64(cursor);
    struct bytes image = take_blob(cursor);
    request.image = image.data;
    request.image_size = image.size;
    request.executable_stack = take_u32(cursor) != 0;
    request.wish_count = take_count(cursor, LEAST_WISH);
    cursor->failed |= image.size > request.size || request.size > GIB ||
                      (request.alignment && !is_power_of_two(request.alignment));
    struct jitscope_error *error = open_wished(target, frame, cursor, &request, failure);
    jitscope_error_destroy(failure);
    return error;
}

static struct jitscope_error *close_tls(struct jitscope_target *target, struct frame *frame,
                                        struct cursor *cursor) {
    uint32_t link = take_u32(cursor);
    TRY(cursor_end(cursor, frame->kind));
    executor_close_tls(target->executor, link);
    return NULL;
}

/* Of another thread than the main one nobody wants to know. */
static struct jitscope_error *find_tls(struct jitscope_target *target, struct frame *frame,
                                       struct cursor *cursor) {
    struct message message = {0};
    uint32_t link = take_u32(cursor);
    uint64_t offset = take_u64(cursor);
    TRY(cursor_end(cursor, frame->kind));
    bool is_main = pthread_equal(target->server, pthread_self());
    message_u64(&message, !is_main ? 0 : executor_tls_address(target->executor, link, offset));
    return answer(target, frame, MESSAGE_TLS_PLACE, &message);
}

/* --- exports */

static struct jitscope_error *open_exports(struct jitscope_target *target, struct frame *frame,
                                           struct cursor *cursor) {
    struct message message = {0};
    uint32_t link = take_u32(cursor), count = take_count(cursor, 13);
    struct exported_symbol *symbols = os_allocate_zeroed(((size_t)count + 1) * sizeof *symbols);
    if (!symbols)
        return error_no_memory();
    for (uint32_t i = 0; i < count; i++) {
        symbols[i].name = take_text(cursor);
        symbols[i].address = take_u64(cursor);
    }
    struct jitscope_error *error = cursor_end(cursor, frame->kind);
    if (!error) {
        struct jitscope_error *result = executor_open_exports(target->executor, link, symbols, count);
        message_error(&message, result);
        jitscope_error_destroy(result);
        error = answer(target, frame, MESSAGE_EXPORTS_OPENED, &message);
    }
    os_release(symbols);
    return error;
}

static struct jitscope_error *close_exports(struct jitscope_target *target, struct frame *frame,
                                            struct cursor *cursor) {
    uint32_t link = take_u32(cursor);
    TRY(cursor_end(cursor, frame->kind));
    executor_close_exports(target->executor, link);
    return NULL;
}

/* --- the rest */

static struct jitscope_error *reserve(struct jitscope_target *target, struct frame *frame,
                                      struct cursor *cursor) {
    struct message message = {0};
    struct target_range range = {0};
    uint64_t size = take_u64(cursor);
    uint32_t low = take_u32(cursor);
    cursor->failed |= !size || size > 2 * GIB || size % CHUNK;
    TRY(cursor_end(cursor, frame->kind));
    struct jitscope_error *error = target_reserve(target, size, 256 * MIB, low != 0, &range);
    message_error(&message, error);
    message_u64(&message, range.start);
    message_u64(&message, range.size);
    jitscope_error_destroy(error);
    return answer(target, frame, MESSAGE_RESERVED, &message);
}

static struct jitscope_error *read_bytes(struct jitscope_target *target, struct frame *frame,
                                         struct cursor *cursor) {
    struct message message = {0};
    uint64_t address = take_u64(cursor);
    uint32_t size = take_u32(cursor);
    TRY(cursor_end(cursor, frame->kind));
    bool readable = size < BRIDGE_MOST && target_can_read(target, address, size);
    message_blob(&message, (const void *)(uintptr_t)address, readable ? size : 0);
    return answer(target, frame, MESSAGE_BYTES, &message);
}

static struct jitscope_error *run(struct jitscope_target *target, struct frame *frame,
                                  struct cursor *cursor) {
    uint32_t flags = take_u32(cursor);
    uint64_t address = take_u64(cursor);
    TRY(take_arguments(target, cursor));
    cursor->failed |= flags & ~(uint32_t)BRIDGE_EXIT || !address || target->main_runs;
    TRY(cursor_end(cursor, frame->kind));
    target->entry = address;
    target->exits = flags & BRIDGE_EXIT;
    return NULL;
}

static struct jitscope_error *end(struct jitscope_target *target, struct frame *frame,
                                  struct cursor *cursor) {
    const char *why = cursor->bytes.size ? take_text(cursor) : "";
    TRY(cursor_end(cursor, frame->kind));
    if (*why)
        return error_create(JITSCOPE_ERROR_EXECUTOR_GONE, "the linker has ended the connection: %s", why);
    __atomic_store_n(&target->was_ended, true, __ATOMIC_RELAXED);
    return NULL;
}

struct jitscope_error *target_handle(struct jitscope_target *target, struct frame *frame) {
    static struct jitscope_error *(*const handlers[])(struct jitscope_target *, struct frame *,
                                                      struct cursor *) = {
        [MESSAGE_LOOKUP] = look_up,
        [MESSAGE_FINALIZE] = finalize,
        [MESSAGE_RUN_HALF] = target_run_half,
        [MESSAGE_DEALLOCATE] = deallocate,
        [MESSAGE_RUN] = run,
        [MESSAGE_OPEN_TLS] = open_tls,
        [MESSAGE_CLOSE_TLS] = close_tls,
        [MESSAGE_TLS_ADDRESS] = find_tls,
        [MESSAGE_RESERVE] = reserve,
        [MESSAGE_READ] = read_bytes,
        [MESSAGE_OPEN_EXPORTS] = open_exports,
        [MESSAGE_CLOSE_EXPORTS] = close_exports,
        [MESSAGE_STORE_SLOTS] = target_store_slots,
        [MESSAGE_END] = end,
    };
    struct cursor cursor = frame_cursor(frame);
    if (frame->kind >= sizeof handlers / sizeof *handlers || !handlers[frame->kind])
        return error_create(
            JITSCOPE_ERROR_EXECUTOR_GONE, "message '%s' answers nothing",
            bridge_message_name(frame->kind)); /* GO_ON, BOUND; wire.c lets no others through */
    return handlers[frame->kind](target, frame, &cursor);
}
