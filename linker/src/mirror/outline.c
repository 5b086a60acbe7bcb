/* The event that is being applied, seen from outside of its link. */
#include "mirror/mirror_state.h"

#include <string.h>

/* --- bounds
 * -------------------------------------------------------------------------------------------------------- */

static struct jitscope_error *reach(struct mirror *mirror, const struct event_view *view, uint32_t *count,
                                    uint32_t id, const char *what) {
    if (id < *count)
        return NULL;
    if (!can_reach(mirror, (uint64_t)id + 1 - *count))
        return wild_id(view, what, id);
    *count = id + 1;
    return NULL;
}

/* Counts are those that the link's content would have. */
static void count_listed(struct link_counts *counts, uint32_t id) {
    switch (id) {
#define COLLECTS_mirror(name, list)
#define COLLECTS_link(name, list)                                                                            \
    case EVENT_ID_##name:                                                                                    \
        counts->list++;                                                                                      \
        break;
#define COLLECTS(name, owner, list) COLLECTS_##owner(name, list)
#include "mirror/tables.def"
#undef COLLECTS_mirror
#undef COLLECTS_link
    case EVENT_ID_section_discarded:
    case EVENT_ID_symbol_discarded:
        counts->discards++;
        break;
    default:
        break;
    }
}

static struct jitscope_error *reach_things(struct mirror *mirror, struct link_counts *counts,
                                           const struct event_view *view, const union any_event *event) {
    switch (view->type->id) {
#define ABOUT_mirror(name, table, id, what)
#define ABOUT_link(name, table, id, what)                                                                    \
    case EVENT_ID_##name:                                                                                    \
        return reach(mirror, view, &counts->table, event->name.id, what);
#define ABOUT(name, owner, table, id, what) ABOUT_##owner(name, table, id, what)
#include "mirror/tables.def"
#undef ABOUT_mirror
#undef ABOUT_link
    default:
        return NULL;
    }
}

/* --- tallies
 * ------------------------------------------------------------------------------------------------------- */

static void tally_segment(struct link_tally *tally, const struct event_segment *segment) {
    uint64_t size = segment->content_size + segment->zero_fill_size;
    switch (segment->prot) {
    case PROTECT_READ | PROTECT_EXECUTE:
        tally->executable += size;
        break;
    case PROTECT_READ:
        tally->readable += size;
        break;
    case PROTECT_READ | PROTECT_WRITE:
        tally->writable += size;
        break;
    default:
        break;
    }
}

static void tally_reach(uint32_t *count, uint32_t id) {
    *count = id < *count ? *count : id + 1;
}

static void tally_event(struct link_tally *tally, uint32_t id, const union any_event *event) {
    switch (id) {
    case EVENT_ID_section:
        tally_reach(&tally->sections, event->section.section);
        break;
    case EVENT_ID_block:
        tally_reach(&tally->blocks, event->block.block);
        break;
    case EVENT_ID_block_removed:
        tally->removed++;
        break;
    case EVENT_ID_symbol:
        tally_reach(&tally->symbols, event->symbol.symbol);
        break;
    case EVENT_ID_symbol_external:
        tally_reach(&tally->symbols, event->symbol_external.symbol);
        break;
    case EVENT_ID_table_entry:
        tally->got += event->table_entry.table == TABLE_GOT;
        tally->plt += event->table_entry.table == TABLE_PLT;
        tally->tls += event->table_entry.table == TABLE_TLS;
        break;
    case EVENT_ID_segment:
        tally_segment(tally, &event->segment);
        break;
    default:
        break;
    }
}

/* --- stretches
 * ----------------------------------------------------------------------------------------------------- */

static struct jitscope_error *begin_stretch(struct mirror *mirror, uint32_t number,
                                            const struct event_place *place) {
    struct link_outline *outline = &mirror->links.data[number];
    uint32_t added = mirror->stretches.count;
    struct link_stretch stretch = {.first = mirror->history->applying,
                                   .link = number,
                                   .previous = outline->last,
                                   .next = NO_ID,
                                   .place = place ? *place : (struct event_place){0}};
    if (outline->last != NO_ID)
        stretch.tally = mirror->stretches.data[outline->last].tally;
    TRY(vec_push(&mirror->stretches, stretch));
    if (outline->last != NO_ID)
        mirror->stretches.data[outline->last].next = added;
    outline->first = outline->first == NO_ID ? added : outline->first;
    outline->last = added;
    return NULL;
}

