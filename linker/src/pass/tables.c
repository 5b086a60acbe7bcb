#include "pass/tables.h"

#include "pass/ifuncs.h"
#include "pass/lazy_stubs.h"
#include "pass/low_functions.h"
#include "pass/relax.h"
#include "pass/synthetic.h"

/* What entries hold before edges are applied. */
static const uint8_t zero_entry[8];
static const uint8_t tls_words[16];

/* Where an entry was first asked for. */
struct request {
    uint32_t block;
    uint64_t offset;
};

/* --- entries
 * ------------------------------------------------------------------------------------------------- */

struct jitscope_error *cover_targets(entry_map *map, const struct graph *graph) {
    if (map->count < graph->symbols.count)
        TRY(vec_reserve(map, graph->symbols.count - map->count));
    while (map->count < graph->symbols.count)
        vec_put(map, NO_SYMBOL);
    return NULL;
}

/* Adds one block with its anonymous symbol and its edge to LEADS_TO, and says so. */
static struct jitscope_error *add_entry(struct graph *graph, uint32_t section, const uint8_t *content,
                                        uint8_t size, uint8_t alignment_log2, struct edge edge, uint8_t kind,
                                        uint32_t *symbol, uint32_t *block) {
    TRY(graph_add_block(graph, section, content, size, alignment_log2, MADE_BY_LINKER, block));
    TRY(graph_add_edge(graph, *block, edge));
    return graph_add_symbol(graph,
                            (struct symbol){.size = size,
                                            .block = *block,
                                            .input = NO_INPUT,
                                            .scope = SCOPE_LOCAL,
                                            .kind = kind,
                                            .flags = SYMBOL_TABLE_ENTRY},
                            symbol);
}

static void trace_entry(struct graph *graph, uint32_t table, uint32_t number, uint32_t symbol, uint32_t block,
                        uint32_t target, struct request request) {
    TRACE(graph->trace, table_entry, .table = table, .entry = number, .symbol = symbol, .block = block,
          .target = target, .asked_by = request.block, .asked_at = request.offset);
}

/* --- GOT
 * ----------------------------------------------------------------------------------------------------- */

static struct jitscope_error *add_got_entry(struct got_table *got, struct graph *graph, uint32_t target,
                                            struct request request, uint32_t *symbol) {
    uint32_t block;
    if (target >= got->entry_of.count)
        TRY(cover_targets(&got->entry_of, graph));
    if (got->section == NO_SECTION)
        TRY(synthetic_section(graph, ".got", PROTECT_READ, &got->section));
    TRY(add_entry(graph, got->section, zero_entry, graph->arch->pointer_size, 3,
                  (struct edge){.kind = graph->arch->pointer64, .target = target}, SYMBOL_KIND_OBJECT, symbol,
                  &block));
    got->entry_of.data[target] = *symbol;
    trace_entry(graph, TABLE_GOT, got->count++, *symbol, block, target, request);
    return NULL;
}

static struct jitscope_error *got_entry(struct got_table *got, struct graph *graph, uint32_t target,
                                        struct request request, uint32_t *symbol) {
    *symbol = target < got->entry_of.count ? got->entry_of.data[target] : NO_SYMBOL;
    return *symbol != NO_SYMBOL ? NULL : add_got_entry(got, graph, target, request, symbol);
}

struct jitscope_error *got_table_entry(struct got_table *got, struct graph *graph, uint32_t target,
                                       uint32_t block, uint64_t offset, uint32_t *symbol) {
    return got_entry(got, graph, target, (struct request){block, offset}, symbol);
}

static void claim_request(struct graph *graph, uint32_t block, uint32_t id, uint32_t entry) {
    struct edge *edge = &graph->edges.data[id];
    graph_claim_edge(graph, block, edge, graph->arch->kinds[edge->kind].becomes, entry, TABLE_GOT);
}

/* What cannot do without an entry. */
static __attribute__((noinline)) struct jitscope_error *
serve_request(struct got_table *got, struct graph *graph, uint32_t block, uint32_t id) {
    const struct edge *edge = &graph->edges.data[id];
    uint32_t entry;
    TRY(got_entry(got, graph, edge->target, (struct request){block, edge->offset}, &entry));
    claim_request(graph, block, id, entry);
    return NULL;
}

/* Whether there is a place in the batch that SYMBOL will be at. */
static inline bool has_place(const struct graph *graph, uint32_t symbol) {
    uint32_t block = graph->symbols.data[symbol].block;
    return block != NO_BLOCK &&
           (graph->blocks.data[block].flags & (BLOCK_REMOVED | BLOCK_IN_MEMORY)) == BLOCK_IN_MEMORY;
}

