/* manager_in_process: memory of this process, to be run in place.
 *
 * Code that compilers make for executables reaches data of the C library by a 32-bit distance, and so do
 * batches each other: all memory lies in one window of less than 2 GiB around the C library (another window,
 * the lowest 2 GiB, serves batches with 32-bit absolute addresses).  Address space is reserved there in big
 * pieces without access; pages get access when they are handed out.
 *
 * A reservation is divided into chunks, and each chunk in use belongs to one kind of protection.  Segments of
 * one kind lie side by side in its chunks, so that the kernel keeps them as one mapping: the number of
 * mappings (vm.max_map_count is 65530) grows with chunks, not with batches.
 *
 *     | r-x r-x r-x ... | r-- r-- r-- ... | rw- rw- ... | r-x ... |   unassigned   |
 *
 * While a debugger listens, code that was freed is not used again (up to QUARANTINE bytes): debuggers keep
 * their breakpoints written into it, take one at the same address for the same one, and would neither set it
 * in the new code nor leave the new code whole.
 *
 * Nothing is ever writable and executable: rw- in flight, the final protection at finalize, no access and no
 * content when free (see close_place for when there is access). */
#define _GNU_SOURCE
#include "base/bytes.h"
#include "executor/executor.h"
#include "graph/graph.h"
#include "memory/managers.h"
#include "memory/range_list.h"

#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

/* A signed 32-bit displacement, less what one instruction, one C library and its neighbours take. */
#define REACH (2 * GIB - 64 * MIB)
/* Pages of this size back big segments when the kernel can (transparent huge pages). */
#define CHUNK       (2 * MIB)
#define RESERVATION (256 * MIB)
#define PROBE_STEP  (16 * MIB)

/* Small segments are opened this far ahead of what is asked for: for a page or two, half of the time goes
 * into one more system call and one more walk of the kernel. */
#define AHEAD ((uint64_t)64 << 10)

#define QUARANTINE (64 * MIB)

/* Two mappings each, of the 65530 that a process has for everything. */
#define HOLES_WITHOUT_ACCESS 8192

/* The low window ends short of 2 GiB, so that the address behind the last byte is still positive. */
#define LOW_START  (16 * MIB)
#define LOW_END    (2 * GIB - CHUNK)
#define LOW_CENTER (1 * GIB)

enum kind { KIND_EXECUTE, KIND_READ, KIND_WRITE, KIND_COUNT };

struct reservation {
    struct range range;
    bool low;
    uint64_t live; /* ranges handed out */
    struct range_list unassigned;
    struct range_list free[KIND_COUNT];
    struct range ahead[KIND_COUNT]; /* free, but writable and zero already */
};

/* Where one segment lies; size 0: it has no memory (any more). */
struct place {
    struct range range;
    uint32_t reservation;
    enum kind kind;
};

struct in_process {
    uint64_t near_address;
    uint64_t page_size;
    struct trace *trace;
    VEC(struct reservation) reservations;
    VEC(struct place) quarantine; /* oldest first */
    uint64_t quarantined;         /* bytes in it */
};

struct in_process_allocation {
    size_t count;
    struct place places[];
};

