/* Data of shared libraries that position-dependent code can use only as a copy below 2 GiB
 * (executor/launcher.h): which a batch wants, and an executor that has it.
 *
 * An object that waits in a lazy link can want some as well, when the program runs: so what waits counts with
 * the family's first link, as far as it is known then: archives' members are not.
 *
 * The process's executable holds copies, so they are there from its start or not at all.  Hence the question
 * comes before libraries are opened in an executor that has none: another one can take its place, and nothing
 * has happened twice. */
#include "session/session_state.h"

#include "executor/connection.h"
#include "executor/executor_remote.h"

/* --- which */

/* By symbol: 1 + index of the library whose data it is; 0: it is nothing of that kind. */
static struct jitscope_error *find_data(const struct jitscope_session *session, const struct graph *graph,
                                        const uint32_t *symbols, const uint32_t *providers, uint32_t count,
                                        uint32_t **out) {
    uint32_t *libraries = os_allocate_zeroed(graph->symbols.count * sizeof *libraries);
    if (!libraries)
        return error_no_memory();
    for (uint32_t i = 0; i < count; i++) {
        struct elf_shared_symbol found;
        const char *name = graph_symbol_name(graph, symbols[i]);
        if (elf_shared_find(&session->shared.data[providers[i]].library, name, &found) &&
            (found.kind == SYMBOL_KIND_OBJECT || found.kind == SYMBOL_KIND_NONE))
            libraries[symbols[i]] = 1 + providers[i];
    }
    *out = libraries;
    return NULL;
}

/* Another name of the same object may have been wanted. */
static struct jitscope_error *want(struct jitscope_session *session, uint32_t rank, uint32_t name,
                                   const struct elf_copy *copy) {
    for (uint32_t i = 0; i < session->wanted_copies.count; i++) {
        struct wanted_copy *wanted = &session->wanted_copies.data[i];
        if (wanted->rank != rank || wanted->copy.value != copy->value)
            continue;
        if (copy->size > wanted->copy.size)
            wanted->copy.size = copy->size;
        return NULL;
    }
    return vec_push(&session->wanted_copies, (struct wanted_copy){rank, name, *copy});
}

static struct jitscope_error *impossible(const struct graph *graph, uint32_t block, const struct edge *edge,
                                         struct jitscope_error *why) {
    struct coordinates where = graph_coordinates(graph, block, edge->offset, edge->target);
    struct jitscope_error *error =
        jitscope_error_code(why) == JITSCOPE_ERROR_NO_MEMORY
            ? error_no_memory()
            : error_with_help(error_at(JITSCOPE_ERROR_UNSUPPORTED, &where, "%s wants it below 2 GiB, but %s",
                                       graph_edge_name(graph, edge), error_text(why)),
                              "compile with -fPIC, so that it is reached through the GOT");
    jitscope_error_destroy(why);
    return error;
}

/* --- what waits */

struct looking {
    const struct jitscope_session *session;
    const struct graph *graph;
    const struct waiting *object;
    uint32_t *count;
    struct jitscope_error *first; /* for the first one */
};

static const struct shared_provider *library_of_data(const struct jitscope_session *session,
                                                     const char *name) {
    struct elf_shared_symbol found;
    for (uint32_t i = 0; i < session->shared.count; i++)
        if (elf_shared_find(&session->shared.data[i].library, name, &found))
            return found.kind == SYMBOL_KIND_OBJECT ? &session->shared.data[i] : NULL;
    return NULL;
}

/* By the batch, by what was linked before, or by what waits with it. */
static bool is_defined_here(const struct looking *looking, const char *name, size_t length) {
    const struct jitscope_session *session = looking->session;
    uint32_t id = string_pool_find(&session->names, name, length);
    if (id == NO_NAME)
        return false;
    uint32_t symbol = graph_find_symbol(looking->graph, id);
    return (symbol != NO_SYMBOL && !(looking->graph->symbols.data[symbol].flags & SYMBOL_EXTERNAL)) ||
           session_find_definition(session, id, SCOPE_DEFAULT, looking->graph->link) ||
           session_find_waiting(session, id, SCOPE_DEFAULT, looking->graph->link) != UINT32_MAX;
}

