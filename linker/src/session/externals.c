/* The outside world's answers for a batch's external symbols, each source asked once for all names:
 * earlier links and jitscope_session_define(); the embedding program's resolver; shared libraries, those
 * first that the process was started with (preloaded.c).  For a hidden name only what the embedding program
 * says itself counts. */
#include "session/session_state.h"

struct questions {
    VEC(uint32_t) symbols;
    VEC(const char *) names;
};

static bool is_unanswered(const struct symbol *symbol) {
    return symbol->flags & SYMBOL_EXTERNAL && !(symbol->flags & (SYMBOL_RESOLVED | SYMBOL_LAZY)) &&
           symbol->kind != SYMBOL_KIND_IFUNC; /* that one only its resolver knows */
}

static uint32_t family_of(const struct jitscope_session *session, uint32_t number) {
    const struct jitscope_link *link = session_link_by_number(session, number);
    return link ? link->family : 0;
}

/* Code of LINK will call into DEFINER: it must not be unloaded first. */
struct jitscope_error *session_note_use(struct jitscope_session *session, uint32_t link, uint32_t definer) {
    struct jitscope_link *user = session_link_by_number(session, family_of(session, link));
    struct jitscope_link *used = session_link_by_number(session, family_of(session, definer));
    if (!used || used == user || used->stamp == user->number)
        return NULL;
    TRY(vec_push(&user->uses, used));
    used->stamp = user->number;
    used->users++;
    return NULL;
}

/* The address of a thread-local variable is another kind of thing: who refers and who defines must agree. */
static struct jitscope_error *check_thread_local(const struct graph *graph, uint32_t id, bool thread_local,
                                                 const char *definer) {
    const struct symbol *symbol = &graph->symbols.data[id];
    if (thread_local == (symbol->kind == SYMBOL_KIND_TLS))
        return NULL;
    struct coordinates where = {
        .input = symbol->input == NO_INPUT ? NULL : graph->input_name(graph->input_context, symbol->input),
        .offset = NO_OFFSET,
        .symbol = graph_symbol_name(graph, id)};
    return error_with_help(error_at(JITSCOPE_ERROR_FORMAT, &where,
                                    "%s thread-local in %s, and %s in what refers to it",
                                    thread_local ? "is" : "not", definer, thread_local ? "not" : "is"),
                           "declare the variable thread_local everywhere, or nowhere");
}

static struct jitscope_error *ask_session(struct jitscope_session *session, struct graph *graph) {
    for (uint32_t i = 0; i < graph->open.count; i++) {
        uint32_t id = graph->open.data[i];
        const struct symbol *symbol = &graph->symbols.data[id];
        if (!is_unanswered(symbol))
            continue;
        const struct definition *definition =
            session_find_definition(session, symbol->name, symbol->scope, family_of(session, graph->link));
        if (!definition)
            continue;
        if (!(symbol->flags & SYMBOL_SWINGS) || symbol->flags & SYMBOL_HELD)
            TRY(session_note_use(session, graph->link, definition->link));
        TRY(check_thread_local(graph, id, definition->thread_local, "what was linked or defined before"));
        if (definition->thread_local) {
            TRY(graph_resolve_thread_local(graph, id, definition->address, PROVIDER_SESSION, NO_NAME,
                                           definition->link));
            continue;
        }
        graph_resolve(graph, id, definition->address, definition->link ? PROVIDER_SESSION : PROVIDER_DEFINED,
                      NO_NAME);
    }
    return NULL;
}

static struct jitscope_error *collect(const struct graph *graph, struct questions *questions) {
    for (uint32_t i = 0; i < graph->open.count; i++) {
        uint32_t id = graph->open.data[i];
        if (!is_unanswered(&graph->symbols.data[id]))
            continue;
        TRY(vec_push(&questions->symbols, id));
        TRY(vec_push(&questions->names, graph_symbol_name(graph, id)));
    }
    return NULL;
}

static void note_answer(const struct graph *graph, uint32_t name, uint64_t address, uint32_t provider) {
    TRACE_ANSWER(graph->trace, answer_symbol, .name = trace_name(graph->trace, name), .provider = provider,
                 .address = address);
}

static struct jitscope_error *ask_resolver(struct jitscope_session *session, struct graph *graph,
                                           const struct questions *questions) {
    uint32_t count = questions->symbols.count, name;
    if (!session->resolver || !count)
        return NULL;
    TRY(session_intern(session, "resolver", &name));
    uint64_t *addresses = os_allocate_zeroed(count * sizeof *addresses);
    bool *found = os_allocate_zeroed(count * sizeof *found);
    struct jitscope_error *error =
        addresses && found
            ? session->resolver(session->resolver_context, questions->names.data, count, addresses, found)
            : error_no_memory();
    trace_failure(graph->trace, graph->names, error);
    TRACE_ANSWER(graph->trace, answer_resolver, .outcome = outcome_of(error));
    for (uint32_t i = 0; i < count && !error; i++) {
        if (!found[i])
            continue;
        error = check_thread_local(graph, questions->symbols.data[i], false, "the resolver's answer");
        if (error)
            break;
        note_answer(graph, graph->symbols.data[questions->symbols.data[i]].name, addresses[i],
                    PROVIDER_RESOLVER);
        graph_resolve(graph, questions->symbols.data[i], addresses[i], PROVIDER_RESOLVER, name);
    }
    os_release(addresses);
    os_release(found);
    return error;
}

