#include "mirror/history.h"

#include <string.h>

enum { EVENTS_PER_MOMENT = 1 << 14 };

struct jitscope_error *history_create(const struct recording_file *file, struct history **out) {
    struct history *history = os_allocate_zeroed(sizeof *history);
    if (!history)
        return error_no_memory();
    history->file = file;
    struct jitscope_error *error = decoder_create(&history->decoder, &file->schema);
    if (!error)
        error = vec_push(&history->mentions, (struct mention){0});
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
    event_window_destroy(&history->window);
    vec_destroy(&history->mentions);
    vec_destroy(&history->moments);
    vec_destroy(&history->counts);
    vec_destroy(&history->numbering);
    os_release(history);
}

struct jitscope_error *history_mention(struct history *history, struct life *life, uint64_t offset) {
    uint32_t newest = history->mentions.count;
    TRY(vec_push(&history->mentions, (struct mention){history->events, life->newest, offset}));
    life->newest = newest;
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
    const struct numbering *last = history->numbering.data + count - 1;
    if (count && last->sequence + (history->events - last->event) == sequence)
        return NULL;
    return vec_push(&history->numbering, (struct numbering){history->events, sequence});
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
static uint32_t turn(struct mention *mentions, uint32_t first) {
    uint32_t behind = 0;
    while (first) {
        uint32_t next = mentions[first].previous;
        mentions[first].previous = behind;
        behind = first;
        first = next;
    }
    return behind;
}

static void tell_record(struct history *history, uint64_t offset, hear hear, void *thing) {
    const uint8_t *record = recording_bytes(history->file, &history->window, offset);
    if (!record)
        return;
    uint32_t header = load_u32(record);
    struct event_view view = {.type = schema_event(&history->file->schema, EVENT_HEADER_ID(header)),
                              .schema = &history->file->schema,
                              .record = record,
                              .size = EVENT_HEADER_SIZE(header)};
    hear(thing, decode_event(&history->decoder, &view));
}

/* The chain goes from the newest to the oldest, the story from the oldest to the newest: the chain is turned
 * around for the telling, since damaged files make chains too long for any stack. */
void history_tell(struct history *history, const struct life *life, hear hear, void *thing) {
    struct mention *mentions = history->mentions.data;
    uint32_t newest = life->newest;
    while (newest && mentions[newest].event >= history->now)
        newest = mentions[newest].previous;
    if (newest && !mentions[newest].previous) {
        tell_record(history, mentions[newest].offset, hear, thing);
        return;
    }
    uint32_t oldest = turn(mentions, newest);
    for (uint32_t i = oldest; i; i = mentions[i].previous)
        tell_record(history, mentions[i].offset, hear, thing);
    turn(mentions, oldest);
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
