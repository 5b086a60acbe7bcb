#include "pass/lazy_stubs.h"

#include "pass/section_actions.h"
#include "pass/synthetic.h"

#include <string.h>

static const uint8_t empty_slot[8];
static const char resolver_name[] = "jitscope's lazy resolver", slots_name[] = ".got.lazy";

/* What unbound slots lead to in the end; the session knows where that is. */
static struct jitscope_error *want_resolver(struct lazy_table *table, struct graph *graph) {
    uint32_t name;
    if (table->resolver != NO_SYMBOL)
        return NULL;
    TRY(string_pool_intern(graph->names, resolver_name, sizeof resolver_name - 1, &name));
    struct symbol symbol = {.name = name,
                            .block = NO_BLOCK,
                            .input = NO_INPUT,
                            .scope = SCOPE_LOCAL,
                            .kind = SYMBOL_KIND_FUNCTION,
                            .flags = SYMBOL_EXTERNAL};
    TRY(graph_add_symbol(graph, symbol, &table->resolver));
    graph_resolve(graph, table->resolver, graph->lazy.resolver, PROVIDER_LINKER, NO_NAME);
    return NULL;
}

static struct symbol entry_symbol(uint32_t block, uint64_t size, uint8_t kind) {
    return (struct symbol){.size = size,
                           .block = block,
                           .input = NO_INPUT,
                           .scope = SCOPE_LOCAL,
                           .kind = kind,
                           .flags = SYMBOL_TABLE_ENTRY | SYMBOL_LAZY};
}

static struct edge reference(uint32_t offset, const struct graph *graph, uint32_t target) {
    return (struct edge){.offset = offset,
                         .kind = graph->arch->plt.got_edge,
                         .target = target,
                         .addend = {graph->arch->plt.got_addend}};
}

static struct jitscope_error *add_slot(struct graph *graph, struct lazy_stub *stub, uint32_t *block) {
    uint32_t section;
    uint8_t size = graph->arch->pointer_size;
    TRY(synthetic_section(graph, slots_name, PROTECT_READ | PROTECT_WRITE, &section));
    TRY(graph_add_block(graph, section, empty_slot, size, 3, MADE_BY_LINKER, block));
    return graph_add_symbol(graph, entry_symbol(*block, size, SYMBOL_KIND_OBJECT), &stub->slot);
}

/* The half behind the jump has a name, the function's, for who follows slots to what they lead to. */
static struct jitscope_error *add_unbound_place(struct graph *graph, struct lazy_stub *stub, uint32_t block) {
    return graph_add_symbol(graph,
                            (struct symbol){.value = graph->arch->lazy.unbound,
                                            .name = graph->symbols.data[stub->target].name,
                                            .block = block,
                                            .input = NO_INPUT,
                                            .scope = SCOPE_LOCAL,
                                            .kind = SYMBOL_KIND_SECTION},
                            &stub->leads_to);
}

static struct jitscope_error *add_lazy_code(struct lazy_table *table, struct graph *graph,
                                            struct lazy_stub *stub, uint32_t *block) {
    const struct arch_lazy_template *template = &graph->arch->lazy;
    uint32_t section, resolver;
    TRY(want_resolver(table, graph));
    TRY(synthetic_section(graph, ".plt", PROTECT_READ | PROTECT_EXECUTE, &section));
    TRY(graph_add_block(graph, section, template->code, template->size,
                        (uint8_t)__builtin_ctz(template->alignment), MADE_BY_LINKER, block));
    TRY(graph_add_edge(graph, *block, reference(template->slot_offsets[0], graph, stub->slot)));
    TRY(graph_add_edge(graph, *block, reference(template->slot_offsets[1], graph, stub->slot)));
    TRY(got_table_entry(table->got, graph, table->resolver, *block, template->resolver_offset, &resolver));
    TRY(graph_add_edge(graph, *block, reference(template->resolver_offset, graph, resolver)));
    TRY(graph_add_symbol(graph, entry_symbol(*block, template->size, SYMBOL_KIND_FUNCTION), &stub->stub));
    return add_unbound_place(graph, stub, *block);
}

