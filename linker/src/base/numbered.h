/* numbered: things that get numbers, 1 and up, when they come, and of which most go again: links,
 * allocations.  What it takes in memory follows how many there are, not how many there were; finding one is a
 * binary search, and going through them goes by number.  Zero-initialised is empty. */
#ifndef BASE_NUMBERED_H
#define BASE_NUMBERED_H

#include "base/vec.h"

struct numbered_entry {
    void *thing; /* NULL: gone */
    uint32_t number;
};

struct numbered {
    VEC(struct numbered_entry) entries; /* by number */
    uint32_t last;                      /* number given last */
    uint32_t gone;                      /* entries without a thing */
};

/* Room for one more, so that numbered_add() cannot fail. */
struct jitscope_error *numbered_reserve(struct numbered *list);
/* Adds THING, which is not NULL; its number is LIST->last then. */
uint32_t numbered_add(struct numbered *list, void *thing);
/* NULL when there is none of that number (any more). */
void *numbered_find(const struct numbered *list, uint32_t number);
/* The number must be there.  Entries move. */
void numbered_remove(struct numbered *list, uint32_t number);
/* The latest of those numbered up to NUMBER; NULL when there is none.  Who goes from the last to the first
 * while things come and go asks again with a smaller number each time. */
const struct numbered_entry *numbered_up_to(const struct numbered *list, uint32_t number);
/* The latest; NULL when there is none. */
void *numbered_latest(const struct numbered *list);
void numbered_destroy(struct numbered *list);

#endif
