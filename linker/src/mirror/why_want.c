/* The events of a chain: wanted by what identifies them, found by walking the recording. */
#include "mirror/why_query.h"

#include <stdlib.h>
#include <string.h>

/* What identifies an event among those of its kind and link: the ids that come first, or what comes nearest.
 */
static void keys_of(const union any_event *event, uint32_t id, uint64_t key[3]) {
    key[0] = key[1] = key[2] = 0;
    switch (id) {
#define KEY(name, first, second, third)                                                                      \
    case EVENT_ID_##name:                                                                                    \
        key[0] = event->name.first, key[1] = (uint64_t)(second), key[2] = (uint64_t)(third);                 \
        break;
        KEY(input, input, 0, 0)
        KEY(section, section, 0, 0)
        KEY(block, block, 0, 0)
        KEY(section_discarded, input, event->section_discarded.input_section, 0)
        KEY(block_removed, block, 0, 0)
        KEY(symbol, symbol, 0, 0)
        KEY(symbol_discarded, name.id, 0, 0)
        KEY(symbol_external, symbol, 0, 0)
        KEY(symbol_resolved, symbol, 0, 0)
        KEY(symbol_unresolved, symbol, 0, 0)
        KEY(symbol_bound, symbol, 0, 0)
        KEY(table_entry, table, event->table_entry.entry, 0)
        KEY(edge_claimed, block, event->edge_claimed.offset, 0)
        KEY(edge_relaxed, block, event->edge_relaxed.offset, 0)
        KEY(edge, block, event->edge.offset, 0)
        KEY(fixup, block, event->fixup.offset, 0)
        KEY(segment, segment, 0, 0)
        KEY(block_placed, block, 0, 0)
        KEY(allocation, allocation, event->allocation.state, 0)
        KEY(protect, segment, 0, 0)
        KEY(reservation, address, 0, 0)
        KEY(cfi_record, block, 0, 0)
        KEY(action, action, 0, 0)
        KEY(action_result, allocation, event->action_result.action, 0)
        KEY(registration, allocation, event->registration.address, 0)
        KEY(debug_discarded, input, 0, 0)
#undef KEY
    default:; /* one of its kind per link: link_end, unload */
    }
}

/* Numbers of inputs and allocations count per session: which link was at work does not matter for these. */
static uint32_t link_of_key(uint32_t event, uint32_t link) {
    switch (event) {
    case EVENT_ID_input:
    case EVENT_ID_reservation:
    case EVENT_ID_allocation:
    case EVENT_ID_action_result:
    case EVENT_ID_registration:
        return 0;
    default:
        return link;
    }
}

static uint64_t mix(uint64_t hash, uint64_t value) {
    hash = (hash ^ value) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 29;
}

static uint64_t hash_of(uint32_t event, uint32_t link, const uint64_t key[3]) {
    uint64_t hash = mix(mix(event, link), key[0]);
    hash = mix(mix(hash, key[1]), key[2]);
    return hash == MAP64_NO_KEY ? 0 : hash;
}

static bool is_wanted(const struct why_want *wanted, uint32_t event, uint32_t link, const uint64_t key[3]) {
    return wanted->event == event && wanted->link == link && !memcmp(wanted->key, key, sizeof wanted->key);
}

struct jitscope_error *want(struct why_query *query, uint32_t event, uint32_t link, uint64_t key0,
                            uint64_t key1, uint64_t key2) {
    struct why_want wanted = {query->chains - 1, link_of_key(event, link), event, NO_ID, {key0, key1, key2}};
    uint64_t hash = hash_of(event, wanted.link, wanted.key);
    uint32_t first = map64_find(&query->by_key, hash);
    for (uint32_t at = first; at != MAP64_NO_VALUE; at = query->wants.data[at].next)
        if (query->wants.data[at].chain == wanted.chain &&
            is_wanted(&query->wants.data[at], event, wanted.link, wanted.key))
            return NULL;
    wanted.next = first; /* MAP64_NO_VALUE is NO_ID */
    query->wanted[event] = true;
    TRY(vec_push(&query->wants, wanted));
    return map64_set(&query->by_key, hash, query->wants.count - 1);
}

/* --- the walk */

