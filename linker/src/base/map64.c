#include "base/map64.h"

#include "base/os.h"

#include <string.h>

/* Fibonacci hashing: keys are often offsets with equal low bits. */
static inline uint32_t first_slot(const struct map64 *map, uint64_t key) {
    return (uint32_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & map->mask;
}

static struct map64_slot *find_slot(const struct map64 *map, uint64_t key) {
    uint32_t at = first_slot(map, key);
    while (map->slots[at].key != key && map->slots[at].key != MAP64_NO_KEY)
        at = (at + 1) & map->mask;
    return &map->slots[at];
}

uint32_t map64_find(const struct map64 *map, uint64_t key) {
    if (!map->slots)
        return MAP64_NO_VALUE;
    const struct map64_slot *slot = find_slot(map, key);
    return slot->key == key ? slot->value : MAP64_NO_VALUE;
}

static struct jitscope_error *grow(struct map64 *map) {
    struct map64 grown = {.count = map->count, .mask = map->slots ? map->mask * 2 + 1 : 63};
    size_t size = ((size_t)grown.mask + 1) * sizeof *grown.slots;
    grown.slots = os_allocate(size);
    if (!grown.slots)
        return error_no_memory();
    memset(grown.slots, 0xff, size);
    for (uint32_t i = 0; map->slots && i <= map->mask; i++)
        if (map->slots[i].key != MAP64_NO_KEY)
            *find_slot(&grown, map->slots[i].key) = map->slots[i];
    os_release(map->slots);
    *map = grown;
    return NULL;
}

struct jitscope_error *map64_set(struct map64 *map, uint64_t key, uint32_t value) {
    if (!map->slots || map->count >= map->mask / 4 * 3)
        TRY(grow(map));
    struct map64_slot *slot = find_slot(map, key);
    map->count += slot->key != key;
    *slot = (struct map64_slot){key, value};
    return NULL;
}

void map64_destroy(struct map64 *map) {
    os_release(map->slots);
    *map = (struct map64){0};
}
