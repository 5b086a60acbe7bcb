/* Lazy calls: what happens when code calls a function that waits.
 *
 *     code ──► stub ──► executor's resolver ──► session_answer_slot()
 *
 * borrows the session (session_lock.c) and finds one of three:
 *
 *   - The slot is bound meanwhile: the answer is its function.
 *   - The function is in a link that is being made.  If by this thread, the answer is its address, and
 * nothing is bound; if by another, it waits for the end and looks again.
 *   - Else session_call_lazy() links what is missing (lazy_read.c) and binds.
 *
 * Threads.  One at a time has the session, so a function is linked once, whoever calls it first and however
 * many do.  A slot is bound when its function's link has come to its end, initialisers included: who comes
 * through the slot finds everything done.  Only the thread that runs these initialisers gets the address
 * earlier, as C++ has it for what is called while it is initialised.
 *
 * Who calls lazily inside an initialiser makes a link inside a link: of the outer one what ran so far is told
 * of first (memory_set_aside()).  When the outer one fails afterwards, the inner ones, which may refer to it,
 * are taken down before its memory goes.
 *
 * Binding.  With a link, all slots of its family that wait for one of its functions are bound; slots of other
 * families when they are called, to what is there then.  When a family is unloaded, slots of others that lead
 * to it wait again, and the next call links the function anew.
 *
 * Recordings.  When which thread calls what is decided outside, so a lazy call is a call in the recording
 * (`call_lazy`), with the number of action halves that had run: a replay makes it between two calls of the
 * embedding program, or from inside the action that it was made in (record/replay_world.c).  All else
 * follows. */
#include "session/session_state.h"

#include "base/text.h"

#include <string.h>

/* --- slots */

static struct lazy_slot describe_slot(const struct graph *graph, const struct lazy_stub *stub) {
    const struct symbol *target = &graph->symbols.data[stub->target];
    bool waits = target->flags & SYMBOL_LAZY;
    uint64_t first = graph->addresses[stub->leads_to];
    return (struct lazy_slot){.at = graph->addresses[stub->slot],
                              .unbound = waits ? first : 0,
                              .function = first,
                              .name = target->name,
                              .symbol = stub->slot,
                              .definer = waits ? 0 : graph->link};
}

struct jitscope_error *session_note_slots(struct graph *graph, struct jitscope_session *session) {
    struct jitscope_link *link = session_link_by_number(session, graph->link);
    TRY(vec_reserve(&link->slots, graph->lazy.stubs.count));
    for (uint32_t i = 0; i < graph->lazy.stubs.count; i++) {
        const struct lazy_stub *stub = &graph->lazy.stubs.data[i];
        struct lazy_slot slot = describe_slot(graph, stub);
        if (graph->symbols.data[stub->target].flags & SYMBOL_EXTERNAL && slot.definer) {
            const struct definition *definition =
                session_find_definition(session, slot.name, SCOPE_DEFAULT, link->family);
            slot.definer = definition ? definition->link : 0;
        }
        vec_put(&link->slots, slot);
    }
    session->has_slots = session->memory.code_ends_first = true;
    return NULL;
}

struct jitscope_error *session_note_groups(const struct graph *graph, struct jitscope_session *session) {
    const struct jitscope_link *link = session_link_by_number(session, graph->link);
    struct jitscope_link *first = session_link_by_number(session, link->family);
    uint32_t known = first->groups.count;
    if (!session->lazy && link == first)
        return NULL;
    TRY(vec_reserve(&first->groups, graph->claimed_groups.count));
    for (uint32_t i = link == first ? 0 : known; i < graph->claimed_groups.count; i++) {
        uint32_t signature = graph->claimed_groups.data[i];
        vec_put(&first->groups, (struct family_group){signature, graph->by_name.groups.data[signature]});
    }
    return NULL;
}

struct jitscope_error *session_want_resolver(struct jitscope_session *session, uint64_t *address) {
    if (!session->executor) /* nothing will ever go there */
        session->lazy_resolver = session->base + 0x5f000000;
    if (!session->lazy_resolver) {
        TRY(executor_lazy_resolver(session->executor, &session->lazy_resolver));
        TRACE_ANSWER(&session->trace, answer_lazy_resolver, .address = session->lazy_resolver);
    }
    *address = session->lazy_resolver;
    return NULL;
}

