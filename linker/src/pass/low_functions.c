#include "pass/low_functions.h"

/* The name's symbol becomes the stub's; what the stub leads to is a new one, which libraries are asked for.
 */
static struct jitscope_error *become_stub(struct low_functions *functions, struct graph *graph, uint32_t id,
                                          uint32_t block, uint64_t offset) {
    struct symbol function = graph->symbols.data[id];
    uint32_t outside, stub;
    function.scope = SCOPE_DEFAULT;
    function.kind = SYMBOL_KIND_FUNCTION;
    TRY(graph_add_symbol(graph, function, &outside));
    TRY(plt_table_entry(functions->plt, graph, outside, block, offset, &stub));
    struct symbol entry = graph->symbols.data[stub], *symbol = &graph->symbols.data[id];
    symbol->scope = SCOPE_LOCAL; /* no other batch is to find a function of a library here */
    symbol->linkage = LINKAGE_STRONG;
    symbol->kind = SYMBOL_KIND_FUNCTION;
    symbol->flags |= SYMBOL_TABLE_ENTRY;
    graph_define_at(graph, id, entry.block, entry.value, entry.size);
    return NULL;
}

static struct jitscope_error *visit(struct edge_visitor *visitor, struct graph *graph, uint32_t block,
                                    uint32_t id, bool *claimed) {
    const struct edge *edge = &graph->edges.data[id];
    const struct symbol *symbol = &graph->symbols.data[edge->target];
    (void)claimed;
    if (!(symbol->flags & SYMBOL_EXTERNAL) || symbol->scope != SCOPE_DEFAULT || symbol->name == NO_NAME ||
        graph->sections.data[graph->blocks.data[block].section].lifetime == LIFETIME_NO_ALLOC ||
        !graph->is_library_function(graph->input_context, symbol->name))
        return NULL;
    return become_stub((struct low_functions *)visitor, graph, edge->target, block, edge->offset);
}

void low_functions_create(struct low_functions *functions, const struct graph *graph, struct plt_table *plt) {
    uint64_t kinds = graph->arch->low_kinds | (uint64_t)1 << graph->arch->delta32;
    bool possible = graph->wants_low_memory && graph->is_library_function;
    *functions =
        (struct low_functions){.visitor = {.kinds = possible ? kinds : 0, .visit = visit}, .plt = plt};
}
