/* The session, and moments. */
#include "mirror/mirror.h"

#include "mirror/mirror_state.h"

#include <inttypes.h>
#include <string.h>

/* --- what the session and its things hear: each function brings one from before an event to behind it
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

HEAR(input, struct mirror_input) {
    *thing = (struct mirror_input){*event, true};
}

HEAR(edge_kind, uint32_t) {
    *thing = event->name.id;
}

/* Each kind of event tells about one kind of thing. */
static void hear_event(void *thing, const union any_event *event) {
    switch (EVENT_HEADER_ID(event->header)) {
#define HEARS(name)                                                                                          \
    case EVENT_ID_##name:                                                                                    \
        hear_##name(thing, &event->name);                                                                    \
        break;
        HEARS(session_begin)
        HEARS(session_end)
        HEARS(lost)
        HEARS(input)
        HEARS(edge_kind)
#undef HEARS
    default:
        break;
    }
}

/* --- bringing things to the moment that is shown
 * ------------------------------------------------------------------------------------------------- */

#define SESSION_TABLE(type, table)                                                                           \
    static void refresh_##table(const struct mirror *mirror, uint32_t id) {                                  \
        struct life *life = &mirror->table##_lives.data[id];                                                 \
        if (life->shown == mirror->history->epoch)                                                           \
            return;                                                                                          \
        life->shown = mirror->history->epoch;                                                                \
        memset(&mirror->table.data[id], 0, sizeof(type));                                                    \
        mentions all = mirror->mentions;                                                                     \
        history_tell(mirror->history, &all, life, hear_event, &mirror->table.data[id]);                      \
    }
#include "mirror/tables.def"

static uint32_t links_before(const struct mirror *mirror, uint32_t now) {
    uint32_t low = 0, high = mirror->history->links;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (mirror->links.data[middle].since < now)
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
    history_tell(history, &mirror->mentions, &mirror->life, hear_event, mirror);
}

/* --- seeking
 * ------------------------------------------------------------------------------------------------- */

static void count_event(struct mirror *mirror, const struct event_view *view) {
    mirror->applied++;
    mirror->last_sequence = view->sequence;
    mirror->counts[view->type->id]++;
}

static struct event_cursor begin_at(struct mirror *mirror, uint32_t kept) {
    const struct history *history = mirror->history;
    const struct schema *schema = &mirror->file->schema;
    memset(mirror->counts, 0, sizeof mirror->counts);
    mirror->applied = mirror->last_sequence = 0;
    mirror->cut_stretch = NO_ID;
    if (!kept)
        return (struct event_cursor){.file = mirror->file, .window = &mirror->history->window};
    const struct moment *moment = &history->moments.data[kept - 1];
    const uint32_t *counts = &history->counts.data[(kept - 1) * schema->events.count];
    for (uint32_t i = 0; i < schema->events.count; i++)
        mirror->counts[schema->events.data[i].id] = counts[i];
    mirror->applied = moment->events;
    mirror->last_sequence = moment->last_sequence;
    return moment->cursor;
}

/* The last moment kept that does not lie behind END. */
static struct event_cursor begin_at_moment(struct mirror *mirror, const struct event_cursor *end) {
    const struct history *history = mirror->history;
    uint32_t low = 0, high = history->moments.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (event_cursor_is_before(end, &history->moments.data[middle].cursor))
            high = middle;
        else
            low = middle + 1;
    }
    return begin_at(mirror, low);
}

static void count_next(struct mirror *mirror, const struct event_view *view) {
    outline_cut(mirror, view, (uint32_t)mirror->applied);
    count_event(mirror, view);
}

static void count_up_to(struct mirror *mirror, uint64_t sequence) {
    struct event_cursor end = event_after(mirror->file, sequence);
    struct event_cursor cursor = begin_at_moment(mirror, &end);
    struct event_view view;
    while (mirror->applied < mirror->history->events && event_next_before(&cursor, &end, &view))
        count_next(mirror, &view);
}

