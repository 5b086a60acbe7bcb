/* places: who lies where in reserved addresses; bookkeeping that touches no memory of the target.
 *
 * A reservation is divided into chunks, and each chunk in use belongs to one kind of protection.  Segments of
 * one kind lie side by side in its chunks, so that the kernel keeps them as one mapping: the number of
 * mappings (vm.max_map_count is 65530) grows with chunks, not with batches.
 *
 *     | r-x r-x r-x ... | r-- r-- r-- ... | rw- rw- ... | r-x ... |   unassigned   |
 *
 * While a debugger listens, code that was freed is not used again (up to QUARANTINE bytes): debuggers keep
 * their breakpoints written into it, take one at the same address for the same one, and would neither set it
 * in the new code nor leave the new code whole. */
#ifndef MEMORY_PLACES_H
#define MEMORY_PLACES_H

#include "base/vec.h"
#include "graph/graph.h"
#include "jitscope/memory.h"
#include "memory/range_list.h"

enum kind { KIND_EXECUTE, KIND_READ, KIND_WRITE, KIND_COUNT };

struct reservation {
    struct range range;
    bool low;
    uint64_t live; /* ranges handed out */
    struct range_list unassigned;
    struct range_list free[KIND_COUNT];
    struct range ahead[KIND_COUNT]; /* free, but writable and zero already: the in-process manager's */
};

/* Where one segment lies; size 0: it has no memory (any more). */
struct place {
    struct range range;
    uint32_t reservation;
    enum kind kind;
};

struct places {
    uint64_t page_size;
    bool all_low; /* everything wants to lie below 2 GiB */
    struct trace *trace;
    void *context;
    /* Reserves at least SIZE bytes, and takes them back. */
    struct jitscope_error *(*map)(void *context, uint64_t size, bool low, struct range *range);
    void (*unmap)(void *context, struct range range);
    VEC(struct reservation) reservations;
    VEC(struct place) quarantine; /* oldest first */
    uint64_t quarantined;         /* bytes in it */
};

/* What PLACES has reserved, and NEAR, as the next reservation must reach it. */
struct neighbourhood places_neighbourhood(const struct places *places, bool low, uint64_t near);
/* RANGE is reserved already. */
struct jitscope_error *places_add(struct places *places, struct range range, bool low);
/* A place for SEGMENT, in the reservations that there are or a new one.  Errors: ADDRESS_SPACE. */
struct jitscope_error *places_find(struct places *places, const struct graph *graph,
                                   const struct jitscope_segment *segment, struct place *place);
/* PLACE is free again. */
void places_give_back(struct places *places, struct place *place);
/* [start, end) goes its own ways from now on. */
void forget_ahead(struct range *ahead, uint64_t start, uint64_t end);
/* Ranges that are free between others. */
uint64_t places_count_holes(const struct places *places);

/* PLACE rests; false without memory for that. */
bool places_put_into_quarantine(struct places *places, struct place *place);
/* When nobody listens any more, or there is too much of it: places that rest are free again if EMPTY (which
 * may be NULL) says so. */
void places_review_quarantine(struct places *places, bool listens, bool (*empty)(const struct place *place));

void places_destroy(struct places *places);

#endif
