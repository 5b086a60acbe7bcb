/* What is in a link: its tables and lists, and how they are read on demand. */
#include "mirror/mirror_state.h"

#include <stdlib.h>
#include <string.h>

/* --- what things hear: each function brings one thing from before an event to behind it
 * ------------------------------------------------------------------------------------------------- */

#define HEAR(name, type) static void hear_##name(type *thing, const struct event_##name *event)

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
#define ABOUT_mirror(name)
#define ABOUT_link(name)                                                                                     \
    case EVENT_ID_##name:                                                                                    \
        hear_##name(thing, &event->name);                                                                    \
        break;
#define ABOUT(name, owner, table, id, what) ABOUT_##owner(name)
#include "mirror/tables.def"
#undef ABOUT_mirror
#undef ABOUT_link
    default:
        break;
    }
}

/* --- bringing things to the moment that is shown
 * ------------------------------------------------------------------------------------------------- */

#define LINK_TABLE(type, table)                                                                              \
    static void refresh_##table(const struct mirror_link *link, uint32_t id) {                               \
        struct life *life = &link->table##_lives.data[id];                                                   \
        if (life->shown == link->history->epoch)                                                             \
            return;                                                                                          \
        life->shown = link->history->epoch;                                                                  \
        memset(&link->table.data[id], 0, sizeof(type));                                                      \
        mentions all = link->mentions;                                                                       \
        history_tell(link->history, &all, life, hear_event, &link->table.data[id]);                          \
    }
#include "mirror/tables.def"

void content_refresh(const struct mirror *mirror, struct mirror_link *link) {
    struct history *history = link->history;
    if (link->shown == history->epoch)
        return;
    link->shown = history->epoch;
#define LINK_LIST(type, name)  LIST_AT(link, name, history->now)
#define LINK_TABLE(type, name) TABLE_AT(link, name, history->now)
#include "mirror/tables.def"
    link->life = mirror_life(mirror, link->number);
}

/* --- applying
 * ------------------------------------------------------------------------------------------------------ */