static void show_counted(struct mirror *mirror) {
    struct history *history = mirror->history;
    if (history->now == mirror->applied)
        return;
    history->now = (uint32_t)mirror->applied;
    history->epoch++;
    refresh_session(mirror);
}

void mirror_seek(struct mirror *mirror, uint64_t sequence) {
    if (!mirror->history)
        return;
    count_up_to(mirror, sequence);
    show_counted(mirror);
}

/* The moment after so many EVENTS. */
static void seek_behind(struct mirror *mirror, uint32_t events) {
    const struct history *history = mirror->history;
    struct event_view view;
    uint32_t kept = history->moments.count;
    while (kept && history->moments.data[kept - 1].events > events)
        kept--;
    struct event_cursor cursor = begin_at(mirror, kept);
    while (mirror->applied < events && event_next(&cursor, &view))
        count_next(mirror, &view);
    show_counted(mirror);
}

/* --- growing
 * -------------------------------------------------------------------------------------------------------- */

struct jitscope_error *wild_id(const struct event_view *view, const char *what, uint32_t id) {
    return error_create(JITSCOPE_ERROR_RECORDING, "event %" PRIu64 " (%s) names %s %u, which cannot exist",
                        view->sequence, view->type->name, what, id);
}

bool can_reach(struct mirror *mirror, uint64_t more) {
    mirror->entries += more;
    return mirror->entries <= mirror->file->events * 4 + 65536;
}

struct jitscope_error *add_lives(const struct history *history, lives *list, uint64_t more) {
    TRY(vec_reserve(list, more));
    while (more--)
        vec_put(list, (struct life){.since = history->applying, .shown = history->epoch});
    return NULL;
}

static struct jitscope_error *add_outline(struct mirror *mirror) {
    struct history *history = mirror->history;
    mirror->links.data[history->links] = (struct link_outline){
        .since = history->applying, .begun = NO_ID, .done = NO_ID, .first = NO_ID, .last = NO_ID};
    uint32_t number = history->links++;
    return mirror->on_demand ? NULL : content_create(mirror, number);
}

static struct jitscope_error *reach_link(struct mirror *mirror, const struct event_view *view) {
    uint64_t more = view->link < mirror->links.count ? 0 : (uint64_t)view->link + 1 - mirror->links.count;
    /* Link numbers are dense, each in a run of its own; and their tables are large. */
    if (view->link > mirror->file->runs.count + 1024 || (more && !can_reach(mirror, more)))
        return wild_id(view, "link", view->link);
    REACH(&mirror->links, view->link, &more);
    for (; more; more--)
        TRY(add_outline(mirror));
    return NULL;
}

/* --- applying
 * ------------------------------------------------------------------------------------------------------ */

