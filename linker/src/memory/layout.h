/* layout: the segment view.
 *
 * Groups the live blocks of a graph by protection and lifetime into segments, so that memory managers see a
 * few runs of pages and protections change once per segment.  In a segment: sections by (order, id) with
 * content first, then zero-fill sections; in a section: blocks by id, so that arrays like .init_array and
 * __start_X..__stop_X are contiguous.  No-alloc sections become one segment each that starts at address 0
 * (DWARF's section offsets) and never reaches a memory manager; so do all thread-local sections together,
 * whose segment is what each thread's block begins as. */
#ifndef MEMORY_LAYOUT_H
#define MEMORY_LAYOUT_H

#include "base/vec.h"
#include "graph/graph.h"
#include "jitscope/memory.h"

struct layout_segment {
    struct jitscope_segment view; /* what the manager sees; alloc segments only meet it */
    uint8_t lifetime;             /* LIFETIME_*, NO_ALLOC included */
    uint32_t first;               /* its blocks are layout->blocks[first .. first + count) */
    uint32_t count;
    uint32_t section; /* for no-alloc: the one section in it; NO_SECTION otherwise */
};

struct layout {
    VEC(struct layout_segment) segments; /* alloc segments first, in the order r-x, r--, rw- */
    uint32_t alloc_count;
    uint32_t *blocks; /* live blocks in layout order */
    uint32_t block_count;
    uint64_t size; /* bytes, all segments */
};

/* Sizes and orders; sets each block's address to its offset in its segment.  Errors: NO_MEMORY, UNSUPPORTED
 * (W and X in one section), OUT_OF_RANGE (more than 4 GiB, or sizes overflow). */
struct jitscope_error *layout_create(struct layout *layout, struct graph *graph, uint64_t page_size);
void layout_destroy(struct layout *layout);
/* Segments have address and working memory: places the blocks and copies their content.  Emits segment and
 * block_placed. */
void layout_apply(struct layout *layout, struct graph *graph);

#endif