/* What comes behind the moment that is shown is noted, and not yet heard. */
#define ABOUT_mirror(name, table, id)
#define ABOUT_link(name, table, id)                                                                          \
    static struct jitscope_error *tell_##name(struct mirror_link *link, uint64_t offset,                     \
                                              const struct event_##name *event) {                            \
        const struct history *history = link->history;                                                       \
        bool is_shown = history->applying < history->now;                                                    \
        uint64_t more;                                                                                       \
        REACH(&link->table, event->id, &more);                                                               \
        if (more)                                                                                            \
            TRY(add_lives(history, &link->table##_lives, more));                                             \
        if (is_shown)                                                                                        \
            refresh_##table(link, event->id);                                                                \
        TRY(history_mention(history, &link->mentions, &link->table##_lives.data[event->id], offset));        \
        if (is_shown)                                                                                        \
            hear_##name(&link->table.data[event->id], event);                                                \
        return NULL;                                                                                         \
    }
#define ABOUT(name, owner, table, id, what) ABOUT_##owner(name, table, id)
#include "mirror/tables.def"
#undef ABOUT_mirror
#undef ABOUT_link

static struct jitscope_error *collect(struct mirror_link *link, uint32_t id, const union any_event *event) {
    switch (id) {
#define COLLECTS_mirror(name, list)
#define COLLECTS_link(name, list)                                                                            \
    case EVENT_ID_##name:                                                                                    \
        PUSH(link->history, link, list, event->name);                                                        \
        break;
#define COLLECTS(name, owner, list) COLLECTS_##owner(name, list)
#include "mirror/tables.def"
#undef COLLECTS_mirror
#undef COLLECTS_link
    case EVENT_ID_section_discarded:
        PUSH(link->history, link, discards,
             (struct mirror_discard){.is_section = true, .section = event->section_discarded});
        break;
    case EVENT_ID_symbol_discarded:
        PUSH(link->history, link, discards, (struct mirror_discard){.symbol = event->symbol_discarded});
        break;
    default:
        break;
    }
    return NULL;
}

struct jitscope_error *content_apply(struct mirror_link *link, const struct event_view *view,
                                     const union any_event *event) {
    TRY(collect(link, view->type->id, event));
    switch (view->type->id) {
#define ABOUT_mirror(name)
#define ABOUT_link(name)                                                                                     \
    case EVENT_ID_##name:                                                                                    \
        return tell_##name(link, view->offset, &event->name);
#define ABOUT(name, owner, table, id, what) ABOUT_##owner(name)
#include "mirror/tables.def"
#undef ABOUT_mirror
#undef ABOUT_link
    default:
        return NULL;
    }
}

/* --- making and forgetting
 * ----------------------------------------------------------------------------------------- */

struct jitscope_error *content_create(struct mirror *mirror, uint32_t number) {
    struct mirror_link *link = os_allocate_zeroed(sizeof *link);
    if (!link)
        return error_no_memory();
    link->number = number;
    link->history = mirror->history;
    link->shown = link->whole = mirror->history->epoch - 1;
    link->content.stretch = link->edges_read.stretch = NO_ID;
    mirror->links.data[number].link = link;
    return NULL;
}

void content_destroy(struct mirror_link *link) {
    if (!link)
        return;
    vec_destroy(&link->mentions);
#define LINK_TABLE(type, name)                                                                               \
    vec_destroy(&link->name);                                                                                \
    vec_destroy(&link->name##_lives);
#define LINK_LIST(type, name)                                                                                \
    vec_destroy(&link->name);                                                                                \
    vec_destroy(&link->name##_stamps);
#include "mirror/tables.def"
    os_release(link);
}

#define BYTES(vec) ((uint64_t)(vec).capacity * sizeof *(vec).data)

static uint64_t bytes_of(const struct mirror_link *link) {
    uint64_t bytes = sizeof *link + BYTES(link->mentions);
#define LINK_TABLE(type, name) bytes += BYTES(link->name) + BYTES(link->name##_lives);
#define LINK_LIST(type, name)  bytes += BYTES(link->name) + BYTES(link->name##_stamps);
#include "mirror/tables.def"
    return bytes;
}

static void forget(struct mirror *mirror, uint32_t number) {
    struct link_outline *outline = &mirror->links.data[number];
    if (!outline->link)
        return;
    mirror->content_bytes -= bytes_of(outline->link);
    content_destroy(outline->link);
    outline->link = NULL;
}

/* --- reading on demand
 * --------------------------------------------------------------------------------------------- */

/* Mirrors are const for those who look; what is read on demand was there all the time. */
static struct mirror *own(const struct mirror *mirror) {
    return (struct mirror *)(uintptr_t)mirror;
}

/* All that was read is there to be continued; content_refresh() cuts it to the moment again. */
static void uncut(struct mirror_link *link) {
#define LINK_TABLE(type, name) link->name.count = link->name##_lives.count;
#define LINK_LIST(type, name)  link->name.count = link->name##_stamps.count;
#include "mirror/tables.def"
    link->shown = link->history->epoch - 1;
}

static uint32_t events_of(const struct mirror *mirror, uint32_t stretch) {
    uint32_t next = stretch + 1 < mirror->stretches.count ? mirror->stretches.data[stretch + 1].first
                                                          : mirror->history->events;
    return next - mirror->stretches.data[stretch].first;
}

static struct jitscope_error *read_event(struct mirror *mirror, struct mirror_link *link, bool edges,
                                         struct event_cursor *cursor) {
    struct event_view view;
    if (!event_next(cursor, &view))
        return recording_failure(mirror->file);
    if (is_of_edges(view.type->id) != edges)
        return NULL;
    const union any_event *event = decode_event(&mirror->history->decoder, &view);
    return event ? content_apply(link, &view, event) : NULL;
}

/* Up to MOST events of the stretch where READING is. */
static struct jitscope_error *read_stretch(struct mirror *mirror, struct mirror_link *link, bool edges,
                                           struct link_reading *reading, uint32_t most) {
    uint32_t first = mirror->stretches.data[reading->stretch].first;
    uint32_t end = events_of(mirror, reading->stretch);
    struct event_cursor cursor = {.file = mirror->file,
                                  .run = reading->place.run,
                                  .index = reading->place.index,
                                  .offset = reading->place.offset,
                                  .window = &mirror->history->window};
    end = end - reading->of_stretch < most ? end : reading->of_stretch + most;
    for (; reading->of_stretch < end; reading->of_stretch++, reading->events++) {
        mirror->history->applying = first + reading->of_stretch;
        TRY(read_event(mirror, link, edges, &cursor));
    }
    reading->place = (struct event_place){cursor.run, cursor.index, cursor.offset};
    return NULL;
}

/* To the next stretch, when all of this one is read. */
static void go_on(const struct mirror *mirror, const struct link_outline *outline,
                  struct link_reading *reading) {
    uint32_t next = outline->first;
    if (reading->stretch != NO_ID) {
        if (reading->of_stretch < events_of(mirror, reading->stretch))
            return;
        next = mirror->stretches.data[reading->stretch].next;
    }
    reading->stretch = next;
    reading->of_stretch = 0;
    reading->place = mirror->stretches.data[next].place;
}

static struct jitscope_error *read_some(struct mirror *mirror, uint32_t number, bool edges, uint32_t most) {
    struct link_outline *outline = &mirror->links.data[number];
    if (!outline->link) {
        TRY(content_create(mirror, number));
        mirror->content_bytes += bytes_of(outline->link);
    }
    struct mirror_link *link = outline->link;
    struct link_reading *reading = edges ? &link->edges_read : &link->content;
    struct jitscope_error *error = NULL;
    mirror->content_bytes -= bytes_of(link);
    uncut(link);
    while (most && reading->events < outline->events && !error) {
        uint32_t before = reading->events;
        go_on(mirror, outline, reading);
        error = read_stretch(mirror, link, edges, reading, most);
        most -= reading->events - before;
    }
    mirror->content_bytes += bytes_of(link);
    if (error)
        forget(mirror, number);
    else
        content_refresh(mirror, link);
    return error;
}

uint32_t mirror_link_left(const struct mirror *mirror, uint32_t number, bool edges) {
    if (!mirror->on_demand || number >= mirror->history->links)
        return 0;
    const struct link_outline *outline = &mirror->links.data[number];
    if (!outline->link)
        return outline->events;
    return outline->events - (edges ? &outline->link->edges_read : &outline->link->content)->events;
}

struct jitscope_error *mirror_link_load_step(const struct mirror *mirror, uint32_t number, bool edges,
                                             uint32_t most, bool *done) {
    if (mirror_link_left(mirror, number, edges))
        TRY(read_some(own(mirror), number, edges, most));
    *done = !mirror_link_left(mirror, number, edges);
    return NULL;
}

struct jitscope_error *mirror_want_edges(const struct mirror *mirror, uint32_t number) {
    bool done;
    return mirror_link_load_step(mirror, number, true, UINT32_MAX, &done);
}

bool mirror_has_content(const struct mirror *mirror, uint32_t number) {
    return number < mirror->links.count && mirror->links.data[number].link &&
           !mirror_link_left(mirror, number, false);
}

void mirror_forget(const struct mirror *mirror, uint32_t number) {
    if (mirror->on_demand && number < mirror->history->links)
        forget(own(mirror), number);
}

struct jitscope_error *mirror_failure(const struct mirror *mirror) {
    struct jitscope_error *failure = mirror->failure;
    own(mirror)->failure = NULL;
    return failure;
}

/* --- forgetting what nobody asks for
 * ------------------------------------------------------------------------------- */

struct kept {
    uint32_t ago, number;
};

static int by_use(const void *a, const void *b) {
    const struct kept *x = a, *y = b;
    return (x->ago > y->ago) - (x->ago < y->ago);
}

static void forget_beyond(struct mirror *mirror, struct kept *kept, uint32_t count, uint64_t budget) {
    uint64_t sum = 0;
    qsort(kept, count, sizeof *kept, by_use);
    for (uint32_t i = 0; i < count; i++) {
        sum += bytes_of(mirror->links.data[kept[i].number].link);
        if (i && sum > budget)
            forget(mirror, kept[i].number);
    }
}

void mirror_trim(struct mirror *mirror, uint64_t budget) {
    VEC(struct kept) kept = {0};
    bool failed = false;
    if (!mirror->on_demand)
        return;
    /* Or the windows would take it for one reader that comes back to each chunk, and keep them all. */
    mirror->history->window.loads = mirror->history->rereading.loads = 0;
    if (mirror->content_bytes <= budget)
        return;
    for (uint32_t i = 0; i < mirror->history->links && !failed; i++) {
        const struct link_outline *outline = &mirror->links.data[i];
        struct jitscope_error *error =
            outline->link ? vec_push(&kept, (struct kept){mirror->clock - outline->used, i}) : NULL;
        failed = error;
        jitscope_error_destroy(error);
    }
    if (kept.count && !failed)
        forget_beyond(mirror, kept.data, kept.count, budget);
    vec_destroy(&kept);
}

/* --- looking up
 * ---------------------------------------------------------------------------------------------------- */

/* What cannot be read is seen as empty. */
static struct mirror_link *seem_empty(struct mirror *mirror, uint32_t number, struct jitscope_error *error) {
    if (mirror->failure)
        jitscope_error_destroy(error);
    else
        mirror->failure = error;
    mirror->nothing = (struct mirror_link){.history = mirror->history};
    mirror->nothing.life = mirror_life(mirror, number);
    mirror->nothing.shown = mirror->nothing.whole = mirror->history->epoch;
    return &mirror->nothing;
}

static struct mirror_link *look_up(const struct mirror *mirror, uint32_t number) {
    if (number >= mirror->links.count)
        return NULL;
    struct link_outline *outline = &mirror->links.data[number];
    outline->used = ++own(mirror)->clock;
    if (!outline->link || mirror_link_left(mirror, number, false)) {
        struct jitscope_error *error = read_some(own(mirror), number, false, UINT32_MAX);
        if (error)
            return seem_empty(own(mirror), number, error);
    }
    content_refresh(mirror, outline->link);
    return outline->link;
}

const struct mirror_link *mirror_link(const struct mirror *mirror, uint32_t number) {
    return look_up(mirror, number);
}

const struct mirror_link *mirror_link_whole(const struct mirror *mirror, uint32_t number) {
    struct mirror_link *link = look_up(mirror, number);
    if (!link || link->whole == link->history->epoch)
        return link;
#define LINK_TABLE(type, name)                                                                               \
    for (uint32_t i = 0; i < link->name.count; i++)                                                          \
        refresh_##name(link, i);
#include "mirror/tables.def"
    link->whole = link->history->epoch;
    return link;
}

#define FIND(type, function, table)                                                                          \
    const struct type *function(const struct mirror_link *link, uint32_t id) {                               \
        if (id >= link->table.count)                                                                         \
            return NULL;                                                                                     \
        refresh_##table(link, id);                                                                           \
        return link->table.data[id].known ? &link->table.data[id] : NULL;                                    \
    }

FIND(mirror_block, mirror_block, blocks)
FIND(mirror_symbol, mirror_symbol, symbols)
FIND(mirror_section, mirror_section, sections)
FIND(mirror_segment, mirror_segment, segments)
FIND(mirror_pass, mirror_pass, passes)
FIND(mirror_action, mirror_action, actions)

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