/* Tables and lists of the session. */
#define ABOUT_link(name, table, id, what)
#define ABOUT_mirror(name, table, id, what)                                                                  \
    static struct jitscope_error *tell_##name(struct mirror *mirror, const struct event_view *view,          \
                                              const struct event_##name *event) {                            \
        uint64_t more = event->id < mirror->table.count ? 0 : (uint64_t)event->id + 1 - mirror->table.count; \
        if (more && !can_reach(mirror, more))                                                                \
            return wild_id(view, what, event->id);                                                           \
        REACH(&mirror->table, event->id, &more);                                                             \
        if (more)                                                                                            \
            TRY(add_lives(mirror->history, &mirror->table##_lives, more));                                   \
        refresh_##table(mirror, event->id);                                                                  \
        TRY(history_mention(mirror->history, &mirror->mentions, &mirror->table##_lives.data[event->id],      \
                            view->offset));                                                                  \
        hear_##name(&mirror->table.data[event->id], event);                                                  \
        return NULL;                                                                                         \
    }
#define ABOUT(name, owner, table, id, what) ABOUT_##owner(name, table, id, what)
#include "mirror/tables.def"
#undef ABOUT_link
#undef ABOUT_mirror

/* What the mirror itself hears. */
#define TELL(name)                                                                                           \
    case EVENT_ID_##name:                                                                                    \
        TRY(history_mention(mirror->history, &mirror->mentions, &mirror->life, view->offset));               \
        hear_##name(mirror, &event->name);                                                                   \
        return NULL;

static struct jitscope_error *session_apply(struct mirror *mirror, const struct event_view *view,
                                            const union any_event *event) {
    switch (view->type->id) {
        TELL(session_begin)
        TELL(session_end)
        TELL(lost)
#define COLLECTS_link(name, list)
#define COLLECTS_mirror(name, list)                                                                          \
    case EVENT_ID_##name:                                                                                    \
        PUSH(mirror->history, mirror, list, event->name);                                                    \
        return NULL;
#define COLLECTS(name, owner, list) COLLECTS_##owner(name, list)
#define ABOUT_link(name)
#define ABOUT_mirror(name)                                                                                   \
    case EVENT_ID_##name:                                                                                    \
        return tell_##name(mirror, view, &event->name);
#define ABOUT(name, owner, table, id, what) ABOUT_##owner(name)
#include "mirror/tables.def"
#undef ABOUT_link
#undef ABOUT_mirror
#undef COLLECTS_link
#undef COLLECTS_mirror
    default: /* strings, which recording_open has collected, and what is in links */
        return NULL;
    }
}

static bool is_left_out(const struct mirror *mirror, uint32_t id) {
    return (mirror->without_edges || mirror->on_demand) && is_of_edges(id);
}

static struct jitscope_error *content_of_event(struct mirror *mirror, const struct event_view *view,
                                               const union any_event *event) {
    struct mirror_link *link = mirror->links.data[view->link].link;
    content_refresh(mirror, link);
    return content_apply(link, view, event);
}

/* The next event of all; the mirror shows its last moment. */
static struct jitscope_error *take_event(struct mirror *mirror, const struct event_view *view,
                                         const struct event_place *place) {
    struct history *history = mirror->history;
    if (history->events == UINT32_MAX)
        return error_create(JITSCOPE_ERROR_RECORDING, "more than 2^32 events");
    history->applying = history->events;
    TRY(history_number(history, view->sequence));
    history->now = ++history->events;
    TRY(reach_link(mirror, view));
    const union any_event *event =
        is_left_out(mirror, view->type->id) ? NULL : decode_event(&history->decoder, view);
    TRY(outline_apply(mirror, view, event, place));
    if (event)
        TRY(session_apply(mirror, view, event));
    if (event && !mirror->on_demand)
        TRY(content_of_event(mirror, view, event));
    count_event(mirror, view);
    return NULL;
}

static struct jitscope_error *index_as_far_as(struct mirror *mirror, const struct event_view *view);

struct jitscope_error *mirror_apply(struct mirror *mirror, const struct event_view *view) {
    if (!mirror->history)
        TRY(history_create(mirror->file, &mirror->history));
    if (mirror->history->now != mirror->history->events)
        mirror_seek(mirror, UINT64_MAX);
    return mirror->on_demand ? index_as_far_as(mirror, view) : take_event(mirror, view, NULL);
}

static struct jitscope_error *apply_all(struct mirror *mirror, uint64_t until) {
    struct event_cursor cursor = {.file = mirror->file}, end = event_after(mirror->file, until);
    struct event_view view;
    TRY(history_create(mirror->file, &mirror->history));
    cursor.window = &mirror->history->window;
    TRY(history_pass(mirror->history, &cursor, mirror->counts, mirror->last_sequence));
    while (event_next_before(&cursor, &end, &view)) {
        TRY(take_event(mirror, &view, NULL));
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

/* --- on demand
 * ----------------------------------------------------------------------------------------------------- */

struct jitscope_error *mirror_open_on_demand(struct mirror *mirror, const struct recording_file *file) {
    *mirror = (struct mirror){.file = file, .on_demand = true};
    struct event_cursor cursor = {.file = file};
    TRY(history_create(file, &mirror->history));
    cursor.window = &mirror->history->window;
    struct jitscope_error *error = history_pass(mirror->history, &cursor, mirror->counts, 0);
    if (error)
        mirror_destroy(mirror);
    return error;
}

static bool has_more(const struct mirror *mirror) {
    const struct recording_file *file = mirror->file;
    uint32_t run = mirror->indexed.run;
    return run + 1 < file->runs.count ||
           (run < file->runs.count && mirror->indexed.index < file->runs.data[run].count);
}

/* Behind the last event a cursor stays in its run: that may grow. */
static struct event_place stay(const struct event_cursor *cursor) {
    const struct recording_file *file = cursor->file;
    if (cursor->run < file->runs.count || !file->runs.count)
        return (struct event_place){cursor->run, cursor->index, cursor->offset};
    return (struct event_place){file->runs.count - 1, file->runs.data[file->runs.count - 1].count,
                                cursor->offset};
}

/* Up to MOST events; *OFFSET gets where the last of them is. */
static struct jitscope_error *index_events(struct mirror *mirror, uint32_t most, uint64_t *offset) {
    struct history *history = mirror->history;
    struct event_view view;
    struct event_cursor cursor = {.file = mirror->file,
                                  .run = mirror->indexed.run,
                                  .index = mirror->indexed.index,
                                  .offset = mirror->indexed.offset,
                                  .window = &history->window};
    while (most-- && event_next(&cursor, &view)) {
        struct event_place place = {cursor.run, cursor.index - 1, view.offset};
        *offset = view.offset;
        TRY(take_event(mirror, &view, &place));
        TRY(history_pass(history, &cursor, mirror->counts, mirror->last_sequence));
    }
    mirror->indexed = stay(&cursor);
    return recording_failure(mirror->file);
}

struct jitscope_error *mirror_index_step(struct mirror *mirror, uint32_t most, bool *done) {
    uint32_t shown = mirror->history->now;
    bool is_last = shown == mirror->history->events;
    uint64_t offset;
    if (has_more(mirror)) {
        if (!is_last)
            seek_behind(mirror, mirror->history->events);
        TRY(index_events(mirror, most, &offset));
        if (!is_last)
            seek_behind(mirror, shown);
    }
    *done = !has_more(mirror);
    return NULL;
}

static struct jitscope_error *index_as_far_as(struct mirror *mirror, const struct event_view *view) {
    uint64_t offset = UINT64_MAX;
    while (offset != view->offset && has_more(mirror))
        TRY(index_events(mirror, 1, &offset));
    return NULL;
}

/* --- the end
 * ------------------------------------------------------------------------------------------------------- */

void mirror_destroy(struct mirror *mirror) {
    for (uint32_t i = 0; mirror->history && i < mirror->history->links; i++)
        content_destroy(mirror->links.data[i].link);
    outline_destroy(mirror);
    vec_destroy(&mirror->mentions);
#define SESSION_TABLE(type, name)                                                                            \
    vec_destroy(&mirror->name);                                                                              \
    vec_destroy(&mirror->name##_lives);
#define SESSION_LIST(type, name)                                                                             \
    vec_destroy(&mirror->name);                                                                              \
    vec_destroy(&mirror->name##_stamps);
#include "mirror/tables.def"
    history_destroy(mirror->history);
    jitscope_error_destroy(mirror->failure);
    mirror->failure = NULL;
    mirror->history = NULL;
}

/* --- looking up
 * ---------------------------------------------------------------------------------------------------- */

const struct mirror_input *mirror_input(const struct mirror *mirror, uint32_t id) {
    if (id >= mirror->inputs.count)
        return NULL;
    refresh_inputs(mirror, id);
    return mirror->inputs.data[id].known ? &mirror->inputs.data[id] : NULL;
}

uint32_t mirror_edge_kind(const struct mirror *mirror, uint32_t kind) {
    return kind < mirror->edge_kinds.count ? mirror->edge_kinds.data[kind] : 0;
}

uint64_t mirror_sequence(const struct mirror *mirror, uint32_t event) {
    return mirror->history ? history_sequence(mirror->history, event) : 0;
}
