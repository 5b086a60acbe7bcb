/* The executor's side of a connection: its threads, and its end. */
#define _GNU_SOURCE
#include "executor/target.h"

#include "base/os.h"
#include "base/text.h"
#include "executor/address_space.h"
#include "executor/endpoint.h"
#include "executor/executor_debug.h"
#include "executor/executor_state.h"
#include "executor/executor_unwind.h"
#include "executor/lazy_resolver.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_RANGE (1 * GIB)
enum { GRACE = 2000 /* milliseconds, from SIGHUP to SIGKILL */ };

static struct jitscope_target *the_target; /* exit(3) and fork(2) take no context */

/* --- the lock */

bool target_is_owner(struct jitscope_target *target) {
    return pthread_equal(__atomic_load_n(&target->owner, __ATOMIC_RELAXED), pthread_self());
}

void target_lock(struct jitscope_target *target) {
    pthread_mutex_lock(&target->lock);
    __atomic_store_n(&target->owner, pthread_self(), __ATOMIC_RELAXED);
}

void target_unlock(struct jitscope_target *target) {
    __atomic_store_n(&target->owner, (pthread_t)0, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&target->lock);
}

/* Of fork(2), which an initialiser may have made: it goes on in what was linked, and nobody listens to it. */
static bool is_child(const struct jitscope_target *target) {
    return target->process != os_process_id();
}

bool target_is_connected(const struct jitscope_target *target) {
    return os_leads_to(target->wire.in, &target->in) && os_leads_to(target->wire.out, &target->out);
}

struct jitscope_error *target_closed_here(void) {
    return error_create(JITSCOPE_ERROR_EXECUTOR_GONE,
                        "the program has closed the descriptor that leads to the linker");
}

struct jitscope_error *target_send(struct jitscope_target *target, enum bridge_message kind, uint64_t answers,
                                   struct message *message) {
    if (is_child(target) || !target_is_connected(target)) {
        message_destroy(message);
        return is_child(target) ? NULL : target_closed_here();
    }
    pthread_mutex_lock(&target->send_lock);
    struct jitscope_error *error = wire_send(&target->wire, kind, answers, message, -1, NULL);
    pthread_mutex_unlock(&target->send_lock);
    return error;
}

/* --- exit(3) */

/* exit(3) was called inside an action: those before it are rolled back, as if it had failed. */
static void end_interrupted(struct jitscope_target *target, struct message *message) {
    struct action_results none = {0};
    const struct action_results *results = target->results;
    uint32_t number = target->busy ? target->busy->number : 0;
    uint32_t before = number ? results->results.count : 0;
    if (number && target->finalizes)
        executor_roll_back_interrupted(target->executor);
    message_u32(message, number && target->finalizes ? number : 0);
    message_u32(message, number && target->finalizes ? before : 0);
    message_results(message, number && target->finalizes ? results : &none);
}

static void undo_all(struct jitscope_target *target, struct message *message) {
    uint32_t count = 0;
    if (target->by_parts)
        target_end_code(target);
    for (struct target_allocation *at = target->newest; at; at = at->older, count++)
        target_undo(target, at, 0);
    message_u32(message, count);
    for (struct target_allocation *at = target->newest; at; at = at->older) {
        message_u32(message, at->number);
        message_results(message, &at->results);
    }
}

/* In a child of fork(2) linked code runs on, but the connection is its parent's; and the lock may be held by
 * a thread that is not there. */
static bool is_lost(struct jitscope_target *target) {
    if (target->process == os_process_id() || target_is_owner(target))
        return false;
    if (pthread_mutex_trylock(&target->lock))
        return true;
    pthread_mutex_unlock(&target->lock);
    return false;
}

/* Comes behind the program's own atexit functions, which were registered later. */
static void end_at_exit(int status, void *context) {
    struct jitscope_target *target = context;
    struct message message = {0};
    if (target != the_target || is_lost(target))
        return;
    bool was_owner = target_is_owner(target);
    if (!was_owner)
        target_lock(target);
    target_await_links(target);
    if (!target_is_exiting(target)) {
        uint64_t half = target_half_of_thread(target);
        __atomic_store_n(&target->exiting, true, __ATOMIC_RELAXED);
        message_u32(&message, (uint32_t)status);
        end_interrupted(target, &message);
        undo_all(target, &message);
        jitscope_error_destroy(target_send(target, MESSAGE_EXITED, half, &message));
        message_destroy(&message);
    }
    if (!was_owner)
        target_unlock(target);
}

