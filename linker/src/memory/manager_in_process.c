/* manager_in_process: memory of this process, to be run in place.
 *
 * Address space is reserved in big pieces without access, near the C library or below 2 GiB
 * (executor/address_space.h); places.h says who lies where in it; pages get access when they are handed out.
 *
 * Nothing is ever writable and executable: rw- in flight, the final protection at finalize, no access and no
 * content when free (see close_place for when there is access). */
#define _GNU_SOURCE
#include "base/bytes.h"
#include "executor/address_space.h"
#include "executor/executor.h"
#include "memory/managers.h"
#include "memory/places.h"

#include <string.h>
#include <sys/mman.h>

#define RESERVATION (256 * MIB)

/* Small segments are opened this far ahead of what is asked for: for a page or two, half of the time goes
 * into one more system call and one more walk of the kernel. */
#define AHEAD ((uint64_t)64 << 10)

/* Two mappings each, of the 65530 that a process has for everything. */
#define HOLES_WITHOUT_ACCESS 8192

struct in_process {
    uint64_t near_address;
    struct places places;
};

struct in_process_allocation {
    size_t count;
    struct place places[];
};

/* --- reservations */

static struct jitscope_error *map(void *context, uint64_t size, bool low, struct range *range) {
    const struct in_process *process = context;
    struct neighbourhood around = places_neighbourhood(&process->places, low, process->near_address);
    TRY(address_space_reserve(&around, size, RESERVATION, &range->start, &range->size));
    os_advise((void *)(uintptr_t)range->start, range->size, MADV_HUGEPAGE);
    executor_own_space(range->start, range->size);
    return NULL;
}

static void unmap(void *context, struct range range) {
    (void)context;
    executor_disown_space(range.start);
    os_unmap((void *)(uintptr_t)range.start, range.size);
}

struct jitscope_error *memory_in_process_create(uint64_t near_address, struct trace *trace, void **context) {
    struct in_process *process = os_allocate_zeroed(sizeof *process);
    if (!process)
        return error_no_memory();
    process->near_address = near_address;
    process->places = (struct places){
        .page_size = os_page_size(), .trace = trace, .context = process, .map = map, .unmap = unmap};
    *context = process;
    return NULL;
}

/* What is in quarantine stays mapped, without access: a debugger that cannot write there any more would
 * refuse to let the process go on. */
static void unmap_around(const struct place *quarantine, uint32_t count, struct range range) {
    uint64_t end = range.start + range.size;
    for (uint64_t at = range.start, after; at < end; at = after) {
        uint64_t next = after = end;
        for (uint32_t i = 0; i < count; i++) {
            const struct range *kept = &quarantine[i].range;
            if (kept->start >= at && kept->start < next) {
                next = kept->start;
                after = kept->start + kept->size;
            }
        }
        if (next > at)
            os_unmap((void *)(uintptr_t)at, next - at);
    }
}

static void destroy(void *context) {
    struct in_process *process = context;
    struct places *places = &process->places;
    uint32_t kept = executor_debugger_listens() ? places->quarantine.count : 0;
    for (uint32_t i = 0; i < places->reservations.count; i++) {
        executor_disown_space(places->reservations.data[i].range.start);
        unmap_around(places->quarantine.data, kept, places->reservations.data[i].range);
    }
    places_destroy(places);
    os_release(process);
}

/* --- access */

/* Pages written at once are had in one call instead of one fault each.  Kernels before 5.14 fault. */
static void populate(uint64_t start, uint64_t size) {
#ifdef MADV_POPULATE_WRITE
    os_advise((void *)(uintptr_t)start, size, MADV_POPULATE_WRITE);
#else
    (void)start, (void)size;
#endif
}

/* How much to open behind END: nothing for the first batch and for big ones, more the more there are. */
static uint64_t choose_ahead(const struct in_process *process, const struct reservation *reservation,
                             const struct place *place, uint64_t end) {
    uint64_t wanted = (reservation->live - 1) / KIND_COUNT * process->places.page_size;
    struct range around = range_list_around(&reservation->free[place->kind], end);
    if (place->range.size > AHEAD || !around.size)
        return 0;
    uint64_t most = around.start + around.size - end;
    wanted = wanted < AHEAD ? wanted : AHEAD;
    return wanted < most ? wanted : most;
}

/* Makes the place writable; with CONTENT_SIZE bytes of it about to be written. */
static struct jitscope_error *open_place(struct in_process *process, const struct place *place,
                                         uint64_t content_size) {
    struct reservation *reservation = &process->places.reservations.data[place->reservation];
    struct range *ahead = &reservation->ahead[place->kind];
    uint64_t start = place->range.start, end = start + place->range.size, pages;
    if (start >= ahead->start && start - ahead->start <= ahead->size &&
        place->range.size <= ahead->size - (start - ahead->start)) {
        *ahead = (struct range){end, ahead->start + ahead->size - end};
        return NULL;
    }
    forget_ahead(ahead, start, end);
    uint64_t more = choose_ahead(process, reservation, place, end);
    if (os_protect((void *)(uintptr_t)start, place->range.size + more, PROT_READ | PROT_WRITE))
        return error_system("mprotect", NULL);
    if (more) {
        populate(start, place->range.size + more);
        *ahead = (struct range){end, more};
    } else if (align_up(content_size, process->places.page_size, &pages) && pages) {
        populate(start, pages);
    }
    return NULL;
}

