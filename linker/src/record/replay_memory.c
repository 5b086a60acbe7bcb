/* The memory manager of replays: segments go where the recording says that they went.  Their bytes are on the
 * heap, whatever the addresses are, and stay readable until the session gives them back. */
#include "record/replay_state.h"

#include "graph/graph.h"

#include <string.h>

struct replayed_segment {
    uint64_t address;
    uint64_t size;
    uint8_t *working;
};

struct replayed_allocation {
    struct replayed_allocation *next;
    uint8_t *memory;           /* of all segments */
    const struct graph *graph; /* until it is finalized or abandoned */
    size_t count;
    struct replayed_segment segments[];
};

static void release_allocation(struct replay *replay, struct replayed_allocation *allocation) {
    struct replayed_allocation *at = replay->allocations, *before = NULL;
    if (replay->allocation == allocation)
        replay->allocation = NULL;
    for (; at && at != allocation; at = at->next)
        before = at;
    if (before && at)
        before->next = at->next;
    else if (at)
        replay->allocations = at->next;
    os_release(allocation->memory);
    os_release(allocation);
}

static struct jitscope_error *create_allocation(struct replay *replay, const struct jitscope_segment *views,
                                                size_t count, struct replayed_allocation **out) {
    uint64_t total = 0;
    struct replayed_allocation *allocation =
        os_allocate_zeroed(sizeof *allocation + count * sizeof allocation->segments[0]);
    if (!allocation)
        return error_no_memory();
    allocation->count = count;
    for (size_t i = 0; i < count; i++) {
        allocation->segments[i].size = views[i].content_size + views[i].zero_fill_size;
        if (__builtin_add_overflow(total, allocation->segments[i].size, &total))
            total = UINT64_MAX; /* more than there can be: refused below */
    }
    allocation->memory = os_allocate_zeroed(total);
    if (!allocation->memory) {
        release_allocation(replay, allocation);
        return error_no_memory();
    }
    for (size_t i = 0, at = 0; i < count; at += allocation->segments[i].size, i++)
        allocation->segments[i].working = allocation->memory + at;
    allocation->next = replay->allocations;
    replay->allocations = allocation;
    *out = allocation;
    return NULL;
}

/* The original manager told of address space that it reserved on the way. */
static void tell_reservations(struct replay *replay, const struct graph *graph) {
    struct event_cursor at = replay->cursor;
    struct event_view view;
    while (recorded_next(&replay->recorded, &at, &view) && view.type->id == EVENT_ID_reservation) {
        const struct event_reservation event = decode_event(&replay->recorded.decoder, &view)->reservation;
        struct recorded_string why = recording_string(replay->recorded.file, event.why.id);
        uint32_t name = NO_NAME;
        jitscope_error_destroy(string_pool_intern(graph->names, why.bytes, why.length, &name));
        TRACE(graph->trace, reservation, .address = event.address, .size = event.size,
              .why = trace_name(graph->trace, name));
    }
}

static struct jitscope_error *place(struct replay *replay, struct answer *answer,
                                    struct jitscope_segment *views, size_t count) {
    struct event_view view;
    for (size_t i = 0; i < count; i++) {
        if (!replay_next(replay, &answer->behind, &view) || view.type->id != EVENT_ID_answer_place)
            return replay_no_answer(replay, "where the segments were placed");
        views[i].address = decode_event(&replay->recorded.decoder, &view)->answer_place.address;
    }
    return NULL;
}

static struct jitscope_error *find_answer(struct replay *replay, uint32_t state, struct answer *answer) {
    if (!replay_find(replay, EVENT_ID_answer_memory, answer))
        return replay_no_answer(replay, "what the memory manager did");
    const struct event_answer_memory memory =
        decode_event(&replay->recorded.decoder, &answer->view)->answer_memory;
    if (memory.state != state)
        return replay_no_answer(replay, "what the memory manager did");
    return memory.outcome == OUTCOME_OK ? NULL : replay_failure(replay, answer);
}