static void close_stream(struct wire *wire) {
    os_close(wire->in);
    if (wire->out != wire->in)
        os_close(wire->out);
    wire->in = wire->out = -1;
}

static void forget_connection(void) {
    if (!the_target)
        return;
    if (target_is_connected(the_target))
        close_stream(&the_target->wire);
    the_target->listens = false; /* and who did may hold these: */
    pthread_mutex_init(&the_target->queue_lock, NULL);
    pthread_mutex_init(&the_target->send_lock, NULL);
    pthread_cond_init(&the_target->changed, NULL);
}

/* --- messages */

/* While the program ends its finalisers may call what waits. */
struct jitscope_error *target_take(struct jitscope_target *target, struct frame *frame) {
    target_lock(target);
    bool counts = !target_is_exiting(target) || frame->answers;
    struct jitscope_error *error = counts ? target_handle(target, frame) : NULL;
    target_unlock(target);
    frame_destroy(frame);
    return error;
}

/* What is being handled is mostly done soon, but an initialiser may take its time. */
static bool finishes_handling(struct jitscope_target *target) {
    enum { STEP = 10 };
    bool handles = true;
    for (int waited = 0; waited < GRACE && handles; waited += STEP) {
        pthread_mutex_lock(&target->queue_lock);
        handles = target->is_handling && !target->main_runs && !target->calls;
        bool hopeless = target->main_runs || target->calls; /* for an answer */
        pthread_mutex_unlock(&target->queue_lock);
        if (hopeless)
            return false;
        if (handles)
            os_wait_readable(-1, STEP);
    }
    return !handles;
}

/* Nobody else will: the program is about to be ended. */
static void tell_user(struct jitscope_target *target) {
    struct text line = {0};
    pthread_mutex_lock(&target->queue_lock);
    if (target->failure)
        text_print(&line, "jitscope-executor: %s\n", jitscope_error_message(target->failure));
    pthread_mutex_unlock(&target->queue_lock);
    if (!line.failed && line.length)
        (void)!os_write(STDERR_FILENO, line.data, line.length);
    text_destroy(&line);
}

void target_end_connection(struct jitscope_target *target, struct jitscope_error *failure) {
    pthread_mutex_lock(&target->queue_lock);
    if (target_is_over(target) || target->failure)
        jitscope_error_destroy(failure);
    else
        target->failure = failure;
    __atomic_store_n(&target->is_over, true, __ATOMIC_RELAXED);
    bool busy = target->main_runs || target->is_handling;
    pthread_cond_broadcast(&target->changed);
    pthread_mutex_unlock(&target->queue_lock);
    if (!busy || target_is_exiting(target) || finishes_handling(target))
        return;
    tell_user(target);
    os_kill(os_process_id(), SIGHUP);
    os_wait_readable(-1, GRACE);
    if (!target_is_exiting(target))
        os_kill(os_process_id(), SIGKILL);
}

/* True: the thread that serves handles it, or nobody does any more; else the caller. */
static bool hand_over(struct jitscope_target *target, struct frame *frame) {
    pthread_mutex_lock(&target->queue_lock);
    while (target->has_frame && !target->main_runs && !target->is_in_half && !target_is_over(target))
        pthread_cond_wait(&target->changed, &target->queue_lock);
    bool theirs = target_is_over(target) || (!target->main_runs && !target->is_in_half);
    if (target_is_over(target)) {
        frame_destroy(frame);
    } else if (theirs) {
        target->frame = *frame;
        target->has_frame = true;
        target->is_in_half = frame->kind == MESSAGE_RUN_HALF;
        pthread_cond_broadcast(&target->changed);
    }
    pthread_mutex_unlock(&target->queue_lock);
    return theirs;
}

