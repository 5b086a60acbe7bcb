/* Lazy calls in an executor process, and halves of actions that are asked for one by one (bridge.h).
 *
 * A thread that calls what waits (lazy_resolver.h) sends LAZY_CALL and waits for BOUND; meanwhile it does
 * what the linker asks on its behalf: opens libraries, takes content, runs initialisers, so that all of this
 * happens on the thread that it would happen on without a linker in another process.  An initialiser may call
 * lazily again.
 *
 * While a half runs code the lock is free, for messages of other threads' calls; halves end in the reverse
 * order of their beginnings, as the linker's loans do (session_lock.c).  Where a half is asked for on
 * nobody's behalf and the thread that serves runs code itself, a thread that does nothing else runs it. */
#include "base/os.h"
#include "executor/executor_debug.h"
#include "executor/executor_state.h"
#include "executor/target.h"

/* --- runs */

static bool is_innermost(const struct jitscope_target *target) {
    return target->runs && pthread_equal(target->runs->thread, pthread_self());
}

static void wait_for_end_of_run(struct jitscope_target *target) {
    __atomic_store_n(&target->owner, (pthread_t)0, __ATOMIC_RELAXED);
    pthread_cond_wait(&target->run_ended, &target->lock);
    __atomic_store_n(&target->owner, pthread_self(), __ATOMIC_RELAXED);
}

/* Around code; struct executor_code_hooks. */
static uint32_t open_target(void *context) {
    struct jitscope_target *target = context;
    if (!is_innermost(target))
        return 0;
    target_unlock(target);
    return 1;
}

static void shut_target(void *context, uint32_t was_opened) {
    struct jitscope_target *target = context;
    if (!was_opened)
        return;
    target_lock(target);
    while (!is_innermost(target))
        wait_for_end_of_run(target);
}

static void begin_run(struct jitscope_target *target, struct target_run *run) {
    run->thread = pthread_self();
    run->outer = target->runs;
    target->runs = run;
}

static void end_run(struct jitscope_target *target, const struct target_run *run) {
    target->runs = run->outer;
    pthread_cond_broadcast(&target->run_ended);
}

uint64_t target_half_of_thread(const struct jitscope_target *target) {
    const struct target_run *run = target->runs;
    while (run && !pthread_equal(run->thread, pthread_self()))
        run = run->outer;
    return run ? run->serial : 0;
}

/* --- allocations by parts */

static bool has_more_to_run(const struct target_allocation *allocation) {
    for (uint32_t i = allocation->next; i < allocation->action_count; i++)
        if (allocation->actions[i].finalize.function)
            return true;
    return false;
}

/* Those that were finished last come first. */
static void move_to_front(struct jitscope_target *target, struct target_allocation *allocation) {
    struct target_allocation **at = &target->newest;
    while (*at != allocation)
        at = &(*at)->older;
    *at = allocation->older;
    allocation->older = target->newest;
    target->newest = allocation;
}

static void finish_if_done(struct jitscope_target *target, struct target_allocation *allocation) {
    if (has_more_to_run(allocation))
        return;
    target_end_parts(target, allocation);
    allocation->left = allocation->action_count;
    move_to_front(target, allocation);
    jitscope_error_destroy(target_close(target, allocation, false));
}

void target_begin_parts(struct jitscope_target *target, struct target_allocation *allocation) {
    target->by_parts = true;
    target->unfinished++;
    allocation->is_unfinished = true;
    finish_if_done(target, allocation);
}

void target_end_parts(struct jitscope_target *target, struct target_allocation *allocation) {
    if (!allocation->is_unfinished)
        return;
    allocation->is_unfinished = false;
    target->unfinished--;
    pthread_cond_broadcast(&target->run_ended);
}

/* --- one half */

struct asked {
    struct target_allocation *allocation;
    const struct action_call *call;
    uint32_t action, half;
    bool timed;
};

/* Each runs once, and in order: deallocate halves of what has been finalized, or of what is rolled back. */
static bool may_run(const struct asked *asked) {
    const struct target_allocation *allocation = asked->allocation;
    if (!allocation || asked->action >= allocation->action_count || asked->half > ACTION_ROLLBACK)
        return false;
    return asked->half == ACTION_FINALIZE ? allocation->is_unfinished && asked->action >= allocation->next
                                          : asked->action < allocation->left;
}

static struct jitscope_error *take_asked(struct jitscope_target *target, const struct frame *frame,
                                         struct cursor *cursor, struct asked *asked) {
    asked->allocation = target_find(target, take_u32(cursor));
    asked->action = take_u32(cursor);
    asked->half = take_u32(cursor);
    asked->timed = take_u32(cursor) & BRIDGE_TIMED;
    cursor->failed |= !may_run(asked);
    TRY(cursor_end(cursor, frame->kind));
    struct action *action = &asked->allocation->actions[asked->action];
    asked->call = asked->half == ACTION_FINALIZE ? &action->finalize : &action->deallocate;
    cursor->failed |= !asked->call->function;
    return cursor_end(cursor, frame->kind);
}