static struct jitscope_error *count_in_stretch(struct mirror *mirror, const struct event_view *view,
                                               const union any_event *event,
                                               const struct event_place *place) {
    uint32_t count = mirror->stretches.count;
    if (!count || mirror->stretches.data[count - 1].link != view->link ||
        mirror->history->applying % EVENTS_PER_MOMENT == 0)
        TRY(begin_stretch(mirror, view->link, place));
    mirror->links.data[view->link].events++;
    if (event)
        tally_event(&mirror->stretches.data[mirror->stretches.count - 1].tally, view->type->id, event);
    return NULL;
}

/* --- what befalls links as a whole
 * --------------------------------------------------------------------------------- */

static struct jitscope_error *live_on(struct mirror *mirror, uint32_t number, const union any_event *event,
                                      size_t size) {
    struct link_outline *outline = &mirror->links.data[number];
    struct life_event added = {.event = mirror->history->applying, .previous = outline->life};
    memcpy(&added.is, event, size);
    TRY(vec_push(&mirror->life_events, added));
    outline->life = mirror->life_events.count;
    if (outline->link)
        outline->link->shown = mirror->history->epoch - 1;
    return NULL;
}

static struct jitscope_error *place_segment(struct mirror *mirror, uint32_t number,
                                            const struct event_segment *event) {
    PUSH(mirror->history, mirror, placements,
         (struct mirror_placement){.address = event->address,
                                   .size = event->content_size + event->zero_fill_size,
                                   .link = number,
                                   .segment = event->segment,
                                   .blocks = event->blocks,
                                   .prot = (uint8_t)event->prot,
                                   .lifetime = (uint8_t)event->lifetime});
    return NULL;
}

static struct jitscope_error *add_boundary(struct mirror *mirror, const struct event_view *view,
                                           const union any_event *event) {
    bool is_pass = view->type->id == EVENT_ID_pass_begin;
    if (!is_pass && view->type->id != EVENT_ID_link_begin)
        return NULL;
    PUSH(mirror->history, mirror, boundaries,
         (struct mirror_boundary){.sequence = view->sequence,
                                  .time = is_pass ? event->pass_begin.time : event->link_begin.time,
                                  .link = view->link,
                                  .name = is_pass ? event->pass_begin.name.id : 0,
                                  .is_link = !is_pass});
    return NULL;
}

static struct jitscope_error *live(struct mirror *mirror, uint32_t number, uint32_t id,
                                   const union any_event *event) {
    struct link_outline *outline = &mirror->links.data[number];
    uint32_t now = mirror->history->applying;
    switch (id) {
    case EVENT_ID_link_begin:
        outline->begun = outline->begun == NO_ID ? now : outline->begun;
        return live_on(mirror, number, event, sizeof event->link_begin);
    case EVENT_ID_link_end:
        outline->done = outline->done == NO_ID ? now : outline->done;
        return live_on(mirror, number, event, sizeof event->link_end);
    case EVENT_ID_unload:
        return live_on(mirror, number, event, sizeof event->unload);
    case EVENT_ID_debug_image:
        return live_on(mirror, number, event, sizeof event->debug_image);
    case EVENT_ID_allocation:
        return live_on(mirror, number, event, sizeof event->allocation);
    case EVENT_ID_segment:
        return place_segment(mirror, number, &event->segment);
    case EVENT_ID_symbol:
        outline->has_absolute |= event->symbol.block == NO_ID;
        return NULL;
    default:
        return NULL;
    }
}

/* --- events whose numbers count per session
 * ------------------------------------------------------------------------ */

