#include "pass/relax.h"

#include "base/bytes.h"

/* The symbol a table entry leads to: the target of its only edge.  What can come to lead elsewhere is not
 * taken for what it leads to now. */
static uint32_t entry_target(const struct graph *graph, uint32_t entry) {
    const struct symbol *symbol = &graph->symbols.data[entry];
    if (!(symbol->flags & SYMBOL_TABLE_ENTRY) || symbol->flags & SYMBOL_LAZY)
        return NO_SYMBOL;
    return graph->edges.data[graph->blocks.data[symbol->block].first_edge].target;
}

/* What the event tells of: up to eight bytes of the block that hold the instruction's end. */
static uint64_t window_start(uint64_t offset) {
    return offset >= 4 ? offset - 4 : 0;
}

static uint64_t bytes_around(const uint8_t *content, uint64_t size, uint64_t offset) {
    uint64_t start = window_start(offset), value = 0;
    for (uint64_t i = 0; i < 8 && start + i < size; i++)
        value |= (uint64_t)content[start + i] << (8 * i);
    return value;
}

/* --- before memory */

/* The bytes are the input's; what they will be is seen in a copy. */
static __attribute__((noinline)) bool relax_and_tell(const struct graph *graph, uint32_t id,
                                                     struct edge *edge) {
    const struct block *block = &graph->blocks.data[id];
    uint64_t offset = edge->offset, before = bytes_around(block->content, block->size, offset);
    uint16_t kind = edge->kind;
    uint8_t window[8];
    if (!graph->arch->relax_early(block->content, block->size, edge))
        return false;
    store_u64(window, before);
    graph->arch->rewrite(edge->kind, window + (edge->offset - window_start(offset)));
    TRACE(graph->trace, edge_relaxed, .block = id, .offset = offset, .before = kind, .after = edge->kind,
          .target = edge->target, .bytes_before = before, .bytes_after = load_u64(window));
    return true;
}

bool relax_early(struct graph *graph, uint32_t id, uint32_t number) {
    const struct block *block = &graph->blocks.data[id];
    struct edge *edge = &graph->edges.data[number];
    return trace_wants(graph->trace, LEVEL_BLOCK)
               ? relax_and_tell(graph, id, edge)
               : graph->arch->relax_early(block->content, block->size, edge);
}

/* --- when addresses are known */

static void relax_load(struct graph *graph, uint32_t id, const struct fixup_run *run, struct edge *edge) {
    uint32_t target = entry_target(graph, edge->target), offset = edge->offset, kind = edge->kind;
    /* What nobody defines has address 0 and stays a load; an addend other than the displacement's own is no
     * plain load. */
    if (target == NO_SYMBOL || !edge_has_addend(edge, -4) || !graph->addresses[target])
        return;
    bool traced = trace_wants(graph->trace, LEVEL_BLOCK);
    uint64_t size = graph->blocks.data[id].size;
    uint64_t before = traced ? bytes_around(run->content, size, offset) : 0;
    if (!graph->arch->relax_got_load(run, edge, graph->addresses[target]))
        return;
    edge->target = target;
    if (traced)
        TRACE(graph->trace, edge_relaxed, .block = id, .offset = offset, .before = kind, .after = edge->kind,
              .target = target, .bytes_before = before,
              .bytes_after = bytes_around(run->content, size, offset));
}

static void bypass_stub(struct graph *graph, uint32_t id, struct edge *edge) {
    const struct block *block = &graph->blocks.data[id];
    uint32_t slot = entry_target(graph, edge->target);
    uint32_t target = slot == NO_SYMBOL ? NO_SYMBOL : entry_target(graph, slot);
    if (target == NO_SYMBOL || !graph->addresses[target] ||
        !graph->arch->reaches(edge->kind, block->address + edge->offset, graph->addresses[target],
                              graph_addend(graph, edge)))
        return;
    uint64_t bytes =
        trace_wants(graph->trace, LEVEL_BLOCK) ? bytes_around(block->working, block->size, edge->offset) : 0;
    TRACE(graph->trace, edge_relaxed, .block = id, .offset = edge->offset, .before = edge->kind,
          .after = graph->arch->branch, .target = target, .bytes_before = bytes, .bytes_after = bytes);
    edge->kind = graph->arch->branch;
    edge->target = target;
}

static void relax_block(struct graph *graph, uint32_t id) {
    const struct block *block = &graph->blocks.data[id];
    const struct fixup_run run = {.content = block->working, .address = block->address};
    uint64_t loads = graph->arch->got_load_kinds;
    uint32_t branch = graph->arch->branch_to_stub;
    struct edge *edge = graph->edges.data + block->first_edge, *end = edge + block->edge_count;
    for (; edge < end; edge++) {
        if (loads >> edge->kind & 1)
            relax_load(graph, id, &run, edge);
        else if (edge->kind == branch)
            bypass_stub(graph, id, edge);
    }
}

struct jitscope_error *relax_references(struct graph *graph, void *unused) {
    (void)unused;
    for (uint32_t id = 0; id < graph->blocks.count; id++) {
        const struct block *block = &graph->blocks.data[id];
        if (block->flags & BLOCK_CLAIMED && block->working && !(block->flags & BLOCK_REMOVED))
            relax_block(graph, id);
    }
    return NULL;
}
