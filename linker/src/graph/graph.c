#include "graph/graph.h"
#include "base/text.h"
#include "graph/name_table.h"

#include <string.h>

struct jitscope_error *graph_create(struct graph *graph, const struct arch *arch, struct string_pool *names,
                                    struct trace *trace, uint32_t link) {
    *graph = (struct graph){.arch = arch,
                            .names = names,
                            .trace = trace,
                            .link = link,
                            .zero_symbol = NO_SYMBOL,
                            .wants_executable_stack = NO_INPUT,
                            .tls.own.block = NO_BLOCK};
    return NULL;
}

void name_tables_destroy(struct name_tables *tables) {
    vec_destroy(&tables->symbols);
    vec_destroy(&tables->groups);
    vec_destroy(&tables->sections);
}

void graph_borrow_tables(struct graph *graph, struct name_tables *tables) {
    graph->by_name = *tables;
    graph->lender = tables;
    *tables = (struct name_tables){0};
}

static void wipe_symbols(struct graph *graph) {
    struct name_tables *tables = &graph->by_name;
    uint32_t names = tables->symbols.count;
    if (names && names / 8 < graph->symbols.count) { /* a symbol is as large as 8 entries */
        memset(tables->symbols.data, 0xff, names * sizeof *tables->symbols.data);
        return;
    }
    for (uint32_t id = 0; id < graph->symbols.count; id++) {
        uint32_t name = graph->symbols.data[id].name;
        if (name < names)
            tables->symbols.data[name] = NO_SYMBOL;
    }
}

/* Only what this graph may have written is wiped: its own size counts, not the session's. */
static void give_tables_back(struct graph *graph) {
    struct name_tables *tables = &graph->by_name;
    wipe_symbols(graph);
    for (uint32_t id = 0; id < graph->sections.count; id++)
        if (graph->sections.data[id].name < tables->sections.count)
            tables->sections.data[graph->sections.data[id].name] = NO_SECTION;
    for (uint32_t i = 0; i < graph->claimed_groups.count; i++)
        tables->groups.data[graph->claimed_groups.data[i]] = NO_INPUT;
    name_tables_destroy(graph->lender); /* of a link that was made meanwhile, inside of this one */
    *graph->lender = *tables;
}

void graph_destroy(struct graph *graph) {
    if (graph->lender)
        give_tables_back(graph);
    else
        name_tables_destroy(&graph->by_name);
    vec_destroy(&graph->sections);
    vec_destroy(&graph->blocks);
    vec_destroy(&graph->symbols);
    vec_destroy(&graph->open);
    vec_destroy(&graph->edges);
    vec_destroy(&graph->wide_addends);
    vec_destroy(&graph->actions);
    vec_destroy(&graph->ifuncs);
    vec_destroy(&graph->arrays);
    vec_destroy(&graph->debug_inputs);
    vec_destroy(&graph->tls.gaps);
    vec_destroy(&graph->tls.externals);
    vec_destroy(&graph->tls.reached);
    vec_destroy(&graph->lazy.stubs);
    vec_destroy(&graph->claimed_groups);
    graph_forget_addresses(graph);
    arena_destroy(&graph->arena);
}

struct jitscope_error *graph_lengthen(void *table, uint32_t name) {
    VEC(uint32_t) ids;
    memcpy(&ids, table, sizeof ids);
    TRY(vec_reserve(&ids, (uint64_t)name + 1 - ids.count));
    memset(ids.data + ids.count, 0xff, (size_t)(ids.capacity - ids.count) * sizeof *ids.data);
    ids.count = ids.capacity;
    memcpy(table, &ids, sizeof ids);
    return NULL;
}

/* --- sections
 * ------------------------------------------------------------------------------------------------ */

uint32_t graph_find_section(const struct graph *graph, uint32_t name) {
    return name < graph->by_name.sections.count ? graph->by_name.sections.data[name] : NO_SECTION;
}

uint32_t graph_next_section(const struct graph *graph, uint32_t section) {
    return graph->sections.data[section].next;
}

struct jitscope_error *graph_reserve_sections(struct graph *graph, uint32_t count) {
    TRY(vec_reserve(&graph->sections, count));
    return graph_cover_name(&graph->by_name.sections, graph->names->strings.count + count - 1);
}

