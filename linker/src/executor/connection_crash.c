/* A signal is about to end the executor, and who wanted to hear of it does. */
#include "executor/connection.h"
#include "executor/executor_state.h"

#include "base/os.h"

#include <signal.h>

struct stack {
    uint32_t count;
    struct jitscope_crash_frame frames[BRIDGE_MOST_FRAMES];
    char *names[BRIDGE_MOST_FRAMES]; /* copies: others may unload what they are the names of meanwhile */
};

/* What is in no library there was linked here, or is nothing. */
static void name_frame(const struct jitscope_executor_connection *connection, struct stack *stack,
                       uint32_t index) {
    struct jitscope_crash_frame *frame = &stack->frames[index];
    struct code_function function;
    if (frame->library || !code_names_find(&connection->names, frame->address - (index > 0), &function))
        return;
    stack->names[index] = executor_copy_text(function.name);
    frame->function = stack->names[index];
    frame->start = function.address;
    frame->is_linked = true;
}

static const char *take_text_if_any(struct cursor *cursor) {
    const char *text = take_text(cursor);
    return *text ? text : NULL;
}

static void take_stack(struct cursor *cursor, struct stack *stack) {
    enum { LEAST = 8 + 8 + 5 + 5 };
    stack->count = take_count(cursor, LEAST);
    cursor->failed |= stack->count > BRIDGE_MOST_FRAMES;
    for (uint32_t i = 0; i < stack->count && !cursor->failed; i++) {
        struct jitscope_crash_frame *frame = &stack->frames[i];
        frame->address = take_u64(cursor);
        frame->start = take_u64(cursor);
        frame->library = take_text_if_any(cursor);
        frame->function = take_text_if_any(cursor);
    }
}

/* It waits there, while whoever wants to looks at it here; nobody else reads meanwhile. */
static void report(struct jitscope_executor_connection *connection, int thread, uint64_t address,
                   struct stack *stack) {
    for (uint32_t i = 0; i < stack->count; i++)
        name_frame(connection, stack, i);
    connection->is_reading = true;
    pthread_mutex_unlock(&connection->lock);
    connection->crashed(connection->context, connection->process, thread, connection->deadly, address);
    if (connection->crashed_stack && !connection->process)
        connection->crashed_stack(connection->context, stack->frames, stack->count);
    pthread_mutex_lock(&connection->lock);
    connection->is_reading = false;
    for (uint32_t i = 0; i < stack->count; i++)
        os_release(stack->names[i]);
}

struct jitscope_error *connection_take_crash(struct jitscope_executor_connection *connection,
                                             const struct frame *frame) {
    struct cursor cursor = frame_cursor(frame);
    struct stack stack = {0};
    int signal = (int)take_u32(&cursor), thread = (int)take_u32(&cursor);
    uint64_t address = take_u64(&cursor);
    cursor.failed |= signal < 1 || signal >= NSIG;
    take_stack(&cursor, &stack);
    TRY(cursor_end(&cursor, frame->kind));
    connection->deadly = signal;
    report(connection, thread, address, &stack);
    connection->messages++;
    jitscope_error_destroy(wire_send(&connection->wire, MESSAGE_GO_ON, 0, NULL, -1, NULL));
    return NULL;
}
