/* Symbols of a batch and the decisions among them, as a static linker takes them (gABI chapter 4, "Symbol
 * Table"; the common-symbol rules follow GNU ld: a strong definition beats a common, a common beats a weak
 * definition). */
#include "graph/graph.h"
#include "graph/name_table.h"

#include <stdlib.h>

static __attribute__((noinline)) void tell_symbol(struct graph *graph, uint32_t id) {
    const struct symbol *symbol = &graph->symbols.data[id];
    if (symbol->flags & SYMBOL_EXTERNAL)
        TRACE(graph->trace, symbol_external, .symbol = id, .name = trace_name(graph->trace, symbol->name),
              .linkage = symbol->linkage, .input = symbol->input);
    else
        TRACE(graph->trace, symbol, .symbol = id, .name = trace_name(graph->trace, symbol->name),
              .block = symbol->block, .offset = symbol->value, .size = symbol->size,
              .linkage = symbol->linkage, .scope = symbol->scope, .kind = symbol->kind,
              .input = symbol->input);
}

static inline void trace_symbol(struct graph *graph, uint32_t id) {
    if (trace_wants(graph->trace, LEVEL_BLOCK))
        tell_symbol(graph, id);
}

/* --- open symbols
 * ------------------------------------------------------------------------------------------------- */

/* The symbol has been there, and is open from now on, perhaps again. */
static struct jitscope_error *reopen(struct graph *graph, uint32_t id) {
    graph->open_is_unsorted = true;
    return vec_push(&graph->open, id);
}

