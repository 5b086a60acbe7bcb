/* make_debug_image: one batch as debuggers want to know it (executor/debug_image.h), made at the end of a
 * link. */
#ifndef LINK_MAKE_DEBUG_IMAGE_H
#define LINK_MAKE_DEBUG_IMAGE_H

#include "graph/graph.h"
#include "link/debug_outline.h"
#include "memory/memory.h"
#include "object/elf_debug.h"

/* A symbol, and which of the outline's sections it is in, from 1. */
struct shown_symbol {
    uint32_t id, section;
};

/* Buffers kept from link to link; zero-initialised is empty. */
struct debug_scratch {
    struct debug_sections sections;
    struct image_memory image; /* the action's argument while the link goes on; the executor may keep it */
    VEC(uint64_t) places;      /* of the object at hand: address by section index */
    struct debug_outline outline;
    VEC(struct shown_symbol) plain; /* symbols that are shown and no table entries */
    VEC(uint32_t) entries;          /* symbols that are table entries */
    VEC(uint32_t)
    notes; /* by symbol, when there are any of these: of an entry its number among them, of
              what some lead to where its name is; else 0 */
};
void debug_scratch_destroy(struct debug_scratch *scratch);

/* What the pass needs. */
struct debug_job {
    struct debug_scratch *scratch;
    const struct layout *layout; /* finished */
};

/* Post-fixup pass, after all others: makes the image and puts its action in front of all others, so that it
 * is registered before any code of the batch runs and withdrawn after all has.  Objects whose DWARF is not
 * sound go without: events debug_discarded and warning.  CONTEXT is a struct debug_job. */
struct jitscope_error *make_debug_image(struct graph *graph, void *context);

#endif
