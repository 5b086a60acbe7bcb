/* Events: what the linker says while it works.  The list of events with their fields is docs/EVENTS.md, made
 * from the schema; the accessors here read any event without knowing it beforehand. */
#ifndef JITSCOPE_EVENT_H
#define JITSCOPE_EVENT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How much is said; each level includes those before it. */
enum jitscope_level {
    JITSCOPE_LEVEL_DEFAULT = 0, /* BLOCK */
    JITSCOPE_LEVEL_SESSION = 1,
    JITSCOPE_LEVEL_PHASE = 2, /* links, inputs, passes, allocations */
    JITSCOPE_LEVEL_BLOCK = 3, /* sections, blocks, symbols, table entries, relaxations, actions */
    JITSCOPE_LEVEL_EDGES = 4, /* every edge: added, claimed, fixed with the bytes before and after */
    JITSCOPE_LEVEL_OFF = 255,
};

/* One event; valid during the callback that got it. */
struct jitscope_event;

const char *jitscope_event_name(const struct jitscope_event *event);  /* "table_entry"; static */
uint64_t jitscope_event_sequence(const struct jitscope_event *event); /* position in the session's stream */
uint32_t jitscope_event_link(const struct jitscope_event *event);     /* link it belongs to, 0 for none */
size_t jitscope_event_field_count(const struct jitscope_event *event);
const char *jitscope_event_field_name(const struct jitscope_event *event,
                                      size_t field); /* static; NULL beyond */
/* A field's number, or for text its string id. */
uint64_t jitscope_event_field_number(const struct jitscope_event *event, size_t field);
/* A field as text: names as they are, numbers and enumerated values as show prints them.  Owned by EVENT,
 * valid until its next text call. */
const char *jitscope_event_field_text(const struct jitscope_event *event, size_t field);
/* Index of the field of that name, or SIZE_MAX. */
size_t jitscope_event_find_field(const struct jitscope_event *event, const char *name);
/* The whole event as one line of text, or as one JSON object; owned by EVENT, until its next
 * text call. */
const char *jitscope_event_text(const struct jitscope_event *event);
const char *jitscope_event_json(const struct jitscope_event *event);

#ifdef __cplusplus
}
#endif
#endif
