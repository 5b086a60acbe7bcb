/* decode: an event as this version's struct, whatever version wrote it.
 *
 * Where the recording's schema lays an event out as this version does, the struct is the record itself;
 * elsewhere fields are copied by name, and those that the recording does not have read as 0, ids as NO_ID. */
#ifndef TRACE_DECODE_H
#define TRACE_DECODE_H

#include "trace/recording.h"

union any_event {
    uint32_t header;
#define EVENT(id, name, level, text, fields) struct event_##name name;
#include "trace/events.def"
#undef EVENT
};

struct decoder {
    const struct schema *from;
    struct schema builtin;
    bool same[SCHEMA_EVENT_IDS]; /* records are this version's structs */
    VEC(uint16_t)
    source; /* per field of the built-in schema: 1 + the field's place in FROM's event; 0 none */
    union any_event copy;
};

/* FROM must outlive the decoder.  Errors: NO_MEMORY. */
struct jitscope_error *decoder_create(struct decoder *decoder, const struct schema *from);
void decoder_destroy(struct decoder *decoder);
/* Valid until the next call; NULL for an event that this version does not know. */
const union any_event *decode_event(struct decoder *decoder, const struct event_view *view);

#endif
