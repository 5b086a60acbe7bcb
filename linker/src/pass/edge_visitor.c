#include "pass/edge_visitor.h"

/* The visitors that want to see edges of each kind, a bit each, the first one's lowest. */
struct audience {
    uint32_t of[EDGE_KIND_LIMIT];
    struct relax_run run; /* for relax_early_run() */
};
_Static_assert(MOST_VISITORS <= 32, "a bit for each visitor");

static void seat(struct audience *audience, struct edge_visitor *const *visitors, size_t count) {
    for (size_t i = 0; i < count; i++) {
        audience->run.kinds |= visitors[i]->kinds;
        audience->run.inside |= visitors[i]->outside ? 0 : visitors[i]->kinds;
        for (uint64_t kinds = visitors[i]->kinds; kinds; kinds &= kinds - 1)
            audience->of[__builtin_ctzll(kinds)] |= (uint32_t)1 << i;
    }
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

/* The first of BLOCK's edges from NEXT up to END that somebody wants to see. */
static uint32_t find_wanted(struct audience *audience, const struct graph *graph, const struct block *block,
                            uint32_t next, uint32_t end) {
    struct edge *edges = graph->edges.data;
    if (audience->run.placed) {
        audience->run.content = block->content;
        audience->run.size = block->size;
        return (uint32_t)(graph->arch->relax_early_run(&audience->run, edges + next, edges + end) - edges);
    }
    while (next < end && !audience->of[edges[next].kind])
        next++;
    return next;
}

struct jitscope_error *visit_edges(struct graph *graph, const uint64_t *placed,
                                   struct edge_visitor *const *visitors, size_t count) {
    struct audience audience = {.run.placed = placed};
    seat(&audience, visitors, count);
    uint32_t existing = graph->blocks.count;
    for (uint32_t id = 0; id < existing; id++) {
        const struct block *block = &graph->blocks.data[id];
        fetch_content(graph, id);
        if (block->flags & BLOCK_REMOVED)
            continue;
        uint32_t next = block->first_edge, end = next + block->edge_count;
        while (next < end) {
            /* Visitors may have moved the blocks. */
            next = find_wanted(&audience, graph, &graph->blocks.data[id], next, end);
            if (next < end) {
                TRY(offer(graph, visitors, audience.of[graph->edges.data[next].kind], id, next));
                next++;
            }
        }
    }
    return NULL;
}
