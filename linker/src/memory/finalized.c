#include "memory/finalized.h"

#include "trace/answers.h"

#include <string.h>

static size_t call_bytes(const struct action_call *call) {
    return call->function ? strlen(call->function) + 1 + call->size : 0;
}

static uint8_t *copy_call(struct action_call *to, const struct action_call *from, uint8_t *bytes) {
    *to = (struct action_call){NULL, NULL, 0};
    if (!from->function)
        return bytes;
    size_t name = strlen(from->function) + 1;
    memcpy(bytes, from->function, name);
    if (from->size)
        memcpy(bytes + name, from->arguments, from->size);
    *to = (struct action_call){(const char *)bytes, bytes + name, from->size};
    return bytes + name + from->size;
}

struct jitscope_error *finalized_create(uint32_t segments, const struct action *actions, uint32_t count,
                                        struct finalized **out) {
    size_t bytes = 0, size = sizeof(struct finalized) + segments * sizeof(struct jitscope_segment);
    for (uint32_t i = 0; i < count; i++)
        bytes += call_bytes(&actions[i].deallocate);
    struct finalized *finalized = os_allocate_zeroed(size + count * sizeof(struct action) + bytes);
    if (!finalized)
        return error_no_memory();
    finalized->actions = (struct action *)(void *)((uint8_t *)finalized + size);
    finalized->action_count = count;
    uint8_t *next = (uint8_t *)(finalized->actions + count);
    for (uint32_t i = 0; i < count; i++)
        next = copy_call(&finalized->actions[i].deallocate, &actions[i].deallocate, next);
    struct jitscope_error *error = vec_reserve(&finalized->results.results, count);
    if (error)
        os_release(finalized);
    else
        *out = finalized;
    return error;
}

void finalized_destroy(struct finalized *finalized) {
    executor_results_destroy(&finalized->results);
    os_release(finalized);
}

/* --- recordings that begin in the middle */

uint32_t memory_allocation_number(const struct memory *memory, uint64_t handle) {
    const struct finalized *finalized = numbered_find(&memory->finalized, (uint32_t)handle);
    return finalized->number;
}

static void tell_action(const struct memory *memory, struct string_pool *names, uint32_t number,
                        const struct action_call *call) {
    uint32_t content = trace_content(memory->trace, (struct bytes){call->arguments, call->size});
    TRACE_ANSWER(memory->trace, state_action, .action = number,
                 .deallocate = trace_text(memory->trace, names, call->function), .arguments = content);
}

void memory_tell_state(const struct memory *memory, struct string_pool *names, uint64_t handle) {
    const struct finalized *finalized = numbered_find(&memory->finalized, (uint32_t)handle);
    for (uint32_t i = 0; i < finalized->segment_count; i++) {
        const struct jitscope_segment *segment = &finalized->segments[i];
        TRACE_ANSWER(memory->trace, state_segment, .segment = i, .prot = segment->prot,
                     .lifetime = (uint32_t)segment->lifetime, .address = segment->address,
                     .content_size = segment->content_size, .zero_fill_size = segment->zero_fill_size,
                     .alignment = segment->alignment);
    }
    for (uint32_t i = 0; i < finalized->action_count; i++)
        tell_action(memory, names, i, &finalized->actions[i].deallocate);
}

struct jitscope_error *memory_restore(struct memory *memory, struct string_pool *names,
                                      const struct memory_state *state, uint64_t *handle) {
    struct finalized *finalized;
    TRY(numbered_reserve(&memory->finalized));
    TRY(finalized_create(state->segment_count, state->actions, state->action_count, &finalized));
    if (state->segment_count)
        memcpy(finalized->segments, state->segments, state->segment_count * sizeof *state->segments);
    finalized->segment_count = state->segment_count;
    finalized->number = state->number;
    finalized->allocation = state->allocation;
    finalized->names = names;
    finalized->results.timed = trace_wants(memory->trace, LEVEL_BLOCK);
    *handle = numbered_add(&memory->finalized, finalized);
    memory_tell_state(memory, names, *handle);
    return NULL;
}