/* One walk in the order in which symbols and blocks lie costs less than to look for each target's where it
 * happens to be. */
static struct jitscope_error *note_places(struct got_table *got, const struct graph *graph) {
    uint32_t count = graph->symbols.count;
    TRY(vec_reserve(&got->placed, count / 64 + 1));
    for (uint64_t first = 0; first < count; first += 64) {
        uint32_t most = count - first < 64 ? (uint32_t)(count - first) : 64;
        uint64_t bits = 0;
        for (uint32_t i = 0; i < most; i++)
            bits |= (uint64_t)has_place(graph, (uint32_t)first + i) << i;
        vec_put(&got->placed, bits);
    }
    return NULL;
}

static inline bool is_placed(const struct got_table *got, uint32_t symbol) {
    return symbol / 64 < got->placed.count && got->placed.data[symbol / 64] >> (symbol & 63) & 1;
}

static struct jitscope_error *visit_got(struct edge_visitor *visitor, struct graph *graph, uint32_t block,
                                        uint32_t id, bool *claimed) {
    struct got_table *got = (struct got_table *)visitor;
    if (graph->arch->got_base_kinds >> graph->edges.data[id].kind & 1) {
        got->needs_base = true;
        return NULL;
    }
    *claimed = true;
    if (graph->lies_near && !got->placed.count)
        TRY(note_places(got, graph));
    if (is_placed(got, graph->edges.data[id].target) && relax_early(graph, block, id))
        return NULL;
    return serve_request(got, graph, block, id);
}

void got_table_create(struct got_table *got, const struct graph *graph) {
    *got =
        (struct got_table){.visitor = {.kinds = graph->arch->got_request_kinds | graph->arch->got_base_kinds,
                                       .visit = visit_got},
                           .section = NO_SECTION};
}

void got_table_destroy(struct got_table *got) {
    vec_destroy(&got->entry_of);
    vec_destroy(&got->placed);
}

/* --- PLT
 * ----------------------------------------------------------------------------------------------------- */

static struct jitscope_error *plt_entry(struct plt_table *plt, struct graph *graph, uint32_t target,
                                        struct request request, uint32_t *symbol) {
    if (target >= plt->entry_of.count)
        TRY(cover_targets(&plt->entry_of, graph));
    *symbol = plt->entry_of.data[target];
    if (*symbol != NO_SYMBOL)
        return NULL;
    const struct arch_plt_template *template = &graph->arch->plt;
    uint32_t slot, section, block;
    TRY(got_entry(plt->got, graph, target, request, &slot));
    TRY(synthetic_section(graph, ".plt", PROTECT_READ | PROTECT_EXECUTE, &section));
    struct edge edge = {.offset = template->got_offset,
                        .kind = template->got_edge,
                        .target = slot,
                        .addend = {template->got_addend}};
    TRY(add_entry(graph, section, template->code, template->size, (uint8_t)__builtin_ctz(template->alignment),
                  edge, SYMBOL_KIND_FUNCTION, symbol, &block));
    plt->entry_of.data[target] = *symbol;
    trace_entry(graph, TABLE_PLT, plt->count++, *symbol, block, target, request);
    return NULL;
}

struct jitscope_error *plt_table_entry(struct plt_table *plt, struct graph *graph, uint32_t target,
                                       uint32_t block, uint64_t offset, uint32_t *symbol) {
    return plt_entry(plt, graph, target, (struct request){block, offset}, symbol);
}

static __attribute__((noinline)) struct jitscope_error *
claim_branch(struct plt_table *plt, struct graph *graph, uint32_t block, uint32_t id, bool *claimed) {
    const struct edge *edge = &graph->edges.data[id];
    uint32_t entry;
    TRY(plt_entry(plt, graph, edge->target, (struct request){block, edge->offset}, &entry));
    graph_claim_edge(graph, block, &graph->edges.data[id], graph->arch->branch_to_stub, entry, TABLE_PLT);
    *claimed = true;
    return NULL;
}

/* Most branches stay inside. */
static struct jitscope_error *visit_plt(struct edge_visitor *visitor, struct graph *graph, uint32_t block,
                                        uint32_t id, bool *claimed) {
    bool external = graph->symbols.data[graph->edges.data[id].target].flags & SYMBOL_EXTERNAL;
    return external ? claim_branch((struct plt_table *)visitor, graph, block, id, claimed) : NULL;
}

void plt_table_create(struct plt_table *plt, const struct graph *graph, struct got_table *got) {
    *plt = (struct plt_table){
        .visitor = {.kinds = (uint64_t)1 << graph->arch->branch, .outside = true, .visit = visit_plt},
        .got = got};
}

