/* debug_slab: memory for what is kept of each batch: many small pieces that live long and mostly go together.
 *
 * Pieces lie behind each other in chunks.  A chunk goes back when its last piece does. */
#ifndef EXECUTOR_DEBUG_SLAB_H
#define EXECUTOR_DEBUG_SLAB_H

#include <stddef.h>

struct slab_chunk;

/* Zero-initialised is empty. */
struct debug_slab {
    struct slab_chunk *current; /* pieces are cut from it */
};

/* Aligned to 16; NULL without memory.  Whoever asks is the only one at a time. */
void *debug_slab_allocate(struct debug_slab *slab, size_t size);
void debug_slab_release(struct debug_slab *slab, void *piece);
/* Gives back the current chunk when no piece is left in it. */
void debug_slab_trim(struct debug_slab *slab);

#endif
