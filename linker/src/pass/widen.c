#include "pass/widen.h"

#include "pass/tables.h"

/* The target of a GOT entry, whose symbol ENTRY may be; else NO_SYMBOL.  TLS entries hold other things. */
static uint32_t target_of(const struct graph *graph, uint32_t section, uint32_t entry) {
    const struct symbol *symbol = &graph->symbols.data[entry];
    if (!(symbol->flags & SYMBOL_TABLE_ENTRY) || symbol->flags & SYMBOL_LAZY || symbol->block == NO_BLOCK)
        return NO_SYMBOL;
    const struct block *block = &graph->blocks.data[symbol->block];
    if (block->section != section || block->flags & BLOCK_REMOVED || block->edge_count != 1)
        return NO_SYMBOL;
    const struct edge *edge = &graph->edges.data[block->first_edge];
    return edge->kind == graph->arch->pointer64 ? edge->target : NO_SYMBOL;
}

/* The one that entries are in, which inputs may have namesakes of, that need not lie near. */
static uint32_t find_got(const struct graph *graph) {
    uint32_t name = string_pool_find(graph->names, ".got", 4);
    uint32_t id = name == NO_NAME ? NO_SECTION : graph_find_section(graph, name);
    for (; id != NO_SECTION; id = graph_next_section(graph, id)) {
        const struct section *section = &graph->sections.data[id];
        if (section->prot == PROTECT_READ && section->lifetime == LIFETIME_STANDARD && !section->zero_fill)
            break;
    }
    return id;
}

/* The entries that there are, so that none is made twice. */
static struct jitscope_error *find_entries(struct got_table *got, const struct graph *graph) {
    got->section = find_got(graph);
    TRY(cover_targets(&got->entry_of, graph));
    for (uint32_t id = 0; id < graph->symbols.count && got->section != NO_SECTION; id++) {
        uint32_t target = target_of(graph, got->section, id);
        if (target == NO_SYMBOL)
            continue;
        got->entry_of.data[target] = id;
        got->count++;
    }
    return NULL;
}

/* What a pass has added and is that large lies behind all else of its segment, as large sections of inputs do
 * (-mcmodel=medium): the tables stay near code. */
static void put_behind(struct graph *graph, const struct block *block) {
    enum { LARGE = 16 << 20 };
    struct section *section = &graph->sections.data[block->section];
    if (block->input == NO_INPUT && block->size >= LARGE && !section->order)
        section->order = ORDER_LARGE;
}

static void ask_again(struct graph *graph, uint32_t id, struct edge *edge) {
    uint32_t offset = edge->offset, kind = edge->kind;
    graph->arch->take_back_early(edge);
    TRACE(graph->trace, edge_relaxed, .block = id, .offset = offset, .before = kind, .after = edge->kind,
          .target = edge->target);
}

struct jitscope_error *widen_references(struct graph *graph, void *unused) {
    (void)unused;
    struct got_table got;
    for (uint32_t id = 0; id < graph->blocks.count; id++) {
        const struct block *block = &graph->blocks.data[id];
        if (block->flags & BLOCK_REMOVED)
            continue;
        put_behind(graph, block);
        for (uint32_t i = 0; i < block->edge_count; i++) {
            struct edge *edge = &graph->edges.data[block->first_edge + i];
            if (graph->arch->early_kinds >> edge->kind & 1)
                ask_again(graph, id, edge);
        }
    }
    got_table_create(&got, graph);
    struct jitscope_error *error = find_entries(&got, graph);
    if (!error)
        error = visit_existing_edges(graph, NULL, &got.visitor);
    got_table_destroy(&got);
    return error;
}
