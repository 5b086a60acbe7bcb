/* range_list: the free ranges of an address space, sorted, neighbours merged, taken first fit. */
#ifndef MEMORY_RANGE_LIST_H
#define MEMORY_RANGE_LIST_H

#include "base/vec.h"

#include <stdbool.h>
#include <stdint.h>

struct range {
    uint64_t start;
    uint64_t size;
};

/* Zero-initialised is empty. */
struct range_list {
    VEC(struct range) ranges;
};

/* Room for COUNT ranges in all, so that giving and taking need no memory. */
struct jitscope_error *range_list_reserve(struct range_list *list, uint64_t count);
/* Adds a range that is not in the list.  Room for one more must be there. */
void range_list_give(struct range_list *list, uint64_t start, uint64_t size);
/* Takes SIZE bytes at a multiple of ALIGNMENT (a power of two) out of the first range that has them; false
 * when none has.  Room for one more must be there. */
bool range_list_take(struct range_list *list, uint64_t size, uint64_t alignment, uint64_t *start);
/* Takes exactly [start, start + size), which must be free. */
void range_list_take_at(struct range_list *list, uint64_t start, uint64_t size);
/* The free range that ADDRESS lies in; size 0 when it is not free. */
struct range range_list_around(const struct range_list *list, uint64_t address);
void range_list_destroy(struct range_list *list);

#endif