static struct jitscope_error *add_plain_code(struct graph *graph, struct lazy_stub *stub, uint32_t *block) {
    const struct arch_plt_template *template = &graph->arch->plt;
    uint32_t section;
    TRY(synthetic_section(graph, ".plt", PROTECT_READ | PROTECT_EXECUTE, &section));
    TRY(graph_add_block(graph, section, template->code, template->size,
                        (uint8_t)__builtin_ctz(template->alignment), MADE_BY_LINKER, block));
    TRY(graph_add_edge(graph, *block, reference(template->got_offset, graph, stub->slot)));
    TRY(graph_add_symbol(graph, entry_symbol(*block, template->size, SYMBOL_KIND_FUNCTION), &stub->stub));
    stub->leads_to = stub->target;
    return NULL;
}

static void tell(struct lazy_table *table, struct graph *graph, const struct lazy_stub *stub, uint32_t block,
                 uint64_t offset) {
    bool waits = graph->symbols.data[stub->target].flags & SYMBOL_LAZY;
    TRACE(graph->trace, table_entry, .table = TABLE_GOT, .entry = table->got->count, .symbol = stub->slot,
          .block = graph->symbols.data[stub->slot].block, .target = stub->target, .asked_by = block,
          .asked_at = offset);
    TRACE(graph->trace, table_entry, .table = TABLE_PLT, .entry = table->plt->count, .symbol = stub->stub,
          .block = graph->symbols.data[stub->stub].block, .target = stub->target, .asked_by = block,
          .asked_at = offset);
    TRACE(graph->trace, lazy_stub, .slot = graph->lazy.stubs.count, .symbol = stub->slot, .stub = stub->stub,
          .target = stub->target, .waits = waits);
    table->got->count++;
    table->plt->count++;
}

static struct jitscope_error *want_stub(struct lazy_table *table, struct graph *graph, uint32_t target,
                                        uint32_t block, uint64_t offset, struct lazy_stub *out) {
    if (target >= table->stub_of.count)
        TRY(cover_targets(&table->stub_of, graph));
    uint32_t *index = &table->stub_of.data[target], slot_block, stub_block;
    if (*index != NO_SYMBOL) {
        *out = graph->lazy.stubs.data[*index];
        return NULL;
    }
    struct lazy_stub stub = {.target = target};
    TRY(add_slot(graph, &stub, &slot_block));
    TRY(graph->symbols.data[target].flags & SYMBOL_LAZY ? add_lazy_code(table, graph, &stub, &stub_block)
                                                        : add_plain_code(graph, &stub, &stub_block));
    TRY(graph_add_edge(graph, slot_block,
                       (struct edge){.kind = graph->arch->pointer64, .target = stub.leads_to}));
    *index = graph->lazy.stubs.count;
    tell(table, graph, &stub, block, offset);
    *out = stub;
    return vec_push(&graph->lazy.stubs, stub);
}

static struct jitscope_error *visit(struct edge_visitor *visitor, struct graph *graph, uint32_t block,
                                    uint32_t id, bool *claimed) {
    struct lazy_table *table = (struct lazy_table *)visitor;
    struct edge edge = graph->edges.data[id];
    struct lazy_stub stub;
    if (!(graph->symbols.data[edge.target].flags & (SYMBOL_LAZY | SYMBOL_SWINGS)))
        return NULL;
    enum arch_use use = graph->arch->use_of(edge.kind, graph->blocks.data[block].content, edge.offset,
                                            graph_addend(graph, &edge));
    if (use == USE_ADDRESS)
        return NULL;
    TRY(want_stub(table, graph, edge.target, block, edge.offset, &stub));
    bool direct = use == USE_CALL;
    graph_claim_edge(graph, block, &graph->edges.data[id],
                     direct ? graph->arch->branch_to_stub : graph->arch->kinds[edge.kind].becomes,
                     direct ? stub.stub : stub.slot, direct ? TABLE_PLT : TABLE_GOT);
    *claimed = true;
    return NULL;
}

void lazy_table_create(struct lazy_table *table, const struct graph *graph, struct got_table *got,
                       struct plt_table *plt) {
    *table = (struct lazy_table){
        .visitor = {.kinds = graph->lazy.wanted ? graph->arch->call_kinds : 0, .visit = visit},
        .resolver = NO_SYMBOL,
        .got = got,
        .plt = plt};
}

void lazy_table_destroy(struct lazy_table *table) {
    vec_destroy(&table->stub_of);
}

struct jitscope_error *register_lazy_slots(struct graph *graph, void *unused) {
    (void)unused;
    uint32_t name = string_pool_find(graph->names, slots_name, sizeof slots_name - 1);
    return add_section_action(graph, graph_find_section(graph, name), bridge_action_REGISTER_LAZY_SLOTS,
                              bridge_action_DEREGISTER_LAZY_SLOTS);
}