static int by_id(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

void graph_tidy_open(struct graph *graph) {
    uint32_t *open = graph->open.data, count = graph->open.count, kept = 0;
    if (graph->open_is_unsorted)
        qsort(open, count, sizeof *open, by_id);
    for (uint32_t i = 0; i < count; i++)
        if (symbol_is_open(&graph->symbols.data[open[i]]) && !(kept && open[kept - 1] == open[i]))
            open[kept++] = open[i];
    graph->open.count = kept;
    graph->open_is_unsorted = false;
}

/* --- adding and finding
 * ------------------------------------------------------------------------------------------- */

static inline bool has_room(const struct graph *graph, const struct symbol *symbol) {
    return graph->symbols.count < graph->symbols.capacity &&
           (!symbol_is_open(symbol) || graph->open.count < graph->open.capacity);
}

static struct jitscope_error *make_room(struct graph *graph, const struct symbol *symbol) {
    if (symbol_is_open(symbol))
        TRY(vec_reserve(&graph->open, 1));
    return vec_reserve(&graph->symbols, 1);
}

static inline void put(struct graph *graph, const struct symbol *symbol, uint32_t *id) {
    *id = graph->symbols.count;
    if (symbol_is_open(symbol))
        vec_put(&graph->open, *id);
    vec_put(&graph->symbols, *symbol);
    graph->named += symbol->scope != SCOPE_LOCAL;
    trace_symbol(graph, *id);
}

struct jitscope_error *graph_add_symbol(struct graph *graph, struct symbol symbol, uint32_t *id) {
    if (!has_room(graph, &symbol))
        TRY(make_room(graph, &symbol));
    put(graph, &symbol, id);
    return NULL;
}

struct jitscope_error *graph_reserve_symbols(struct graph *graph, uint32_t count) {
    if (count <= graph->symbols.count)
        return NULL;
    TRY(vec_reserve(&graph->symbols, count));
    return graph_cover_name(&graph->by_name.symbols, graph->names->strings.count + count - 1);
}

uint32_t graph_find_symbol(const struct graph *graph, uint32_t name) {
    return name < graph->by_name.symbols.count ? graph->by_name.symbols.data[name] : NO_SYMBOL;
}

static __attribute__((noinline)) struct jitscope_error *
add_named_with_room(struct graph *graph, const struct symbol *symbol, uint32_t *id) {
    TRY(graph_cover_name(&graph->by_name.symbols, symbol->name));
    TRY(make_room(graph, symbol));
    put(graph, symbol, id);
    graph->by_name.symbols.data[symbol->name] = *id;
    return NULL;
}

static inline struct jitscope_error *add_named(struct graph *graph, const struct symbol *symbol,
                                               uint32_t *id) {
    if (!has_room(graph, symbol) || symbol->name >= graph->by_name.symbols.count)
        return add_named_with_room(graph, symbol, id);
    graph->by_name.symbols.data[symbol->name] = graph->symbols.count;
    put(graph, symbol, id);
    return NULL;
}

struct jitscope_error *graph_claim_group(struct graph *graph, uint32_t signature, uint32_t input,
                                         uint32_t *holder) {
    TRY(graph_cover_name(&graph->by_name.groups, signature));
    TRY(vec_reserve(&graph->claimed_groups, 1));
    uint32_t *slot = &graph->by_name.groups.data[signature];
    if (*slot == NO_INPUT) {
        *slot = input;
        vec_put(&graph->claimed_groups, signature);
    }
    *holder = *slot;
    return NULL;
}

/* The most constraining visibility of all that mention a name holds (gABI, st_other). */
static inline uint8_t merge_scope(uint8_t a, uint8_t b) {
    return a > b ? a : b;
}

/* One more mention of a defined symbol; what was said of it is said again when that changes it. */
static void narrow_scope(struct graph *graph, uint32_t id, uint8_t scope) {
    struct symbol *symbol = &graph->symbols.data[id];
    if (scope <= symbol->scope)
        return;
    symbol->scope = scope;
    trace_symbol(graph, id);
}

static const char *input_name(const struct graph *graph, uint32_t input) {
    return graph->input_name && input != NO_INPUT ? graph->input_name(graph->input_context, input)
                                                  : "the linker";
}

/* One input takes a name for a thread-local variable's, another does not. */
static struct jitscope_error *check_kind(const struct graph *graph, const struct symbol *known, uint32_t name,
                                         uint8_t kind, uint32_t input) {
    bool is_thread_local = kind == SYMBOL_KIND_TLS;
    if ((known->kind == SYMBOL_KIND_TLS) == is_thread_local || known->input == NO_INPUT || input == NO_INPUT)
        return NULL;
    struct coordinates where = {.input = input_name(graph, input),
                                .offset = NO_OFFSET,
                                .symbol = string_pool_text(graph->names, name)};
    return error_with_help(error_at(JITSCOPE_ERROR_FORMAT, &where, "%s here, but not in %s",
                                    is_thread_local ? "thread-local" : "an ordinary symbol",
                                    input_name(graph, known->input)),
                           "declare the variable thread_local everywhere, or nowhere");
}

struct jitscope_error *graph_refer(struct graph *graph, uint32_t name, uint8_t linkage, uint8_t scope,
                                   uint8_t kind, uint32_t input, uint32_t *id) {
    *id = graph_find_symbol(graph, name);
    if (*id == NO_SYMBOL)
        return add_named(graph,
                         &(struct symbol){.name = name,
                                          .block = NO_BLOCK,
                                          .input = input,
                                          .linkage = linkage,
                                          .scope = scope,
                                          .kind = kind,
                                          .flags = SYMBOL_EXTERNAL},
                         id);
    struct symbol *symbol = &graph->symbols.data[*id];
    TRY(check_kind(graph, symbol, name, kind, input));
    if (!(symbol->flags & SYMBOL_EXTERNAL)) {
        narrow_scope(graph, *id, scope);
        return NULL;
    }
    symbol->scope = merge_scope(symbol->scope, scope);
    if (symbol->kind == SYMBOL_KIND_NONE)
        symbol->kind = kind;
    if (linkage == LINKAGE_STRONG && symbol->linkage == LINKAGE_WEAK) {
        symbol->linkage = LINKAGE_STRONG;
        symbol->input = input;
        trace_symbol(graph, *id);
    }
    return NULL;
}

static void trace_discarded(struct graph *graph, const struct symbol *loser, const struct symbol *winner,
                            uint32_t reason) {
    TRACE(graph->trace, symbol_discarded, .name = trace_name(graph->trace, loser->name),
          .input = loser->input, .in_favour_of = winner->input, .reason = reason);
}

/* The definition takes the name's symbol over; the id, and so every edge, stays. */
static void take_over(struct graph *graph, uint32_t id, const struct symbol *definition) {
    struct symbol *symbol = &graph->symbols.data[id];
    uint8_t scope = merge_scope(definition->scope, symbol->scope);
    *symbol = *definition;
    symbol->scope = scope;
    trace_symbol(graph, id);
}

static struct jitscope_error *duplicate(const struct graph *graph, const struct symbol *first,
                                        const struct symbol *second) {
    struct coordinates where = {.input = input_name(graph, second->input),
                                .offset = NO_OFFSET,
                                .symbol = string_pool_text(graph->names, second->name)};
    return error_with_help(error_at(JITSCOPE_ERROR_DUPLICATE, &where, "defined twice; first defined in %s",
                                    input_name(graph, first->input)),
                           "make one of them static or weak, or leave one input out");
}

/* Both are commons: the larger size and the stricter alignment hold. */
static void merge_commons(struct graph *graph, uint32_t id, const struct symbol *definition) {
    struct symbol *symbol = &graph->symbols.data[id];
    struct symbol merged = *symbol;
    if (definition->size > symbol->size) {
        trace_discarded(graph, symbol, definition, REASON_LARGER_COMMON);
        merged.size = definition->size;
        merged.input = definition->input;
    } else {
        trace_discarded(graph, definition, symbol, REASON_LARGER_COMMON);
    }
    if (!(definition->flags & SYMBOL_LARGE)) /* somebody reaches it by 32 bits */
        merged.flags &= (uint8_t)~SYMBOL_LARGE;
    merged.value = definition->value > symbol->value ? definition->value : symbol->value;
    take_over(graph, id, &merged);
}

/* Two absolute symbols of one value are one, for linkers: nothing depends on which is taken. */
static bool is_same_number(const struct symbol *a, const struct symbol *b) {
    return a->kind == SYMBOL_KIND_ABSOLUTE && b->kind == SYMBOL_KIND_ABSOLUTE && a->value == b->value;
}

enum decision { KEEP, REPLACE, MERGE, CLASH };

/* Who wins when NEW meets OLD, both definitions; *reason says why. */
static enum decision decide(uint8_t old, uint8_t new, uint32_t *reason) {
    static const struct {
        enum decision decision;
        uint32_t reason;
    } table[3][3] = {
        [LINKAGE_STRONG] = {[LINKAGE_STRONG] = {CLASH, 0},
                            [LINKAGE_WEAK] = {KEEP, REASON_STRONG_OVER_WEAK},
                            [LINKAGE_COMMON] = {KEEP, REASON_STRONG_OVER_COMMON}},
        [LINKAGE_WEAK] = {[LINKAGE_STRONG] = {REPLACE, REASON_STRONG_OVER_WEAK},
                          [LINKAGE_WEAK] = {KEEP, REASON_FIRST_WEAK},
                          [LINKAGE_COMMON] = {REPLACE, REASON_COMMON_OVER_WEAK}},
        [LINKAGE_COMMON] = {[LINKAGE_STRONG] = {REPLACE, REASON_STRONG_OVER_COMMON},
                            [LINKAGE_WEAK] = {KEEP, REASON_COMMON_OVER_WEAK},
                            [LINKAGE_COMMON] = {MERGE, REASON_LARGER_COMMON}},
    };
    *reason = table[old][new].reason;
    return table[old][new].decision;
}

/* DEFINITION meets the name's symbol. */
static __attribute__((noinline)) struct jitscope_error *
meet(struct graph *graph, const struct symbol *definition, const uint32_t *id, bool *won) {
    struct symbol *old = &graph->symbols.data[*id];
    TRY(check_kind(graph, old, definition->name, definition->kind, definition->input));
    if (old->flags & SYMBOL_EXTERNAL) {
        take_over(graph, *id, definition);
        return NULL;
    }
    uint32_t reason;
    switch (decide(old->linkage, definition->linkage, &reason)) {
    case CLASH:
        *won = false;
        if (!is_same_number(old, definition))
            return duplicate(graph, old, definition);
        trace_discarded(graph, definition, old, REASON_FIRST_DEFINITION);
        narrow_scope(graph, *id, definition->scope);
        break;
    case MERGE:
        merge_commons(graph, *id, definition);
        break;
    case REPLACE:
        trace_discarded(graph, old, definition, reason);
        take_over(graph, *id, definition);
        return symbol_is_open(definition) ? reopen(graph, *id) : NULL; /* a common one, in place of a weak */
    case KEEP:
        *won = false;
        trace_discarded(graph, definition, old, reason);
        narrow_scope(graph, *id, definition->scope);
        break;
    }
    return NULL;
}

struct jitscope_error *graph_define(struct graph *graph, const struct symbol *definition, uint32_t *id,
                                    bool *won) {
    *won = true;
    *id = graph_find_symbol(graph, definition->name);
    return *id == NO_SYMBOL ? add_named(graph, definition, id) : meet(graph, definition, id, won);
}

static struct jitscope_error *yield(struct graph *graph, uint32_t id, uint32_t winner, uint32_t reason) {
    struct symbol *symbol = &graph->symbols.data[id];
    TRACE(graph->trace, symbol_discarded, .name = trace_name(graph->trace, symbol->name),
          .input = symbol->input, .in_favour_of = winner, .reason = reason);
    symbol->value = symbol->size = 0;
    symbol->block = NO_BLOCK;
    symbol->linkage = LINKAGE_STRONG;
    symbol->flags = SYMBOL_EXTERNAL;
    trace_symbol(graph, id);
    return reopen(graph, id);
}

struct jitscope_error *graph_yield(struct graph *graph, uint32_t id) {
    bool common = graph->symbols.data[id].linkage == LINKAGE_COMMON;
    return yield(graph, id, NO_INPUT, common ? REASON_LARGER_COMMON : REASON_FIRST_WEAK);
}

struct jitscope_error *graph_yield_common(struct graph *graph, uint32_t id, uint32_t library) {
    return yield(graph, id, library, REASON_STRONG_OVER_COMMON);
}

void graph_resolve(struct graph *graph, uint32_t id, uint64_t address, uint32_t provider, uint32_t where) {
    struct symbol *symbol = &graph->symbols.data[id];
    symbol->value = address;
    symbol->flags |= SYMBOL_RESOLVED;
    TRACE(graph->trace, symbol_resolved, .symbol = id, .name = trace_name(graph->trace, symbol->name),
          .address = address, .provider = provider, .where = trace_name(graph->trace, where));
}

struct jitscope_error *graph_resolve_thread_local(struct graph *graph, uint32_t id, uint64_t offset,
                                                  uint32_t provider, uint32_t where, uint32_t link) {
    TRY(vec_push(&graph->tls.externals, (struct tls_external){id, link}));
    graph_resolve(graph, id, offset, provider, where);
    return NULL;
}

void graph_define_at(struct graph *graph, uint32_t id, uint32_t block, uint64_t offset, uint64_t size) {
    struct symbol *symbol = &graph->symbols.data[id];
    symbol->block = block;
    symbol->value = offset;
    symbol->size = size;
    if (symbol->linkage == LINKAGE_COMMON)
        symbol->linkage = LINKAGE_STRONG;
    if (block == NO_BLOCK)
        symbol->kind = SYMBOL_KIND_ABSOLUTE;
    symbol->flags &= (uint8_t)~SYMBOL_EXTERNAL;
    trace_symbol(graph, id);
}

const char *graph_symbol_name(const struct graph *graph, uint32_t symbol) {
    return string_pool_text(graph->names, graph->symbols.data[symbol].name);
}

void graph_forget_addresses(struct graph *graph) {
    os_release_table(graph->addresses, (size_t)graph->address_count * sizeof *graph->addresses);
    graph->addresses = NULL;
    graph->address_count = 0;
}

struct jitscope_error *graph_compute_addresses(struct graph *graph) {
    graph_forget_addresses(graph);
    graph->addresses = os_resize_table(NULL, 0, (size_t)graph->symbols.count * sizeof *graph->addresses);
    if (!graph->addresses)
        return error_no_memory();
    graph->address_count = graph->symbols.count;
    for (uint32_t id = 0; id < graph->symbols.count; id++) {
        const struct symbol *symbol = &graph->symbols.data[id];
        uint64_t address = symbol->value;
        if (symbol->block != NO_BLOCK) {
            const struct block *block = &graph->blocks.data[symbol->block];
            /* What debug sections say of dropped code is 0, the linkers' usual tombstone. */
            address = block->flags & BLOCK_REMOVED ? 0 : address + block->address;
        }
        graph->addresses[id] = address;
    }
    return NULL;
}
