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

/* The slot that holds the name, or the free slot where it belongs. */
static inline uint32_t *find_slot(const struct string_pool *pool, const char *bytes, size_t length,
                                  uint32_t hash) {
    for (uint32_t at = hash & pool->mask;; at = (at + 1) & pool->mask) {
        uint32_t id = pool->slots[at];
        if (!id)
            return &pool->slots[at];
        const struct pooled_string *string = &pool->strings.data[id];
        if (string->hash == hash && string->length == length && !memcmp(string->bytes, bytes, length))
            return &pool->slots[at];
    }
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
    return length ? *find_slot(pool, bytes, length, hash_of(bytes, length)) : NO_NAME;
}

struct pool_name string_pool_prepare(const struct string_pool *pool, const char *bytes, size_t length) {
    uint32_t hash = hash_of(bytes, length);
    __builtin_prefetch(&pool->slots[hash & pool->mask]);
    return (struct pool_name){bytes, length, hash};
}

struct jitscope_error *string_pool_intern_prepared(struct string_pool *pool, const struct pool_name *name,
                                                   uint32_t *id) {
    *id = NO_NAME;
    if (!name->length)
        return NULL;
    if (name->length >= UINT32_MAX)
        return error_create(JITSCOPE_ERROR_UNSUPPORTED, "a name of more than 4 GiB");
    uint32_t *slot = find_slot(pool, name->bytes, name->length, name->hash);
    if (*slot) {
        *id = *slot;
        return NULL;
    }
    if (!has_room(pool->mask, pool->strings.count)) {
        TRY(grow_slots(pool, pool->strings.count));
        slot = find_slot(pool, name->bytes, name->length, name->hash);
    }
    TRY(vec_reserve(&pool->strings, 1));
    char *copy = arena_copy_text(&pool->arena, name->bytes, name->length);
    if (!copy)
        return error_no_memory();
    *slot = *id = pool->strings.count;
    vec_put(&pool->strings, (struct pooled_string){copy, (uint32_t)name->length, name->hash});
    return NULL;
}

struct jitscope_error *string_pool_intern(struct string_pool *pool, const char *bytes, size_t length,
                                          uint32_t *id) {
    const struct pool_name name = {bytes, length, length ? hash_of(bytes, length) : 0};
    return string_pool_intern_prepared(pool, &name, id);
}