static struct jitscope_error *note_wide(struct mirror *mirror, uint32_t id, const union any_event *event,
                                        const struct event_place *place) {
    uint32_t key;
    switch (id) {
    case EVENT_ID_input:
        key = event->input.input;
        break;
    case EVENT_ID_reservation:
        key = (uint32_t)event->reservation.address;
        break;
    case EVENT_ID_allocation:
        key = event->allocation.allocation;
        break;
    case EVENT_ID_action_result:
        key = event->action_result.allocation;
        break;
    case EVENT_ID_registration:
        key = event->registration.allocation;
        break;
    default:
        return NULL;
    }
    return vec_push(&mirror->wide_events, (struct wide_event){mirror->history->applying, key, *place});
}

/* --- names
 * ---------------------------------------------------------------------------------------------------------
 */

static struct jitscope_error *note_name(struct mirror *mirror, uint32_t number, uint32_t name) {
    uint64_t more;
    if (name >= mirror->file->strings.count) {
        mirror->has_far_names = true;
        return NULL;
    }
    REACH(&mirror->name_spans, name, &more);
    struct name_span *span = &mirror->name_spans.data[name];
    span->first = !span->end || number < span->first ? number : span->first;
    span->end = number < span->end ? span->end : number + 1;
    return NULL;
}

/* Whatever gives a symbol its name. */
static struct jitscope_error *note_symbol(struct mirror *mirror, uint32_t number, uint32_t id,
                                          const union any_event *event) {
    switch (id) {
    case EVENT_ID_symbol:
        return note_name(mirror, number, event->symbol.name.id);
    case EVENT_ID_symbol_external:
        return note_name(mirror, number, event->symbol_external.name.id);
    case EVENT_ID_symbol_resolved:
        return note_name(mirror, number, event->symbol_resolved.name.id);
    case EVENT_ID_symbol_unresolved:
        return note_name(mirror, number, event->symbol_unresolved.name.id);
    default:
        return NULL;
    }
}

/* --- the whole
 * ----------------------------------------------------------------------------------------------------- */

struct jitscope_error *outline_apply(struct mirror *mirror, const struct event_view *view,
                                     const union any_event *event, const struct event_place *place) {
    struct link_counts *counts = &mirror->links.data[view->link].counts;
    TRY(count_in_stretch(mirror, view, event, place));
    count_listed(counts, view->type->id);
    if (!event)
        return NULL;
    TRY(reach_things(mirror, counts, view, event));
    if (place) {
        TRY(note_wide(mirror, view->type->id, event, place));
        TRY(note_symbol(mirror, view->link, view->type->id, event));
    }
    TRY(add_boundary(mirror, view, event));
    return live(mirror, view->link, view->type->id, event);
}

void outline_destroy(struct mirror *mirror) {
    vec_destroy(&mirror->stretches);
    vec_destroy(&mirror->life_events);
    vec_destroy(&mirror->wide_events);
    vec_destroy(&mirror->name_spans);
    vec_destroy(&mirror->links);
}

/* --- at a moment
 * --------------------------------------------------------------------------------------------------- */

/* The stretch that EVENT lies in. */
static uint32_t stretch_of(const struct mirror *mirror, uint32_t event) {
    uint32_t low = 0, high = mirror->stretches.count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (mirror->stretches.data[middle].first <= event)
            low = middle;
        else
            high = middle;
    }
    return low;
}

void outline_cut(struct mirror *mirror, const struct event_view *view, uint32_t event) {
    uint32_t stretch = mirror->cut_stretch, count = mirror->stretches.count;
    if (stretch == NO_ID)
        stretch = stretch_of(mirror, event);
    else if (stretch + 1 < count && mirror->stretches.data[stretch + 1].first == event)
        stretch++;
    if (stretch != mirror->cut_stretch) {
        uint32_t before = mirror->stretches.data[stretch].previous;
        mirror->cut = before == NO_ID ? (struct link_tally){0} : mirror->stretches.data[before].tally;
        mirror->cut_stretch = stretch;
    }
    const union any_event *any = decode_event(&mirror->history->decoder, view);
    if (any)
        tally_event(&mirror->cut, view->type->id, any);
}

/* The last stretch of the link that begins before the moment; NO_ID for none. */
static uint32_t stretch_before(const struct mirror *mirror, const struct link_outline *outline) {
    uint32_t stretch = outline->last;
    while (stretch != NO_ID && mirror->stretches.data[stretch].first >= mirror->history->now)
        stretch = mirror->stretches.data[stretch].previous;
    return stretch;
}

