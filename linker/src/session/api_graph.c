/* The public view of the link graph (jitscope/graph.h): ids in, copies of views out, changes through
 * graph/graph.h. */
#include "session/session_state.h"

#include <string.h>

static struct graph *graph_of(struct jitscope_graph *graph) {
    return (struct graph *)(void *)graph;
}

static const struct graph *const_graph_of(const struct jitscope_graph *graph) {
    return (const struct graph *)(const void *)graph;
}

static struct jitscope_error *usage(const char *what, uint32_t id) {
    return error_create(JITSCOPE_ERROR_USAGE, "the graph has no %s %u", what, id);
}

uint32_t jitscope_graph_link_number(const struct jitscope_graph *graph) {
    return const_graph_of(graph)->link;
}

uint32_t jitscope_graph_section_count(const struct jitscope_graph *graph) {
    return const_graph_of(graph)->sections.count;
}

uint32_t jitscope_graph_block_count(const struct jitscope_graph *graph) {
    return const_graph_of(graph)->blocks.count;
}

uint32_t jitscope_graph_symbol_count(const struct jitscope_graph *graph) {
    return const_graph_of(graph)->symbols.count;
}

struct jitscope_section_view jitscope_graph_section(const struct jitscope_graph *handle, uint32_t id) {
    const struct graph *graph = const_graph_of(handle);
    if (id >= graph->sections.count)
        return (struct jitscope_section_view){0};
    const struct section *section = &graph->sections.data[id];
    return (struct jitscope_section_view){.name = string_pool_text(graph->names, section->name),
                                          .prot = section->prot,
                                          .blocks = section->blocks};
}

struct jitscope_block_view jitscope_graph_block(const struct jitscope_graph *handle, uint32_t id) {
    const struct graph *graph = const_graph_of(handle);
    if (id >= graph->blocks.count)
        return (struct jitscope_block_view){0};
    const struct block *block = &graph->blocks.data[id];
    bool named = block->input != NO_INPUT && graph->input_name;
    return (struct jitscope_block_view){
        .section = block->section,
        .size = block->size,
        .alignment = (uint64_t)1 << block->alignment_log2,
        .address = block->address,
        .content = block->content,
        .working = block->working,
        .input = named ? graph->input_name(graph->input_context, block->input) : NULL,
        .edges = block->edge_count,
        .live = !(block->flags & BLOCK_REMOVED),
    };
}

struct jitscope_symbol_view jitscope_graph_symbol(const struct jitscope_graph *handle, uint32_t id) {
    const struct graph *graph = const_graph_of(handle);
    if (id >= graph->symbols.count)
        return (struct jitscope_symbol_view){0};
    const struct symbol *symbol = &graph->symbols.data[id];
    bool external = symbol->flags & SYMBOL_EXTERNAL;
    return (struct jitscope_symbol_view){
        .name = string_pool_text(graph->names, symbol->name),
        .block = symbol->block,
        .offset = external ? 0 : symbol->value,
        .size = symbol->size,
        .address = graph_symbol_address(graph, id),
        .external = external,
        .weak = symbol->linkage == LINKAGE_WEAK,
        .local = symbol->scope == SCOPE_LOCAL,
        .hidden = symbol->scope == SCOPE_HIDDEN,
    };
}

struct jitscope_edge_view jitscope_graph_edge(const struct jitscope_graph *handle, uint32_t block,
                                              uint32_t id) {
    const struct graph *graph = const_graph_of(handle);
    if (block >= graph->blocks.count || id >= graph->blocks.data[block].edge_count)
        return (struct jitscope_edge_view){0};
    const struct edge *edge = &graph->edges.data[graph->blocks.data[block].first_edge + id];
    return (struct jitscope_edge_view){.kind = graph->arch->kinds[edge->kind].name,
                                       .offset = edge->offset,
                                       .target = edge->target,
                                       .addend = graph_addend(graph, edge)};
}

uint32_t jitscope_graph_find_symbol(const struct jitscope_graph *handle, const char *text) {
    const struct graph *graph = const_graph_of(handle);
    uint32_t name = string_pool_find(graph->names, text, strlen(text));
    return name == NO_NAME ? JITSCOPE_NONE : graph_find_symbol(graph, name);
}

uint32_t jitscope_graph_find_section(const struct jitscope_graph *handle, const char *text) {
    const struct graph *graph = const_graph_of(handle);
    uint32_t name = string_pool_find(graph->names, text, strlen(text));
    return name == NO_NAME ? JITSCOPE_NONE : graph_find_section(graph, name);
}

bool jitscope_graph_wants_low_memory(const struct jitscope_graph *graph) {
    return const_graph_of(graph)->wants_low_memory;
}

/* --- changes
 * ------------------------------------------------------------------------------------------------------- */

static struct jitscope_error *too_late(const struct graph *graph, uint8_t last, const char *what) {
    return graph->phase <= last ? NULL : error_create(JITSCOPE_ERROR_USAGE, "too late in the link: %s", what);
}

static struct jitscope_error *check_not_laid_out(const struct graph *graph) {
    return too_late(graph, PHASE_POST_PRUNE,
                    "sections, blocks and symbols can be added up to the post-prune phase");
}

