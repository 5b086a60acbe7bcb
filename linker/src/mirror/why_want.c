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
        KEY(lazy_stub, slot, 0, 0)
        KEY(slot_bound, slot, 0, 0)
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
static bool is_wide(uint32_t event) {
    return event == EVENT_ID_input || event == EVENT_ID_reservation || event == EVENT_ID_allocation ||
           event == EVENT_ID_action_result || event == EVENT_ID_registration;
}

static uint32_t link_of_key(uint32_t event, uint32_t link) {
    return is_wide(event) ? 0 : link;
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

static struct jitscope_error *keep_event(struct why_query *query, uint32_t chain, struct event_view view) {
    void *record = arena_allocate(&query->answer->arena, view.size);
    if (!record)
        return error_no_memory();
    view.record = memcpy(record, view.record, view.size);
    return vec_push(&query->answer->steps,
                    (struct why_step){.kind = WHY_EVENT, .chain = chain, .event = view});
}

static struct jitscope_error *take_event(struct why_query *query, const struct event_view *view) {
    const union any_event *event = query->wanted[view->type->id] ? decode_event(&query->decoder, view) : NULL;
    uint64_t key[3];
    uint32_t id = view->type->id, link = link_of_key(id, view->link);
    if (!event)
        return NULL;
    keys_of(event, id, key);
    uint32_t at = map64_find(&query->by_key, hash_of(id, link, key));
    for (; at != MAP64_NO_VALUE; at = query->wants.data[at].next)
        if (is_wanted(&query->wants.data[at], id, link, key))
            TRY(keep_event(query, query->wants.data[at].chain, *view));
    return NULL;
}

static struct jitscope_error *walk_all(struct why_query *query) {
    struct event_cursor cursor = {.file = query->mirror->file, .window = &query->window};
    struct event_view view;
    for (uint64_t i = 0; i < query->mirror->applied && event_next(&cursor, &view); i++)
        TRY(take_event(query, &view));
    return NULL;
}

static struct event_cursor cursor_at(struct why_query *query, const struct event_place *place) {
    return (struct event_cursor){.file = query->mirror->file,
                                 .run = place->run,
                                 .index = place->index,
                                 .offset = place->offset,
                                 .window = &query->window};
}

/* Events of one link; those whose numbers count per session are found among these (walk_wide). */
static struct jitscope_error *walk_link(struct why_query *query, uint32_t number) {
    const struct mirror *mirror = query->mirror;
    struct event_view view;
    for (uint32_t at = mirror->links.data[number].first; at != NO_ID; at = mirror->stretches.data[at].next) {
        const struct link_stretch *stretch = &mirror->stretches.data[at];
        struct event_cursor cursor = cursor_at(query, &stretch->place);
        uint32_t end = at + 1 < mirror->stretches.count ? stretch[1].first : mirror->history->events;
        end = end < mirror->history->now ? end : mirror->history->now;
        for (uint32_t event = stretch->first; event < end && event_next(&cursor, &view); event++)
            if (!is_wide(view.type->id))
                TRY(take_event(query, &view));
    }
    return NULL;
}

static struct jitscope_error *walk_links(struct why_query *query) {
    struct map64 done = {0};
    struct jitscope_error *error = NULL;
    for (uint32_t i = 0; i < query->wants.count && !error; i++) {
        const struct why_want *wanted = &query->wants.data[i];
        if (is_wide(wanted->event) || wanted->link >= query->mirror->links.count ||
            map64_find(&done, wanted->link) != MAP64_NO_VALUE)
            continue;
        error = map64_set(&done, wanted->link, 0);
        if (!error)
            error = walk_link(query, wanted->link);
    }
    map64_destroy(&done);
    return error;
}

static struct jitscope_error *walk_wide_by(struct why_query *query, const struct map64 *keys) {
    const struct mirror *mirror = query->mirror;
    struct event_view view;
    for (uint32_t i = 0; i < mirror->wide_events.count; i++) {
        const struct wide_event *wide = &mirror->wide_events.data[i];
        if (wide->event >= mirror->history->now)
            break;
        struct event_cursor cursor = cursor_at(query, &wide->place);
        if (map64_find(keys, wide->key) != MAP64_NO_VALUE && event_next(&cursor, &view))
            TRY(take_event(query, &view));
    }
    return NULL;
}

static struct jitscope_error *walk_wide(struct why_query *query) {
    struct map64 keys = {0};
    struct jitscope_error *error = NULL;
    for (uint32_t i = 0; i < query->wants.count && !error; i++)
        if (is_wide(query->wants.data[i].event))
            error = map64_set(&keys, (uint32_t)query->wants.data[i].key[0], 0);
    if (!error)
        error = walk_wide_by(query, &keys);
    map64_destroy(&keys);
    return error;
}

static struct jitscope_error *walk(struct why_query *query) {
    if (!query->mirror->on_demand)
        TRY(walk_all(query));
    else {
        TRY(walk_links(query));
        TRY(walk_wide(query));
    }
    return recording_failure(query->mirror->file);
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
            error = want_input(query, mirror_link_whole(query->mirror, step->event.link),
                               event->symbol_external.input);
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
