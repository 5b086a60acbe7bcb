/* segment_digest: what the segments of a batch hold when they are handed over, for recordings. */
#ifndef MEMORY_SEGMENT_DIGEST_H
#define MEMORY_SEGMENT_DIGEST_H

#include "graph/graph.h"
#include "memory/layout.h"

/* `segment_digest` events for each segment that will be in the executor's memory. */
void segments_tell_digests(const struct layout *layout, const struct graph *graph);
/* Of the gap before block INDEX (in the layout's order, from the segment's first) and the block. */
uint32_t segment_block_digest(const struct layout_segment *segment, const struct layout *layout,
                              const struct graph *graph, uint32_t index);

#endif