static struct link_tally tally_of(const struct mirror *mirror, uint32_t number) {
    uint32_t stretch = stretch_before(mirror, &mirror->links.data[number]);
    if (stretch == NO_ID)
        return (struct link_tally){0};
    if (stretch == mirror->cut_stretch && mirror->history->now < mirror->history->events)
        return mirror->cut;
    return mirror->stretches.data[stretch].tally;
}

/* How many inputs there were before EVENT, or are now. */
static uint32_t inputs_before(const struct mirror *mirror, uint32_t event) {
    uint32_t now = mirror->history->now;
    return lives_before(mirror->inputs_lives.data, mirror->inputs_lives.count, event < now ? event : now);
}

/* Those that were queued for a link come in before it begins, members of archives while it runs. */
uint32_t mirror_tally_inputs(const struct mirror *mirror, uint32_t number) {
    if (number >= mirror->links.count)
        return 0;
    uint32_t all = inputs_before(mirror, mirror->links.data[number].done), before = 0;
    if (number) {
        const struct link_outline *last = &mirror->links.data[number - 1];
        uint32_t now = mirror->history->now, from = last->done < now ? last->done : last->begun;
        before = from < now ? inputs_before(mirror, from) : 0;
    }
    return all > before ? all - before : 0;
}

struct mirror_tally mirror_tally(const struct mirror *mirror, uint32_t number) {
    if (number >= mirror->links.count)
        return (struct mirror_tally){0};
    struct link_tally tally = tally_of(mirror, number);
    return (struct mirror_tally){.sections = tally.sections,
                                 .blocks = tally.blocks > tally.removed ? tally.blocks - tally.removed : 0,
                                 .symbols = tally.symbols,
                                 .got = tally.got,
                                 .plt = tally.plt,
                                 .tls = tally.tls,
                                 .executable = tally.executable,
                                 .readable = tally.readable,
                                 .writable = tally.writable};
}

static void tell_life(struct mirror_life *life, const struct life_event *event) {
    switch (EVENT_HEADER_ID(event->is.header)) {
    case EVENT_ID_link_begin:
        if (!life->begin.header)
            life->begin = event->is.link_begin;
        life->known = true;
        break;
    case EVENT_ID_link_end:
        if (!life->ended)
            life->end = event->is.link_end;
        life->ended = life->known = true;
        break;
    case EVENT_ID_unload:
        life->unloaded = true;
        break;
    case EVENT_ID_debug_image:
        if (!life->debug.header)
            life->debug = event->is.debug_image;
        break;
    default:
        if (!life->allocated)
            life->state = event->is.allocation.state;
        life->allocated = true;
    }
}

/* From the newest to the oldest: what was told last holds. */
struct mirror_life mirror_life(const struct mirror *mirror, uint32_t number) {
    struct mirror_life life = {.number = number, .begun = NO_ID, .done = NO_ID};
    if (number >= mirror->links.count)
        return life;
    const struct link_outline *outline = &mirror->links.data[number];
    life.begun = outline->begun;
    life.done = outline->done;
    for (uint32_t at = outline->life; at; at = mirror->life_events.data[at - 1].previous)
        if (mirror->life_events.data[at - 1].event < mirror->history->now)
            tell_life(&life, &mirror->life_events.data[at - 1]);
    return life;
}

struct link_counts mirror_counts(const struct mirror *mirror, uint32_t number) {
    if (number >= mirror->links.count)
        return (struct link_counts){0};
    const struct link_outline *outline = &mirror->links.data[number];
    struct link_counts counts = outline->counts;
    if (!mirror_has_content(mirror, number))
        return outline->since < mirror->history->now ? counts : (struct link_counts){0};
    content_refresh(mirror, outline->link);
#define LINK_TABLE(type, name) counts.name = outline->link->name.count;
#define LINK_LIST(type, name)  counts.name = outline->link->name.count;
#include "mirror/tables.def"
    if (mirror_link_left(mirror, number, true)) {
        counts.edges = outline->counts.edges;
        counts.claims = outline->counts.claims;
        counts.fixups = outline->counts.fixups;
    }
    return counts;
}
