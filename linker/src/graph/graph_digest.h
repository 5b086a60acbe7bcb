/* graph_digest: the state of a graph in 64 bits, for recordings.
 *
 * What a replay must come to again and nothing else: no pointer, no name id (ids depend on what else was
 * interned), no content (segments have digests of their own).  Equal on every machine and for every compiler.
 */
#ifndef GRAPH_GRAPH_DIGEST_H
#define GRAPH_GRAPH_DIGEST_H

#include "graph/graph.h"

enum graph_parts {
    GRAPH_SECTIONS = 1,
    GRAPH_BLOCKS = 2,
    GRAPH_SYMBOLS = 4,
    GRAPH_EDGES = 8,
    GRAPH_ADDRESSES = 16, /* of blocks; before the memory is allocated, their offsets in their segments */
    GRAPH_ACTIONS = 32,
};

/* Of PARTS, enum graph_parts or-ed. */
uint64_t graph_digest(const struct graph *graph, uint32_t parts);
/* Tells the digest of a stage to whoever keeps answers. */
void graph_tell_digest(const struct graph *graph, uint32_t stage, uint32_t parts);

#endif
