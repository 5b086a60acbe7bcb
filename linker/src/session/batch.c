/* One link: the queue becomes a graph, the graph a finalized allocation, and the session remembers what it
 * defines. */
#include "session/session_state.h"

#include "object/elf_object.h"

enum {
    PHONY_DISTANCE = 0x60000000
}; /* phony externals lie so far above a simulated batch: still in rip-relative reach */

struct jitscope_link *session_link_by_number(const struct jitscope_session *session, uint32_t number) {
    return numbered_find(&session->links, number);
}

static const char *name_input(const void *context, uint32_t input) {
    const struct jitscope_session *session = context;
    return session_text(session, session_input(session, input)->name);
}

static bool knows_action(const void *context, const char *name) {
    const struct jitscope_session *session = context;
    return executor_knows_action(session->executor, name);
}

/* Shared libraries are asked last, for what earlier links and the program itself do not define. */
static bool is_library_function(const void *context, uint32_t name) {
    const struct jitscope_session *session = context;
    struct elf_shared_symbol found;
    return !session_find_definition(session, name, SCOPE_DEFAULT) &&
           session_find_shared(session, name, UINT32_MAX, &found) >= 0 &&
           (found.kind == SYMBOL_KIND_FUNCTION || found.kind == SYMBOL_KIND_IFUNC);
}

static struct jitscope_error *new_link(struct jitscope_session *session, struct jitscope_link **out) {
    TRY(numbered_reserve(&session->links));
    struct jitscope_link *link = os_allocate_zeroed(sizeof *link);
    if (!link)
        return error_no_memory();
    link->number = numbered_add(&session->links, link);
    *out = link;
    return NULL;
}

void session_forget_link(struct jitscope_session *session, struct jitscope_link *link) {
    for (uint32_t i = 0; i < link->definitions.count; i++)
        session_remove_definition(session, link->definitions.data[i]);
    for (uint32_t i = 0; i < link->uses.count; i++) {
        link->uses.data[i]->users--;
        link->uses.data[i]->stamp = 0;
    }
    numbered_remove(&session->links, link->number);
    if (session->executor)
        executor_close_tls(session->executor, link->number);
    vec_destroy(&link->definitions);
    vec_destroy(&link->uses);
    os_release(link);
}

static struct jitscope_error *run_job(struct jitscope_session *session, struct graph *graph,
                                      struct jitscope_link *link) {
    struct link_job job = {
        .graph = graph,
        .memory = &session->memory,
        .user_passes = &session->passes,
        .roots = {.everything = !session->gc_sections,
                  .names = session->roots.data,
                  .count = session->roots.count},
        .phony_externals = session->phony_externals,
        .phony_base = session->base + PHONY_DISTANCE,
        .resolve_externals = session_resolve_externals,
        .announce_definitions = session_announce,
        .session = session,
        .debug = session->debug == JITSCOPE_DEBUG_OFF ? NULL : &session->debug_scratch,
    };
    TRY(pass_run(graph, &job.pass_number, PHASE_READ, "read-inputs", session_read_inputs, session));
    return link_run(&job, &link->allocation);
}

static struct jitscope_error *link_batch(struct jitscope_session *session, struct jitscope_link *link) {
    struct graph graph;
    TRY(graph_create(&graph, &arch_x86_64, &session->names, &session->trace, link->number));
    graph_borrow_tables(&graph, &session->name_tables);
    graph.input_name = name_input;
    graph.input_context = session;
    graph.is_library_function = is_library_function;
    graph.knows_action = session->executor ? knows_action : NULL;
    graph.relocation_name = elf_x86_64_relocation_name;
    struct jitscope_error *error = run_job(session, &graph, link);
    graph_destroy(&graph);
    return error;
}

/* The event wants text; an error without memory for that is still told by its outcome. */
static void trace_link_end(struct jitscope_session *session, const struct jitscope_error *error,
                           uint64_t began) {
    uint32_t text = NO_NAME;
    if (error && trace_wants(&session->trace, LEVEL_PHASE))
        jitscope_error_destroy(session_intern(session, jitscope_error_message(error), &text));
    TRACE(&session->trace, link_end, .outcome = error ? OUTCOME_FAILED : OUTCOME_OK,
          .duration = trace_time(&session->trace) - began, .error = trace_name(&session->trace, text));
}

static struct jitscope_error *link_queue(struct jitscope_session *session, struct jitscope_link **out) {
    struct jitscope_link *link;
    TRY(session_add_default_libraries(session));
    TRY(new_link(session, &link));
    uint64_t began = trace_time(&session->trace);
    uint32_t first_input = session->next_input;
    trace_enter_link(&session->trace, link->number);
    TRACE(&session->trace, link_begin, .link = link->number, .time = began);
    struct jitscope_error *error = error_with_usual_help(link_batch(session, link));
    trace_link_end(session, error, began);
    trace_enter_link(&session->trace, 0);
    session_drop_queue(session, first_input);
    if (error)
        session_forget_link(session, link);
    else if (out)
        *out = link;
    return error;
}

struct jitscope_error *session_link_queue(struct jitscope_session *session, struct jitscope_link **link) {
    TRACE_ANSWER(&session->trace, call_link, .time = trace_time(&session->trace));
    struct jitscope_error *error = link_queue(session, link);
    if (error)
        session_drop_queue(session, session->next_input);
    return session_note_failure(session, error);
}

struct jitscope_error *jitscope_session_link(struct jitscope_session *session, struct jitscope_link **link) {
    TRY(session_enter(session));
    struct jitscope_error *error = session_link_queue(session, link);
    session_unlock(session);
    return error;
}

uint32_t jitscope_link_number(const struct jitscope_link *link) {
    return link->number;
}

static struct jitscope_error *unload(struct jitscope_session *session, struct jitscope_link *link) {
    if (link->users)
        return error_with_help(error_create(JITSCOPE_ERROR_IN_USE,
                                            "link %u cannot be unloaded: %u later link%s to it", link->number,
                                            link->users, link->users == 1 ? " refers" : "s refer"),
                               "unload those first");
    trace_enter_link(&session->trace, link->number);
    TRACE(&session->trace, unload, .link = link->number, .time = trace_time(&session->trace));
    if (session->executor)
        executor_close_exports(session->executor, link->number);
    struct jitscope_error *error = memory_deallocate(&session->memory, link->allocation);
    trace_enter_link(&session->trace, 0);
    session_forget_link(session, link);
    return error;
}

struct jitscope_error *jitscope_session_unload(struct jitscope_session *session, struct jitscope_link *link) {
    TRY(session_enter(session));
    TRACE_ANSWER(&session->trace, call_unload, .link = link->number);
    return session_leave(session, unload(session, link));
}