/* Gives FRAME to whom it is for, or handles it. */
static struct jitscope_error *pass_on(struct jitscope_target *target, struct frame *frame) {
    if (frame->answers && !target_give_to_call(target, frame)) {
        struct jitscope_error *error =
            error_create(JITSCOPE_ERROR_EXECUTOR_GONE, "message '%s' is about a call that nobody makes",
                         bridge_message_name(frame->kind));
        frame_destroy(frame);
        return error;
    }
    if (frame->answers || hand_over(target, frame))
        return NULL;
    return frame->kind == MESSAGE_RUN_HALF ? target_give_to_helper(target, frame)
                                           : target_take(target, frame);
}

static struct jitscope_error *receive(struct jitscope_target *target, struct frame *frame, bool *end) {
    int descriptor;
    if (!target_is_connected(target))
        return target_closed_here();
    TRY(wire_receive(&target->wire, frame, &descriptor, end));
    if (descriptor < 0)
        return NULL;
    if (target->memory_file >= 0 || frame->kind != MESSAGE_FINALIZE) {
        os_close(descriptor);
        frame_destroy(frame);
        return error_create(JITSCOPE_ERROR_EXECUTOR_GONE, "a descriptor comes with message '%s'",
                            bridge_message_name(frame->kind));
    }
    target->memory_file = os_put_aside(descriptor);
    if (!os_identify(target->memory_file, &target->memory))
        return NULL;
    frame_destroy(frame);
    return error_system("fstat", NULL);
}

/* The program goes on by itself; but who waits for an answer need not. */
static void stop_listening(struct jitscope_target *target) {
    pthread_mutex_lock(&target->queue_lock);
    __atomic_store_n(&target->is_over, true, __ATOMIC_RELAXED);
    pthread_cond_broadcast(&target->changed);
    pthread_mutex_unlock(&target->queue_lock);
}

/* The linker has said END.  Code that still runs is ended as if the linker had gone; else the thread that
 * serves comes to its end. */
static void outlive_end(struct jitscope_target *target) {
    pthread_mutex_lock(&target->queue_lock);
    bool code_runs = target->main_runs || target->is_in_half;
    pthread_mutex_unlock(&target->queue_lock);
    if (code_runs)
        target_end_connection(target, NULL);
}

static void *listen_to_linker(void *context) {
    struct jitscope_target *target = context;
    for (;;) {
        struct frame frame;
        bool end;
        struct jitscope_error *error = receive(target, &frame, &end);
        if ((error || end) && !target_is_connected(target)) {
            jitscope_error_destroy(error);
            stop_listening(target);
            return NULL;
        }
        if (!error && !end && frame.kind == MESSAGE_GO_ON) {
            int waits = 1;
            frame_destroy(&frame);
            if (__atomic_compare_exchange_n(&target->crashed, &waits, 2, false, __ATOMIC_ACQ_REL,
                                            __ATOMIC_RELAXED))
                continue;
            error = error_create(JITSCOPE_ERROR_EXECUTOR_GONE, "message 'go-on' answers nothing");
        }
        bool is_last = !error && !end && frame.kind == MESSAGE_END;
        if (!error && !end)
            error = pass_on(target, &frame);
        if (is_last && !error) {
            outlive_end(target);
            return NULL;
        }
        if (error || end) {
            target_end_connection(target, error);
            return NULL;
        }
    }
}

/* --- serving */

/* False: there is nothing more to do. */
static bool await_frame(struct jitscope_target *target, struct frame *frame) {
    pthread_mutex_lock(&target->queue_lock);
    target->is_handling = false;
    while (!target->has_frame && !target_is_over(target) && !is_child(target))
        pthread_cond_wait(&target->changed, &target->queue_lock);
    bool has_frame = target->has_frame;
    if (has_frame)
        *frame = target->frame;
    target->has_frame = false;
    target->is_handling = has_frame;
    pthread_cond_broadcast(&target->changed);
    pthread_mutex_unlock(&target->queue_lock);
    return has_frame;
}

/* Nothing waits to be handled by this thread from now on: else what waits comes first. */
static bool begin_main(struct jitscope_target *target) {
    pthread_mutex_lock(&target->queue_lock);
    target->main_runs =
        target->entry && !target->has_frame && !target_is_over(target) && !target_was_ended(target);
    pthread_cond_broadcast(&target->changed);
    pthread_mutex_unlock(&target->queue_lock);
    return target->main_runs;
}

