/* string_pool: names interned once.  Equal names have equal ids; ids are dense and given in order of first
 * sight, so an array indexed by name id needs no second hash.  Id 0 is the empty name.  Bytes are copied and
 * live as long as the pool.  Not thread-safe: the session's lock covers it. */
#ifndef BASE_STRING_POOL_H
#define BASE_STRING_POOL_H

#include "base/arena.h"
#include "base/vec.h"

#define NO_NAME 0u

struct pooled_string {
    const char *bytes; /* NUL-terminated; may hold any bytes but NUL */
    uint32_t length;
    uint32_t hash;
};

struct string_pool {
    struct arena arena;
    VEC(struct pooled_string) strings;
    uint32_t *slots; /* open addressing, ids; 0 is free */
    uint32_t mask;
};

/* A name that is about to be interned.  Where it belongs lies anywhere in a large table: who knows names some
 * steps ahead prepares them, and the memory is there when it is wanted. */
struct pool_name {
    const char *bytes; /* borrowed */
    size_t length;
    uint32_t hash;
};

struct jitscope_error *string_pool_create(struct string_pool *pool);
void string_pool_destroy(struct string_pool *pool);
struct jitscope_error *string_pool_intern(struct string_pool *pool, const char *bytes, size_t length,
                                          uint32_t *id);
/* Of COUNT names that have their bytes and lengths. */
void string_pool_prepare(const struct string_pool *pool, struct pool_name *names, uint32_t count);
struct jitscope_error *string_pool_intern_prepared(struct string_pool *pool, const struct pool_name *name,
                                                   uint32_t *id);
/* Room for as many more names as there may be: finding it bit by bit costs several times as much. */
struct jitscope_error *string_pool_reserve(struct string_pool *pool, uint32_t more);
/* The id of a name already seen, or NO_NAME. */
uint32_t string_pool_find(const struct string_pool *pool, const char *bytes, size_t length);

static inline const char *string_pool_text(const struct string_pool *pool, uint32_t id) {
    return pool->strings.data[id].bytes;
}

#endif