struct jitscope_error *memory_in_process_create(uint64_t near_address, struct trace *trace, void **context) {
    struct in_process *process = os_allocate_zeroed(sizeof *process);
    if (!process)
        return error_no_memory();
    process->near_address = near_address;
    process->page_size = os_page_size();
    process->trace = trace;
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

static void reservation_destroy(struct reservation *reservation) {
    range_list_destroy(&reservation->unassigned);
    for (int kind = 0; kind < KIND_COUNT; kind++)
        range_list_destroy(&reservation->free[kind]);
}

static void destroy(void *context) {
    struct in_process *process = context;
    uint32_t kept = executor_debugger_listens() ? process->quarantine.count : 0;
    for (uint32_t i = 0; i < process->reservations.count; i++) {
        executor_disown_space(process->reservations.data[i].range.start);
        unmap_around(process->quarantine.data, kept, process->reservations.data[i].range);
        reservation_destroy(&process->reservations.data[i]);
    }
    vec_destroy(&process->reservations);
    vec_destroy(&process->quarantine);
    os_release(process);
}

/* --- reservations */

/* The addresses from which everything in the window can be reached. */
struct window {
    uint64_t start;
    uint64_t end;
    uint64_t center; /* reservations gather around it */
};

static struct window find_window(const struct in_process *process, bool low) {
    if (low)
        return (struct window){LOW_START, LOW_END, LOW_CENTER};
    uint64_t first = process->near_address, last = process->near_address;
    for (uint32_t i = 0; i < process->reservations.count; i++) {
        const struct reservation *reservation = &process->reservations.data[i];
        if (reservation->low)
            continue;
        uint64_t end = reservation->range.start + reservation->range.size;
        first = reservation->range.start < first ? reservation->range.start : first;
        last = end > last ? end : last;
    }
    return (struct window){last > REACH + LOW_START ? last - REACH : LOW_START, first + REACH,
                           process->near_address & ~(CHUNK - 1)};
}

static bool try_map(const struct window *window, uint64_t start, uint64_t size) {
    uint64_t end;
    if (start < window->start || __builtin_add_overflow(start, size, &end) || end > window->end)
        return false;
    void *wanted = (void *)(uintptr_t)start;
    void *mapped = os_map(wanted, size, PROT_NONE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (mapped && mapped != wanted) { /* kernels before 4.17 take the address as a hint */
        os_unmap(mapped, size);
        return false;
    }
    return mapped != NULL;
}

/* Probes downwards and upwards from the window's centre, nearest first: what else the process has mapped is
 * only known to the kernel. */
static bool map_in_window(const struct window *window, uint64_t size, uint64_t *start) {
    for (uint64_t distance = 0; distance < 2 * GIB; distance += PROBE_STEP) {
        *start = window->center - size - distance;
        if (distance + size <= window->center && try_map(window, *start, size))
            return true;
        *start = window->center + distance;
        if (try_map(window, *start, size))
            return true;
    }
    return false;
}

/* At least SIZE bytes, more when they can be had. */
static struct jitscope_error *map_reservation(const struct in_process *process, uint64_t size, bool low,
                                              struct range *range) {
    struct window window = find_window(process, low);
    uint64_t wanted = size > RESERVATION ? size : RESERVATION;
    for (;;) {
        range->size = wanted;
        if (map_in_window(&window, wanted, &range->start))
            return NULL;
        if (wanted == size)
            break;
        wanted = wanted / 2 > size ? wanted / 2 & ~(CHUNK - 1) : size;
    }
    if (low)
        return error_create(JITSCOPE_ERROR_ADDRESS_SPACE, "no 0x%" PRIx64 " bytes are free below 2 GiB",
                            size);
    return error_create(JITSCOPE_ERROR_ADDRESS_SPACE,
                        "no 0x%" PRIx64 " bytes are free within 2 GiB of 0x%" PRIx64, size,
                        process->near_address);
}

static void trace_reservation(struct in_process *process, const struct graph *graph,
                              const struct reservation *reservation) {
    static const char near_text[] = "near the C library", low_text[] = "below 2 GiB";
    uint32_t why = NO_NAME;
    if (!trace_wants(process->trace, LEVEL_PHASE))
        return;
    const char *text = reservation->low ? low_text : near_text;
    jitscope_error_destroy(string_pool_intern(graph->names, text, strlen(text), &why));
    TRACE(process->trace, reservation, .address = reservation->range.start, .size = reservation->range.size,
          .why = trace_name(process->trace, why));
}

/* The largest of what the batch puts into memory, and what that is called, are likely why. */
static struct coordinates find_largest(const struct graph *graph, uint64_t *size) {
    uint32_t largest = NO_BLOCK, name = NO_SYMBOL;
    for (uint32_t id = 0; id < graph->blocks.count; id++) {
        const struct block *block = &graph->blocks.data[id];
        if (!(block->flags & BLOCK_REMOVED) && section_in_memory(&graph->sections.data[block->section]) &&
            (largest == NO_BLOCK || block->size > graph->blocks.data[largest].size))
            largest = id;
    }
    *size = largest == NO_BLOCK ? 0 : graph->blocks.data[largest].size;
    for (uint32_t id = 0; id < graph->symbols.count && largest != NO_BLOCK; id++) {
        const struct symbol *symbol = &graph->symbols.data[id];
        if (symbol->block == largest && (name == NO_SYMBOL || symbol->size > graph->symbols.data[name].size))
            name = id;
    }
    return largest == NO_BLOCK
               ? NOWHERE
               : graph_coordinates(graph, largest, name == NO_SYMBOL ? 0 : graph->symbols.data[name].value,
                                   name);
}

static struct jitscope_error *too_large(const struct graph *graph, uint64_t size) {
    uint64_t part;
    struct coordinates where = find_largest(graph, &part);
    return error_with_help(error_at(JITSCOPE_ERROR_ADDRESS_SPACE, &where,
                                    "the largest part, 0x%" PRIx64
                                    " bytes, of a batch with a segment of 0x%" PRIx64
                                    " bytes, which cannot be reached from everywhere in the batch",
                                    part, size),
                           "link less at once, or have large arrays allocated when the program runs");
}

/* A new reservation in which SIZE bytes at a multiple of ALIGNMENT fit. */
static struct jitscope_error *reserve(struct in_process *process, const struct graph *graph, uint64_t size,
                                      uint64_t alignment) {
    struct reservation reservation = {.low = graph->wants_low_memory};
    uint64_t needed = size;
    if ((alignment > CHUNK && __builtin_add_overflow(needed, alignment, &needed)) ||
        !align_up(needed, CHUNK, &needed) || needed > REACH)
        return too_large(graph, size);
    TRY(vec_reserve(&process->reservations, 1));
    TRY(map_reservation(process, needed, reservation.low, &reservation.range));
    struct jitscope_error *error =
        range_list_reserve(&reservation.unassigned, reservation.range.size / CHUNK + 2);
    if (error) {
        unmap_around(NULL, 0, reservation.range);
        reservation_destroy(&reservation);
        return error;
    }
    os_advise((void *)(uintptr_t)reservation.range.start, reservation.range.size, MADV_HUGEPAGE);
    range_list_give(&reservation.unassigned, reservation.range.start, reservation.range.size);
    vec_put(&process->reservations, reservation);
    executor_own_space(reservation.range.start, reservation.range.size);
    trace_reservation(process, graph, &reservation);
    return NULL;
}

/* --- places */

static enum kind kind_of(uint32_t prot) {
    return prot & PROTECT_EXECUTE ? KIND_EXECUTE : prot & PROTECT_WRITE ? KIND_WRITE : KIND_READ;
}

/* What is free lies between what is live and at the ends of runs of chunks: so much room is always enough. */
static struct jitscope_error *reserve_lists(struct reservation *reservation) {
    uint64_t most = reservation->live + reservation->range.size / CHUNK + 3;
    for (int kind = 0; kind < KIND_COUNT; kind++)
        TRY(range_list_reserve(&reservation->free[kind], most));
    return NULL;
}

/* First in the chunks that the kind has, then in new ones. */
static bool take(struct reservation *reservation, enum kind kind, uint64_t size, uint64_t alignment,
                 uint64_t *start) {
    uint64_t chunks, chunk_alignment = alignment > CHUNK ? alignment : CHUNK;
    if (range_list_take(&reservation->free[kind], size, alignment, start))
        return true;
    if (!align_up(size, CHUNK, &chunks) ||
        !range_list_take(&reservation->unassigned, chunks, chunk_alignment, start))
        return false;
    range_list_give(&reservation->free[kind], *start, chunks);
    range_list_take_at(&reservation->free[kind], *start, size);
    return true;
}

/* [start, end) goes its own ways from now on. */
static void forget_ahead(struct range *ahead, uint64_t start, uint64_t end) {
    if (ahead->start < end && ahead->start + ahead->size > start)
        ahead->size = 0;
}

static void give_back(struct reservation *reservation, struct place *place) {
    struct range_list *list = &reservation->free[place->kind];
    range_list_give(list, place->range.start, place->range.size);
    place->range.size = 0;
    reservation->live--;
    struct range around = range_list_around(list, place->range.start);
    uint64_t first = (around.start + CHUNK - 1) & ~(CHUNK - 1);
    uint64_t end = (around.start + around.size) & ~(CHUNK - 1);
    if (first >= end)
        return;
    range_list_take_at(list, first, end - first); /* whole chunks can serve any kind again */
    range_list_give(&reservation->unassigned, first, end - first);
    forget_ahead(&reservation->ahead[place->kind], first, end);
}

static struct jitscope_error *find_place(struct in_process *process, const struct graph *graph,
                                         const struct jitscope_segment *segment, struct place *place) {
    uint64_t size = segment->content_size + segment->zero_fill_size;
    if (!align_up(size, process->page_size, &size))
        return error_create(JITSCOPE_ERROR_ADDRESS_SPACE, "a segment is larger than memory");
    for (uint32_t i = 0;; i++) {
        if (i == process->reservations.count)
            TRY(reserve(process, graph, size, segment->alignment));
        struct reservation *reservation = &process->reservations.data[i];
        if (reservation->low != graph->wants_low_memory)
            continue;
        place->reservation = i;
        if (!size) /* symbols at its start want an address, nothing is there */
            return align_up(reservation->range.start, segment->alignment, &place->range.start)
                       ? NULL
                       : error_create(JITSCOPE_ERROR_ADDRESS_SPACE, "an alignment is larger than memory");
        TRY(reserve_lists(reservation));
        if (!take(reservation, place->kind, size, segment->alignment, &place->range.start))
            continue;
        place->range.size = size;
        reservation->live++;
        return NULL;
    }
}

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
    uint64_t wanted = (reservation->live - 1) / KIND_COUNT * process->page_size;
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
    struct reservation *reservation = &process->reservations.data[place->reservation];
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
    } else if (align_up(content_size, process->page_size, &pages) && pages) {
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

static uint64_t count_holes(const struct in_process *process) {
    uint64_t holes = 0;
    for (uint32_t i = 0; i < process->reservations.count; i++)
        for (int kind = 0; kind < KIND_COUNT; kind++)
            holes += process->reservations.data[i].free[kind].ranges.count;
    return holes;
}

static bool put_into_quarantine(struct in_process *process, struct place *place) {
    struct jitscope_error *error = vec_push(&process->quarantine, *place);
    if (error) {
        jitscope_error_destroy(error);
        return false;
    }
    process->quarantined += place->range.size;
    place->range.size = 0;
    return true;
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
    if (count_holes(process) < HOLES_WITHOUT_ACCESS)
        (void)os_protect(start, size, PROT_NONE);
    if (place->kind == KIND_EXECUTE && executor_debugger_listens() && put_into_quarantine(process, place))
        return NULL;
    give_back(&process->reservations.data[place->reservation], place);
    return NULL;
}

/* What a debugger wrote into it meanwhile goes too. */
static void end_quarantine(struct in_process *process, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        struct place *place = &process->quarantine.data[i];
        process->quarantined -= place->range.size;
        if (drop_content((void *)(uintptr_t)place->range.start, place->range.size))
            give_back(&process->reservations.data[place->reservation], place);
    }
    process->quarantine.count -= count;
    memmove(process->quarantine.data, process->quarantine.data + count,
            process->quarantine.count * sizeof *process->quarantine.data);
}

/* When nobody listens any more, or there is too much of it. */
static void review_quarantine(struct in_process *process) {
    if (process->quarantine.count && !executor_debugger_listens())
        end_quarantine(process, process->quarantine.count);
    else if (process->quarantined > QUARANTINE)
        end_quarantine(process, process->quarantine.count / 2 + 1);
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
        allocation->places[i].kind = kind_of(segments[i].prot);
        TRY(find_place(process, graph, &segments[i], &allocation->places[i]));
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
    review_quarantine(context);
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
