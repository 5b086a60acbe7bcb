#include "session/session_restore.h"

#include <string.h>

/* --- telling: settings, as the calls that made them */

static void tell_modes(struct jitscope_session *session) {
    if (session->whole_archive)
        TRACE_ANSWER(&session->trace, call_set_modes, .whole_archive = 1, .as_needed = 0);
    if (session->as_needed)
        TRACE_ANSWER(&session->trace, call_set_modes, .whole_archive = session->whole_archive,
                     .as_needed = 1);
}

static void tell_action(void *context, const char *name) {
    struct jitscope_session *session = context;
    TRACE_ANSWER(&session->trace, call_register_action,
                 .name = trace_text(&session->trace, &session->names, name));
}

static void tell_settings(struct jitscope_session *session) {
    struct trace *trace = &session->trace;
    for (uint32_t i = 0; i < session->library_paths.count; i++)
        TRACE_ANSWER(trace, call_add_library_path, .path = trace_name(trace, session->library_paths.data[i]));
    for (uint32_t i = 0; i < session->roots.count; i++)
        TRACE_ANSWER(trace, call_add_root, .name = trace_name(trace, session->roots.data[i]));
    for (uint32_t i = 0; i < session->passes.passes.count; i++)
        TRACE_ANSWER(trace, call_add_pass, .phase = session->passes.passes.data[i].phase,
                     .name = trace_text(trace, &session->names, session->passes.passes.data[i].name));
    if (session->executor)
        executor_each_user_action(session->executor, tell_action, session);
    if (session->resolver)
        TRACE_ANSWER(trace, call_set_resolver, .present = 1);
}

/* --- telling: inputs */

static struct event_state_input describe(struct jitscope_session *session, uint32_t id) {
    const struct input *input = session_input(session, id);
    struct event_state_input event = {.input = id, .kind = input->kind, .container = input->container};
    for (uint32_t i = 0; i < session->archives.count; i++)
        if (session->archives.data[i].input == id)
            event.rank = session->archives.data[i].rank;
    for (uint32_t i = 0; i < session->shared.count; i++) {
        const struct shared_provider *provider = &session->shared.data[i];
        if (provider->input != id)
            continue;
        event.rank = provider->rank;
        event.opened = provider->opened;
        event.base = provider->base;
    }
    return event;
}

/* By value: names and contents come first in the stream. */
static void tell_input(struct jitscope_session *session, const struct event_state_input *event) {
    const struct input *input = session_input(session, event->input);
    struct trace *trace = &session->trace;
    uint32_t content = trace_content(trace, input->bytes);
    TRACE_ANSWER(trace, state_input, .input = event->input, .kind = event->kind,
                 .name = trace_name(trace, input->name), .container = event->container, .content = content,
                 .rank = event->rank, .opened = event->opened, .base = event->base);
}

/* Not every archive or library that came in became a provider: some could not be read, or opened. */
static bool is_held(const struct jitscope_session *session, uint32_t id) {
    for (uint32_t i = 0; i < session->queue.count; i++)
        if (session->queue.data[i] == id)
            return true;
    for (uint32_t i = 0; i < session->archives.count; i++)
        if (session->archives.data[i].input == id)
            return !session->archives.data[i].whole;
    for (uint32_t i = 0; i < session->shared.count; i++)
        if (session->shared.data[i].input == id)
            return true;
    return false;
}

static void tell_inputs(struct jitscope_session *session) {
    for (uint32_t i = 0; i < session->held_inputs.count; i++) {
        uint32_t id = session->held_inputs.data[i].number;
        if (!is_held(session, id))
            continue;
        struct event_state_input event = describe(session, id);
        tell_input(session, &event);
        for (uint32_t a = 0; a < session->archives.count; a++)
            if (session->archives.data[a].input == id)
                session_read_members(session, a);
        for (uint32_t s = 0; s < session->shared.count && event.opened; s++)
            if (session->shared.data[s].input == id)
                TRACE_ANSWER(&session->trace, answer_library,
                             .path = trace_name(&session->trace, session->shared.data[s].path),
                             .outcome = OUTCOME_OK);
    }
}

