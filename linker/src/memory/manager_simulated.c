/* manager_simulated: memory at any address of any machine, on the heap of this one.
 *
 * Addresses depend on nothing but the order and sizes of what is asked for: from the base upwards, freed
 * ranges first; but what would lie too far apart for code to reach gets one range together.  That makes links
 * for other machines, tests and replays repeatable. */
#include "base/bytes.h"
#include "executor/address_space.h"
#include "memory/managers.h"
#include "memory/range_list.h"

#include <inttypes.h>
#include <string.h>

struct simulated {
    uint64_t base;
    uint64_t page_size;
    uint64_t live; /* ranges that are in use: so many holes there can be in what is free */
    struct range_list free;
};

struct simulated_segment {
    struct range range; /* whole pages; size 0 once released */
    uint64_t size;
    uint8_t *working;
};

struct simulated_allocation {
    uint8_t *memory; /* of all segments */
    size_t count;
    struct simulated_segment segments[];
};

struct jitscope_error *memory_simulated_create(uint64_t base, uint64_t page_size, void **context) {
    uint64_t start;
    if (!is_power_of_two(page_size) || !align_up(base, page_size, &start))
        return error_create(JITSCOPE_ERROR_USAGE,
                            "simulated memory at 0x%" PRIx64 " with pages of 0x%" PRIx64 " bytes", base,
                            page_size);
    struct simulated *simulated = os_allocate_zeroed(sizeof *simulated);
    struct jitscope_error *error = simulated ? range_list_reserve(&simulated->free, 2) : error_no_memory();
    if (error) {
        os_release(simulated);
        return error;
    }
    simulated->base = start;
    simulated->page_size = page_size;
    range_list_give(&simulated->free, start, 0 - page_size - start); /* but for the last page: no overflow */
    *context = simulated;
    return NULL;
}

static void destroy(void *context) {
    struct simulated *simulated = context;
    range_list_destroy(&simulated->free);
    os_release(simulated);
}

static void give_back(struct simulated *simulated, struct simulated_segment *segment) {
    if (!segment->range.size)
        return;
    range_list_give(&simulated->free, segment->range.start, segment->range.size);
    segment->range.size = 0;
    simulated->live--;
}

static void release_allocation(struct simulated *simulated, struct simulated_allocation *allocation) {
    for (size_t i = 0; i < allocation->count; i++)
        give_back(simulated, &allocation->segments[i]);
    os_release(allocation->memory);
    os_release(allocation);
}

/* Every segment gets a page at least, so that each has an address of its own. */
static struct jitscope_error *place(struct simulated *simulated, struct jitscope_segment *view,
                                    struct simulated_segment *segment) {
    uint64_t size = segment->size ? segment->size : 1;
    TRY(range_list_reserve(&simulated->free, simulated->live + 3));
    if (!align_up(size, simulated->page_size, &size) ||
        !range_list_take(&simulated->free, size, view->alignment, &segment->range.start))
        return error_with_help(error_create(JITSCOPE_ERROR_ADDRESS_SPACE,
                                            "no room for 0x%" PRIx64 " bytes from the base 0x%" PRIx64
                                            " upwards",
                                            size, simulated->base),
                               "choose a lower base address");
    segment->range.size = size;
    simulated->live++;
    view->address = segment->range.start;
    return NULL;
}

static struct jitscope_error *allocate_working(struct simulated_allocation *allocation,
                                               struct jitscope_segment *views) {
    uint64_t total = 0;
    for (size_t i = 0; i < allocation->count; i++) {
        allocation->segments[i].size = views[i].content_size + views[i].zero_fill_size;
        if (__builtin_add_overflow(total, allocation->segments[i].size, &total))
            return error_no_memory();
    }
    allocation->memory = os_allocate_zeroed(total);
    if (!allocation->memory)
        return error_no_memory();
    uint8_t *next = allocation->memory;
    for (size_t i = 0; i < allocation->count; next += allocation->segments[i].size, i++)
        allocation->segments[i].working = views[i].working = next;
    return NULL;
}