/* What was pruned has no place; neither is it brought back. */
static struct jitscope_error *check_there(const struct graph *graph, uint32_t block, const char *what,
                                          uint32_t id) {
    if (!(graph->blocks.data[block].flags & BLOCK_REMOVED))
        return NULL;
    return error_with_help(error_create(JITSCOPE_ERROR_USAGE, "%s %u is not in the link any more", what, id),
                           "keep it with a pass in the pre-prune phase, or ask a block's view for LIVE");
}

struct jitscope_error *jitscope_graph_keep(struct jitscope_graph *handle, uint32_t id) {
    struct graph *graph = graph_of(handle);
    TRY(too_late(graph, PHASE_PRE_PRUNE, "what stays is decided in the pre-prune phase"));
    if (id >= graph->symbols.count)
        return usage("symbol", id);
    if (graph->symbols.data[id].block == NO_BLOCK)
        return error_create(JITSCOPE_ERROR_USAGE, "symbol %u has no block to keep", id);
    TRY(check_there(graph, graph->symbols.data[id].block, "symbol", id));
    prune_keep(graph, graph->symbols.data[id].block);
    TRACE_ANSWER(graph->trace, edit_keep, .symbol = id);
    return NULL;
}

struct jitscope_error *jitscope_graph_add_section(struct jitscope_graph *handle, const char *text,
                                                  uint32_t prot, uint32_t *section) {
    struct graph *graph = graph_of(handle);
    uint32_t name;
    TRY(check_not_laid_out(graph));
    if (!prot || prot > (JITSCOPE_READ | JITSCOPE_WRITE | JITSCOPE_EXECUTE) ||
        (prot & (JITSCOPE_WRITE | JITSCOPE_EXECUTE)) == (JITSCOPE_WRITE | JITSCOPE_EXECUTE))
        return error_create(JITSCOPE_ERROR_USAGE,
                            "protection %u: wants read, write or execute, never the last two", prot);
    TRY(string_pool_intern(graph->names, text, strlen(text), &name));
    TRACE_ANSWER(graph->trace, edit_section, .name = trace_name(graph->trace, name), .prot = prot);
    return graph_add_section(graph, name, (uint8_t)prot, LIFETIME_STANDARD, false, section);
}

static void note_block(const struct graph *graph, uint32_t section, struct bytes content, uint64_t size,
                       uint64_t alignment) {
    if (!trace_keeps_answers(graph->trace))
        return;
    uint32_t number = content.data ? trace_content(graph->trace, content) : NO_CONTENT;
    TRACE_ANSWER(graph->trace, edit_block, .section = section, .content = number, .size = size,
                 .alignment = alignment);
}

struct jitscope_error *jitscope_graph_add_block(struct jitscope_graph *handle, uint32_t section,
                                                const void *content, uint64_t size, uint64_t alignment,
                                                uint32_t *block) {
    struct graph *graph = graph_of(handle);
    TRY(check_not_laid_out(graph));
    if (section >= graph->sections.count)
        return usage("section", section);
    if (!is_power_of_two(alignment))
        return error_create(JITSCOPE_ERROR_USAGE, "an alignment that is no power of two");
    note_block(graph, section, (struct bytes){content, content ? size : 0}, size, alignment);
    const uint8_t *copy = NULL;
    if (content && !(copy = (const uint8_t *)arena_copy(&graph->arena, content, size)))
        return error_no_memory();
    TRY(graph_add_block(graph, section, copy, size, (uint8_t)__builtin_ctzll(alignment), MADE_BY_LINKER,
                        block));
    graph->blocks.data[*block].flags |= BLOCK_LIVE;
    return NULL;
}

struct jitscope_error *jitscope_graph_add_symbol(struct jitscope_graph *handle, const char *text,
                                                 uint32_t block, uint64_t offset, uint64_t size,
                                                 uint32_t *symbol) {
    struct graph *graph = graph_of(handle);
    TRY(check_not_laid_out(graph));
    if (block >= graph->blocks.count)
        return usage("block", block);
    TRY(check_there(graph, block, "block", block));
    if (offset > graph->blocks.data[block].size)
        return error_create(JITSCOPE_ERROR_USAGE, "an offset behind the end of block %u", block);
    text = text && *text ? text : NULL;
    TRACE_ANSWER(graph->trace, edit_symbol, .name = trace_text(graph->trace, graph->names, text),
                 .block = block, .offset = offset, .size = size);
    struct symbol definition = {.block = block,
                                .value = offset,
                                .size = size,
                                .input = NO_INPUT,
                                .scope = text ? SCOPE_DEFAULT : SCOPE_LOCAL};
    if (!text)
        return graph_add_symbol(graph, definition, symbol);
    bool won;
    TRY(string_pool_intern(graph->names, text, strlen(text), &definition.name));
    return graph_define(graph, &definition, symbol, &won);
}

