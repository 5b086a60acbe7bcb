#include "pass/edge_visitor.h"

/* The first visitor that wants to see edges of each kind; the number of all for none. */
struct audience {
    uint32_t first[EDGE_KIND_LIMIT];
};

static void seat(struct audience *audience, struct edge_visitor *const *visitors, uint32_t count) {
    for (unsigned kind = 0; kind < EDGE_KIND_LIMIT; kind++) {
        uint32_t first = 0;
        while (first < count && !(visitors[first]->kinds >> kind & 1))
            first++;
        audience->first[kind] = first;
    }
}

static struct jitscope_error *offer(struct graph *graph, struct edge_visitor *const *visitors, uint32_t first,
                                    uint32_t count, uint32_t block, uint32_t edge) {
    uint16_t kind = graph->edges.data[edge].kind;
    bool claimed = false;
    for (uint32_t i = first; i < count && !claimed; i++)
        if (visitors[i]->kinds >> kind & 1)
            TRY(visitors[i]->visit(visitors[i], graph, block, edge, &claimed));
    return NULL;
}

struct jitscope_error *visit_edges(struct graph *graph, struct edge_visitor *const *visitors, size_t count) {
    struct audience audience;
    seat(&audience, visitors, (uint32_t)count);
    uint32_t existing = graph->blocks.count;
    for (uint32_t id = 0; id < existing; id++) {
        const struct block *block = &graph->blocks.data[id];
        if (block->flags & BLOCK_REMOVED)
            continue;
        uint32_t end = block->first_edge + block->edge_count;
        const struct edge *edges = graph->edges.data;
        for (uint32_t edge = block->first_edge; edge < end; edge++) {
            uint32_t first = audience.first[edges[edge].kind];
            if (first == count)
                continue;
            TRY(offer(graph, visitors, first, (uint32_t)count, id, edge));
            edges = graph->edges.data; /* visitors may have moved it */
        }
    }
    return NULL;
}
