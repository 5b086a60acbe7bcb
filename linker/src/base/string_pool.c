#include "base/string_pool.h"

#include <stdbool.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define FIRST_SLOTS 1024u

static inline uint32_t hash_of(const char *bytes, size_t length) {
    return (uint32_t)XXH3_64bits(bytes, length);
}

static size_t slots_size(uint32_t mask) {
    return ((size_t)mask + 1) * sizeof(uint32_t);
}

static uint32_t *new_slots(uint32_t mask) {
    return os_zeroed_table(slots_size(mask));
}

static void release_slots(struct string_pool *pool) {
    os_release_table(pool->slots, slots_size(pool->mask));
}

struct jitscope_error *string_pool_create(struct string_pool *pool) {
    *pool = (struct string_pool){0};
    pool->slots = new_slots(FIRST_SLOTS - 1);
    if (!pool->slots)
        return error_no_memory();
    pool->mask = FIRST_SLOTS - 1;
    struct jitscope_error *error =
        vec_push(&pool->strings, (struct pooled_string){.bytes = "", .hash = hash_of("", 0)});
    if (error)
        string_pool_destroy(pool);
    return error;
}

void string_pool_destroy(struct string_pool *pool) {
    arena_destroy(&pool->arena);
    vec_destroy(&pool->strings);
    release_slots(pool);
    pool->slots = NULL;
}

/* The first slot from AT on that is free or holds a name of that hash and length. */
static inline uint32_t next_candidate(const struct string_pool *pool, uint32_t at, size_t length,
                                      uint32_t hash) {
    for (;; at = (at + 1) & pool->mask) {
        uint32_t id = pool->slots[at];
        if (!id || (pool->strings.data[id].hash == hash && pool->strings.data[id].length == length))
            return at;
    }
}

/* The slot that holds the name, or the free slot where it belongs; AT is the first candidate. */
static inline uint32_t find_slot_from(const struct string_pool *pool, uint32_t at,
                                      const struct pool_name *name) {
    while (pool->slots[at] &&
           memcmp(pool->strings.data[pool->slots[at]].bytes, name->bytes, name->length) != 0)
        at = next_candidate(pool, (at + 1) & pool->mask, name->length, name->hash);
    return at;
}

static inline uint32_t first_candidate(const struct string_pool *pool, const struct pool_name *name) {
    return next_candidate(pool, name->hash & pool->mask, name->length, name->hash);
}

static inline uint32_t find_slot(const struct string_pool *pool, const struct pool_name *name) {
    return find_slot_from(pool, first_candidate(pool, name), name);
}

static bool has_room(uint32_t mask, uint64_t count) {
    return count < mask / 4 * 3;
}

/* As many slots as COUNT names need. */
static struct jitscope_error *grow_slots(struct string_pool *pool, uint64_t count) {
    uint32_t mask = pool->mask;
    while (!has_room(mask, count) && mask < UINT32_MAX)
        mask = mask * 2 + 1;
    uint32_t *slots = new_slots(mask);
    if (!slots)
        return error_no_memory();
    for (uint32_t id = 1; id < pool->strings.count; id++) {
        uint32_t at = pool->strings.data[id].hash & mask;
        while (slots[at])
            at = (at + 1) & mask;
        slots[at] = id;
    }
    release_slots(pool);
    pool->slots = slots;
    pool->mask = mask;
    return NULL;
}

struct jitscope_error *string_pool_reserve(struct string_pool *pool, uint32_t more) {
    uint64_t count = (uint64_t)pool->strings.count + more;
    TRY(vec_reserve(&pool->strings, more));
    return has_room(pool->mask, count) ? NULL : grow_slots(pool, count);
}

uint32_t string_pool_find(const struct string_pool *pool, const char *bytes, size_t length) {
    const struct pool_name name = {bytes, length, length ? hash_of(bytes, length) : 0};
    return length ? pool->slots[find_slot(pool, &name)] : NO_NAME;
}

void string_pool_prepare(const struct string_pool *pool, struct pool_name *names, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        names[i].hash = hash_of(names[i].bytes, names[i].length);
        __builtin_prefetch(&pool->slots[names[i].hash & pool->mask]);
    }
}

static inline uint32_t put_name(struct string_pool *pool, uint32_t slot, const char *copy,
                                const struct pool_name *name) {
    vec_put(&pool->strings, (struct pooled_string){copy, (uint32_t)name->length, name->hash});
    return pool->slots[slot] = pool->strings.count - 1;
}

static __attribute__((noinline)) struct jitscope_error *
add_where_room_is_short(struct string_pool *pool, const struct pool_name *name, uint32_t *id) {
    if (name->length >= UINT32_MAX)
        return error_create(JITSCOPE_ERROR_UNSUPPORTED, "a name of more than 4 GiB");
    if (!has_room(pool->mask, pool->strings.count))
        TRY(grow_slots(pool, pool->strings.count));
    TRY(vec_reserve(&pool->strings, 1));
    char *copy = arena_copy_text(&pool->arena, name->bytes, name->length);
    if (!copy)
        return error_no_memory();
    *id = put_name(pool, find_slot(pool, name), copy, name);
    return NULL;
}

/* SLOT is free, and where the name belongs.  What is rare is a call away, and the copy is made last: so this
 * saves next to no registers.  Where a name of 4 GiB has no room is said there. */
static inline struct jitscope_error *add_name(struct string_pool *pool, const struct pool_name *name,
                                              uint32_t slot, uint32_t *id) {
    if (!has_room(pool->mask, pool->strings.count) || pool->strings.count == pool->strings.capacity ||
        !arena_has_text_room(&pool->arena, name->length))
        return add_where_room_is_short(pool, name, id);
    *id = put_name(pool, slot, (const char *)pool->arena.next, name);
    arena_put_text(&pool->arena, name->bytes, name->length);
    return NULL;
}

/* The name in slot AT has the same hash and length: nearly always it is the same. */
static __attribute__((noinline)) struct jitscope_error *
intern_candidate(struct string_pool *pool, const struct pool_name *name, uint32_t at, uint32_t *id) {
    at = find_slot_from(pool, at, name);
    *id = pool->slots[at];
    return *id ? NULL : add_name(pool, name, at, id);
}

struct jitscope_error *string_pool_intern_prepared(struct string_pool *pool, const struct pool_name *name,
                                                   uint32_t *id) {
    *id = NO_NAME;
    if (!name->length)
        return NULL;
    uint32_t at = first_candidate(pool, name);
    return pool->slots[at] ? intern_candidate(pool, name, at, id) : add_name(pool, name, at, id);
}

struct jitscope_error *string_pool_intern(struct string_pool *pool, const char *bytes, size_t length,
                                          uint32_t *id) {
    const struct pool_name name = {bytes, length, length ? hash_of(bytes, length) : 0};
    return string_pool_intern_prepared(pool, &name, id);
}