/* The slot at ADDRESS; NULL when there is none. */
static struct lazy_slot *find_slot(const struct jitscope_session *session, uint64_t address,
                                   struct jitscope_link **owner) {
    for (uint32_t i = session->links.entries.count; i-- > 0;) {
        struct jitscope_link *link = session->links.entries.data[i].thing;
        for (uint32_t at = 0; link && at < link->slots.count; at++) {
            if (link->slots.data[at].at != address)
                continue;
            *owner = link;
            return &link->slots.data[at];
        }
    }
    return NULL;
}

/* --- binding */

static void tell_bound(struct jitscope_session *session, const struct jitscope_link *link, uint32_t index,
                       uint64_t before, uint32_t why) {
    const struct lazy_slot *slot = &link->slots.data[index];
    trace_enter_link(&session->trace, link->number);
    TRACE(&session->trace, slot_bound, .slot = index, .symbol = slot->symbol, .at = slot->at,
          .before = before, .after = slot->function, .definer = slot->definer, .why = why);
}

static void set_slot(struct jitscope_session *session, struct jitscope_link *link, uint32_t index,
                     uint64_t function, uint32_t definer, uint32_t why) {
    struct lazy_slot *slot = &link->slots.data[index];
    uint64_t before = slot->function;
    slot->function = function;
    slot->definer = definer;
    if (session->executor)
        executor_store_slots(session->executor, &(struct slot_store){slot->at, function}, 1);
    else
        memory_store_slot(&session->memory, slot->at, function);
    tell_bound(session, link, index, before, why);
}

static bool is_in_progress(const struct jitscope_session *session, const struct definition *definition) {
    const struct jitscope_link *link = session_link_by_number(session, definition->link);
    return link && link->running;
}

/* What the slot's function is; NULL: it is still to be linked. */
static const struct definition *find_function(const struct jitscope_session *session,
                                              const struct jitscope_link *link, uint32_t name) {
    bool waits = session_find_waiting(session, name, SCOPE_DEFAULT, link->family) != UINT32_MAX;
    return waits ? NULL : session_find_definition(session, name, SCOPE_DEFAULT, link->family);
}

/* All slots of the family whose function is there now. */
static void bind_family(struct jitscope_session *session, uint32_t family) {
    for (uint32_t i = 0; i < session->links.entries.count; i++) {
        struct jitscope_link *link = session->links.entries.data[i].thing;
        for (uint32_t at = 0; link && link->family == family && at < link->slots.count; at++) {
            if (link->slots.data[at].definer)
                continue;
            const struct definition *definition =
                session_find_definition(session, link->slots.data[at].name, SCOPE_DEFAULT, family);
            if (definition && definition->family == family && !is_in_progress(session, definition))
                set_slot(session, link, at, definition->address, definition->link, BINDING_CALLED);
        }
    }
}

/* --- replacing */

static const struct definition *definition_in(const struct jitscope_session *session, uint32_t name,
                                              const struct jitscope_link *link) {
    for (uint32_t i = 0; i < link->definitions.count; i++)
        if (session->definitions.data[link->definitions.data[i]].name == name)
            return &session->definitions.data[link->definitions.data[i]];
    return NULL;
}

/* A slot that waits does so for what its own family has; others find the new link by themselves.  What was
 * queued for FAMILY may have been taken by another, which needed it first: it is replaced all the same. */
static bool leads_to_replaced(const struct jitscope_session *session, const struct jitscope_link *link,
                              const struct lazy_slot *slot, uint32_t family) {
    const struct jitscope_link *definer = session_link_by_number(session, slot->definer);
    if (!definer)
        return !slot->definer && link->family == family;
    return definer->family == family || session_was_queued_for(session, slot->name, definer->number, family);
}

/* In the links from number FIRST on. */
static void swing_slots(struct jitscope_session *session, const struct jitscope_link *new, uint32_t first) {
    uint32_t family = session_link_by_number(session, new->replaces)->family;
    for (uint32_t i = 0; i < session->links.entries.count; i++) {
        struct jitscope_link *link = session->links.entries.data[i].thing;
        for (uint32_t at = 0; link && link->number >= first && at < link->slots.count; at++) {
            if (!leads_to_replaced(session, link, &link->slots.data[at], family))
                continue;
            const struct definition *definition = definition_in(session, link->slots.data[at].name, new);
            if (definition && !definition->hidden)
                set_slot(session, link, at, definition->address, new->number, BINDING_REPLACED);
        }
    }
    trace_enter_link(&session->trace, 0);
}

