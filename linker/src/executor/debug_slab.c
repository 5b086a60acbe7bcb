#include "executor/debug_slab.h"

#include "base/os.h"

#include <stdint.h>

/* Less than what shares huge pages (base/os_tables.c): a process with few batches is to touch little. */
enum { CHUNK_SIZE = 64 << 10, ALIGNMENT = 16 };

struct slab_chunk {
    size_t size; /* all of it, in bytes */
    size_t used;
    size_t pieces; /* live ones */
};

/* Before each piece, and as large as its alignment. */
struct piece {
    _Alignas(ALIGNMENT) struct slab_chunk *chunk;
};

static void release_chunk(struct slab_chunk *chunk) {
    os_release_table(chunk, chunk->size);
}

static struct slab_chunk *new_chunk(size_t size) {
    struct slab_chunk *chunk = os_resize_table(NULL, 0, size);
    if (chunk)
        *chunk =
            (struct slab_chunk){.size = size, .used = (sizeof *chunk + ALIGNMENT - 1) & ~(ALIGNMENT - 1u)};
    return chunk;
}

static void *cut(struct slab_chunk *chunk, size_t size) {
    struct piece *piece = (void *)((uint8_t *)chunk + chunk->used);
    piece->chunk = chunk;
    chunk->used += size;
    chunk->pieces++;
    return piece + 1;
}

void *debug_slab_allocate(struct debug_slab *slab, size_t size) {
    if (size > SIZE_MAX / 2)
        return NULL;
    size = (sizeof(struct piece) + size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (size > CHUNK_SIZE / 8) { /* one of its own */
        struct slab_chunk *own = new_chunk(size + sizeof *own + ALIGNMENT);
        return own ? cut(own, size) : NULL;
    }
    if (!slab->current || slab->current->size - slab->current->used < size) {
        struct slab_chunk *chunk = new_chunk(CHUNK_SIZE);
        if (!chunk)
            return NULL;
        debug_slab_trim(slab); /* else it goes with its last piece */
        slab->current = chunk;
    }
    return cut(slab->current, size);
}

void debug_slab_release(struct debug_slab *slab, void *piece) {
    if (!piece)
        return;
    struct slab_chunk *chunk = ((struct piece *)piece - 1)->chunk;
    if (!--chunk->pieces && chunk != slab->current)
        release_chunk(chunk);
}

void debug_slab_trim(struct debug_slab *slab) {
    if (!slab->current || slab->current->pieces)
        return;
    release_chunk(slab->current);
    slab->current = NULL;
}