/* Of most, two letters say that they do not. */
static inline bool begins_as_array(const char *name) {
    static const char third[] = {['i'] = 'n', ['f'] = 'i', ['p'] = 'r', ['c'] = 't', ['d'] = 't'};
    uint8_t second = name[0] == '.' ? (uint8_t)name[1] : 0;
    return second && second < sizeof third && third[second] && third[second] == name[2];
}

static __attribute__((noinline)) void tell_section(const struct graph *graph, uint32_t id) {
    const struct section *section = &graph->sections.data[id];
    TRACE(graph->trace, section, .section = id, .name = trace_name(graph->trace, section->name),
          .prot = section->prot, .lifetime = section->lifetime);
}

static __attribute__((noinline)) struct jitscope_error *note_array(struct graph *graph, uint32_t id) {
    return vec_push(&graph->arrays, id);
}

/* LINK is where it is found, and there is room for it. */
static inline struct jitscope_error *put_section(struct graph *graph, uint32_t *link, struct section section,
                                                 uint32_t *id) {
    *id = *link = graph->sections.count;
    section.next = NO_SECTION;
    vec_put(&graph->sections, section);
    if (trace_wants(graph->trace, LEVEL_BLOCK))
        tell_section(graph, *id);
    return begins_as_array(string_pool_text(graph->names, section.name)) ? note_array(graph, *id) : NULL;
}

/* There are sections of that name. */
static __attribute__((noinline)) struct jitscope_error *find_or_put(struct graph *graph, uint32_t name,
                                                                    uint8_t prot, uint8_t lifetime,
                                                                    bool zero_fill, uint32_t *id) {
    uint32_t *link = &graph->by_name.sections.data[name];
    for (; *link != NO_SECTION; link = &graph->sections.data[*link].next) {
        const struct section *section = &graph->sections.data[*link];
        if (section->prot == prot && section->lifetime == lifetime && section->zero_fill == zero_fill) {
            *id = *link;
            return NULL;
        }
    }
    return put_section(
        graph, link,
        (struct section){.name = name, .prot = prot, .lifetime = lifetime, .zero_fill = zero_fill}, id);
}

static __attribute__((noinline)) struct jitscope_error *
add_where_room_is_short(struct graph *graph, uint32_t name, uint8_t prot, uint8_t lifetime, bool zero_fill,
                        uint32_t *id) {
    TRY(graph_cover_name(&graph->by_name.sections, name));
    TRY(vec_reserve(&graph->sections, 1));
    return graph_add_section(graph, name, prot, lifetime, zero_fill, id);
}

/* What does not hold of most of many sections is a call away, and so this saves no registers. */
struct jitscope_error *graph_add_section(struct graph *graph, uint32_t name, uint8_t prot, uint8_t lifetime,
                                         bool zero_fill, uint32_t *id) {
    if (name >= graph->by_name.sections.count || graph->sections.count == graph->sections.capacity)
        return add_where_room_is_short(graph, name, prot, lifetime, zero_fill, id);
    uint32_t *link = &graph->by_name.sections.data[name];
    if (*link != NO_SECTION)
        return find_or_put(graph, name, prot, lifetime, zero_fill, id);
    return put_section(
        graph, link,
        (struct section){.name = name, .prot = prot, .lifetime = lifetime, .zero_fill = zero_fill}, id);
}

/* --- blocks
 * -------------------------------------------------------------------------------------------------- */

void graph_tell_block(const struct graph *graph, uint32_t id) {
    const struct block *block = &graph->blocks.data[id];
    TRACE(graph->trace, block, .block = id, .section = block->section, .input = block->input,
          .input_section = block->input_section, .input_offset = block->input_offset, .size = block->size,
          .alignment = (uint64_t)1 << block->alignment_log2, .zero_fill = !block->content);
}

struct jitscope_error *graph_add_block(struct graph *graph, uint32_t section, const uint8_t *content,
                                       uint64_t size, uint8_t alignment_log2, struct block_source source,
                                       uint32_t *id) {
    if (source.input_offset > UINT32_MAX || size > UINT32_MAX)
        return error_create(JITSCOPE_ERROR_UNSUPPORTED, "a section of 4 GiB or more");
    TRY(vec_reserve(&graph->blocks, 1));
    *id = graph_put_block(graph, section, content, (uint32_t)size, alignment_log2, source);
    return NULL;
}

