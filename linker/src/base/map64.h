/* map64: u64 keys to u32 values, open addressing.  Zero-initialised is empty.  Keys may be any value but
 * MAP64_NO_KEY. */
#ifndef BASE_MAP64_H
#define BASE_MAP64_H

#include "base/error.h"

#define MAP64_NO_KEY   UINT64_MAX
#define MAP64_NO_VALUE UINT32_MAX

struct map64_slot {
    uint64_t key;
    uint32_t value;
};

struct map64 {
    struct map64_slot *slots;
    uint32_t count;
    uint32_t mask; /* number of slots - 1; 0 when empty */
};

/* The value of KEY, or MAP64_NO_VALUE. */
uint32_t map64_find(const struct map64 *map, uint64_t key);
/* Sets KEY's value, new or not. */
struct jitscope_error *map64_set(struct map64 *map, uint64_t key, uint32_t value);
void map64_destroy(struct map64 *map);

#endif