void session_swing_slots(struct jitscope_session *session, const struct jitscope_link *new) {
    swing_slots(session, new, 0);
}

/* What is linked for a link that has been replaced meanwhile calls, as the others do, what has replaced it.
 */
static void swing_late_slots(struct jitscope_session *session, const struct jitscope_link *late) {
    for (uint32_t i = 0; i < session->links.entries.count; i++) {
        const struct jitscope_link *link = session->links.entries.data[i].thing;
        if (link && link->replaces && !link->running && session_link_by_number(session, link->replaces))
            swing_slots(session, link, late->number);
    }
}

/* --- calls */

static struct jitscope_error *no_definition(const struct jitscope_session *session, uint32_t name) {
    struct coordinates where = {.offset = NO_OFFSET, .symbol = session_text(session, name)};
    return error_at(JITSCOPE_ERROR_UNRESOLVED, &where,
                    "what was to define it, when it was first called, does not");
}

static struct jitscope_error *bind(struct jitscope_session *session, struct jitscope_link *link,
                                   uint32_t slot) {
    uint32_t name = link->slots.data[slot].name, family = link->family;
    const struct definition *definition = find_function(session, link, name);
    if (!definition) {
        const struct link_request request = {.family = family, .name = name};
        struct jitscope_link *late;
        TRY(session_link(session, &request, &late));
        swing_late_slots(session, late);
        bind_family(session, family);
        definition = session_find_definition(session, name, SCOPE_DEFAULT, family);
    }
    if (!definition)
        return no_definition(session, name);
    if (!link->slots.data[slot].definer)
        set_slot(session, link, slot, definition->address, definition->link, BINDING_CALLED);
    return NULL;
}

struct jitscope_error *session_call_lazy(struct jitscope_session *session, struct jitscope_link *link,
                                         uint32_t slot) {
    struct trace *trace = &session->trace;
    uint32_t outer = trace->link;
    trace_enter_link(trace, 0);
    TRACE_ANSWER(trace, call_lazy, .link = link->number, .slot = slot,
                 .ordinal = memory_halves(&session->memory), .time = trace_time(trace));
    trace_enter_link(trace, outer);
    memory_set_aside(&session->memory);
    trace_enter_link(trace, 0);
    struct jitscope_error *error = bind(session, link, slot);
    trace_enter_link(trace, 0);
    if (error)
        TRACE_ANSWER(trace, call_failed,
                     .error = trace_text(trace, &session->names, jitscope_error_message(error)));
    trace_enter_link(trace, outer);
    return error;
}

struct lazy_reply {
    uint64_t function;
    uint32_t name;
    uint32_t ended; /* without function: links that had ended when another thread was linking it */
    jitscope_lazy_failure failure;
    void *context;
};

/* With the session borrowed.  Neither function nor error: wait, and ask again. */
static struct jitscope_error *answer(struct jitscope_session *session, uint64_t address,
                                     struct lazy_reply *reply) {
    struct jitscope_link *link;
    struct lazy_slot *slot = find_slot(session, address, &link);
    reply->failure = session->lazy_failure;
    reply->context = session->lazy_failure_context;
    reply->ended = session->ended_links;
    if (!slot)
        return error_create(JITSCOPE_ERROR_USAGE, "the code that calls was unloaded");
    reply->name = slot->name;
    uint32_t index = (uint32_t)(slot - link->slots.data);
    const struct definition *definition = slot->definer ? NULL : find_function(session, link, slot->name);
    if (definition && is_in_progress(session, definition)) {
        pthread_t runner = session_link_by_number(session, definition->link)->runner;
        reply->function = pthread_equal(runner, pthread_self()) ? definition->address : 0;
        return NULL;
    }
    if (!slot->definer)
        TRY(session_call_lazy(session, link, index));
    reply->function = link->slots.data[index].function;
    return NULL;
}

static struct jitscope_error *refuse(const struct jitscope_session *session) {
    bool lost = session->process != os_process_id();
    return error_with_help(error_create(JITSCOPE_ERROR_USAGE, "%s",
                                        lost
                                            ? "this child of fork() was made while another thread was linking"
                                            : "the thread that calls is in the middle of a link"),
                           "%s",
                           lost ? "call the function once before the fork"
                                : "signal handlers, passes, resolvers and memory "
                                  "managers can call what is linked already");
}

