#include "mirror/history.h"

#include <string.h>

struct jitscope_error *history_create(const struct recording_file *file, struct history **out) {
    struct history *history = os_allocate_zeroed(sizeof *history);
    if (!history)
        return error_no_memory();
    history->file = file;
    struct jitscope_error *error = decoder_create(&history->decoder, &file->schema);
    if (!error)
        error = decoder_create(&history->retelling, &file->schema);
    if (error) {
        history_destroy(history);
        return error;
    }
    *out = history;
    return NULL;
}

void history_destroy(struct history *history) {
    if (!history)
        return;
    decoder_destroy(&history->decoder);
    decoder_destroy(&history->retelling);
    event_window_destroy(&history->window);
    event_window_destroy(&history->rereading);
    vec_destroy(&history->moments);
    vec_destroy(&history->counts);
    vec_destroy(&history->numbering);
    os_release(history);
}

struct jitscope_error *history_mention(const struct history *history, mentions *all, struct life *life,
                                       uint64_t offset) {
    if (!all->count)
        TRY(vec_push(all, (struct mention){0}));
    TRY(vec_push(all, (struct mention){history->applying, life->newest, offset}));
    life->newest = all->count - 1;
    return NULL;
}

struct jitscope_error *history_pass(struct history *history, const struct event_cursor *cursor,
                                    const uint64_t *counts, uint64_t last_sequence) {
    const struct schema *schema = &history->file->schema;
    if (history->events % EVENTS_PER_MOMENT != 0)
        return NULL;
    TRY(vec_reserve(&history->counts, schema->events.count));
    for (uint32_t i = 0; i < schema->events.count; i++)
        vec_put(&history->counts, (uint32_t)counts[schema->events.data[i].id]);
    struct moment moment = {*cursor, history->events, last_sequence};
    moment.cursor.run_bytes = NULL; /* will be gone */
    return vec_push(&history->moments, moment);
}

struct jitscope_error *history_number(struct history *history, uint64_t sequence) {
    uint32_t count = history->numbering.count;
    if (count) {
        const struct numbering *last = &history->numbering.data[count - 1];
        if (last->sequence + (history->applying - last->event) == sequence)
            return NULL;
    }
    return vec_push(&history->numbering, (struct numbering){history->applying, sequence});
}

uint64_t history_sequence(const struct history *history, uint32_t event) {
    uint32_t low = 0, high = history->numbering.count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (history->numbering.data[middle].event <= event)
            low = middle;
        else
            high = middle;
    }
    const struct numbering *numbering = &history->numbering.data[low];
    return low < high ? numbering->sequence + (event - numbering->event) : 0;
}

/* Turns the chain that begins at mention FIRST around; returns its other end. */
static uint32_t turn(struct mention *list, uint32_t first) {
    uint32_t behind = 0;
    while (first) {
        uint32_t next = list[first].previous;
        list[first].previous = behind;
        behind = first;
        first = next;
    }
    return behind;
}

static void tell_record(struct history *history, uint64_t offset, hear hear, void *thing) {
    const uint8_t *record = recording_bytes(history->file, &history->rereading, offset);
    if (!record)
        return;
    uint32_t header = load_u32(record);
    struct event_view view = {.type = schema_event(&history->file->schema, EVENT_HEADER_ID(header)),
                              .schema = &history->file->schema,
                              .record = record,
                              .size = EVENT_HEADER_SIZE(header)};
    hear(thing, decode_event(&history->retelling, &view));
}

/* The chain goes from the newest to the oldest, the story from the oldest to the newest: the chain is turned
 * around for the telling, since damaged files make chains too long for any stack. */
void history_tell(struct history *history, mentions *all, const struct life *life, hear hear, void *thing) {
    struct mention *list = all->data;
    uint32_t newest = life->newest;
    while (newest && list[newest].event >= history->now)
        newest = list[newest].previous;
    if (newest && !list[newest].previous) {
        tell_record(history, list[newest].offset, hear, thing);
        return;
    }
    uint32_t oldest = turn(list, newest);
    for (uint32_t i = oldest; i; i = list[i].previous)
        tell_record(history, list[i].offset, hear, thing);
    turn(list, oldest);
}

uint32_t stamps_before(const uint32_t *stamps, uint32_t count, uint32_t now) {
    uint32_t low = 0;
    while (low < count) {
        uint32_t middle = low + (count - low) / 2;
        if (stamps[middle] < now)
            low = middle + 1;
        else
            count = middle;
    }
    return low;
}

uint32_t lives_before(const struct life *lives, uint32_t count, uint32_t now) {
    uint32_t low = 0;
    while (low < count) {
        uint32_t middle = low + (count - low) / 2;
        if (lives[middle].since < now)
            low = middle + 1;
        else
            count = middle;
    }
    return low;
}
