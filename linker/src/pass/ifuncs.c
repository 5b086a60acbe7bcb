#include "pass/ifuncs.h"

#include "base/bytes.h"
#include "pass/synthetic.h"

static const uint8_t empty_slot[8];

static void trace_entry(struct graph *graph, uint32_t table, uint32_t number, uint32_t symbol,
                        const struct ifunc *ifunc) {
    const struct symbol *resolver = &graph->symbols.data[ifunc->resolver];
    TRACE(graph->trace, table_entry, .table = table, .entry = number, .symbol = symbol,
          .block = graph->symbols.data[symbol].block, .target = ifunc->result, .asked_by = resolver->block,
          .asked_at = resolver->value);
}

/* The definition as the input has it, under a symbol of its own: ID is about to become the stub's. */
static struct jitscope_error *add_resolver(struct graph *graph, uint32_t id, struct ifunc *ifunc) {
    struct symbol resolver = graph->symbols.data[id];
    resolver.linkage = LINKAGE_STRONG;
    resolver.scope = SCOPE_LOCAL;
    return graph_add_symbol(graph, resolver, &ifunc->resolver);
}

/* Call frame information of the resolver that was written against the function's own name. */
static void keep_unwinding(struct graph *graph, uint32_t id, const struct ifunc *ifunc) {
    uint32_t at = graph->blocks.data[graph->symbols.data[id].block].attached;
    for (; at != NO_BLOCK; at = graph->blocks.data[at].next_attached) {
        const struct block *block = &graph->blocks.data[at];
        for (uint32_t i = 0; i < block->edge_count; i++)
            if (graph->edges.data[block->first_edge + i].target == id)
                graph->edges.data[block->first_edge + i].target = ifunc->resolver;
    }
}

/* What the resolver will say. */
static struct jitscope_error *add_result(struct graph *graph, uint32_t id, struct ifunc *ifunc) {
    struct symbol result = {.name = graph->symbols.data[id].name,
                            .block = NO_BLOCK,
                            .input = graph->symbols.data[id].input,
                            .scope = SCOPE_LOCAL,
                            .kind = SYMBOL_KIND_IFUNC,
                            .flags = SYMBOL_EXTERNAL};
    return graph_add_symbol(graph, result, &ifunc->result);
}

static struct jitscope_error *add_slot(struct graph *graph, struct ifunc *ifunc) {
    uint32_t section, block;
    uint8_t size = graph->arch->pointer_size;
    TRY(synthetic_section(graph, ".got.plt", PROTECT_READ | PROTECT_WRITE, &section));
    TRY(graph_add_block(graph, section, empty_slot, size, 3, MADE_BY_LINKER, &block));
    TRY(graph_add_edge(graph, block, (struct edge){.kind = graph->arch->pointer64, .target = ifunc->result}));
    return graph_add_symbol(graph,
                            (struct symbol){.size = size,
                                            .block = block,
                                            .input = NO_INPUT,
                                            .scope = SCOPE_LOCAL,
                                            .kind = SYMBOL_KIND_OBJECT,
                                            .flags = SYMBOL_TABLE_ENTRY},
                            &ifunc->slot);
}

static struct jitscope_error *become_stub(struct graph *graph, uint32_t id, const struct ifunc *ifunc) {
    const struct arch_plt_template *template = &graph->arch->plt;
    uint32_t section, block;
    TRY(synthetic_section(graph, ".plt", PROTECT_READ | PROTECT_EXECUTE, &section));
    TRY(graph_add_block(graph, section, template->code, template->size,
                        (uint8_t)__builtin_ctz(template->alignment), MADE_BY_LINKER, &block));
    TRY(graph_add_edge(graph, block,
                       (struct edge){.offset = template->got_offset,
                                     .kind = template->got_edge,
                                     .target = ifunc->slot,
                                     .addend = {template->got_addend}}));
    graph->symbols.data[id].kind = SYMBOL_KIND_FUNCTION;
    graph->symbols.data[id].flags |= SYMBOL_TABLE_ENTRY;
    graph_define_at(graph, id, block, 0, template->size);
    return NULL;
}

static struct jitscope_error *add_entries(struct graph *graph, uint32_t id, struct got_table *got,
                                          struct plt_table *plt) {
    struct ifunc ifunc;
    TRY(add_resolver(graph, id, &ifunc));
    keep_unwinding(graph, id, &ifunc);
    TRY(add_result(graph, id, &ifunc));
    TRY(add_slot(graph, &ifunc));
    TRY(become_stub(graph, id, &ifunc));
    trace_entry(graph, TABLE_GOT, got->count++, ifunc.slot, &ifunc);
    trace_entry(graph, TABLE_PLT, plt->count++, id, &ifunc);
    return vec_push(&graph->ifuncs, ifunc);
}

struct jitscope_error *add_ifunc_entries(struct graph *graph, struct got_table *got, struct plt_table *plt) {
    uint32_t count = graph->symbols.count;
    for (uint32_t id = 0; id < count && graph->has_ifuncs; id++) {
        const struct symbol *symbol = &graph->symbols.data[id];
        if (symbol->kind == SYMBOL_KIND_IFUNC && symbol->block != NO_BLOCK &&
            !(graph->blocks.data[symbol->block].flags & BLOCK_REMOVED))
            TRY(add_entries(graph, id, got, plt));
    }
    return NULL;
}

/* Layout of the arguments: actions.def. */
struct jitscope_error *attach_ifunc_resolvers(struct graph *graph) {
    uint32_t count = graph->ifuncs.count;
    if (!count || !graph->knows_action)
        return NULL;
    uint64_t size = 16 + (uint64_t)count * 16;
    uint8_t *arguments = arena_allocate(&graph->arena, size);
    if (!arguments)
        return error_no_memory();
    store_u64(arguments, graph_symbol_address(graph, graph->ifuncs.data[0].slot));
    store_u64(arguments + 8, (uint64_t)count * graph->arch->pointer_size);
    for (uint32_t i = 0; i < count; i++) {
        store_u64(arguments + 16 + 16 * i, graph_symbol_address(graph, graph->ifuncs.data[i].slot));
        store_u64(arguments + 24 + 16 * i, graph_symbol_address(graph, graph->ifuncs.data[i].resolver));
    }
    return graph_add_action(graph,
                            (struct action_call){bridge_action_RESOLVE_IFUNCS, arguments, (uint32_t)size},
                            (struct action_call){0});
}
