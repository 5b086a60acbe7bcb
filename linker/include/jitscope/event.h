/* Events: what the linker says while it works.  The list of events with their fields, units and levels is
 * docs/EVENTS.md, made from the schema (`jitscope help events` prints it); the accessors here read any event
 * without knowing it beforehand.
 *
 * An event belongs to the session and lives during the callback that got it
 * (jitscope_session_set_event_callback); only the thread that runs the callback may read it.  Accessors do
 * not fail: what is not there reads as NULL, 0 or "" as said below. */
#ifndef JITSCOPE_EVENT_H
#define JITSCOPE_EVENT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How much is said; each level includes those before it.  Recordings hold what replaying needs besides, at
 * every level but OFF. */
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

/* "table_entry", ...: valid as long as the session. */
const char *jitscope_event_name(const struct jitscope_event *event);
/* How many events the session's callbacks have got before this one.  Events in a recording count on their
 * own: there are more of them. */
uint64_t jitscope_event_sequence(const struct jitscope_event *event);
/* Number of the link it belongs to (jitscope_link_number), 0 for none. */
uint32_t jitscope_event_link(const struct jitscope_event *event);

/* How many fields the event has; FIELD below counts from 0, in the order of docs/EVENTS.md. */
size_t jitscope_event_field_count(const struct jitscope_event *event);
/* The field's name, valid as long as the session; NULL beyond the last. */
const char *jitscope_event_field_name(const struct jitscope_event *event, size_t field);
/* Index of the field of that name, or SIZE_MAX. */
size_t jitscope_event_find_field(const struct jitscope_event *event, const char *name);
/* The field's number: bytes, nanoseconds, addresses and enumerated values as docs/EVENTS.md says; for text
 * the number of the string.  0 beyond the last. */
uint64_t jitscope_event_field_number(const struct jitscope_event *event, size_t field);
/* A field as text: names as they are in the input, numbers and enumerated values as show prints them.  ""
 * beyond the last, and without memory.  Owned by EVENT, valid until its next call that returns such a text.
 */
const char *jitscope_event_field_text(const struct jitscope_event *event, size_t field);

/* The whole event as one line of text without a newline, as `jitscope show events` prints it; owned and valid
 * as jitscope_event_field_text(). */
const char *jitscope_event_text(const struct jitscope_event *event);
/* The whole event as one JSON object on one line (RFC 8259; 64-bit addresses are strings, "0x..."); owned and
 * valid as jitscope_event_field_text(). */
const char *jitscope_event_json(const struct jitscope_event *event);

#ifdef __cplusplus
}
#endif
#endif