struct jitscope_error *session_answer_slot(void *context, uint64_t slot, struct lazy_outcome *outcome) {
    struct jitscope_session *session = context;
    struct lazy_reply reply;
    struct session_loan loan;
    do {
        reply = (struct lazy_reply){.name = NO_NAME};
        struct jitscope_error *error;
        if (session_borrow(session, &loan)) {
            error = answer(session, slot, &reply);
            session_give_back(session, &loan);
        } else {
            reply.failure = session->lazy_failure;
            reply.context = session->lazy_failure_context;
            error = refuse(session);
        }
        *outcome = (struct lazy_outcome){reply.function,
                                         reply.name == NO_NAME ? NULL : session_text(session, reply.name),
                                         reply.failure, reply.context};
        TRY(error);
        if (!reply.function)
            session_wait_for_link(session, reply.ended);
    } while (!reply.function);
    return NULL;
}

/* --- unloading */

static bool leads_to(const struct jitscope_session *session, const struct jitscope_link *link,
                     const struct lazy_slot *slot, uint32_t family) {
    const struct jitscope_link *definer = session_link_by_number(session, slot->definer);
    return link->family != family && definer && definer->family == family;
}

struct jitscope_error *session_check_slots(const struct jitscope_session *session, uint32_t family) {
    for (uint32_t i = 0; session->has_slots && i < session->links.entries.count; i++) {
        const struct jitscope_link *link = session->links.entries.data[i].thing;
        for (uint32_t at = 0; link && at < link->slots.count; at++) {
            const struct lazy_slot *slot = &link->slots.data[at];
            if (slot->unbound || !leads_to(session, link, slot, family))
                continue;
            struct coordinates where = {.offset = NO_OFFSET, .symbol = session_text(session, slot->name)};
            return error_with_help(error_at(JITSCOPE_ERROR_IN_USE, &where,
                                            "link %u cannot be unloaded: link %u calls the function", family,
                                            link->number),
                                   "replace it, or unload link %u first", link->number);
        }
    }
    return NULL;
}

void session_withdraw_slots(struct jitscope_session *session, uint32_t family) {
    for (uint32_t i = 0; session->has_slots && i < session->links.entries.count; i++) {
        struct jitscope_link *link = session->links.entries.data[i].thing;
        for (uint32_t at = 0; link && at < link->slots.count; at++)
            if (link->slots.data[at].unbound && leads_to(session, link, &link->slots.data[at], family))
                set_slot(session, link, at, link->slots.data[at].unbound, 0, BINDING_WITHDRAWN);
    }
}

void session_withdraw_link(struct jitscope_session *session, uint32_t number) {
    for (uint32_t i = 0; session->has_slots && i < session->links.entries.count; i++) {
        struct jitscope_link *link = session->links.entries.data[i].thing;
        for (uint32_t at = 0; link && link->number != number && at < link->slots.count; at++)
            if (link->slots.data[at].definer == number)
                set_slot(session, link, at, link->slots.data[at].unbound, 0, BINDING_WITHDRAWN);
    }
}

/* --- settings */

static void note_linking(struct jitscope_session *session) {
    TRACE_ANSWER(&session->trace, call_set_linking, .lazy = session->lazy,
                 .replaceable = session->replaceable);
}

struct jitscope_error *jitscope_session_set_lazy(struct jitscope_session *session, bool lazy) {
    if (lazy && session->gc_sections)
        return error_create(
            JITSCOPE_ERROR_USAGE,
            "gc_sections and lazy links exclude each other: nobody knows what will be called");
    TRY(session_enter(session));
    session->lazy = lazy;
    note_linking(session);
    if (session->executor)
        executor_set_lazy_answer(session->executor, session_answer_slot, session);
    return session_leave(session, NULL);
}

struct jitscope_error *jitscope_session_set_replaceable(struct jitscope_session *session, bool replaceable) {
    TRY(session_enter(session));
    session->replaceable = replaceable;
    note_linking(session);
    if (session->executor)
        executor_set_lazy_answer(session->executor, session_answer_slot, session);
    return session_leave(session, NULL);
}

struct jitscope_error *jitscope_session_set_lazy_failure(struct jitscope_session *session,
                                                         jitscope_lazy_failure failure, void *context) {
    TRY(session_enter(session));
    session->lazy_failure = failure;
    session->lazy_failure_context = context;
    session_unlock(session);
    return NULL;
}