/* Whatever it comes to, exit(3) inside of it included, it does not run again. */
static void run(struct jitscope_target *target, const struct asked *asked, uint64_t serial,
                struct action_results *results) {
    struct target_allocation *allocation = asked->allocation;
    struct target_run run = {.serial = serial};
    bool finalizes = asked->half == ACTION_FINALIZE;
    allocation->left = asked->action;
    if (finalizes)
        allocation->next = asked->action + 1;
    allocation->runs++;
    begin_run(target, &run);
    executor_run_half(target->executor, asked->call, asked->action, (uint8_t)asked->half, results);
    end_run(target, &run);
    allocation->runs--;
    if (!finalizes || results->results.data[0].failed)
        return;
    allocation->left = asked->action + 1;
    finish_if_done(target, allocation);
}

/* The next one may come before this thread asks for it. */
static void leave_half(struct jitscope_target *target, const struct frame *frame) {
    if (frame->answers || !pthread_equal(target->server, pthread_self()))
        return;
    pthread_mutex_lock(&target->queue_lock);
    target->is_in_half = false;
    pthread_mutex_unlock(&target->queue_lock);
}

struct jitscope_error *target_run_half(struct jitscope_target *target, struct frame *frame,
                                       struct cursor *cursor) {
    struct asked asked = {0};
    struct action_results results = {0};
    struct message message = {0};
    TRY(take_asked(target, frame, cursor, &asked));
    results.timed = asked.timed;
    TRY(vec_reserve(&results.results, 1));
    run(target, &asked, frame->serial, &results);
    message_u32(&message, executor_debugger_listens());
    message_results(&message, &results);
    target_put_unwinders(target, &message);
    message_u32(&message, target->executor->debug_listing);
    executor_results_destroy(&results);
    leave_half(target, frame);
    return target_send(target, MESSAGE_HALF_RAN, frame->serial, &message);
}

struct jitscope_error *target_store_slots(struct jitscope_target *target, struct frame *frame,
                                          struct cursor *cursor) {
    struct message message = {0};
    uint32_t count = take_count(cursor, 16);
    for (uint32_t i = 0; i < count; i++) {
        struct slot_store store = {.slot = take_u64(cursor)};
        store.function = take_u64(cursor);
        cursor->failed |= store.slot % 8 || !target_can_write(target, store.slot, 8);
        if (!cursor->failed)
            executor_store_slots(target->executor, &store, 1);
    }
    TRY(cursor_end(cursor, frame->kind));
    return target_send(target, MESSAGE_SLOTS_STORED, frame->serial, &message);
}

/* --- calls */

static struct jitscope_error *lost(void) {
    return error_with_help(
        error_create(JITSCOPE_ERROR_USAGE,
                     "this child of fork() has no connection with the linker, which is its "
                     "parent's"),
        "call the function once before the fork");
}

/* The call is known before an answer can come. */
static struct jitscope_error *send_call(struct jitscope_target *target, uint64_t half, uint64_t slot,
                                        struct target_call *call) {
    struct message message = {0};
    message_u64(&message, slot);
    pthread_mutex_lock(&target->send_lock);
    pthread_mutex_lock(&target->queue_lock);
    call->serial = target->wire.sent + 1;
    call->next = target->calls;
    target->calls = call;
    pthread_mutex_unlock(&target->queue_lock);
    struct jitscope_error *error = wire_send(&target->wire, MESSAGE_LAZY_CALL, half, &message, -1, NULL);
    pthread_mutex_unlock(&target->send_lock);
    return error;
}

static void forget_call(struct jitscope_target *target, struct target_call *call) {
    pthread_mutex_lock(&target->queue_lock);
    struct target_call **at = &target->calls;
    while (*at != call)
        at = &(*at)->next;
    *at = call->next;
    pthread_mutex_unlock(&target->queue_lock);
    if (call->has_frame)
        frame_destroy(&call->frame);
}

bool target_give_to_call(struct jitscope_target *target, const struct frame *frame) {
    pthread_mutex_lock(&target->queue_lock);
    struct target_call *call = target->calls;
    while (call && call->serial != frame->answers)
        call = call->next;
    bool can = call && !call->has_frame;
    if (can) {
        call->frame = *frame;
        call->has_frame = true;
        pthread_cond_broadcast(&target->changed);
    }
    pthread_mutex_unlock(&target->queue_lock);
    return can;
}

/* False: nothing will come any more. */
static bool await_message(struct jitscope_target *target, struct target_call *call, struct frame *frame) {
    pthread_mutex_lock(&target->queue_lock);
    while (!call->has_frame && !target_is_over(target))
        pthread_cond_wait(&target->changed, &target->queue_lock);
    bool has_frame = call->has_frame;
    *frame = call->frame;
    call->has_frame = false;
    pthread_mutex_unlock(&target->queue_lock);
    return has_frame;
}

/* The names live as long as the process, which may be about to end. */
static struct jitscope_error *take_bound(struct frame *frame, struct lazy_outcome *outcome) {
    struct cursor cursor = frame_cursor(frame);
    outcome->function = take_u64(&cursor);
    const char *name = take_text(&cursor), *why = take_text(&cursor);
    struct jitscope_error *error = cursor_end(&cursor, frame->kind);
    if (!error && !outcome->function) {
        outcome->name = *name ? executor_copy_text(name) : NULL;
        error = error_create(JITSCOPE_ERROR_UNRESOLVED, "%s", why);
    }
    frame_destroy(frame);
    return error;
}