void plt_table_destroy(struct plt_table *plt) {
    vec_destroy(&plt->entry_of);
}

/* --- thread-local storage */

/* What an entry of each kind holds. */
static void entry_edges(const struct graph *graph, enum tls_entry kind, uint32_t target, struct edge edges[2],
                        uint8_t *words) {
    const struct arch_tls_kinds *kinds = &graph->arch->tls;
    bool own = !(graph->symbols.data[target].flags & SYMBOL_EXTERNAL);
    edges[0] = (struct edge){.kind = kind == TLS_ENTRY_TP_OFFSET ? kinds->tp_offset64 : kinds->word64,
                             .target = target};
    edges[1] = (struct edge){.offset = 8,
                             .kind = kind == TLS_ENTRY_PAIR && own ? kinds->offset64 : kinds->word64,
                             .target = target};
    *words = kind == TLS_ENTRY_TP_OFFSET ? 1 : 2;
}

static struct jitscope_error *add_gap(struct graph *graph, uint32_t block, uint32_t edge, uint32_t symbol,
                                      uint8_t kind) {
    return vec_push(&graph->tls.gaps, (struct tls_gap){block, edge, symbol, kind});
}

/* What the loader is to say for an entry. */
static struct jitscope_error *add_gaps(struct graph *graph, enum tls_entry kind, uint32_t block,
                                       uint32_t target) {
    bool own = !(graph->symbols.data[target].flags & SYMBOL_EXTERNAL);
    switch (kind) {
    case TLS_ENTRY_BLOCK:
        return add_gap(graph, block, 0, NO_SYMBOL, TLS_WORD_MODULE);
    case TLS_ENTRY_PAIR:
        TRY(add_gap(graph, block, 0, target, TLS_WORD_MODULE));
        return own ? NULL : add_gap(graph, block, 1, target, TLS_WORD_OFFSET);
    case TLS_ENTRY_DESCRIPTOR:
        return add_gap(graph, block, 0, target, TLS_WORD_DESCRIPTOR);
    case TLS_ENTRY_TP_OFFSET:
    case TLS_ENTRY_KINDS:
        break;
    }
    return NULL;
}

static struct jitscope_error *tls_entry(struct tls_table *table, struct graph *graph, enum tls_entry kind,
                                        uint32_t target, struct request request, uint32_t *symbol) {
    uint32_t section, block, *known = &table->block_entry;
    struct edge edges[2];
    uint8_t words;
    if (kind != TLS_ENTRY_BLOCK) {
        if (target >= table->entry_of[kind].count)
            TRY(cover_targets(&table->entry_of[kind], graph));
        known = &table->entry_of[kind].data[target];
    }
    *symbol = *known;
    if (*symbol != NO_SYMBOL)
        return NULL;
    entry_edges(graph, kind, target, edges, &words);
    TRY(synthetic_section(graph, ".got", PROTECT_READ, &section));
    TRY(add_entry(graph, section, tls_words, (uint8_t)(8 * words), 3, edges[0], SYMBOL_KIND_OBJECT, symbol,
                  &block));
    if (words > 1)
        TRY(graph_add_edge(graph, block, edges[1]));
    TRY(add_gaps(graph, kind, block, target));
    *known = *symbol;
    trace_entry(graph, TABLE_TLS, table->count++, *symbol, block, target, request);
    return NULL;
}

/* Something reaches TARGET from the thread pointer. */
static struct jitscope_error *note_reach(struct tls_table *table, struct graph *graph, uint32_t target,
                                         struct request request) {
    struct tls_reach reach = {target, request.block, request.offset};
    if (!(graph->symbols.data[target].flags & SYMBOL_EXTERNAL)) {
        if (graph->tls.own.block == NO_BLOCK)
            graph->tls.own = reach;
        return NULL;
    }
    if (target >= table->reached.count)
        TRY(cover_targets(&table->reached, graph));
    if (table->reached.data[target] != NO_SYMBOL)
        return NULL;
    table->reached.data[target] = target;
    return vec_push(&graph->tls.reached, reach);
}

static struct jitscope_error *foreign_offset(const struct graph *graph, uint32_t block,
                                             const struct edge *edge) {
    struct coordinates where = graph_coordinates(graph, block, edge->offset, edge->target);
    return error_with_help(error_at(JITSCOPE_ERROR_UNSUPPORTED, &where,
                                    "%s: the variable lies in no block of this batch",
                                    graph_edge_name(graph, edge)),
                           "compile without -ftls-model=local-dynamic, or link the object that defines it in "
                           "the same batch");
}

