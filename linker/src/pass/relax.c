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

/* Up to eight bytes of the block that hold the instruction's end, for the event. */
static uint64_t bytes_around(const struct block *block, uint64_t offset) {
    uint64_t start = offset >= 4 ? offset - 4 : 0, value = 0;
    for (uint64_t i = 0; i < 8 && start + i < block->size; i++)
        value |= (uint64_t)block->working[start + i] << (8 * i);
    return value;
}

static void relax_load(struct graph *graph, uint32_t id, const struct fixup_run *run, struct edge *edge) {
    uint32_t target = entry_target(graph, edge->target), offset = edge->offset, kind = edge->kind;
    /* What nobody defines has address 0 and stays a load; an addend other than the displacement's own is no
     * plain load. */
    if (target == NO_SYMBOL || edge->addend != -4 || !graph->addresses[target])
        return;
    bool traced = trace_wants(graph->trace, LEVEL_BLOCK);
    uint64_t before = traced ? bytes_around(&graph->blocks.data[id], offset) : 0;
    if (!graph->arch->relax_got_load(run, edge, graph->addresses[target]))
        return;
    edge->target = target;
    if (traced)
        TRACE(graph->trace, edge_relaxed, .block = id, .offset = offset, .before = kind, .after = edge->kind,
              .target = target, .bytes_before = before,
              .bytes_after = bytes_around(&graph->blocks.data[id], offset));
}

static void bypass_stub(struct graph *graph, uint32_t id, struct edge *edge) {
    const struct block *block = &graph->blocks.data[id];
    uint32_t slot = entry_target(graph, edge->target);
    uint32_t target = slot == NO_SYMBOL ? NO_SYMBOL : entry_target(graph, slot);
    if (target == NO_SYMBOL || !graph->addresses[target] ||
        !graph->arch->reaches(edge->kind, block->address + edge->offset, graph->addresses[target],
                              edge->addend))
        return;
    uint64_t bytes = trace_wants(graph->trace, LEVEL_BLOCK) ? bytes_around(block, edge->offset) : 0;
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
        if (block->edge_count && block->working && !(block->flags & BLOCK_REMOVED))
            relax_block(graph, id);
    }
    return NULL;
}