static struct jitscope_error *find_kind(const struct graph *graph, const char *name, uint16_t *kind) {
    for (*kind = 0; *kind < graph->arch->kind_count; ++*kind)
        if (!strcmp(graph->arch->kinds[*kind].name, name))
            return NULL;
    return error_create(JITSCOPE_ERROR_USAGE, "no edge kind '%s' on %s", name, graph->arch->name);
}

/* Table entries are made between prune and the first post-prune pass of the program. */
static struct jitscope_error *check_tables(const struct graph *graph, uint16_t kind, uint32_t target) {
    bool wants_stub = kind == graph->arch->branch && graph->symbols.data[target].flags & SYMBOL_EXTERNAL;
    uint64_t wants_got = graph->arch->got_request_kinds | graph->arch->got_base_kinds;
    if (!wants_stub && !(wants_got >> kind & 1))
        return NULL;
    return too_late(graph, PHASE_PRE_PRUNE,
                    "edges that want a GOT or PLT entry are added in the pre-prune phase");
}

static struct jitscope_error *check_field(const struct graph *graph, uint32_t id, struct edge edge) {
    const struct block *block = &graph->blocks.data[id];
    uint8_t width = graph->arch->kinds[edge.kind].width;
    if (graph->arch->kinds[edge.kind].before)
        return error_create(JITSCOPE_ERROR_USAGE, "only the linker makes edges of kind '%s'",
                            graph->arch->kinds[edge.kind].name);
    if ((uint64_t)edge.offset + width > block->size)
        return error_create(JITSCOPE_ERROR_USAGE, "an edge behind the end of block %u", id);
    if (width && block->flags & BLOCK_ZERO_FILL)
        return error_create(JITSCOPE_ERROR_USAGE, "an edge in block %u, which is zero-fill and stays so", id);
    return NULL;
}

struct jitscope_error *jitscope_graph_add_edge(struct jitscope_graph *handle, uint32_t block, uint32_t offset,
                                               const char *kind, uint32_t target, int64_t addend) {
    struct graph *graph = graph_of(handle);
    struct edge edge = {.offset = offset, .target = target};
    TRY(too_late(graph, PHASE_PRE_FIXUP, "edges can be added up to the pre-fixup phase"));
    if (block >= graph->blocks.count)
        return usage("block", block);
    if (target >= graph->symbols.count)
        return usage("symbol", target);
    TRY(check_there(graph, block, "block", block));
    if (graph->symbols.data[target].block != NO_BLOCK)
        TRY(check_there(graph, graph->symbols.data[target].block, "symbol", target));
    TRY(find_kind(graph, kind, &edge.kind));
    TRY(check_field(graph, block, edge));
    TRY(check_tables(graph, edge.kind, target));
    TRY(graph_set_addend(graph, &edge, addend));
    TRACE_ANSWER(graph->trace, edit_edge, .block = block, .offset = offset, .kind = edge.kind,
                 .target = target, .addend = addend);
    if (graph->phase <= PHASE_POST_PRUNE && graph->arch->low_kinds >> edge.kind & 1)
        graph->wants_low_memory = true;
    graph->blocks.data[block].flags |= BLOCK_CLAIMED; /* it may lead to a table entry */
    return graph_add_edge(graph, block, edge);
}

static struct jitscope_error *check_action(const struct graph *graph, const char *name) {
    if (!name || !graph->knows_action || graph->knows_action(graph->input_context, name))
        return NULL;
    return error_with_help(error_create(JITSCOPE_ERROR_USAGE, "the executor knows no action '%s'", name),
                           "register it with jitscope_session_register_action()");
}

static void note_action(const struct graph *graph, const char *finalize, struct bytes finalize_arguments,
                        const char *deallocate, struct bytes deallocate_arguments) {
    if (!trace_keeps_answers(graph->trace))
        return;
    uint32_t first = finalize ? trace_content(graph->trace, finalize_arguments) : NO_CONTENT;
    uint32_t second = deallocate ? trace_content(graph->trace, deallocate_arguments) : NO_CONTENT;
    TRACE_ANSWER(graph->trace, edit_action, .finalize = trace_text(graph->trace, graph->names, finalize),
                 .finalize_arguments = first,
                 .deallocate = trace_text(graph->trace, graph->names, deallocate),
                 .deallocate_arguments = second);
}

struct jitscope_error *jitscope_graph_add_action(struct jitscope_graph *handle, const char *finalize,
                                                 const void *finalize_arguments, size_t finalize_size,
                                                 const char *deallocate, const void *deallocate_arguments,
                                                 size_t deallocate_size) {
    struct graph *graph = graph_of(handle);
    TRY(check_action(graph, finalize));
    TRY(check_action(graph, deallocate));
    if (finalize_size > UINT32_MAX || deallocate_size > UINT32_MAX)
        return error_create(JITSCOPE_ERROR_USAGE, "more than 4 GiB of arguments");
    note_action(graph, finalize, (struct bytes){finalize_arguments, finalize_size}, deallocate,
                (struct bytes){deallocate_arguments, deallocate_size});
    return graph_add_action(
        graph, (struct action_call){finalize, finalize_arguments, (uint32_t)finalize_size},
        (struct action_call){deallocate, deallocate_arguments, (uint32_t)deallocate_size});
}