static bool lies_near(const struct simulated_allocation *allocation) {
    uint64_t low = UINT64_MAX, high = 0;
    for (size_t i = 0; i < allocation->count; i++) {
        const struct range *range = &allocation->segments[i].range;
        low = range->start < low ? range->start : low;
        high = range->start + range->size > high ? range->start + range->size : high;
    }
    return !allocation->count || high - low <= REACH;
}

/* The size of one range for all, and what it has to be aligned to; false when there is none that code would
 * reach across. */
static bool measure_together(const struct jitscope_segment *views,
                             const struct simulated_allocation *allocation, uint64_t *size,
                             uint64_t *alignment) {
    *size = 0;
    *alignment = 1;
    for (size_t i = 0; i < allocation->count; i++) {
        if (!align_up(*size, views[i].alignment, size) ||
            __builtin_add_overflow(*size, allocation->segments[i].range.size, size) || *size > REACH)
            return false;
        *alignment = views[i].alignment > *alignment ? views[i].alignment : *alignment;
    }
    return true;
}

/* Segments that were placed one by one, far from each other, are placed side by side; where there is no room
 * for that they stay. */
static void gather(struct simulated *simulated, struct jitscope_segment *views,
                   struct simulated_allocation *allocation) {
    uint64_t size, alignment, cursor;
    if (lies_near(allocation) || !measure_together(views, allocation, &size, &alignment) ||
        !range_list_take(&simulated->free, size, alignment, &cursor))
        return;
    range_list_give(&simulated->free, cursor, size);
    for (size_t i = 0; i < allocation->count; i++) {
        struct range *range = &allocation->segments[i].range;
        range_list_give(&simulated->free, range->start, range->size);
        (void)align_up(cursor, views[i].alignment, &cursor); /* it was measured */
        range_list_take_at(&simulated->free, cursor, range->size);
        views[i].address = range->start = cursor;
        cursor += range->size;
    }
}

static struct jitscope_error *allocate(void *context, const struct jitscope_graph *graph,
                                       struct jitscope_segment *views, size_t count, void **out) {
    struct simulated *simulated = context;
    (void)graph;
    struct simulated_allocation *allocation =
        os_allocate_zeroed(sizeof *allocation + count * sizeof allocation->segments[0]);
    if (!allocation)
        return error_no_memory();
    allocation->count = count;
    struct jitscope_error *error = allocate_working(allocation, views);
    for (size_t i = 0; i < count && !error; i++)
        error = place(simulated, &views[i], &allocation->segments[i]);
    if (!error)
        gather(simulated, views, allocation);
    if (error)
        release_allocation(simulated, allocation);
    else
        *out = allocation;
    return error;
}

static struct jitscope_error *finalize(void *context, void *allocation,
                                       const struct jitscope_segment *segments, size_t count) {
    (void)context, (void)allocation, (void)segments, (void)count; /* the working memory is the memory */
    return NULL;
}

static void release(void *context, void *allocation, const struct jitscope_segment *view) {
    struct simulated_allocation *simulated = allocation;
    for (size_t i = 0; i < simulated->count; i++)
        if (simulated->segments[i].working == view->working &&
            simulated->segments[i].range.start == view->address)
            give_back(context, &simulated->segments[i]);
}

static void abandon(void *context, void *allocation) {
    release_allocation(context, allocation);
}

static struct jitscope_error *deallocate(void *context, void *allocation) {
    release_allocation(context, allocation);
    return NULL;
}

static int read_back(void *context, void *opaque, uint64_t address, void *buffer, size_t size) {
    const struct simulated_allocation *allocation = opaque;
    (void)context;
    for (size_t i = 0; i < allocation->count; i++) {
        const struct simulated_segment *segment = &allocation->segments[i];
        uint64_t offset = address - segment->range.start;
        if (!segment->range.size || address < segment->range.start ||
            !bytes_contain((struct bytes){segment->working, segment->size}, offset, size))
            continue;
        memcpy(buffer, segment->working + offset, size);
        return 1;
    }
    return 0;
}

const struct jitscope_memory_ops memory_simulated_ops = {
    .size = sizeof memory_simulated_ops,
    .name = "simulated",
    .allocate = allocate,
    .finalize = finalize,
    .release = release,
    .abandon = abandon,
    .deallocate = deallocate,
    .destroy = destroy,
    .read = read_back,
};
