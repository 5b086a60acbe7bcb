/* The invariants of a graph, checked after each pass in debug builds and by tests; and where things lie, for
 * messages. */
#include "graph/graph.h"

static struct jitscope_error *broken(const struct graph *graph, const char *what, uint32_t id) {
    return error_create(JITSCOPE_ERROR_FORMAT, "link %u: graph invariant broken: %s (id %u)", graph->link,
                        what, id);
}

static struct jitscope_error *verify_edges(const struct graph *graph, uint32_t id) {
    const struct block *block = &graph->blocks.data[id];
    if ((uint64_t)block->first_edge + block->edge_count > graph->edges.count)
        return broken(graph, "a block's edges lie outside the edge array", id);
    for (uint32_t i = 0; i < block->edge_count; i++) {
        const struct edge *edge = &graph->edges.data[block->first_edge + i];
        if (edge->kind >= graph->arch->kind_count)
            return broken(graph, "an edge of unknown kind in block", id);
        if (edge->target >= graph->symbols.count)
            return broken(graph, "an edge to no symbol in block", id);
        if (edge->is_wide && (uint32_t)edge->addend.bits >= graph->wide_addends.count)
            return broken(graph, "an edge whose wide addend is not there in block", id);
        const struct edge_kind_info *kind = &graph->arch->kinds[edge->kind];
        if (edge->offset < kind->before || (uint64_t)edge->offset + kind->width + kind->behind > block->size)
            return broken(graph, "an edge outside its block", id);
    }
    return NULL;
}

static struct jitscope_error *verify_block(const struct graph *graph, uint32_t id) {
    const struct block *block = &graph->blocks.data[id];
    if (block->section >= graph->sections.count)
        return broken(graph, "a block in no section", id);
    if (block->alignment_log2 > 63)
        return broken(graph, "an alignment beyond 2^63 of block", id);
    if (!block->content != !!(block->flags & BLOCK_ZERO_FILL))
        return broken(graph, "content and zero-fill disagree in block", id);
    if (block->attached != NO_BLOCK && block->attached >= graph->blocks.count)
        return broken(graph, "a block attached that does not exist, owner", id);
    return verify_edges(graph, id);
}

static struct jitscope_error *verify_symbol(const struct graph *graph, uint32_t id) {
    const struct symbol *symbol = &graph->symbols.data[id];
    if (symbol->name >= graph->names->strings.count)
        return broken(graph, "a symbol with no name in the pool", id);
    if (symbol->block == NO_BLOCK)
        return NULL;
    if (symbol->block >= graph->blocks.count)
        return broken(graph, "a symbol in no block", id);
    if (symbol->flags & SYMBOL_EXTERNAL)
        return broken(graph, "an external symbol with a block", id);
    /* The end of a block is a legal place (end-of-array symbols). */
    if (symbol->value > graph->blocks.data[symbol->block].size)
        return broken(graph, "a symbol behind the end of its block", id);
    return NULL;
}

/* Each open symbol is in the list of them, once when that is sorted. */
static struct jitscope_error *verify_open(const struct graph *graph) {
    uint32_t listed = 0, open = 0;
    for (uint32_t i = 0; i < graph->open.count; i++) {
        uint32_t id = graph->open.data[i];
        if (id >= graph->symbols.count)
            return broken(graph, "the list of open symbols has one that does not exist", id);
        if (!graph->open_is_unsorted && i && id <= graph->open.data[i - 1])
            return broken(graph, "the list of open symbols is not sorted", id);
        listed += symbol_is_open(&graph->symbols.data[id]);
    }
    for (uint32_t id = 0; id < graph->symbols.count; id++)
        open += symbol_is_open(&graph->symbols.data[id]);
    if (listed < open || (listed > open && !graph->open_is_unsorted))
        return broken(graph, "the list of open symbols lacks some", open - listed);
    return NULL;
}

struct jitscope_error *graph_verify(const struct graph *graph) {
    uint32_t live = 0, named = 0;
    for (uint32_t id = 0; id < graph->blocks.count; id++) {
        if (graph->blocks.data[id].flags & BLOCK_REMOVED)
            continue;
        live++;
        TRY(verify_block(graph, id));
    }
    if (live != graph->live_blocks)
        return broken(graph, "the count of live blocks is wrong", live);
    for (uint32_t id = 0; id < graph->symbols.count; id++) {
        TRY(verify_symbol(graph, id));
        named += graph->symbols.data[id].scope != SCOPE_LOCAL;
    }
    if (named > graph->named)
        return broken(graph, "more symbols are named than were counted", named);
    TRY(verify_open(graph));
    for (uint32_t id = 0; id < graph->symbols.count; id++) {
        uint32_t name = graph->symbols.data[id].name, named = graph_find_symbol(graph, name);
        if (named != NO_SYMBOL && (named >= graph->symbols.count || graph->symbols.data[named].name != name))
            return broken(graph, "the name table names another symbol", name);
    }
    return NULL;
}

struct coordinates graph_coordinates(const struct graph *graph, uint32_t id, uint64_t offset,
                                     uint32_t symbol) {
    const struct block *block = &graph->blocks.data[id];
    struct coordinates where = {.offset = offset};
    where.section = string_pool_text(graph->names, graph->sections.data[block->section].name);
    if (symbol != NO_SYMBOL && graph->symbols.data[symbol].name != NO_NAME)
        where.symbol = graph_symbol_name(graph, symbol);
    if (block->input == NO_INPUT)
        return where;
    where.offset += block->input_offset;
    if (graph->input_name)
        where.input = graph->input_name(graph->input_context, block->input);
    return where;
}

const char *graph_edge_name(const struct graph *graph, const struct edge *edge) {
    const char *name = edge->origin && graph->relocation_name ? graph->relocation_name(edge->origin) : NULL;
    return name ? name : graph->arch->kinds[edge->kind].name;
}
