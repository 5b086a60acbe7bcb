/* arena: memory that is released all at once.  Each graph owns one; scratch arenas are reset per phase. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

struct arena_chunk;

/* Zero-initialised is an empty arena. */
struct arena {
    struct arena_chunk *chunks;
    uint8_t *next;
    uint8_t *end;
    size_t total; /* bytes taken from the operating system */
};

/* Uninitialised memory aligned to 16 bytes; NULL when there is none. */
void *arena_allocate(struct arena *arena, size_t size);
void *arena_allocate_zeroed(struct arena *arena, size_t size);
/* A copy with a NUL behind it; NULL when there is no memory. */
char *arena_copy(struct arena *arena, const char *bytes, size_t size);
void arena_destroy(struct arena *arena);

#endif