static struct jitscope_error *take_event(struct why_query *query, const struct event_view *view,
                                         const union any_event *event) {
    uint64_t key[3];
    uint32_t id = view->type->id, link = link_of_key(id, view->link);
    keys_of(event, id, key);
    uint32_t at = map64_find(&query->by_key, hash_of(id, link, key));
    for (; at != MAP64_NO_VALUE; at = query->wants.data[at].next)
        if (is_wanted(&query->wants.data[at], id, link, key))
            TRY(vec_push(
                &query->answer->steps,
                (struct why_step){.kind = WHY_EVENT, .chain = query->wants.data[at].chain, .event = *view}));
    return NULL;
}

static struct jitscope_error *walk(struct why_query *query) {
    struct event_cursor cursor = {.file = query->mirror->file};
    struct event_view view;
    while (event_next(&cursor, &view) && view.sequence <= query->mirror->last_sequence) {
        if (!query->wanted[view.type->id])
            continue;
        const union any_event *event = decode_event(&query->decoder, &view);
        if (event)
            TRY(take_event(query, &view, event));
    }
    return NULL;
}

/* A member is there because of a symbol, and that was asked for by an input, which may be a member itself. */
static struct jitscope_error *want_referrers(struct why_query *query) {
    uint32_t chains = query->chains;
    struct jitscope_error *error = NULL;
    for (uint32_t i = 0; i < query->answer->steps.count && !error; i++) {
        const struct why_step *step = &query->answer->steps.data[i];
        if (step->kind != WHY_EVENT || step->event.type->id != EVENT_ID_symbol_external ||
            step->event.link >= query->mirror->links.count)
            continue;
        const union any_event *event = decode_event(&query->decoder, &step->event);
        query->chains = step->chain + 1; /* as if it were under construction */
        if (event)
            error =
                want_input(query, &query->mirror->links.data[step->event.link], event->symbol_external.input);
    }
    query->chains = chains;
    return error;
}

static void forget_events(struct why_answer *answer) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < answer->steps.count; i++)
        if (answer->steps.data[i].kind != WHY_EVENT)
            answer->steps.data[kept++] = answer->steps.data[i];
    answer->steps.count = kept;
}

struct jitscope_error *collect_events(struct why_query *query) {
    enum { LONGEST_PULL = 16 };
    for (unsigned round = 0; round < LONGEST_PULL; round++) {
        uint32_t wants = query->wants.count;
        forget_events(query->answer);
        TRY(walk(query));
        TRY(want_referrers(query));
        if (query->wants.count == wants)
            break;
    }
    return NULL;
}

/* --- steps */

static const char *keep_text(struct why_query *query, struct text *text) {
    const char *kept =
        text->failed ? NULL : arena_copy(&query->answer->arena, text->data ? text->data : "", text->length);
    text_destroy(text);
    return kept;
}

static struct jitscope_error *add_step(struct why_query *query, enum why_step_kind kind, struct text *text,
                                       struct text *fields) {
    const char *kept = keep_text(query, text), *kept_fields = fields ? keep_text(query, fields) : "";
    if (!kept || !kept_fields)
        return error_no_memory();
    return vec_push(&query->answer->steps, (struct why_step){.kind = kind,
                                                             .chain = query->chains - 1,
                                                             .order = query->answer->steps.count,
                                                             .text = kept,
                                                             .fields = kept_fields});
}

struct jitscope_error *chain_begin(struct why_query *query, struct text *text, struct text *fields) {
    query->chains++;
    return add_step(query, WHY_ANSWER, text, fields);
}

struct jitscope_error *chain_note(struct why_query *query, struct text *text) {
    return add_step(query, WHY_NOTE, text, NULL);
}

static int by_chain(const void *a, const void *b) {
    const struct why_step *x = a, *y = b;
    if (x->chain != y->chain)
        return x->chain < y->chain ? -1 : 1;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    if (x->kind != WHY_EVENT)
        return x->order < y->order ? -1 : x->order > y->order;
    return x->event.sequence < y->event.sequence ? -1 : x->event.sequence > y->event.sequence;
}

struct jitscope_error *finish_answer(struct why_query *query) {
    struct why_answer *answer = query->answer;
    if (answer->steps.count)
        qsort(answer->steps.data, answer->steps.count, sizeof *answer->steps.data, by_chain);
    for (uint32_t i = 0; i < answer->steps.count; i++) {
        struct text text = {0};
        if (answer->steps.data[i].kind != WHY_EVENT)
            continue;
        say_event(&text, query, &answer->steps.data[i].event);
        answer->steps.data[i].text = keep_text(query, &text);
        if (!answer->steps.data[i].text)
            return error_no_memory();
    }
    return NULL;
}
