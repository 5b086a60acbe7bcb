/* edge_visitor: one walk over all existing edges offers each to a list of visitors; the first that claims it
 * wins.
 *
 *     return visit_existing_edges(graph, NULL, &got.visitor, &plt.visitor);
 *
 * "Existing": edges of blocks that visitors add on the way are not visited. */
#ifndef PASS_EDGE_VISITOR_H
#define PASS_EDGE_VISITOR_H

#include "graph/graph.h"

struct edge_visitor {
    uint64_t kinds; /* bit mask of the edge kinds it wants to see: all others cost it nothing */
    bool outside;   /* does nothing with edges to what has a place in the batch */
    /* Sees edge EDGE (index in graph->edges) of BLOCK; sets *claimed when it took it.  May add blocks,
     * symbols and edges, so that pointers into the graph's arrays do not survive the call. */
    struct jitscope_error *(*visit)(struct edge_visitor *visitor, struct graph *graph, uint32_t block,
                                    uint32_t edge, bool *claimed);
};

enum { MOST_VISITORS = 16 };

/* With PLACED, a bit for each symbol that has a place in the batch, edges that need no entry are not shown:
 * those that relax_early() turns, and for visitors of what is outside those to such symbols. */
struct jitscope_error *visit_edges(struct graph *graph, const uint64_t *placed,
                                   struct edge_visitor *const *visitors, size_t count);

/* More than MOST_VISITORS do not compile. */
#define visit_existing_edges(graph, placed, ...)                                                             \
    visit_edges((graph), (placed), (struct edge_visitor *const[MOST_VISITORS]){__VA_ARGS__},                 \
                sizeof((struct edge_visitor *const[]){__VA_ARGS__}) / sizeof(struct edge_visitor *))

#endif