/* Once for each relocation. */
static struct jitscope_error *look_at_reference(void *context, const char *name, size_t length,
                                                unsigned type) {
    struct looking *looking = context;
    const struct shared_provider *library = library_of_data(looking->session, name);
    if (!library || is_defined_here(looking, name, length) || ++*looking->count > 1)
        return NULL;
    const struct jitscope_session *session = looking->session;
    struct coordinates where = {
        .input = session_text(session, session_input(session, looking->object->input)->name),
        .offset = NO_OFFSET,
        .symbol = name};
    looking->first = error_with_help(
        error_at(
            JITSCOPE_ERROR_OUT_OF_RANGE, &where,
            "what waits to be called has %s to it, below 2 GiB, where data of %s can lie only as a copy, "
            "and this executor has none",
            elf_x86_64_relocation_name(type), session_text(session, library->path)),
        "a link of the same inputs that is not lazy tells all that an executor has to be made for");
    return NULL;
}

static struct jitscope_error *want_of_waiting(struct jitscope_session *session, const struct graph *graph) {
    struct looking looking = {.session = session, .graph = graph, .count = &session->waiting_copies};
    struct jitscope_error *error = NULL;
    for (uint32_t i = 0; i < session->waiting.count && !error; i++) {
        looking.object = &session->waiting.data[i];
        if (!looking.object->taken_by && looking.object->family == graph->link &&
            looking.object->outline.wants_low_memory)
            error = elf_each_direct_reference(session_input(session, looking.object->input)->bytes,
                                              look_at_reference, &looking);
    }
    if (!error)
        return looking.first;
    jitscope_error_destroy(looking.first);
    session->waiting_copies = 0;
    return error;
}

/* --- what a batch has */

/* The batch is linked because the program, which runs, has called something of it. */
static bool is_called_for(const struct jitscope_session *session, const struct graph *graph) {
    const struct jitscope_link *link = session_link_by_number(session, graph->link);
    return link && link->family != link->number;
}

static struct jitscope_error *none_held(const struct jitscope_session *session, const struct graph *graph,
                                        uint32_t block, const struct edge *edge, uint32_t library) {
    struct coordinates where = graph_coordinates(graph, block, edge->offset, edge->target);
    return error_with_help(
        error_at(
            JITSCOPE_ERROR_OUT_OF_RANGE, &where,
            "%s wants it below 2 GiB, where data of %s can lie only as a copy, and this executor has none",
            graph_edge_name(graph, edge), session_text(session, session->shared.data[library].path)),
        "%s has copies (jitscope_executor_spawn_for()); or compile with -fPIC, or link an archive that "
        "defines "
        "it",
        is_called_for(session, graph)
            ? "a link that is not lazy tells before the program begins that it wants "
              "them, and an executor that is made for it"
            : "an executor that is made for this link");
}

/* *first is the error for the first one. */
static struct jitscope_error *want_of_block(struct jitscope_session *session, const struct graph *graph,
                                            uint32_t id, uint32_t *libraries, struct jitscope_error **first) {
    const struct block *block = &graph->blocks.data[id];
    uint64_t kinds = graph->arch->low_kinds | (uint64_t)1 << graph->arch->delta32;
    for (uint32_t i = 0; i < block->edge_count; i++) {
        const struct edge *edge = &graph->edges.data[block->first_edge + i];
        uint32_t library = libraries[edge->target];
        struct elf_copy copy;
        if (!library-- || !(kinds >> edge->kind & 1))
            continue;
        const struct shared_provider *provider = &session->shared.data[library];
        struct jitscope_error *error =
            elf_copy_find(&provider->library, graph_symbol_name(graph, edge->target), &copy);
        if (error)
            return impossible(graph, id, edge, error);
        TRY(want(session, provider->rank, graph->symbols.data[edge->target].name, &copy));
        if (!*first)
            *first = none_held(session, graph, id, edge, library);
        libraries[edge->target] = 0;
    }
    return NULL;
}

static struct jitscope_error *want_all(struct jitscope_session *session, const struct graph *graph,
                                       uint32_t *libraries) {
    struct jitscope_error *first = NULL, *error = NULL;
    for (uint32_t id = 0; id < graph->blocks.count && !error; id++) {
        const struct block *block = &graph->blocks.data[id];
        if (block->edge_count && !(block->flags & BLOCK_REMOVED) &&
            graph->sections.data[block->section].lifetime != LIFETIME_NO_ALLOC)
            error = want_of_block(session, graph, id, libraries, &first);
    }
    if (!error)
        return first;
    jitscope_error_destroy(first);
    session->wanted_copies.count = 0;
    return error;
}

struct jitscope_error *session_want_copies(struct jitscope_session *session, const struct graph *graph,
                                           const uint32_t *symbols, const uint32_t *providers,
                                           uint32_t count) {
    uint32_t *libraries;
    session->wanted_copies.count = session->waiting_copies = 0;
    if (!graph->wants_low_memory || !executor_lacks_copies(session->executor))
        return NULL;
    TRY(find_data(session, graph, symbols, providers, count, &libraries));
    struct jitscope_error *error = want_all(session, graph, libraries);
    os_release(libraries);
    return error ? error : want_of_waiting(session, graph);
}