/* --- telling: links and definitions */

static void tell_definition(struct jitscope_session *session, const struct definition *definition) {
    TRACE_ANSWER(&session->trace, state_definition, .name = trace_name(&session->trace, definition->name),
                 .address = definition->address, .link = definition->link, .hidden = definition->hidden,
                 .thread_local = definition->thread_local);
}

/* Turns a chain round; what was its last is its first then. */
static uint32_t turn_round(struct jitscope_session *session, uint32_t at) {
    uint32_t before = NO_DEFINITION;
    while (at != NO_DEFINITION) {
        uint32_t next = session->definitions.data[at].previous;
        session->definitions.data[at].previous = before;
        before = at;
        at = next;
    }
    return before;
}

/* A chain leads from the latest to the oldest, which is to be told of first.  The event callback, which may
 * look up, hears of the name before the chain is turned round, and of nothing while it is. */
static void tell_chain(struct jitscope_session *session, uint32_t latest) {
    if (latest == NO_DEFINITION)
        return;
    session->trace.emitting = LEVEL_SESSION;
    trace_name(&session->trace, session->definitions.data[latest].name);
    uint32_t oldest = turn_round(session, latest);
    for (uint32_t at = oldest; at != NO_DEFINITION; at = session->definitions.data[at].previous)
        tell_definition(session, &session->definitions.data[at]);
    turn_round(session, oldest);
}

static void tell_links(struct jitscope_session *session) {
    for (uint32_t i = 0; i < session->links.entries.count; i++) {
        const struct jitscope_link *link = session->links.entries.data[i].thing;
        if (!link)
            continue;
        TRACE_ANSWER(&session->trace, state_link, .link = link->number,
                     .allocation = memory_allocation_number(&session->memory, link->allocation));
        memory_tell_state(&session->memory, &session->names, link->allocation);
        for (uint32_t u = 0; u < link->uses.count; u++)
            TRACE_ANSWER(&session->trace, state_use, .user = link->number,
                         .used = link->uses.data[u]->number);
    }
}

static void tell_numbers(struct jitscope_session *session) {
    TRACE_ANSWER(&session->trace, state_session, .inputs = session->next_input, .links = session->links.last,
                 .allocations = session->memory.next_allocation, .halves = session->memory.halves,
                 .rank = session->next_rank, .defaults_added = session->defaults_added,
                 .library_base = session->next_library_base);
}

/* The folder of gcc is looked for once more: a replay that begins here has not seen it. */
void session_tell_state(struct jitscope_session *session) {
    session->gcc_is_known = false;
    tell_settings(session);
    tell_inputs(session);
    tell_links(session);
    for (uint32_t name = 0; name < session->definition_by_name.count; name++)
        tell_chain(session, session->definition_by_name.data[name]);
    tell_numbers(session);
    tell_modes(session);
}

/* --- taking up */

static struct jitscope_error *impossible(const char *what) {
    return error_create(JITSCOPE_ERROR_RECORDING, "a session cannot have been like this: %s", what);
}

/* Numbers that have no input any more are those of objects that were linked. */
static struct jitscope_error *reach_input(struct jitscope_session *session, uint32_t count) {
    if (count < session->next_input || count == NO_INPUT)
        return impossible("numbers of inputs");
    session->next_input = count;
    return NULL;
}

static struct jitscope_error *reach_link(struct jitscope_session *session, uint32_t count) {
    if (count < session->links.last)
        return impossible("numbers of links");
    session->links.last = count;
    return NULL;
}

