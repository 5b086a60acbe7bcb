/* One link: the queue becomes a graph, the graph a finalized allocation, and the session remembers what it
 * defines. */
#include "session/session_state.h"

#include "executor/executor_remote.h"

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
    return !session_find_definition(session, name, SCOPE_DEFAULT, 0) &&
           session_find_shared(session, name, PRELOADED_RANK, &found) >= 0 &&
           (found.kind == SYMBOL_KIND_FUNCTION || found.kind == SYMBOL_KIND_IFUNC);
}

static struct jitscope_error *new_link(struct jitscope_session *session, struct jitscope_link **out) {
    TRY(numbered_reserve(&session->links));
    struct jitscope_link *link = os_allocate_zeroed(sizeof *link);
    if (!link)
        return error_no_memory();
    link->number = link->family = numbered_add(&session->links, link);
    link->wanted = NO_NAME;
    *out = link;
    return NULL;
}

/* What replaced LINK replaces what that one had replaced. */
static void pass_on_replaced(struct jitscope_session *session, const struct jitscope_link *link) {
    for (uint32_t i = 0; link->is_replaced && i < session->links.entries.count; i++) {
        struct jitscope_link *other = session->links.entries.data[i].thing;
        if (other && other->replaces == link->number)
            other->replaces = link->replaces;
    }
}

void session_forget_link(struct jitscope_session *session, struct jitscope_link *link) {
    for (uint32_t i = 0; i < link->definitions.count; i++)
        session_remove_definition(session, link->definitions.data[i]);
    for (uint32_t i = 0; i < link->uses.count; i++) {
        link->uses.data[i]->users--;
        link->uses.data[i]->stamp = 0;
    }
    pass_on_replaced(session, link);
    numbered_remove(&session->links, link->number);
    if (session->executor) {
        executor_close_tls(session->executor, link->number);
        executor_forget_code(session->executor, link->number);
    }
    vec_destroy(&link->definitions);
    vec_destroy(&link->uses);
    vec_destroy(&link->slots);
    vec_destroy(&link->groups);
    session_let_wait(session, link->number);
    if (link->family == link->number)
        session_forget_waiting(session, link->number);
    os_release(link);
}

