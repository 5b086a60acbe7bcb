/* Recordings by chance, made from the schema: events of every kind in any order, about things never
 * announced, announced twice or told about again; threads and links that interleave; on request events that
 * this version does not know, and sequence numbers that repeat. */
#ifndef RANDOM_RECORDING_H
#define RANDOM_RECORDING_H

#include "made_recording.h"

enum { CHUNK = 4096 };

/* --- chance */

static uint64_t seed;

static inline uint32_t chance(uint32_t below) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((seed >> 33) % below);
}

/* --- recordings */

/* What an event is about is never "none"; its field has the name of its type. */
static inline uint64_t random_value(const struct schema_field *field, const struct schema_type *type) {
    switch ((enum print_kind)type->print) {
    case PRINT_ID:
        return chance(8) || !strcmp(field->name, type->name) ? chance(14) : NO_ID;
    case PRINT_NAME:
        return chance(10);
    case PRINT_ENUM:
    case PRINT_PROT:
        return chance(8);
    case PRINT_EDGE_KIND:
        return chance(20);
    case PRINT_COUNT:
        return chance(3) ? chance(100) : chance(UINT32_MAX);
    default:
        return chance(3) ? chance(100) : (uint64_t)chance(UINT32_MAX) << chance(32);
    }
}

static inline void add_random_event(struct made *made, const struct schema *schema) {
    uint32_t words[64] = {0};
    const struct schema_event *event;
    do
        event = &schema->events.data[chance(schema->events.count)];
    while (event->id == EVENT_ID_run);
    for (uint32_t i = 0; i < event->field_count; i++) {
        const struct schema_field *field = &schema->fields.data[event->first_field + i];
        const struct schema_type *type = &schema->types.data[field->type];
        uint64_t value = random_value(field, type);
        memcpy((uint8_t *)words + field->offset, &value, type->bytes);
    }
    uint32_t size = event->size;
    if (event->has_trailing) {
        uint32_t length = words[size / 4 - 1] = chance(12);
        for (uint32_t i = 0; i < length; i++)
            ((uint8_t *)words)[size + i] = (uint8_t)('a' + chance(26));
        size += (length + 3) & ~3u;
    }
    if (event->id == EVENT_ID_string)
        words[1] = chance(10);
    words[0] = EVENT_HEADER(event->id, size);
    made_add(made, words, size / 4);
}

static inline void switch_at_random(struct made *made, bool wild) {
    uint64_t sequence = made->sequence;
    if (wild && !chance(3))
        sequence = chance(2) ? chance(700) : sequence + chance(50);
    made_switch(made, chance(MADE_THREADS), chance(6), sequence);
}

static inline void make_random(struct made *made, const struct schema *schema, uint32_t events, bool later,
                               bool wild) {
    made_begin(made, (UINT64_C(1) << 20) + events * UINT64_C(64), CHUNK, later ? later_events : "");
    for (uint32_t i = 0; i < events; i++) {
        if (!chance(9))
            switch_at_random(made, wild);
        if (later && !chance(9))
            MADE_ADD(made, EVENT_HEADER(SIZED, 12), 7, 8);
        else if (later && !chance(9))
            MADE_ADD(made, EVENT_HEADER(3999, 8), 9);
        else
            add_random_event(made, schema);
    }
}

#endif
