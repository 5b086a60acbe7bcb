/* arena: memory that is released all at once.  Each graph owns one; scratch arenas are reset per phase. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct arena_chunk;

/* Zero-initialised is an empty arena. */
struct arena {
    struct arena_chunk *chunks;
    uint8_t *next;
    uint8_t *end;
    size_t total; /* bytes taken from the operating system */
};

void *arena_lengthen(struct arena *arena, size_t size); /* private to arena_allocate */

/* Uninitialised memory aligned to 16 bytes; NULL when there is none. */
static inline void *arena_allocate(struct arena *arena, size_t size) {
    size_t room = size + (-(uintptr_t)arena->next & 15);
    if (__builtin_expect(room < size || room > (size_t)(arena->end - arena->next), 0))
        return arena_lengthen(arena, size);
    void *memory = arena->next + (room - size);
    arena->next += room;
    return memory;
}
void *arena_allocate_zeroed(struct arena *arena, size_t size);
/* A copy with a NUL behind it; NULL when there is no memory. */
static inline char *arena_copy(struct arena *arena, const char *bytes, size_t size) {
    char *copy = size < SIZE_MAX ? arena_allocate(arena, size + 1) : NULL;
    if (!copy)
        return NULL;
    memcpy(copy, bytes, size);
    copy[size] = 0;
    return copy;
}
/* Texts are aligned to nothing, and stand one right behind the other. */
static inline bool arena_has_text_room(const struct arena *arena, size_t size) {
    return __builtin_expect(size < (size_t)(arena->end - arena->next), 1);
}
/* Where there is room: the copy stands where arena->next was. */
static inline void arena_put_text(struct arena *arena, const char *bytes, size_t size) {
    char *copy = (char *)arena->next;
    arena->next += size + 1;
    copy[size] = 0;
    memcpy(copy, bytes, size);
}
/* arena_copy() for a text. */
static inline char *arena_copy_text(struct arena *arena, const char *bytes, size_t size) {
    char *copy = (char *)arena->next;
    if (!arena_has_text_room(arena, size))
        return arena_copy(arena, bytes, size);
    arena_put_text(arena, bytes, size);
    return copy;
}
void arena_destroy(struct arena *arena);

#endif
