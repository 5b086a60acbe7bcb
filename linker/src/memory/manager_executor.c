/* manager_executor: memory of another process, in which an executor runs (executor/executor_remote.h).
 *
 * The executor has reserved addresses; who lies where in them is decided here, without asking.  A link writes
 * into working memory, which the executor reads when the link is finalized; so finalizing only says what goes
 * where: protections, content and actions travel together (executor_transfer()), and the executor closes the
 * pages of what has failed or is deallocated by itself. */
#include "base/bytes.h"
#include "executor/executor_remote.h"
#include "memory/managers.h"
#include "memory/places.h"

struct in_executor {
    struct executor *executor;
    struct places places;
};

struct in_executor_allocation {
    size_t count;
    struct segment_there {
        struct place place;
        uint64_t offset; /* in the working memory */
    } segments[];
};

static struct jitscope_error *map(void *context, uint64_t size, bool low, struct range *range) {
    const struct in_executor *manager = context;
    return executor_reserve(manager->executor, size, low, &range->start, &range->size);
}

/* It stays reserved there: nobody else wants it. */
static void unmap(void *context, struct range range) {
    (void)context, (void)range;
}

struct jitscope_error *memory_executor_create(struct executor *executor, struct trace *trace,
                                              void **context) {
    struct in_executor *manager = os_allocate_zeroed(sizeof *manager);
    if (!manager)
        return error_no_memory();
    manager->executor = executor;
    /* Copies lie low: -fPIE code, which reaches data of libraries by 32-bit distances too, then must as well.
     */
    manager->places = (struct places){.page_size = executor_page_size(executor),
                                      .all_low = executor_holds_copies(executor),
                                      .trace = trace,
                                      .context = manager,
                                      .map = map,
                                      .unmap = unmap};
    *context = manager;
    return NULL;
}

static void destroy(void *context) {
    struct in_executor *manager = context;
    places_destroy(&manager->places);
    os_release(manager);
}

static void give_back(struct in_executor *manager, struct place *place) {
    if (!place->range.size)
        return;
    if (place->kind == KIND_EXECUTE && executor_is_watched(manager->executor) &&
        places_put_into_quarantine(&manager->places, place))
        return;
    places_give_back(&manager->places, place);
}

static void give_all_back(struct in_executor *manager, struct in_executor_allocation *allocation) {
    for (size_t i = allocation->count; i-- > 0;)
        give_back(manager, &allocation->segments[i].place);
    os_release(allocation);
}

/* Each on pages of its own, so that reading one in does not touch another. */
static struct jitscope_error *give_working_memory(struct in_executor *manager,
                                                  struct jitscope_segment *segments,
                                                  struct in_executor_allocation *allocation) {
    uint64_t total = 0;
    uint8_t *memory;
    for (size_t i = 0; i < allocation->count; i++) {
        allocation->segments[i].offset = total;
        if (__builtin_add_overflow(total, allocation->segments[i].place.range.size, &total))
            return error_create(JITSCOPE_ERROR_ADDRESS_SPACE, "a batch is larger than memory");
    }
    TRY(executor_working_memory(manager->executor, total, &memory));
    for (size_t i = 0; i < allocation->count; i++)
        segments[i].working = memory + allocation->segments[i].offset;
    return NULL;
}

static struct jitscope_error *place_all(struct in_executor *manager, const struct graph *graph,
                                        struct jitscope_segment *segments,
                                        struct in_executor_allocation *allocation) {
    for (size_t i = 0; i < allocation->count; i++) {
        TRY(places_find(&manager->places, graph, &segments[i], &allocation->segments[i].place));
        segments[i].address = allocation->segments[i].place.range.start;
    }
    return give_working_memory(manager, segments, allocation);
}

static struct jitscope_error *allocate(void *context, const struct jitscope_graph *graph,
                                       struct jitscope_segment *segments, size_t count, void **out) {
    struct in_executor *manager = context;
    struct in_executor_allocation *allocation =
        os_allocate_zeroed(sizeof *allocation + count * sizeof allocation->segments[0]);
    if (!allocation)
        return error_no_memory();
    allocation->count = count;
    places_review_quarantine(&manager->places, executor_is_watched(manager->executor), NULL);
    struct jitscope_error *error =
        place_all(manager, (const struct graph *)(const void *)graph, segments, allocation);
    if (error)
        give_all_back(manager, allocation);
    else
        *out = allocation;
    return error;
}

static struct jitscope_error *finalize(void *context, void *opaque, const struct jitscope_segment *segments,
                                       size_t count) {
    struct in_executor *manager = context;
    const struct in_executor_allocation *allocation = opaque;
    for (size_t i = 0; i < count; i++) {
        const struct segment_there *there = &allocation->segments[i];
        struct staged_segment segment = {.address = there->place.range.start,
                                         .size = there->place.range.size,
                                         .content_size = segments[i].content_size,
                                         .offset = there->offset,
                                         .prot = segments[i].prot,
                                         .lifetime = (uint32_t)segments[i].lifetime};
        if (segment.size)
            TRY(executor_stage(manager->executor, &segment));
    }
    return NULL;
}

static void release(void *context, void *opaque, const struct jitscope_segment *segment) {
    struct in_executor_allocation *allocation = opaque;
    for (size_t i = 0; i < allocation->count; i++) {
        struct place *place = &allocation->segments[i].place;
        if (place->range.size && place->range.start == segment->address &&
            segment->content_size + segment->zero_fill_size)
            give_back(context, place);
    }
}

static void abandon(void *context, void *allocation) {
    struct in_executor *manager = context;
    executor_drop_working_memory(manager->executor);
    give_all_back(manager, allocation);
}

static struct jitscope_error *deallocate(void *context, void *allocation) {
    give_all_back(context, allocation);
    return NULL;
}

static int read_there(void *context, void *allocation, uint64_t address, void *buffer, size_t size) {
    const struct in_executor *manager = context;
    (void)allocation;
    return executor_read(manager->executor, address, buffer, size);
}

const struct jitscope_memory_ops memory_executor_ops = {
    .size = sizeof memory_executor_ops,
    .name = "executor",
    .allocate = allocate,
    .finalize = finalize,
    .release = release,
    .abandon = abandon,
    .deallocate = deallocate,
    .destroy = destroy,
    .read = read_there,
};