/* --- an executor that has them */

struct naming {
    const struct jitscope_session *session;
    uint32_t provider; /* index */
    struct launcher *launcher;
    const char *wanted; /* name, perhaps with a version behind it */
    bool found;
};

/* In the order in which the loader looks for names. */
static bool comes_before(const struct jitscope_session *session, uint32_t a, uint32_t b) {
    bool preloaded = is_preloaded(&session->shared.data[a]);
    return preloaded == is_preloaded(&session->shared.data[b]) ? a < b : preloaded;
}

/* A name that a library before this one defines is that one's. */
static bool is_defined_before(const struct naming *naming, const char *name) {
    struct elf_shared_symbol symbol;
    for (uint32_t i = 0; i < naming->session->shared.count; i++)
        if (comes_before(naming->session, i, naming->provider) &&
            elf_shared_find(&naming->session->shared.data[i].library, name, &symbol))
            return true;
    return false;
}

/* The loader looks for what it copies by the object's first name: that is the one that was wanted. */
static struct jitscope_error *add_name(void *context, const char *name, const char *version, bool weak) {
    struct naming *naming = context;
    struct launcher *launcher = naming->launcher;
    const struct shared_provider *provider = &naming->session->shared.data[naming->provider];
    struct launcher_object *object = &launcher->objects.data[launcher->objects.count - 1];
    bool is_wanted =
        !strncmp(naming->wanted, name, strlen(name)) && strchr("@", naming->wanted[strlen(name)]);
    if (!is_wanted && is_defined_before(naming, name))
        return NULL;
    if (is_wanted && !naming->found)
        object->first_name = launcher->names.count;
    naming->found |= is_wanted;
    return vec_push(&launcher->names,
                    (struct launcher_name){.object = launcher->objects.count - 1,
                                           .name = name,
                                           .version = is_preloaded(provider) ? NULL : version,
                                           .weak = weak});
}

static struct jitscope_error *add_object(const struct jitscope_session *session, uint32_t provider,
                                         const struct wanted_copy *wanted, struct launcher *launcher) {
    struct naming naming = {.session = session,
                            .provider = provider,
                            .launcher = launcher,
                            .wanted = session_text(session, wanted->name)};
    const struct elf_shared *library = &session->shared.data[provider].library;
    TRY(vec_push(&launcher->objects,
                 (struct launcher_object){.library = is_preloaded(&session->shared.data[provider])
                                                         ? LAUNCHER_PRELOADED
                                                         : launcher->libraries.count - 1,
                                          .size = wanted->copy.size,
                                          .alignment = wanted->copy.alignment,
                                          .read_only = wanted->copy.read_only}));
    TRY(elf_copy_each_name(library, &wanted->copy, add_name, &naming));
    return naming.found
               ? NULL
               : error_create(JITSCOPE_ERROR_FORMAT, "%s has no data called '%s'",
                              session_text(session, session->shared.data[provider].path), naming.wanted);
}

static struct jitscope_error *describe(const struct jitscope_session *session, struct launcher *launcher) {
    for (uint32_t i = 0; i < session->shared.count; i++) {
        const struct shared_provider *provider = &session->shared.data[i];
        bool known = false;
        for (uint32_t n = 0; n < session->wanted_copies.count; n++) {
            const struct wanted_copy *wanted = &session->wanted_copies.data[n];
            if (wanted->rank != provider->rank)
                continue;
            if (!known && !is_preloaded(provider))
                TRY(vec_push(&launcher->libraries, session_text(session, provider->path)));
            known = true;
            TRY(add_object(session, i, wanted, launcher));
        }
    }
    return NULL;
}

uint32_t jitscope_session_wants_copies(struct jitscope_session *session) {
    session_lock_to_read(session);
    uint32_t count = session->wanted_copies.count + session->waiting_copies;
    session_unlock(session);
    return count;
}

struct jitscope_error *jitscope_executor_spawn_for(struct jitscope_session *session,
                                                   const struct jitscope_executor_options *options,
                                                   struct jitscope_executor_connection **connection) {
    struct launcher launcher = {0};
    session_lock_to_read(session);
    struct jitscope_error *error =
        session->wanted_copies.count
            ? describe(session, &launcher)
            : error_create(JITSCOPE_ERROR_USAGE, "the session's last link has not failed for want of copies");
    if (!error)
        error = connection_launch(&launcher, options, connection);
    launcher_destroy(&launcher);
    session_unlock(session);
    return error;
}