static struct jitscope_error *allocate(void *context, const struct jitscope_graph *handle,
                                       struct jitscope_segment *views, size_t count, void **out) {
    struct replay *replay = context;
    struct answer answer;
    struct replayed_allocation *allocation;
    tell_reservations(replay, (const struct graph *)(const void *)handle);
    TRY(find_answer(replay, MEMORY_STATE_IN_FLIGHT, &answer));
    TRY(place(replay, &answer, views, count));
    TRY(create_allocation(replay, views, count, &allocation));
    for (size_t i = 0; i < count; i++) {
        allocation->segments[i].address = views[i].address;
        views[i].working = allocation->segments[i].working;
    }
    allocation->graph = (const struct graph *)(const void *)handle;
    *out = replay->allocation = allocation;
    return NULL;
}

static struct jitscope_error *finalize(void *context, void *opaque, const struct jitscope_segment *segments,
                                       size_t count) {
    struct replay *replay = context;
    const struct replayed_allocation *allocation = opaque;
    const struct replay_watcher *watcher = replay->options.watcher;
    struct answer answer;
    TRY(find_answer(replay, MEMORY_STATE_FINALIZED, &answer));
    if (watcher && watcher->memory && !replay->diverged)
        watcher->memory(watcher->context, replay->session->trace.link, segments, count,
                        allocation->graph->actions.data, allocation->graph->actions.count);
    return NULL;
}

static void abandon(void *context, void *allocation) {
    release_allocation(context, allocation);
}

static struct jitscope_error *deallocate(void *context, void *allocation) {
    struct replay *replay = context;
    struct answer answer;
    release_allocation(replay, allocation);
    /* After a divergence, or the end of the recording, nobody is asked what they did. */
    return replay->diverged || replay->ended ? NULL : find_answer(replay, MEMORY_STATE_DEALLOCATED, &answer);
}

static int read_back(void *context, void *opaque, uint64_t address, void *buffer, size_t size) {
    const struct replayed_allocation *allocation = opaque;
    (void)context;
    for (size_t i = 0; i < allocation->count; i++) {
        const struct replayed_segment *segment = &allocation->segments[i];
        if (address < segment->address ||
            !bytes_contain((struct bytes){segment->working, segment->size}, address - segment->address, size))
            continue;
        memcpy(buffer, segment->working + (address - segment->address), size);
        return 1;
    }
    return 0;
}

void replay_write_slot(struct replay *replay, uint64_t address, uint64_t value) {
    for (struct replayed_allocation *allocation = replay->allocations; allocation;
         allocation = allocation->next)
        for (size_t i = 0; i < allocation->count; i++) {
            const struct replayed_segment *segment = &allocation->segments[i];
            if (address >= segment->address &&
                bytes_contain((struct bytes){segment->working, segment->size}, address - segment->address, 8))
                store_u64(segment->working + (address - segment->address), value);
        }
}

/* What was there is not known: nothing of it can be read. */
struct jitscope_error *replay_restore_memory(struct replay *replay, void **allocation) {
    struct replayed_allocation *restored;
    TRY(create_allocation(replay, NULL, 0, &restored));
    *allocation = restored;
    return NULL;
}

bool replay_read_memory(struct replay *replay, uint64_t address, void *buffer, size_t size) {
    return replay->allocation && read_back(replay, replay->allocation, address, buffer, size);
}

void replay_give_memory(struct replay *replay, struct session_replay *setting) {
    replay->memory_ops = (struct jitscope_memory_ops){.size = sizeof replay->memory_ops,
                                                      .name = replay->manager_name,
                                                      .allocate = allocate,
                                                      .finalize = finalize,
                                                      .abandon = abandon,
                                                      .deallocate = deallocate,
                                                      .read = read_back};
    setting->memory = &replay->memory_ops;
    setting->memory_context = replay;
}