/* What the executor is asked, in one call. */
struct library_lookup {
    VEC(uint32_t) symbols;
    VEC(uint32_t) providers;
    VEC(uint64_t) sizes;
    VEC(uint32_t) handles;
    VEC(uint32_t) asked; /* name ids */
    VEC(const char *) names;
};

/* Decides which library answers for SYMBOL; simulated libraries answer at once. */
static struct jitscope_error *choose_library(struct jitscope_session *session, struct graph *graph,
                                             uint32_t symbol, struct library_lookup *lookup) {
    struct elf_shared_symbol found;
    uint32_t asked;
    int64_t index;
    TRY(session_find_at_run_time(session, graph, &graph->symbols.data[symbol], &index, &found, &asked));
    if (index < 0)
        return NULL;
    struct shared_provider *provider = &session->shared.data[index];
    bool thread_local = found.kind == SYMBOL_KIND_TLS;
    TRY(check_thread_local(graph, symbol, thread_local, session_text(session, provider->path)));
    if (thread_local) {
        if (session->executor)
            TRY(session_open_library(session, provider));
        graph->symbols.data[symbol].size = found.size;
        return graph_resolve_thread_local(graph, symbol, found.value, PROVIDER_SHARED, provider->path, 0);
    }
    if (!session->executor) {
        graph->symbols.data[symbol].size = found.size;
        graph_resolve(graph, symbol, provider->base + found.value, PROVIDER_SHARED, provider->path);
        return NULL;
    }
    TRY(session_open_library(session, provider));
    TRY(vec_push(&lookup->symbols, symbol));
    TRY(vec_push(&lookup->providers, (uint32_t)index));
    TRY(vec_push(&lookup->sizes, found.size));
    TRY(vec_push(&lookup->handles, provider->handle));
    TRY(vec_push(&lookup->asked, asked));
    return vec_push(&lookup->names, session_text(session, asked));
}

/* Another process opens libraries when it is asked for their symbols: what goes wrong is told as it would be
 * then. */
static void note_lookup_failed(const struct graph *graph, const struct jitscope_error *error) {
    trace_failure(graph->trace, graph->names, error);
    TRACE_ANSWER(graph->trace, answer_library, .path = trace_name(graph->trace, NO_NAME),
                 .outcome = OUTCOME_FAILED);
}

static struct jitscope_error *look_up(struct jitscope_session *session, struct graph *graph,
                                      const struct library_lookup *lookup) {
    uint32_t count = lookup->symbols.count;
    if (!count)
        return NULL;
    uint64_t *addresses = os_allocate_zeroed(count * sizeof *addresses);
    if (!addresses)
        return error_no_memory();
    struct jitscope_error *error =
        session_want_copies(session, graph, lookup->symbols.data, lookup->providers.data, count);
    if (!error)
        error =
            executor_lookup(session->executor, lookup->handles.data, lookup->names.data, count, addresses);
    if (error)
        note_lookup_failed(graph, error);
    for (uint32_t i = 0; i < count && !error; i++) {
        note_answer(graph, lookup->asked.data[i], addresses[i], PROVIDER_SHARED);
        if (!addresses[i])
            continue;
        graph->symbols.data[lookup->symbols.data[i]].size = lookup->sizes.data[i];
        graph_resolve(graph, lookup->symbols.data[i], addresses[i], PROVIDER_SHARED,
                      session->shared.data[lookup->providers.data[i]].path);
    }
    os_release(addresses);
    return error;
}

static struct jitscope_error *ask_libraries(struct jitscope_session *session, struct graph *graph,
                                            const struct questions *questions) {
    struct library_lookup lookup = {0};
    struct jitscope_error *error = NULL;
    for (uint32_t i = 0; i < questions->symbols.count && !error; i++) {
        const struct symbol *symbol = &graph->symbols.data[questions->symbols.data[i]];
        if (is_unanswered(symbol) && symbol->scope != SCOPE_HIDDEN)
            error = choose_library(session, graph, questions->symbols.data[i], &lookup);
    }
    if (!error)
        error = look_up(session, graph, &lookup);
    vec_destroy(&lookup.symbols);
    vec_destroy(&lookup.providers);
    vec_destroy(&lookup.sizes);
    vec_destroy(&lookup.handles);
    vec_destroy(&lookup.asked);
    vec_destroy(&lookup.names);
    return error;
}

struct jitscope_error *session_resolve_externals(struct graph *graph, void *context) {
    struct jitscope_session *session = context;
    struct questions questions = {0};
    TRY(ask_session(session, graph));
    struct jitscope_error *error = collect(graph, &questions);
    if (!error)
        error = ask_resolver(session, graph, &questions);
    if (!error)
        error = ask_libraries(session, graph, &questions);
    vec_destroy(&questions.symbols);
    vec_destroy(&questions.names);
    return error;
}