/* References without a table entry. */
static struct jitscope_error *visit_direct(struct tls_table *table, struct graph *graph, uint32_t block,
                                           const struct edge *edge) {
    const struct arch_tls_kinds *kinds = &graph->arch->tls;
    if (graph->sections.data[graph->blocks.data[block].section].lifetime == LIFETIME_NO_ALLOC)
        return NULL;
    if (edge->kind == kinds->tp_offset32 || edge->kind == kinds->tp_offset64)
        return note_reach(table, graph, edge->target, (struct request){block, edge->offset});
    bool is_offset = edge->kind == kinds->offset32 || edge->kind == kinds->offset64;
    return is_offset && graph->symbols.data[edge->target].flags & SYMBOL_EXTERNAL
               ? foreign_offset(graph, block, edge)
               : NULL;
}

static struct jitscope_error *visit_tls(struct edge_visitor *visitor, struct graph *graph, uint32_t block,
                                        uint32_t id, bool *claimed) {
    struct tls_table *table = (struct tls_table *)visitor;
    const struct arch_tls_kinds *kinds = &graph->arch->tls;
    struct edge edge = graph->edges.data[id];
    struct request request = {block, edge.offset};
    uint32_t entry;
    enum tls_entry kind = edge.kind == kinds->request_pair         ? TLS_ENTRY_PAIR
                          : edge.kind == kinds->request_block      ? TLS_ENTRY_BLOCK
                          : edge.kind == kinds->request_tp_offset  ? TLS_ENTRY_TP_OFFSET
                          : edge.kind == kinds->request_descriptor ? TLS_ENTRY_DESCRIPTOR
                                                                   : TLS_ENTRY_KINDS;
    if (kind == TLS_ENTRY_KINDS)
        return visit_direct(table, graph, block, &edge);
    if (kind == TLS_ENTRY_TP_OFFSET)
        TRY(note_reach(table, graph, edge.target, request));
    TRY(tls_entry(table, graph, kind, edge.target, request, &entry));
    graph_claim_edge(graph, block, &graph->edges.data[id], kinds->entry_reference, entry, TABLE_TLS);
    *claimed = true;
    return NULL;
}

void tls_table_create(struct tls_table *table, const struct graph *graph) {
    *table = (struct tls_table){.visitor = {.kinds = graph->arch->tls_kinds, .visit = visit_tls},
                                .block_entry = NO_SYMBOL};
}

void tls_table_destroy(struct tls_table *table) {
    for (int kind = 0; kind < TLS_ENTRY_KINDS; kind++)
        vec_destroy(&table->entry_of[kind]);
    vec_destroy(&table->reached);
}

/* --- the pass
 * ------------------------------------------------------------------------------------------------ */

/* A table whose address is used exists even when nobody asked for an entry. */
static struct jitscope_error *ensure_got_base(struct graph *graph, const struct got_table *got) {
    uint32_t section, block;
    if (!got->needs_base || got->count)
        return NULL;
    TRY(synthetic_section(graph, ".got", PROTECT_READ, &section));
    return graph_add_block(graph, section, zero_entry, sizeof zero_entry, 3, MADE_BY_LINKER, &block);
}

/* Whether what is known of symbols before the walk is all that there is to know: no visitor gives one a place
 * or wants to see requests for those that have one, and nobody wants to see each edge. */
static bool can_look_ahead(const struct graph *graph, const struct low_functions *low) {
    return graph->lies_near && !graph->lazy.wanted && !low->visitor.kinds &&
           !trace_wants(graph->trace, LEVEL_BLOCK);
}

struct jitscope_error *build_tables(struct graph *graph, void *unused) {
    (void)unused;
    struct got_table got;
    struct plt_table plt;
    struct tls_table tls;
    struct low_functions low;
    struct lazy_table lazy;
    got_table_create(&got, graph);
    plt_table_create(&plt, graph, &got);
    tls_table_create(&tls, graph);
    low_functions_create(&low, graph, &plt);
    lazy_table_create(&lazy, graph, &got, &plt);
    struct jitscope_error *error = add_ifunc_entries(graph, &got, &plt);
    if (!error && can_look_ahead(graph, &low))
        error = note_places(&got, graph);
    if (!error)
        error = visit_existing_edges(graph, got.placed.data, &lazy.visitor, &got.visitor, &plt.visitor,
                                     &tls.visitor, &low.visitor);
    if (!error)
        error = ensure_got_base(graph, &got);
    lazy_table_destroy(&lazy);
    tls_table_destroy(&tls);
    plt_table_destroy(&plt);
    got_table_destroy(&got);
    return error;
}