/* While a program runs, the listener ends it; else this thread does. */
static struct jitscope_error *outlive_linker(void) {
    enum { PATIENCE = 4000 /* milliseconds: more than from SIGHUP to SIGKILL */ };
    os_wait_readable(-1, PATIENCE);
    return error_create(JITSCOPE_ERROR_EXECUTOR_GONE, "the linker has gone");
}

static struct jitscope_error *await_bound(struct jitscope_target *target, struct target_call *call,
                                          struct lazy_outcome *outcome) {
    struct frame frame;
    while (await_message(target, call, &frame)) {
        if (frame.kind == MESSAGE_BOUND)
            return take_bound(&frame, outcome);
        struct jitscope_error *error =
            target_is_owner(target)
                ? error_create(JITSCOPE_ERROR_EXECUTOR_GONE, "message '%s' comes in the middle of another",
                               bridge_message_name(frame.kind))
                : target_take(target, &frame);
        if (error)
            target_end_connection(target, error);
    }
    return outlive_linker();
}

/* The function that the slot is for: executor_lazy_answer. */
static struct jitscope_error *ask_linker(void *context, uint64_t slot, struct lazy_outcome *outcome) {
    struct jitscope_target *target = context;
    struct target_call call = {0};
    if (target->process != os_process_id())
        return lost();
    if (!target_is_connected(target))
        return target_closed_here();
    bool is_owner = target_is_owner(target);
    if (!is_owner)
        target_lock(target);
    uint64_t half = target_half_of_thread(target);
    if (!is_owner)
        target_unlock(target);
    struct jitscope_error *error = send_call(target, half, slot, &call);
    jitscope_error_destroy(error); /* then the listener hears of it, too */
    error = await_bound(target, &call, outcome);
    forget_call(target, &call);
    return error;
}

void target_begin_lazy(struct jitscope_target *target) {
    executor_set_lazy_answer(target->executor, ask_linker, target);
    executor_set_code_hooks(target->executor, (struct executor_code_hooks){open_target, shut_target, target});
}

/* --- the helper */

/* It lives as long as the process, like the target. */
static void *help(void *context) {
    struct jitscope_target *target = context;
    target_let_faults_come();
    pthread_mutex_lock(&target->queue_lock);
    for (;;) {
        if (!target->has_half) {
            pthread_cond_wait(&target->changed, &target->queue_lock);
            continue;
        }
        struct frame frame = target->half;
        target->has_half = false;
        pthread_mutex_unlock(&target->queue_lock);
        struct jitscope_error *error = target_take(target, &frame);
        if (error)
            target_end_connection(target, error);
        pthread_mutex_lock(&target->queue_lock);
    }
    return NULL;
}

/* The linker asks for one such half at a time. */
struct jitscope_error *target_give_to_helper(struct jitscope_target *target, const struct frame *frame) {
    if (!target->has_helper && os_start_roomy_thread(help, target, "jitscope", &target->helper))
        return error_system("pthread_create", NULL);
    target->has_helper = true;
    pthread_mutex_lock(&target->queue_lock);
    bool is_free = !target->has_half;
    if (is_free) {
        target->half = *frame;
        target->has_half = true;
        pthread_cond_broadcast(&target->changed);
    }
    pthread_mutex_unlock(&target->queue_lock);
    return is_free ? NULL : error_create(JITSCOPE_ERROR_EXECUTOR_GONE, "two halves are to run on one thread");
}

/* --- exit(3) */

/* Links that other threads are making come to their end first. */
void target_await_links(struct jitscope_target *target) {
    bool here = target->process == os_process_id();
    while (here && !target_is_over(target) && !target_is_exiting(target) && !is_innermost(target) &&
           (target->runs || target->unfinished) && !target_half_of_thread(target))
        wait_for_end_of_run(target);
}

/* The first of the last halves that run code. */
static uint32_t first_of_code(const struct jitscope_target *target, const struct target_allocation *at) {
    uint32_t first = at->left;
    while (first && (!at->actions[first - 1].deallocate.function ||
                     executor_runs_code(target->executor, at->actions[first - 1].deallocate.function)))
        first--;
    return first;
}

/* What finalisers have linked lazily comes to its turn, too. */
static struct target_allocation *next_to_end(const struct jitscope_target *target) {
    struct target_allocation *at = target->newest;
    while (at && at->code_has_ended)
        at = at->older;
    return at;
}

void target_end_code(struct jitscope_target *target) {
    struct target_allocation *at;
    struct target_run run = {.serial = target_half_of_thread(target)};
    begin_run(target, &run); /* for good */
    for (at = target->newest; at; at = at->older)
        if (at->is_unfinished) {
            at->code_has_ended = true;
            target_undo(target, at, 0);
        }
    while ((at = next_to_end(target))) {
        at->code_has_ended = true;
        target_undo(target, at, first_of_code(target, at));
    }
    end_run(target, &run);
}