/* The listener, who looks, and perhaps one that runs halves. */
static uint32_t own_threads(const struct jitscope_target *target) {
    return 2 + target->has_helper;
}

/* Whether no thread of the program is left: the first has ended, and all others are ours.  Where the C
 * library does not say how many it counts, /proc has to. */
static bool is_alone(const struct jitscope_target *target) {
    if (target->is_counted)
        return os_counted_threads() == own_threads(target);
    char text[1024], state;
    long threads;
    const char *behind =
        os_read_about(target->process, "stat", text, sizeof text) > 0 ? strrchr(text, ')') : NULL;
    return behind &&
           sscanf(behind, ") %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %ld", &state,
                  &threads) == 2 &&
           state == 'Z' && threads == 1 + (long)own_threads(target);
}

static void *await_last_thread(void *context) {
    enum { STEP = 20 };
    target_let_faults_come(); /* finalisers run here */
    while (!is_alone(context))
        os_wait_readable(-1, STEP);
    exit(0);
}

/* main has called pthread_exit(3).  The C library ends a process with its last thread, but the listener is
 * one more: somebody must see that the program has none. */
static void main_leaves(void *context) {
    const struct jitscope_target *target = context;
    struct os_thread unjoined;
    if (os_thread_id() == target->process)
        (void)os_start_roomy_thread(await_last_thread, context, "jitscope", &unjoined);
}

static struct jitscope_error *call_main(struct jitscope_target *target, uint64_t entry, int *status) {
    struct jitscope_error *error;
    pthread_cleanup_push(main_leaves, target);
    error = executor_run_main(target->executor, entry, status);
    pthread_cleanup_pop(0);
    return error;
}

static struct jitscope_error *run_main(struct jitscope_target *target) {
    struct message message = {0};
    uint64_t entry = target->entry;
    int status = 0;
    target->entry = 0;
    TRY(call_main(target, entry, &status));
    if (target->exits)
        exit(status);
    pthread_mutex_lock(&target->queue_lock);
    target->main_runs = false;
    pthread_mutex_unlock(&target->queue_lock);
    target_lock(target);
    message_u32(&message, (uint32_t)status);
    struct jitscope_error *error = target_send(target, MESSAGE_RETURNED, 0, &message);
    target_unlock(target);
    return error;
}

static struct jitscope_error *put_preloaded(struct executor *executor, struct message *message) {
    struct preloaded list = {0};
    struct jitscope_error *error = executor_preloaded(executor, &list);
    message_u32(message, list.paths.count);
    for (uint32_t i = 0; i < list.paths.count; i++)
        message_text(message, list.paths.data[i]);
    preloaded_destroy(&list);
    return error;
}

static struct jitscope_error *say_hello(struct jitscope_target *target) {
    const struct executor *executor = target->executor;
    struct target_range range = {0};
    struct message message = {0};
    uint32_t count = 0;
    jitscope_error_destroy(target_reserve(target, CHUNK, FIRST_RANGE, false, &range)); /* then it must ask */
    message_text(&message, BRIDGE_MAGIC);
    message_text(&message, JITSCOPE_VERSION);
    message_u32(&message, (uint32_t)target->process);
    message_u64(&message, os_page_size());
    message_u64(&message, target->near);
    message_u64(&message, lazy_resolver_address());
    message_u64(&message, range.start);
    message_u64(&message, range.size);
    for (uint32_t i = 0; i < executor->actions.count; i++)
        count += executor->actions.data[i].owned_name != NULL;
    message_u32(&message, count);
    for (uint32_t i = 0; i < executor->actions.count; i++)
        if (executor->actions.data[i].owned_name)
            message_text(&message, executor->actions.data[i].name);
    struct jitscope_error *error = put_preloaded(target->executor, &message);
    if (!error)
        return target_send(target, MESSAGE_HELLO, 0, &message);
    message_destroy(&message);
    return error;
}

static struct jitscope_error *start(struct jitscope_target *target) {
    target->server = pthread_self();
    TRY(say_hello(target));
    TRY(executor_register_action(target->executor, MAKE_STACKS_EXECUTABLE, executor_make_stacks_executable,
                                 NULL));
    uint32_t before = os_counted_threads();
    if (os_start_roomy_thread(listen_to_linker, target, "jitscope", &target->listener))
        return error_system("pthread_create", NULL);
    target->is_counted = before && os_counted_threads() == before + 1;
    target->listens = true;
    return NULL;
}