static struct jitscope_error *run_job(struct jitscope_session *session, struct graph *graph,
                                      struct jitscope_link *link, struct debug_scratch *scratch) {
    struct link_job job = {
        .graph = graph,
        .memory = &session->memory,
        .user_passes = &session->passes,
        .roots = {.everything = !session->gc_sections || session->lazy,
                  .names = session->roots.data,
                  .count = session->roots.count},
        .phony_externals = session->phony_externals,
        .phony_base = session->base + PHONY_DISTANCE,
        .resolve_externals = session_resolve_externals,
        .announce_definitions = session_announce,
        .session = session,
        .debug = session->debug == JITSCOPE_DEBUG_OFF ? NULL : scratch,
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
    struct debug_scratch own = {0}; /* inside another link, whose image is still to be read */
    bool is_nested = session->memory.running;
    struct jitscope_error *error = run_job(session, &graph, link, is_nested ? &own : &session->debug_scratch);
    if (!error)
        error = session_note_groups(&graph, session);
    graph_destroy(&graph);
    debug_scratch_destroy(&own);
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

/* What was read stays while it waits, or can wait again. */
static void drop_inputs(struct jitscope_session *session, const struct link_request *request, bool failed,
                        uint32_t first_input) {
    if (request->family)
        session_drop_members(session, first_input);
    else if (session->lazy && !failed)
        session_keep_queue(session, first_input);
    else
        session_drop_queue(session, first_input);
}

static struct jitscope_error *make_link(struct jitscope_session *session, struct jitscope_link *link) {
    uint64_t began = trace_time(&session->trace);
    link->running = true;
    link->runner = pthread_self();
    trace_enter_link(&session->trace, link->number);
    TRACE(&session->trace, link_begin, .link = link->number, .time = began);
    struct jitscope_error *error = error_with_usual_help(link_batch(session, link));
    trace_link_end(session, error, began);
    trace_enter_link(&session->trace, 0);
    link->running = false;
    return error;
}

struct jitscope_error *session_link(struct jitscope_session *session, const struct link_request *request,
                                    struct jitscope_link **out) {
    struct jitscope_link *link;
    TRY(new_link(session, &link));
    uint32_t first_input = session->next_input;
    if (request->family) {
        link->family = request->family;
        link->wanted = request->name;
    }
    link->replaces = request->replaces;
    link->replaceable = session->replaceable;
    struct jitscope_error *error = make_link(session, link);
    if (error)
        session_forget_link(session, link);
    else if (out)
        *out = link;
    drop_inputs(session, request, error, first_input); /* what waited for the link goes with the queue */
    if (session->has_slots)
        session_tell_ended_link(session);
    return error;
}

struct jitscope_error *session_link_queue(struct jitscope_session *session, struct jitscope_link **link) {
    const struct link_request request = {0};
    TRACE_ANSWER(&session->trace, call_link, .time = trace_time(&session->trace));
    struct jitscope_error *error = session_link(session, &request, link);
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

/* --- replacing */

/* Callers that do not come through slots would go on to call what is replaced. */
static struct jitscope_error *check_callers(const struct jitscope_session *session,
                                            const struct jitscope_link *old) {
    const char *help = "jitscope_session_set_replaceable() before links whose functions, or callers, are "
                       "involved";
    if (!old->replaceable)
        return error_with_help(
            error_create(JITSCOPE_ERROR_USAGE, "link %u was not made to be replaced", old->number), "%s",
            help);
    for (uint32_t i = 0; i < session->links.entries.count; i++) {
        const struct jitscope_link *link = session->links.entries.data[i].thing;
        for (uint32_t at = 0; link && !link->replaceable && at < link->uses.count; at++)
            if (link->uses.data[at] == old)
                return error_with_help(error_create(JITSCOPE_ERROR_USAGE,
                                                    "link %u cannot be replaced: link %u calls it directly",
                                                    old->number, link->number),
                                       "%s", help);
    }
    return NULL;
}

static struct jitscope_error *replace(struct jitscope_session *session, struct jitscope_link *old,
                                      struct jitscope_link **out) {
    struct jitscope_link *link;
    const struct link_request request = {.replaces = old->number};
    TRY(check_callers(session, old));
    TRY(session_link(session, &request, &link));
    old->is_replaced = true;
    session_swing_slots(session, link);
    if (out)
        *out = link;
    return NULL;
}

struct jitscope_error *jitscope_session_replace(struct jitscope_session *session, struct jitscope_link *old,
                                                struct jitscope_link **link) {
    TRY(session_enter(session));
    TRACE_ANSWER(&session->trace, call_replace, .link = old->number, .time = trace_time(&session->trace));
    struct jitscope_error *error = replace(session, old, link);
    if (error)
        session_drop_queue(session, session->next_input);
    return session_leave(session, error);
}

uint32_t jitscope_link_number(const struct jitscope_link *link) {
    return link->number;
}

/* --- taking down */

/* No link of FAMILY, 0 for any, has a larger number.  Only lazy calls make more than the one. */
static uint32_t last_of(const struct jitscope_session *session, uint32_t family) {
    return family && !session->has_slots ? family : session->links.last;
}

/* The latest link of FAMILY, 0 for any, with a number up to NUMBER; NULL: none.  A family's first link has
 * the smallest number. */
static struct jitscope_link *latest_of(const struct jitscope_session *session, uint32_t family,
                                       uint32_t number) {
    const struct numbered_entry *entry;
    while (number >= family && (entry = numbered_up_to(&session->links, number))) {
        struct jitscope_link *link = entry->thing;
        if (!family || link->family == family)
            return link;
        number = entry->number - 1;
    }
    return NULL;
}

static void keep_first(struct jitscope_error **first, struct jitscope_error *error) {
    if (*first)
        jitscope_error_destroy(error);
    else
        *first = error;
}

static void tell_unload(struct jitscope_session *session, struct jitscope_link *link) {
    trace_enter_link(&session->trace, link->number);
    if (!link->leaves)
        TRACE(&session->trace, unload, .link = link->number, .time = trace_time(&session->trace));
    link->leaves = true;
}

/* Finalisers may call what waits: then one more link of the family leaves, before the others. */
static struct jitscope_error *end_code(struct jitscope_session *session, uint32_t family) {
    struct jitscope_error *first = NULL;
    struct jitscope_link *link;
    for (uint32_t number = last_of(session, family); (link = latest_of(session, family, number));) {
        uint32_t last = session->links.last;
        number = link->number - 1;
        tell_unload(session, link);
        keep_first(&first, memory_end_code(&session->memory, link->allocation));
        if (session->links.last > last)
            number = session->links.last;
    }
    return first;
}

struct jitscope_error *session_take_down(struct jitscope_session *session, uint32_t family) {
    struct jitscope_error *first = NULL;
    struct jitscope_link *link;
    if (session->has_slots && session->executor)
        first = end_code(session, family);
    if (family)
        session_withdraw_slots(session, family);
    for (uint32_t number = last_of(session, family); (link = latest_of(session, family, number));) {
        number = link->number - 1;
        tell_unload(session, link);
        if (session->executor)
            executor_close_exports(session->executor, link->number);
        keep_first(&first, memory_deallocate(&session->memory, link->allocation));
        trace_enter_link(&session->trace, 0);
        session_forget_link(session, link);
    }
    session_drop_done(session);
    return first;
}

void session_end_nested(void *context) {
    struct jitscope_session *session = context;
    uint32_t outer = session->trace.link;
    struct jitscope_link *link;
    while ((link = numbered_latest(&session->links)) && link->number > outer) {
        tell_unload(session, link);
        session_withdraw_link(session, link->number);
        jitscope_error_destroy(memory_deallocate(&session->memory, link->allocation));
        session_forget_link(session, link);
    }
    trace_enter_link(&session->trace, outer);
}

static struct jitscope_error *unload(struct jitscope_session *session, struct jitscope_link *link) {
    if (link->users)
        return error_with_help(error_create(JITSCOPE_ERROR_IN_USE,
                                            "link %u cannot be unloaded: %u later link%s to it", link->number,
                                            link->users, link->users == 1 ? " refers" : "s refer"),
                               "unload those first");
    TRY(session_check_slots(session, link->family));
    return session_take_down(session, link->family);
}

struct jitscope_error *jitscope_session_unload(struct jitscope_session *session, struct jitscope_link *link) {
    TRY(session_enter(session));
    TRACE_ANSWER(&session->trace, call_unload, .link = link->number);
    return session_leave(session, unload(session, link));
}
