#include "pass/edge_visitor.h"

static struct jitscope_error *offer(struct graph *graph, struct edge_visitor *const *visitors, size_t count,
                                    uint32_t block, uint32_t edge) {
    uint64_t kind = (uint64_t)1 << graph->edges.data[edge].kind;
    bool claimed = false;
    for (size_t i = 0; i < count && !claimed; i++)
        if (visitors[i]->kinds & kind)
            TRY(visitors[i]->visit(visitors[i], graph, block, edge, &claimed));
    return NULL;
}

struct jitscope_error *visit_edges(struct graph *graph, struct edge_visitor *const *visitors, size_t count) {
    uint64_t wanted = 0;
    for (size_t i = 0; i < count; i++)
        wanted |= visitors[i]->kinds;
    uint32_t existing = graph->blocks.count;
    for (uint32_t id = 0; id < existing; id++) {
        const struct block *block = &graph->blocks.data[id];
        if (block->flags & BLOCK_REMOVED)
            continue;
        uint32_t first = block->first_edge, end = first + block->edge_count;
        for (uint32_t edge = first; edge < end; edge++)
            if (wanted >> graph->edges.data[edge].kind & 1)
                TRY(offer(graph, visitors, count, id, edge));
    }
    return NULL;
}
