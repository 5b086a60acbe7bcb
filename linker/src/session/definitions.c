/* What links have defined, for lookups and later links.  Definitions of one name are a chain, latest first: a
 * new link shadows an older one's names until it is unloaded. */
#include "session/session_state.h"

#include "executor/code_names.h"
#include "executor/executor_debug.h"
#include "executor/executor_remote.h"
#include "executor/executor_unwind.h"
#include "graph/name_table.h"

static uint32_t latest(const struct jitscope_session *session, uint32_t name) {
    return name < session->definition_by_name.count ? session->definition_by_name.data[name] : NO_DEFINITION;
}

/* A hidden reference must be answered inside its batch: a link, with those made on its behalf, is one
 * component in the gABI's sense. */
static bool is_visible(const struct definition *definition, uint8_t scope) {
    return !definition->hidden && (scope == SCOPE_DEFAULT || !definition->link);
}

static const struct definition *find_in_family(const struct jitscope_session *session, uint32_t name,
                                               uint32_t family) {
    for (uint32_t at = latest(session, name); at != NO_DEFINITION;
         at = session->definitions.data[at].previous)
        if (session->definitions.data[at].family == family)
            return &session->definitions.data[at];
    return NULL;
}

const struct definition *session_find_definition(const struct jitscope_session *session, uint32_t name,
                                                 uint8_t scope, uint32_t family) {
    const struct definition *own = family ? find_in_family(session, name, family) : NULL;
    uint32_t at = latest(session, name);
    while (at != NO_DEFINITION && !is_visible(&session->definitions.data[at], scope))
        at = session->definitions.data[at].previous;
    return own ? own : at == NO_DEFINITION ? NULL : &session->definitions.data[at];
}

/* The latest of its name, all but that to be filled in.  Room is there for it, and its name in the table. */
static inline uint32_t put(struct jitscope_session *session, uint32_t name) {
    uint32_t index = session->free_definition;
    if (index != NO_DEFINITION)
        session->free_definition = session->definitions.data[index].previous;
    else
        index = session->definitions.count++;
    session->definitions.data[index].previous = session->definition_by_name.data[name];
    session->definition_by_name.data[name] = index;
    return index;
}

struct jitscope_error *session_add_definition(struct jitscope_session *session, struct definition definition,
                                              uint32_t *index) {
    TRY(graph_cover_name(&session->definition_by_name, definition.name));
    if (session->free_definition == NO_DEFINITION)
        TRY(vec_reserve(&session->definitions, 1));
    *index = put(session, definition.name);
    definition.previous = session->definitions.data[*index].previous;
    session->definitions.data[*index] = definition;
    return NULL;
}

void session_remove_definition(struct jitscope_session *session, uint32_t index) {
    struct definition *definition = &session->definitions.data[index];
    uint32_t *at = &session->definition_by_name.data[definition->name];
    while (*at != index)
        at = &session->definitions.data[*at].previous;
    *at = definition->previous;
    definition->previous = session->free_definition;
    session->free_definition = index;
}

static bool is_announced(const struct graph *graph, const struct symbol *symbol) {
    if (symbol->scope == SCOPE_LOCAL || symbol->name == NO_NAME || !symbol_is_defined(symbol))
        return false;
    return symbol->block == NO_BLOCK ? symbol->kind != SYMBOL_KIND_TLS
                                     : !(graph->blocks.data[symbol->block].flags & BLOCK_REMOVED);
}

static struct jitscope_error *reserve_definitions(struct jitscope_session *session,
                                                  struct jitscope_link *link, const struct graph *graph) {
    TRY(vec_reserve(&session->definitions, graph->named));
    TRY(vec_reserve(&link->definitions, graph->named));
    return graph_cover_name(&session->definition_by_name, session->names.strings.count - 1);
}

static bool is_code(const struct graph *graph, const struct symbol *symbol) {
    if (symbol->name == NO_NAME || symbol->block == NO_BLOCK ||
        (symbol->kind != SYMBOL_KIND_FUNCTION && symbol->kind != SYMBOL_KIND_NONE))
        return false;
    const struct block *block = &graph->blocks.data[symbol->block];
    return !(block->flags & BLOCK_REMOVED) && graph->sections.data[block->section].prot & PROTECT_EXECUTE;
}

typedef VEC(struct code_function) function_list;

static struct jitscope_error *collect_code(const struct jitscope_session *session, const struct graph *graph,
                                           bool local, function_list *functions) {
    for (uint32_t id = 0; id < graph->symbols.count; id++) {
        const struct symbol *symbol = &graph->symbols.data[id];
        if (is_code(graph, symbol) && (symbol->scope == SCOPE_LOCAL) == local)
            TRY(vec_push(functions, (struct code_function){graph_symbol_address(graph, id), symbol->size,
                                                           session_text(session, symbol->name)}));
    }
    return NULL;
}

/* Static functions, too; but what others know a function by comes first. */
static struct jitscope_error *name_code(struct jitscope_session *session, const struct graph *graph) {
    function_list functions = {0};
    struct jitscope_error *error = collect_code(session, graph, false, &functions);
    if (!error)
        error = collect_code(session, graph, true, &functions);
    if (!error && functions.count)
        error = executor_name_code(session->executor, graph->link, functions.data, functions.count);
    vec_destroy(&functions);
    return error;
}

