#include "memory/places.h"

#include "base/bytes.h"
#include "executor/address_space.h"

#include <inttypes.h>
#include <string.h>

#define QUARANTINE (64 * MIB)

static void reservation_destroy(struct reservation *reservation) {
    range_list_destroy(&reservation->unassigned);
    for (int kind = 0; kind < KIND_COUNT; kind++)
        range_list_destroy(&reservation->free[kind]);
}

void places_destroy(struct places *places) {
    for (uint32_t i = 0; i < places->reservations.count; i++)
        reservation_destroy(&places->reservations.data[i]);
    vec_destroy(&places->reservations);
    vec_destroy(&places->quarantine);
}

/* --- reservations */

struct neighbourhood places_neighbourhood(const struct places *places, bool low, uint64_t near) {
    struct neighbourhood around = {.low = low, .near = near, .first = near, .last = near};
    for (uint32_t i = 0; i < places->reservations.count; i++) {
        const struct reservation *reservation = &places->reservations.data[i];
        if (reservation->low)
            continue;
        uint64_t end = reservation->range.start + reservation->range.size;
        around.first = reservation->range.start < around.first ? reservation->range.start : around.first;
        around.last = end > around.last ? end : around.last;
    }
    return around;
}

static void trace_reservation(struct places *places, const struct graph *graph,
                              const struct reservation *reservation) {
    static const char near_text[] = "near the C library", low_text[] = "below 2 GiB";
    uint32_t why = NO_NAME;
    if (!trace_wants(places->trace, LEVEL_PHASE))
        return;
    const char *text = reservation->low ? low_text : near_text;
    jitscope_error_destroy(string_pool_intern(graph->names, text, strlen(text), &why));
    TRACE(places->trace, reservation, .address = reservation->range.start, .size = reservation->range.size,
          .why = trace_name(places->trace, why));
}

struct jitscope_error *places_add(struct places *places, struct range range, bool low) {
    struct reservation reservation = {.range = range, .low = low};
    TRY(vec_reserve(&places->reservations, 1));
    struct jitscope_error *error = range_list_reserve(&reservation.unassigned, range.size / CHUNK + 2);
    if (error) {
        reservation_destroy(&reservation);
        return error;
    }
    range_list_give(&reservation.unassigned, range.start, range.size);
    vec_put(&places->reservations, reservation);
    return NULL;
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

static bool is_low(const struct places *places, const struct graph *graph) {
    return places->all_low || graph->wants_low_memory;
}

/* A new reservation in which SIZE bytes at a multiple of ALIGNMENT fit. */
static struct jitscope_error *reserve(struct places *places, const struct graph *graph, uint64_t size,
                                      uint64_t alignment) {
    struct range range;
    uint64_t needed = size;
    if ((alignment > CHUNK && __builtin_add_overflow(needed, alignment, &needed)) ||
        !align_up(needed, CHUNK, &needed) || needed > REACH)
        return too_large(graph, size);
    TRY(vec_reserve(&places->reservations, 1));
    TRY(places->map(places->context, needed, is_low(places, graph), &range));
    struct jitscope_error *error = places_add(places, range, is_low(places, graph));
    if (error)
        places->unmap(places->context, range);
    else
        trace_reservation(places, graph, &places->reservations.data[places->reservations.count - 1]);
    return error;
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

void forget_ahead(struct range *ahead, uint64_t start, uint64_t end) {
    if (ahead->start < end && ahead->start + ahead->size > start)
        ahead->size = 0;
}

void places_give_back(struct places *places, struct place *place) {
    struct reservation *reservation = &places->reservations.data[place->reservation];
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

struct jitscope_error *places_find(struct places *places, const struct graph *graph,
                                   const struct jitscope_segment *segment, struct place *place) {
    uint64_t size = segment->content_size + segment->zero_fill_size;
    place->kind = kind_of(segment->prot);
    if (!align_up(size, places->page_size, &size))
        return error_create(JITSCOPE_ERROR_ADDRESS_SPACE, "a segment is larger than memory");
    for (uint32_t i = 0;; i++) {
        if (i == places->reservations.count)
            TRY(reserve(places, graph, size, segment->alignment));
        struct reservation *reservation = &places->reservations.data[i];
        if (reservation->low != is_low(places, graph))
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

uint64_t places_count_holes(const struct places *places) {
    uint64_t holes = 0;
    for (uint32_t i = 0; i < places->reservations.count; i++)
        for (int kind = 0; kind < KIND_COUNT; kind++)
            holes += places->reservations.data[i].free[kind].ranges.count;
    return holes;
}

/* --- quarantine */

bool places_put_into_quarantine(struct places *places, struct place *place) {
    struct jitscope_error *error = vec_push(&places->quarantine, *place);
    if (error) {
        jitscope_error_destroy(error);
        return false;
    }
    places->quarantined += place->range.size;
    place->range.size = 0;
    return true;
}

static void end_quarantine(struct places *places, uint32_t count, bool (*empty)(const struct place *place)) {
    for (uint32_t i = 0; i < count; i++) {
        struct place *place = &places->quarantine.data[i];
        places->quarantined -= place->range.size;
        if (!empty || empty(place))
            places_give_back(places, place);
    }
    places->quarantine.count -= count;
    memmove(places->quarantine.data, places->quarantine.data + count,
            places->quarantine.count * sizeof *places->quarantine.data);
}

void places_review_quarantine(struct places *places, bool listens, bool (*empty)(const struct place *place)) {
    if (places->quarantine.count && !listens)
        end_quarantine(places, places->quarantine.count, empty);
    else if (places->quarantined > QUARANTINE)
        end_quarantine(places, places->quarantine.count / 2 + 1, empty);
}