static struct jitscope_error *provide(struct jitscope_session *session, const struct event_state_input *event,
                                      const char *name) {
    if (event->kind == INPUT_KIND_ARCHIVE)
        return session_add_archive(session, event->input, name);
    if (event->kind != INPUT_KIND_SHARED)
        return vec_push(&session->queue, event->input);
    TRY(session_add_shared(session, event->input, name));
    for (uint32_t i = 0; i < session->shared.count; i++) {
        struct shared_provider *provider = &session->shared.data[i];
        if (provider->input != event->input)
            continue;
        provider->base = event->base;
        if (event->opened && session->executor)
            TRY(session_open_library(session, provider));
    }
    return NULL;
}

struct jitscope_error *session_restore_input(struct jitscope_session *session,
                                             const struct event_state_input *event, const char *name,
                                             struct bytes bytes) {
    struct input input = {
        .bytes = bytes, .container = event->container, .kind = (uint8_t)event->kind, .ownership = BORROWED};
    TRY(session_intern(session, name, &input.name));
    TRY(reach_input(session, event->input));
    if (event->kind > INPUT_KIND_SHARED)
        return impossible("an input that is nothing to link");
    input.number = event->input;
    TRY(vec_push(&session->held_inputs, input));
    session->next_input++;
    tell_input(session, event);
    bool as_needed = session->as_needed;
    session->next_rank = event->rank;
    session->as_needed = true; /* what was open is opened below */
    struct jitscope_error *error = provide(session, event, session_text(session, input.name));
    session->as_needed = as_needed;
    return error;
}

struct jitscope_error *session_restore_definition(struct jitscope_session *session,
                                                  const struct event_state_definition *event,
                                                  const char *name) {
    struct definition definition = {.family = event->link,
                                    .address = event->address,
                                    .link = event->link,
                                    .hidden = event->hidden,
                                    .thread_local = event->thread_local};
    struct jitscope_link *link = session_link_by_number(session, event->link);
    uint32_t index;
    if (event->link && !link)
        return impossible("a definition of a link that is gone");
    TRY(session_intern(session, name, &definition.name));
    if (link)
        TRY(vec_reserve(&link->definitions, 1));
    TRY(session_add_definition(session, definition, &index));
    if (link)
        vec_put(&link->definitions, index);
    tell_definition(session, &definition);
    return NULL;
}

struct jitscope_error *session_restore_link(struct jitscope_session *session,
                                            const struct event_state_link *event,
                                            const struct memory_state *memory) {
    if (!event->link)
        return impossible("link 0");
    TRY(reach_link(session, event->link - 1));
    TRY(numbered_reserve(&session->links));
    struct jitscope_link *link = os_allocate_zeroed(sizeof *link);
    if (!link)
        return error_no_memory();
    link->number = link->family = event->link;
    link->wanted = NO_NAME;
    TRACE_ANSWER(&session->trace, state_link, .link = event->link, .allocation = event->allocation);
    struct jitscope_error *error =
        memory_restore(&session->memory, &session->names, memory, &link->allocation);
    if (error) {
        os_release(link);
        return error;
    }
    numbered_add(&session->links, link);
    return NULL;
}

struct jitscope_error *session_restore_use(struct jitscope_session *session,
                                           const struct event_state_use *event) {
    struct jitscope_link *user = session_link_by_number(session, event->user);
    struct jitscope_link *used = session_link_by_number(session, event->used);
    if (!user || !used)
        return impossible("a use of links that are gone");
    TRY(vec_push(&user->uses, used));
    used->users++;
    TRACE_ANSWER(&session->trace, state_use, .user = event->user, .used = event->used);
    return NULL;
}

struct jitscope_error *session_restore_numbers(struct jitscope_session *session,
                                               const struct event_state_session *event) {
    TRY(reach_input(session, event->inputs));
    TRY(reach_link(session, event->links));
    session->memory.next_allocation = event->allocations;
    session->memory.halves = event->halves;
    session->next_rank = event->rank;
    session->defaults_added = event->defaults_added;
    session->next_library_base = event->library_base;
    tell_numbers(session);
    return NULL;
}
