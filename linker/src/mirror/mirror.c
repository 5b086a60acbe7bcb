#include "mirror/mirror.h"

#include <inttypes.h>
#include <string.h>

/* --- what things hear: each function brings one thing from before an event to behind it
 * ------------------------------------------------------------------------------------------------- */

#define HEAR(name, type) static void hear_##name(type *thing, const struct event_##name *event)

HEAR(session_begin, struct mirror) {
    thing->session = *event;
    thing->has_session = true;
}

HEAR(session_end, struct mirror) {
    (void)event;
    thing->session_ended = true;
}

HEAR(lost, struct mirror) {
    thing->lost += event->events;
}

HEAR(link_begin, struct mirror_link) {
    thing->begin = *event;
    thing->known = true;
}

HEAR(link_end, struct mirror_link) {
    thing->end = *event;
    thing->ended = thing->known = true;
}

HEAR(unload, struct mirror_link) {
    (void)event;
    thing->unloaded = true;
}

HEAR(debug_image, struct mirror_link) {
    thing->debug = *event;
}

HEAR(input, struct mirror_input) {
    *thing = (struct mirror_input){*event, true};
}

HEAR(edge_kind, uint32_t) {
    *thing = event->name.id;
}

HEAR(section, struct mirror_section) {
    *thing = (struct mirror_section){*event, true};
}

HEAR(segment, struct mirror_segment) {
    *thing = (struct mirror_segment){.event = *event, .known = true};
}

HEAR(protect, struct mirror_segment) {
    thing->final_prot = event->prot;
}

HEAR(block, struct mirror_block) {
    *thing = (struct mirror_block){.event = *event, .segment = NO_ID, .known = true};
}

HEAR(block_removed, struct mirror_block) {
    thing->removed = true;
    thing->reason = event->reason;
}

HEAR(block_placed, struct mirror_block) {
    thing->address = event->address;
    thing->segment = event->segment;
}

HEAR(symbol, struct mirror_symbol) {
    *thing = (struct mirror_symbol){.offset = event->offset,
                                    .size = event->size,
                                    .name = event->name.id,
                                    .block = event->block,
                                    .input = event->input,
                                    .linkage = event->linkage,
                                    .scope = event->scope,
                                    .kind = event->kind,
                                    .state = SYMBOL_DEFINED,
                                    .known = true};
}

HEAR(symbol_external, struct mirror_symbol) {
    *thing = (struct mirror_symbol){.name = event->name.id,
                                    .block = NO_ID,
                                    .input = event->input,
                                    .linkage = event->linkage,
                                    .state = SYMBOL_EXTERNAL_OPEN,
                                    .known = true};
}

HEAR(symbol_resolved, struct mirror_symbol) {
    thing->name = event->name.id;
    thing->address = event->address;
    thing->has_address = thing->known = true;
    thing->provider = event->provider;
    thing->where = event->where.id;
    thing->state = SYMBOL_EXTERNAL_RESOLVED;
}

HEAR(symbol_unresolved, struct mirror_symbol) {
    thing->name = event->name.id;
    thing->state = SYMBOL_EXTERNAL_UNRESOLVED;
}

HEAR(symbol_bound, struct mirror_symbol) {
    thing->address = event->address;
    thing->has_address = true;
}

HEAR(pass_begin, struct mirror_pass) {
    *thing = (struct mirror_pass){.begin = *event, .known = true};
}

HEAR(pass_end, struct mirror_pass) {
    thing->end = *event;
    thing->ended = true;
}

HEAR(action, struct mirror_action) {
    *thing = (struct mirror_action){*event, true};
}

/* Each kind of event tells about one kind of thing. */
static void hear_event(void *thing, const union any_event *event) {
    switch (EVENT_HEADER_ID(event->header)) {
#define HEARS(name)                                                                                          \
    case EVENT_ID_##name:                                                                                    \
        hear_##name(thing, &event->name);                                                                    \
        break;
#define ABOUT(name, owner, table, id, what) HEARS(name)
#include "mirror/tables.def"
        HEARS(session_begin)
        HEARS(session_end)
        HEARS(lost)
        HEARS(link_begin)
        HEARS(link_end)
        HEARS(unload)
        HEARS(debug_image)
#undef HEARS
    default:
        break;
    }
}

/* --- bringing things to the moment that is shown
 * ------------------------------------------------------------------------------------------------- */