struct jitscope_error *session_announce(struct graph *graph, void *context) {
    struct jitscope_session *session = context;
    struct jitscope_link *link = session_link_by_number(session, graph->link);
    TRY(reserve_definitions(session, link, graph));
    for (uint32_t id = 0; id < graph->symbols.count; id++) {
        const struct symbol *symbol = &graph->symbols.data[id];
        if (!is_announced(graph, symbol))
            continue;
        uint32_t index = put(session, symbol->name);
        struct definition *definition = &session->definitions.data[index];
        definition->address = graph_symbol_address(graph, id);
        definition->name = symbol->name;
        definition->link = graph->link;
        definition->family = link->family;
        definition->size = symbol->size < UINT32_MAX ? (uint32_t)symbol->size : UINT32_MAX;
        definition->hidden = symbol->scope == SCOPE_HIDDEN;
        definition->thread_local = symbol->kind == SYMBOL_KIND_TLS;
        vec_put(&link->definitions, index);
        TRACE(graph->trace, symbol_bound, .symbol = id, .address = definition->address);
    }
    if (session->executor && executor_wants_names(session->executor))
        TRY(name_code(session, graph));
    return graph->lazy.stubs.count ? session_note_slots(graph, session) : NULL;
}

struct jitscope_error *jitscope_session_define(struct jitscope_session *session, const char *name,
                                               uint64_t address) {
    uint32_t id, index;
    TRY(session_enter(session));
    struct jitscope_error *error = session_intern(session, name, &id);
    if (!error) {
        TRACE_ANSWER(&session->trace, call_define, .name = trace_name(&session->trace, id),
                     .address = address);
        error = session_add_definition(session, (struct definition){.address = address, .name = id}, &index);
    }
    return session_leave(session, error);
}

static struct jitscope_error *not_found(const char *name, const char *where) {
    struct coordinates coordinates = {.offset = NO_OFFSET, .symbol = name};
    return error_at(JITSCOPE_ERROR_NOT_FOUND, &coordinates, "no definition in %s", where);
}

/* Of a thread-local variable, the calling thread's.  Unwinders that have come into the process were told of
 * what is there before the session was locked: looking for them wants the loader's lock, which a library's
 * initialiser that looks something up holds already. */
static struct jitscope_error *give(struct jitscope_session *session, const struct definition *definition,
                                   uint64_t *address) {
    executor_debug_announce();
    *address = definition->address;
    if (!definition->thread_local)
        return NULL;
    if (session->executor)
        *address = executor_tls_address(session->executor, definition->link, definition->address);
    if (session->executor && *address)
        return NULL;
    struct coordinates where = {.offset = NO_OFFSET, .symbol = session_text(session, definition->name)};
    return error_at(JITSCOPE_ERROR_UNSUPPORTED, &where,
                    "a thread-local variable has an address where code runs, in a thread");
}

struct jitscope_error *jitscope_session_lookup(struct jitscope_session *session, const char *name,
                                               uint64_t *address) {
    executor_look_for_unwinders();
    session_lock_to_read(session);
    uint32_t id = string_pool_find(&session->names, name, __builtin_strlen(name));
    const struct definition *definition =
        id == NO_NAME ? NULL : session_find_definition(session, id, SCOPE_DEFAULT, 0);
    struct jitscope_error *error =
        definition ? give(session, definition, address) : not_found(name, "any link of the session");
    session_unlock(session);
    return error;
}

struct jitscope_error *jitscope_link_lookup(struct jitscope_session *session,
                                            const struct jitscope_link *link, const char *name,
                                            uint64_t *address) {
    executor_look_for_unwinders();
    session_lock_to_read(session);
    uint32_t id = string_pool_find(&session->names, name, __builtin_strlen(name));
    uint32_t at = id == NO_NAME ? NO_DEFINITION : latest(session, id);
    while (at != NO_DEFINITION && session->definitions.data[at].link != link->number)
        at = session->definitions.data[at].previous;
    struct jitscope_error *error = at != NO_DEFINITION
                                       ? give(session, &session->definitions.data[at], address)
                                       : not_found(name, "this link");
    session_unlock(session);
    return error;
}

/* --- for shared libraries */

static struct jitscope_error *export_definitions(struct jitscope_session *session,
                                                 const struct jitscope_link *link) {
    VEC(struct exported_symbol) symbols = {0};
    struct jitscope_error *error = vec_reserve(&symbols, link->definitions.count + 1);
    for (uint32_t i = 0; i < link->definitions.count && !error; i++) {
        const struct definition *definition = &session->definitions.data[link->definitions.data[i]];
        if (!definition->hidden && !definition->thread_local)
            vec_put(&symbols,
                    (struct exported_symbol){session_text(session, definition->name), definition->address});
    }
    if (!error)
        error = executor_open_exports(session->executor, link->number, symbols.data, symbols.count);
    vec_destroy(&symbols);
    return error;
}

struct jitscope_error *jitscope_session_export(struct jitscope_session *session,
                                               const struct jitscope_link *link) {
    TRY(session_enter(session));
    struct jitscope_error *error =
        session->executor ? export_definitions(session, link)
                          : error_create(JITSCOPE_ERROR_USAGE,
                                         "nothing runs in a simulated session that could ask for names");
    if (!error)
        executor_debug_announce();
    session_note_loss(session);
    session_unlock(session);
    executor_look_for_unwinders();
    return error;
}