void graph_remove_block(struct graph *graph, uint32_t id, uint32_t reason) {
    struct block *block = &graph->blocks.data[id];
    if (block->flags & BLOCK_REMOVED)
        return;
    block->flags = (uint8_t)((block->flags & ~BLOCK_LIVE) | BLOCK_REMOVED);
    graph->sections.data[block->section].blocks--;
    graph->live_blocks--;
    graph->live_edges -= block->edge_count;
    TRACE(graph->trace, block_removed, .block = id, .reason = reason);
}

void graph_attach_block(struct graph *graph, uint32_t owner, uint32_t block) {
    graph->blocks.data[block].next_attached = graph->blocks.data[owner].attached;
    graph->blocks.data[owner].attached = block;
}

struct jitscope_error *graph_tell_discarded(struct graph *graph, uint32_t input, struct jitscope_error *error,
                                            const char *consequence) {
    uint32_t text = NO_NAME;
    struct text message = {0};
    if (jitscope_error_code(error) == JITSCOPE_ERROR_NO_MEMORY)
        return error;
    if (trace_wants(graph->trace, LEVEL_SESSION)) {
        text_print(&message, "%s: %s", jitscope_error_message(error), consequence);
        if (message.data)
            jitscope_error_destroy(string_pool_intern(graph->names, message.data, message.length, &text));
        text_destroy(&message);
    }
    TRACE(graph->trace, debug_discarded, .input = input, .why = trace_name(graph->trace, text));
    TRACE(graph->trace, warning, .input = input, .text = trace_name(graph->trace, text));
    jitscope_error_destroy(error);
    return NULL;
}

/* --- edges
 * --------------------------------------------------------------------------------------------------- */

struct jitscope_error *graph_reserve_edges(struct graph *graph, uint32_t id, uint64_t count) {
    struct block *block = &graph->blocks.data[id];
    TRY(vec_reserve(&graph->edges, count + block->edge_count));
    if (!block->edge_count) {
        block->first_edge = graph->edges.count;
    } else if (block->first_edge + block->edge_count != graph->edges.count) {
        memcpy(graph->edges.data + graph->edges.count, graph->edges.data + block->first_edge,
               (size_t)block->edge_count * sizeof(struct edge));
        block->first_edge = graph->edges.count;
        graph->edges.count += block->edge_count;
    }
    return NULL;
}

struct jitscope_error *graph_set_addend(struct graph *graph, struct edge *edge, int64_t addend) {
    bool is_wide = addend != (int32_t)addend;
    if (is_wide)
        TRY(vec_push(&graph->wide_addends, addend));
    edge->addend.bits = (int32_t)(is_wide ? graph->wide_addends.count - 1 : (uint64_t)addend);
    edge->is_wide = is_wide;
    return NULL;
}

struct jitscope_error *graph_add_edge(struct graph *graph, uint32_t block, struct edge edge) {
    TRY(graph_reserve_edges(graph, block, 1));
    graph_put_edge(graph, block, edge);
    return NULL;
}

/* --- actions
 * ------------------------------------------------------------------------------------------------- */

static struct jitscope_error *copy_call(struct graph *graph, struct action_call *call) {
    if (!call->function)
        return NULL;
    call->function = arena_copy(&graph->arena, call->function, strlen(call->function));
    call->arguments =
        (uint8_t *)arena_copy(&graph->arena, call->size ? (const char *)call->arguments : "", call->size);
    return call->function && call->arguments ? NULL : error_no_memory();
}

struct jitscope_error *graph_add_action(struct graph *graph, struct action_call finalize,
                                        struct action_call deallocate) {
    TRY(copy_call(graph, &finalize));
    TRY(copy_call(graph, &deallocate));
    return vec_push(&graph->actions, (struct action){finalize, deallocate});
}

struct jitscope_error *graph_add_first_action(struct graph *graph, struct action_call finalize,
                                              struct action_call deallocate) {
    TRY(vec_reserve(&graph->actions, 1));
    memmove(graph->actions.data + 1, graph->actions.data, graph->actions.count * sizeof *graph->actions.data);
    graph->actions.data[0] = (struct action){finalize, deallocate};
    graph->actions.count++;
    return NULL;
}