#define TABLE(owner, type, table)                                                                            \
    static void refresh_##table(const struct owner *owner, uint32_t id) {                                    \
        struct life *life = &owner->table##_lives.data[id];                                                  \
        if (life->shown == owner->history->epoch)                                                            \
            return;                                                                                          \
        life->shown = owner->history->epoch;                                                                 \
        memset(&owner->table.data[id], 0, sizeof(type));                                                     \
        history_tell(owner->history, life, hear_event, &owner->table.data[id]);                              \
    }
#define LINK_TABLE(type, name)    TABLE(mirror_link, type, name)
#define SESSION_TABLE(type, name) TABLE(mirror, type, name)
#include "mirror/tables.def"
#undef TABLE

#define LIST_AT(owner, name, now)                                                                            \
    owner->name.count = stamps_before(owner->name##_stamps.data, owner->name##_stamps.count, now);
#define TABLE_AT(owner, name, now)                                                                           \
    owner->name.count = lives_before(owner->name##_lives.data, owner->name##_lives.count, now);

static void refresh_link(struct mirror_link *link) {
    struct history *history = link->history;
    if (link->life.shown == history->epoch)
        return;
    link->life.shown = history->epoch;
#define LINK_LIST(type, name)  LIST_AT(link, name, history->now)
#define LINK_TABLE(type, name) TABLE_AT(link, name, history->now)
#include "mirror/tables.def"
    link->known = link->ended = link->unloaded = false;
    memset(&link->begin, 0, sizeof link->begin);
    memset(&link->end, 0, sizeof link->end);
    memset(&link->debug, 0, sizeof link->debug);
    history_tell(history, &link->life, hear_event, link);
}

static uint32_t links_before(const struct mirror *mirror, uint32_t now) {
    uint32_t low = 0, high = mirror->history->links;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (mirror->links.data[middle].life.since < now)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void refresh_session(struct mirror *mirror) {
    struct history *history = mirror->history;
    mirror->links.count = links_before(mirror, history->now);
#define SESSION_LIST(type, name)  LIST_AT(mirror, name, history->now)
#define SESSION_TABLE(type, name) TABLE_AT(mirror, name, history->now)
#include "mirror/tables.def"
    for (uint32_t i = 0; i < mirror->edge_kinds.count; i++)
        refresh_edge_kinds(mirror, i);
    mirror->has_session = mirror->session_ended = false;
    memset(&mirror->session, 0, sizeof mirror->session);
    mirror->lost = 0;
    history_tell(history, &mirror->life, hear_event, mirror);
}

/* --- seeking
 * ------------------------------------------------------------------------------------------------- */

static void count_event(struct mirror *mirror, const struct event_view *view) {
    mirror->applied++;
    mirror->last_sequence = view->sequence;
    mirror->counts[view->type->id]++;
}

/* The last moment kept that does not lie behind END. */
static struct event_cursor begin_at_moment(struct mirror *mirror, const struct event_cursor *end) {
    const struct history *history = mirror->history;
    const struct schema *schema = &mirror->file->schema;
    uint32_t low = 0, high = history->moments.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (event_cursor_is_before(end, &history->moments.data[middle].cursor))
            high = middle;
        else
            low = middle + 1;
    }
    memset(mirror->counts, 0, sizeof mirror->counts);
    mirror->applied = mirror->last_sequence = 0;
    if (!low)
        return (struct event_cursor){.file = mirror->file, .window = &mirror->history->window};
    const struct moment *moment = &history->moments.data[low - 1];
    const uint32_t *counts = &history->counts.data[(low - 1) * schema->events.count];
    for (uint32_t i = 0; i < schema->events.count; i++)
        mirror->counts[schema->events.data[i].id] = counts[i];
    mirror->applied = moment->events;
    mirror->last_sequence = moment->last_sequence;
    return moment->cursor;
}

static void count_up_to(struct mirror *mirror, uint64_t sequence) {
    struct event_cursor end = event_after(mirror->file, sequence);
    struct event_cursor cursor = begin_at_moment(mirror, &end);
    struct event_view view;
    while (mirror->applied < mirror->history->events && event_next_before(&cursor, &end, &view))
        count_event(mirror, &view);
}

void mirror_seek(struct mirror *mirror, uint64_t sequence) {
    struct history *history = mirror->history;
    if (!history)
        return;
    count_up_to(mirror, sequence);
    if (history->now == mirror->applied)
        return;
    history->now = (uint32_t)mirror->applied;
    history->epoch++;
    refresh_session(mirror);
}

/* --- growing
 * -------------------------------------------------------------------------------------------------------- */

static struct jitscope_error *wild_id(const struct event_view *view, const char *what, uint32_t id) {
    return error_create(JITSCOPE_ERROR_RECORDING, "event %" PRIu64 " (%s) names %s %u, which cannot exist",
                        view->sequence, view->type->name, what, id);
}

/* Whether all tables together may grow by MORE entries.  Almost every id has an event that announced it; a
 * recording at a low level, or with gaps, names some that it has not announced.  Without a bound for the sum,
 * a small file of many links could ask, link by link, for more memory than there is. */
static bool can_reach(struct mirror *mirror, uint64_t more) {
    mirror->entries += more;
    return mirror->entries <= mirror->file->events * 4 + 65536;
}

/* Makes VEC reach to ID, with zeroed entries; *MORE gets how many those are. */
#define REACH(vec, id, what, more)                                                                           \
    do {                                                                                                     \
        *(more) = (id) < (vec)->count ? 0 : (uint64_t)(id) + 1 - (vec)->count;                               \
        if (*(more)) {                                                                                       \
            if (!can_reach(mirror, *(more)))                                                                 \
                return wild_id(view, what, id);                                                              \
            TRY(vec_reserve(vec, *(more)));                                                                  \
            memset((vec)->data + (vec)->count, 0, *(more) * sizeof *(vec)->data);                            \
            (vec)->count += (uint32_t) * (more);                                                             \
        }                                                                                                    \
    } while (0)

static struct jitscope_error *add_lives(const struct history *history, lives *list, uint64_t more) {
    TRY(vec_reserve(list, more));
    while (more--)
        vec_put(list, (struct life){.since = history->events, .shown = history->epoch});
    return NULL;
}

static struct jitscope_error *reach_link(struct mirror *mirror, const struct event_view *view,
                                         struct mirror_link **link) {
    struct history *history = mirror->history;
    uint64_t more;
    /* Link numbers are dense, each in a run of its own; and their tables are large. */
    if (view->link > mirror->file->runs.count + 1024)
        return wild_id(view, "link", view->link);
    REACH(&mirror->links, view->link, "link", &more);
    for (; more; more--) {
        struct mirror_link *added = &mirror->links.data[history->links];
        added->number = history->links++;
        added->life = (struct life){.since = history->events, .shown = history->epoch};
        added->history = history;
        added->begun = added->done = NO_ID;
    }
    *link = &mirror->links.data[view->link];
    refresh_link(*link);
    return NULL;
}

/* --- applying
 * ------------------------------------------------------------------------------------------------------ */

/* Tables and lists. */
#define ABOUT(name, owner, table, id, what)                                                                  \
    static struct jitscope_error *tell_##name(struct mirror *mirror, struct mirror_link *link,               \
                                              const struct event_view *view,                                 \
                                              const struct event_##name *event) {                            \
        uint64_t more;                                                                                       \
        (void)link;                                                                                          \
        REACH(&owner->table, event->id, what, &more);                                                        \
        if (more)                                                                                            \
            TRY(add_lives(mirror->history, &owner->table##_lives, more));                                    \
        refresh_##table(owner, event->id);                                                                   \
        TRY(history_mention(mirror->history, &owner->table##_lives.data[event->id], view->offset));          \
        hear_##name(&owner->table.data[event->id], event);                                                   \
        return NULL;                                                                                         \
    }
#include "mirror/tables.def"

#define PUSH(owner, list, ...)                                                                               \
    do {                                                                                                     \
        TRY(vec_push(&owner->list##_stamps, mirror->history->events));                                       \
        TRY(vec_push(&owner->list, __VA_ARGS__));                                                            \
    } while (0)

/* What the mirror itself, or a link as a whole, hears. */
#define TELL(owner, name)                                                                                    \
    do {                                                                                                     \
        TRY(history_mention(mirror->history, &owner->life, view->offset));                                   \
        hear_##name(owner, &event->name);                                                                    \
    } while (0)

static struct jitscope_error *apply_other(struct mirror *mirror, struct mirror_link *link,
                                          const struct event_view *view, const union any_event *event) {
    switch (view->type->id) {
    case EVENT_ID_session_begin:
        TELL(mirror, session_begin);
        break;
    case EVENT_ID_session_end:
        TELL(mirror, session_end);
        break;
    case EVENT_ID_lost:
        TELL(mirror, lost);
        break;
    case EVENT_ID_link_begin:
        link->begun = link->begun == NO_ID ? mirror->history->events : link->begun;
        TELL(link, link_begin);
        break;
    case EVENT_ID_link_end:
        link->done = link->done == NO_ID ? mirror->history->events : link->done;
        TELL(link, link_end);
        break;
    case EVENT_ID_unload:
        TELL(link, unload);
        break;
    case EVENT_ID_debug_image:
        TELL(link, debug_image);
        break;
    case EVENT_ID_section_discarded:
        PUSH(link, discards,
             (struct mirror_discard){.is_section = true, .section = event->section_discarded});
        break;
    case EVENT_ID_symbol_discarded:
        PUSH(link, discards, (struct mirror_discard){.symbol = event->symbol_discarded});
        break;
    default: /* strings, which recording_open has collected, and runs */
        break;
    }
    return NULL;
}

static struct jitscope_error *apply_listed(struct mirror *mirror, struct mirror_link *link,
                                           const struct event_view *view, const union any_event *event) {
    switch (view->type->id) {
#define COLLECTS(name, owner, list)                                                                          \
    case EVENT_ID_##name:                                                                                    \
        PUSH(owner, list, event->name);                                                                      \
        break;
#include "mirror/tables.def"
    default:
        break;
    }
    switch (view->type->id) {
#define ABOUT(name, owner, table, id, what)                                                                  \
    case EVENT_ID_##name:                                                                                    \
        return tell_##name(mirror, link, view, &event->name);
#include "mirror/tables.def"
    default:
        return apply_other(mirror, link, view, event);
    }
}

static bool is_left_out(const struct mirror *mirror, uint32_t id) {
    return mirror->without_edges &&
           (id == EVENT_ID_edge || id == EVENT_ID_edge_claimed || id == EVENT_ID_fixup);
}

struct jitscope_error *mirror_apply(struct mirror *mirror, const struct event_view *view) {
    struct mirror_link *link = NULL;
    if (!mirror->history)
        TRY(history_create(mirror->file, &mirror->history));
    struct history *history = mirror->history;
    if (history->now != history->events)
        mirror_seek(mirror, UINT64_MAX);
    if (history->events == UINT32_MAX)
        return error_create(JITSCOPE_ERROR_RECORDING, "more than 2^32 events");
    TRY(history_number(history, view->sequence));
    TRY(reach_link(mirror, view, &link));
    const union any_event *event =
        is_left_out(mirror, view->type->id) ? NULL : decode_event(&history->decoder, view);
    if (event)
        TRY(apply_listed(mirror, link, view, event));
    count_event(mirror, view);
    history->now = ++history->events;
    return NULL;
}

static struct jitscope_error *apply_all(struct mirror *mirror, uint64_t until) {
    struct event_cursor cursor = {.file = mirror->file}, end = event_after(mirror->file, until);
    struct event_view view;
    TRY(history_create(mirror->file, &mirror->history));
    cursor.window = &mirror->history->window;
    TRY(history_pass(mirror->history, &cursor, mirror->counts, mirror->last_sequence));
    while (event_next_before(&cursor, &end, &view)) {
        TRY(mirror_apply(mirror, &view));
        TRY(history_pass(mirror->history, &cursor, mirror->counts, mirror->last_sequence));
    }
    return recording_failure(mirror->file);
}

static struct jitscope_error *load(struct mirror *mirror, uint64_t until) {
    struct jitscope_error *error = apply_all(mirror, until);
    if (error)
        mirror_destroy(mirror);
    return error;
}

struct jitscope_error *mirror_load(struct mirror *mirror, const struct recording_file *file, uint64_t until) {
    *mirror = (struct mirror){.file = file};
    return load(mirror, until);
}

struct jitscope_error *mirror_load_without_edges(struct mirror *mirror, const struct recording_file *file,
                                                 uint64_t until) {
    *mirror = (struct mirror){.file = file, .without_edges = true};
    return load(mirror, until);
}

static void destroy_link(struct mirror_link *link) {
#define LINK_TABLE(type, name)                                                                               \
    vec_destroy(&link->name);                                                                                \
    vec_destroy(&link->name##_lives);
#define LINK_LIST(type, name)                                                                                \
    vec_destroy(&link->name);                                                                                \
    vec_destroy(&link->name##_stamps);
#include "mirror/tables.def"
}

void mirror_destroy(struct mirror *mirror) {
    for (uint32_t i = 0; mirror->history && i < mirror->history->links; i++)
        destroy_link(&mirror->links.data[i]);
    vec_destroy(&mirror->links);
#define SESSION_TABLE(type, name)                                                                            \
    vec_destroy(&mirror->name);                                                                              \
    vec_destroy(&mirror->name##_lives);
#define SESSION_LIST(type, name)                                                                             \
    vec_destroy(&mirror->name);                                                                              \
    vec_destroy(&mirror->name##_stamps);
#include "mirror/tables.def"
    history_destroy(mirror->history);
    mirror->history = NULL;
}

/* --- looking up
 * ---------------------------------------------------------------------------------------------------- */

const struct mirror_link *mirror_link(const struct mirror *mirror, uint32_t number) {
    if (number >= mirror->links.count)
        return NULL;
    refresh_link(&mirror->links.data[number]);
    return &mirror->links.data[number];
}

#define FIND(owner, type, function, table)                                                                   \
    const struct type *function(const struct owner *owner, uint32_t id) {                                    \
        if (id >= owner->table.count)                                                                        \
            return NULL;                                                                                     \
        refresh_##table(owner, id);                                                                          \
        return owner->table.data[id].known ? &owner->table.data[id] : NULL;                                  \
    }

FIND(mirror, mirror_input, mirror_input, inputs)
FIND(mirror_link, mirror_block, mirror_block, blocks)
FIND(mirror_link, mirror_symbol, mirror_symbol, symbols)
FIND(mirror_link, mirror_section, mirror_section, sections)
FIND(mirror_link, mirror_segment, mirror_segment, segments)
FIND(mirror_link, mirror_pass, mirror_pass, passes)
FIND(mirror_link, mirror_action, mirror_action, actions)

uint32_t mirror_edge_kind(const struct mirror *mirror, uint32_t kind) {
    return kind < mirror->edge_kinds.count ? mirror->edge_kinds.data[kind] : 0;
}

uint64_t mirror_sequence(const struct mirror *mirror, uint32_t event) {
    return mirror->history ? history_sequence(mirror->history, event) : 0;
}

/* --- tallies
 * ------------------------------------------------------------------------------------------------------- */

static void tally_blocks(const struct mirror_link *link, struct mirror_tally *tally) {
    for (uint32_t i = 0; i < link->blocks.count; i++) {
        const struct mirror_block *block = mirror_block(link, i);
        tally->blocks += block && !block->removed;
    }
}

static void tally_segments(const struct mirror_link *link, struct mirror_tally *tally) {
    for (uint32_t i = 0; i < link->segments.count; i++) {
        const struct mirror_segment *segment = mirror_segment(link, i);
        uint64_t size = segment ? segment->event.content_size + segment->event.zero_fill_size : 0;
        uint32_t prot = segment ? segment->event.prot : 0;
        tally->executable += prot == (PROTECT_READ | PROTECT_EXECUTE) ? size : 0;
        tally->readable += prot == PROTECT_READ ? size : 0;
        tally->writable += prot == (PROTECT_READ | PROTECT_WRITE) ? size : 0;
    }
}

static void tally_entries(const struct mirror_link *link, struct mirror_tally *tally) {
    for (uint32_t i = 0; i < link->entries.count; i++) {
        uint32_t table = link->entries.data[i].table;
        tally->got += table == TABLE_GOT;
        tally->plt += table == TABLE_PLT;
        tally->tls += table == TABLE_TLS;
    }
}

/* How many inputs there were before EVENT, or are now. */
static uint32_t inputs_before(const struct mirror *mirror, uint32_t event) {
    uint32_t now = mirror->history->now;
    return lives_before(mirror->inputs_lives.data, mirror->inputs_lives.count, event < now ? event : now);
}

/* Those that were queued for a link come in before it begins, members of archives while it runs. */
static uint32_t tally_inputs(const struct mirror *mirror, const struct mirror_link *link) {
    uint32_t all = inputs_before(mirror, link->done), before = 0;
    if (link->number) {
        const struct mirror_link *last = &mirror->links.data[link->number - 1];
        uint32_t now = mirror->history->now, from = last->done < now ? last->done : last->begun;
        before = from < now ? inputs_before(mirror, from) : 0;
    }
    return all > before ? all - before : 0;
}

struct mirror_tally mirror_tally(const struct mirror *mirror, uint32_t number) {
    const struct mirror_link *link = mirror_link(mirror, number);
    struct mirror_tally tally = {0};
    if (!link)
        return tally;
    tally.inputs = tally_inputs(mirror, link);
    tally.sections = link->sections.count;
    tally.symbols = link->symbols.count;
    tally_blocks(link, &tally);
    tally_segments(link, &tally);
    tally_entries(link, &tally);
    return tally;
}

bool mirror_symbol_address(const struct mirror_link *link, const struct mirror_symbol *symbol,
                           uint64_t *address) {
    const struct mirror_block *block = mirror_block(link, symbol->block);
    if (symbol->has_address)
        *address = symbol->address;
    else if (symbol->state == SYMBOL_DEFINED && symbol->block == NO_ID)
        *address = symbol->offset;
    else if (symbol->state == SYMBOL_DEFINED && block && block->segment != NO_ID)
        *address = block->address + symbol->offset;
    else
        return false;
    return true;
}
