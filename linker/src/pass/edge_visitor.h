/* edge_visitor: one walk over all existing edges offers each to a list of visitors; the first that claims it
 * wins.
 *
 *     return visit_existing_edges(graph, &got.visitor, &plt.visitor);
 *
 * "Existing": edges of blocks that visitors add on the way are not visited. */
#ifndef PASS_EDGE_VISITOR_H
#define PASS_EDGE_VISITOR_H

#include "graph/graph.h"

struct edge_visitor {
    uint64_t kinds; /* bit mask of the edge kinds it wants to see: all others cost it nothing */
    /* Sees edge EDGE (index in graph->edges) of BLOCK; sets *claimed when it took it.  May add blocks,
     * symbols and edges, so that pointers into the graph's arrays do not survive the call. */
    struct jitscope_error *(*visit)(struct edge_visitor *visitor, struct graph *graph, uint32_t block,
                                    uint32_t edge, bool *claimed);
};

enum { MOST_VISITORS = 16 };

struct jitscope_error *visit_edges(struct graph *graph, struct edge_visitor *const *visitors, size_t count);

/* More than MOST_VISITORS do not compile. */
#define visit_existing_edges(graph, ...)                                                                     \
    visit_edges((graph), (struct edge_visitor *const[MOST_VISITORS]){__VA_ARGS__},                           \
                sizeof((struct edge_visitor *const[]){__VA_ARGS__}) / sizeof(struct edge_visitor *))

#endif
