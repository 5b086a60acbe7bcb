#include "base/arena.h"

#include "base/os.h"

#include <string.h>

#define FIRST_CHUNK ((size_t)16 << 10)
#define LAST_CHUNK  ((size_t)512 << 10) /* the last one may stay empty but for its beginning */

struct arena_chunk {
    struct arena_chunk *previous;
    size_t size;
};

void *arena_lengthen(struct arena *arena, size_t size) {
    size_t wanted = arena->chunks ? arena->chunks->size * 2 : FIRST_CHUNK;
    if (wanted > LAST_CHUNK)
        wanted = LAST_CHUNK;
    if (size > SIZE_MAX / 2)
        return NULL;
    size = (size + 15) & ~(size_t)15;
    if (wanted < size + sizeof(struct arena_chunk))
        wanted = size + sizeof(struct arena_chunk);
    wanted = os_table_room(wanted);
    struct arena_chunk *chunk = os_resize_table(NULL, 0, wanted);
    if (!chunk)
        return NULL;
    chunk->previous = arena->chunks;
    chunk->size = wanted;
    arena->chunks = chunk;
    arena->total += wanted;
    arena->next = (uint8_t *)(chunk + 1) + size;
    arena->end = (uint8_t *)chunk + wanted;
    return chunk + 1;
}

void *arena_allocate_zeroed(struct arena *arena, size_t size) {
    void *memory = arena_allocate(arena, size);
    return memory ? memset(memory, 0, size) : NULL;
}

void arena_destroy(struct arena *arena) {
    for (struct arena_chunk *chunk = arena->chunks; chunk;) {
        struct arena_chunk *previous = chunk->previous;
        os_release_table(chunk, chunk->size);
        chunk = previous;
    }
    *arena = (struct arena){0};
}