struct jitscope_error *jitscope_target_serve(struct jitscope_target *target) {
    struct frame frame;
    struct jitscope_error *error = start(target);
    if (!error)
        executor_look_ahead_for_unwinders(); /* the linker is reading its inputs */
    while (!error && !target_was_ended(target) && await_frame(target, &frame)) {
        error = target_take(target, &frame);
        if (!error && begin_main(target))
            error = run_main(target);
    }
    if (!error && !target_was_ended(target)) {
        error = target->failure;
        target->failure = NULL;
    }
    pthread_mutex_lock(&target->queue_lock);
    target->is_handling = false;
    __atomic_store_n(&target->is_over, true, __ATOMIC_RELAXED);
    pthread_cond_broadcast(&target->changed);
    pthread_mutex_unlock(&target->queue_lock);
    os_shut_down(target->wire.in);
    if (target->listens)
        os_join_thread(target->listener);
    target->listens = false;
    return error;
}

/* --- its beginning */

static struct jitscope_error *begin(struct jitscope_target *target) {
    if (os_identify(target->wire.in, &target->in) || os_identify(target->wire.out, &target->out))
        return error_system("fstat", NULL);
    TRY(executor_create(&target->executor));
    target_begin_lazy(target);
    if (os_on_exit(end_at_exit, target))
        return error_system("on_exit", NULL);
    if (os_at_fork(NULL, NULL, forget_connection))
        return error_system("pthread_atfork", NULL);
    return NULL;
}

static void destroy(struct jitscope_target *target) {
    the_target = NULL;
    close_stream(&target->wire);
    executor_destroy(target->executor);
    for (uint32_t i = 0; i < target->reserved.count; i++)
        os_release(target->reserved.data[i].taken);
    vec_destroy(&target->reserved);
    pthread_cond_destroy(&target->changed);
    pthread_cond_destroy(&target->run_ended);
    pthread_mutex_destroy(&target->send_lock);
    pthread_mutex_destroy(&target->queue_lock);
    pthread_mutex_destroy(&target->lock);
    os_release(target);
}

struct jitscope_error *jitscope_target_create_on(int in, int out, struct jitscope_target **created) {
    struct wire wire = {.in = in, .out = out, .watched = -1, .other = SENDER_LINKER};
    struct jitscope_target *target = the_target ? NULL : os_allocate_zeroed(sizeof *target);
    if (!target) {
        close_stream(&wire);
        return the_target ? error_create(JITSCOPE_ERROR_USAGE, "this process is a target already")
                          : error_no_memory();
    }
    wire.in = os_put_aside(in);
    wire.out = in == out ? wire.in : os_put_aside(out);
    target->wire = wire;
    target->process = os_process_id();
    target->memory_file = -1;
    target->near = executor_near_address();
    pthread_mutex_init(&target->lock, NULL); /* none can fail on Linux */
    pthread_mutex_init(&target->queue_lock, NULL);
    pthread_mutex_init(&target->send_lock, NULL);
    pthread_cond_init(&target->run_ended, NULL);
    pthread_cond_init(&target->changed, NULL);
    the_target = target;
    struct jitscope_error *error = begin(target);
    if (error)
        destroy(target);
    else
        *created = target;
    return error;
}

struct jitscope_error *jitscope_target_create(int fd, struct jitscope_target **target) {
    return jitscope_target_create_on(fd, fd, target);
}

struct jitscope_error *jitscope_target_listen(const char *where, const struct jitscope_listen_options *given,
                                              int *fd) {
    struct jitscope_listen_options options = {0};
    struct endpoint endpoint;
    if (given)
        memcpy(&options, given, given->size < sizeof options ? given->size : sizeof options);
    TRY(endpoint_parse(where, &endpoint));
    return endpoint_listen(&endpoint, &options, fd);
}

struct jitscope_error *jitscope_target_register_action(struct jitscope_target *target, const char *name,
                                                       jitscope_action action, void *context) {
    return executor_register_action(target->executor, name, action, context);
}