/* DONTNEED is refused for locked memory (mlockall): then the bytes are overwritten. */
static bool drop_content(void *start, uint64_t size) {
    if (!os_discard(start, size))
        return true;
    if (os_protect(start, size, PROT_READ | PROT_WRITE))
        return false;
    memset(start, 0, size);
    return true;
}

/* What a debugger wrote into it meanwhile goes too. */
static bool empty(const struct place *place) {
    return drop_content((void *)(uintptr_t)place->range.start, place->range.size);
}

/* Drops content and access.  A hole without access divides a mapping: when there are very many holes, or the
 * kernel has no more mappings, an empty range keeps its access until it is used again.  A range that cannot
 * even be emptied is lost. */
static struct jitscope_error *close_place(struct in_process *process, struct place *place) {
    void *start = (void *)(uintptr_t)place->range.start;
    uint64_t size = place->range.size;
    if (!size)
        return NULL;
    if (!drop_content(start, size)) {
        place->range.size = 0;
        return error_system("madvise", NULL);
    }
    if (places_count_holes(&process->places) < HOLES_WITHOUT_ACCESS)
        (void)os_protect(start, size, PROT_NONE);
    if (place->kind == KIND_EXECUTE && executor_debugger_listens() &&
        places_put_into_quarantine(&process->places, place))
        return NULL;
    places_give_back(&process->places, place);
    return NULL;
}

/* Last first; the first failure is the error. */
static struct jitscope_error *close_all(struct in_process *process,
                                        struct in_process_allocation *allocation) {
    struct jitscope_error *first = NULL;
    for (size_t i = allocation->count; i-- > 0;) {
        struct jitscope_error *error = close_place(process, &allocation->places[i]);
        if (first)
            jitscope_error_destroy(error);
        else
            first = error;
    }
    os_release(allocation);
    return first;
}

/* --- the protocol */

static struct jitscope_error *place_all(struct in_process *process, const struct graph *graph,
                                        struct jitscope_segment *segments,
                                        struct in_process_allocation *allocation) {
    for (size_t i = 0; i < allocation->count; i++) {
        TRY(places_find(&process->places, graph, &segments[i], &allocation->places[i]));
        segments[i].address = allocation->places[i].range.start;
        segments[i].working = (uint8_t *)(uintptr_t)segments[i].address;
        if (allocation->places[i].range.size)
            TRY(open_place(process, &allocation->places[i], segments[i].content_size));
    }
    return NULL;
}

static struct jitscope_error *allocate(void *context, const struct jitscope_graph *graph,
                                       struct jitscope_segment *segments, size_t count, void **out) {
    struct in_process_allocation *allocation =
        os_allocate_zeroed(sizeof *allocation + count * sizeof allocation->places[0]);
    if (!allocation)
        return error_no_memory();
    allocation->count = count;
    struct in_process *process = context;
    places_review_quarantine(&process->places, executor_debugger_listens(), empty);
    struct jitscope_error *error =
        place_all(context, (const struct graph *)(const void *)graph, segments, allocation);
    if (error)
        jitscope_error_destroy(close_all(context, allocation));
    else
        *out = allocation;
    return error;
}

static struct jitscope_error *finalize(void *context, void *opaque, const struct jitscope_segment *segments,
                                       size_t count) {
    const struct in_process_allocation *allocation = opaque;
    (void)context;
    for (size_t i = 0; i < count; i++) {
        char *start = (char *)(uintptr_t)segments[i].address;
        uint64_t size = allocation->places[i].range.size;
        if (!size)
            continue;
        if (segments[i].prot & PROTECT_EXECUTE) /* caches of instructions that do not watch writes */
            __builtin___clear_cache(start, start + segments[i].content_size);
        if (segments[i].prot != (PROTECT_READ | PROTECT_WRITE) &&
            os_protect(start, size, (int)segments[i].prot))
            return error_system("mprotect", NULL);
    }
    return NULL;
}

static void release(void *context, void *opaque, const struct jitscope_segment *segment) {
    struct in_process_allocation *allocation = opaque;
    for (size_t i = 0; i < allocation->count; i++)
        if (allocation->places[i].range.size && allocation->places[i].range.start == segment->address &&
            segment->content_size + segment->zero_fill_size)
            jitscope_error_destroy(close_place(context, &allocation->places[i]));
}

static void abandon(void *context, void *allocation) {
    jitscope_error_destroy(close_all(context, allocation));
}

static struct jitscope_error *deallocate(void *context, void *allocation) {
    return close_all(context, allocation);
}

const struct jitscope_memory_ops memory_in_process_ops = {
    .size = sizeof memory_in_process_ops,
    .name = "in-process",
    .allocate = allocate,
    .finalize = finalize,
    .release = release,
    .abandon = abandon,
    .deallocate = deallocate,
    .destroy = destroy,
};
