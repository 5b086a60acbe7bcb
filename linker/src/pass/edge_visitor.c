#include "pass/edge_visitor.h"

/* The visitors that want to see edges of each kind, a bit each, the first one's lowest. */
struct audience {
    uint32_t of[EDGE_KIND_LIMIT];
};
_Static_assert(MOST_VISITORS <= 32, "a bit for each visitor");

static void seat(struct audience *audience, struct edge_visitor *const *visitors, size_t count) {
    for (unsigned kind = 0; kind < EDGE_KIND_LIMIT; kind++)
        for (size_t i = 0; i < count; i++)
            audience->of[kind] |= (uint32_t)(visitors[i]->kinds >> kind & 1) << i;
}

static struct jitscope_error *offer(struct graph *graph, struct edge_visitor *const *visitors, uint32_t who,
                                    uint32_t block, uint32_t edge) {
    bool claimed = false;
    do {
        struct edge_visitor *visitor = visitors[__builtin_ctz(who)];
        TRY(visitor->visit(visitor, graph, block, edge, &claimed));
        who &= who - 1;
    } while (who && !claimed);
    return NULL;
}

/* The instructions that visitors look at lie in the input: they are fetched while others are visited. */
enum { BLOCKS_AHEAD = 8 };

static inline void fetch_content(const struct graph *graph, uint32_t id) {
    if (id + BLOCKS_AHEAD < graph->blocks.count)
        __builtin_prefetch(graph->blocks.data[id + BLOCKS_AHEAD].content);
}

struct jitscope_error *visit_edges(struct graph *graph, struct edge_visitor *const *visitors, size_t count) {
    struct audience audience = {0};
    seat(&audience, visitors, count);
    uint32_t existing = graph->blocks.count;
    for (uint32_t id = 0; id < existing; id++) {
        const struct block *block = &graph->blocks.data[id];
        fetch_content(graph, id);
        if (block->flags & BLOCK_REMOVED)
            continue;
        uint32_t end = block->first_edge + block->edge_count;
        const struct edge *edges = graph->edges.data;
        for (uint32_t edge = block->first_edge; edge < end; edge++) {
            uint32_t who = audience.of[edges[edge].kind];
            if (!who)
                continue;
            TRY(offer(graph, visitors, who, id, edge));
            edges = graph->edges.data; /* visitors may have moved it */
        }
    }
    return NULL;
}
