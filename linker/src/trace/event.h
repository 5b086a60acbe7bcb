/* event: the records, expanded from events.def.
 *
 * A record is a 32-bit header (event id in the low 12 bits, record size in bytes in the high 20), then the
 * fields, packed without gaps, little-endian.  Every size is a multiple of four.  An event whose
 * last field is a `count` called `length` (`string`) has so many bytes behind its fields, padded to four. */
#ifndef TRACE_EVENT_H
#define TRACE_EVENT_H

#include <stdbool.h>
#include <stdint.h>

/* A string id that the trace has been told about: only trace_name() makes one, so that no event can name a
 * text that the recording does not hold. */
struct name_ref {
    uint32_t id;
};

#define NO_ID UINT32_MAX

enum event_level { LEVEL_OFF, LEVEL_SESSION, LEVEL_PHASE, LEVEL_BLOCK, LEVEL_EDGES };

/* Field types in C */
#define TYPE(name, ctype, print, sensitivity, text) typedef ctype field_##name;
#include "trace/field_types.def"
#undef TYPE

/* LIFETIME_STANDARD = 0, ...: one enumerator per line of enums.def */
enum event_value {
#define VALUE(type, name, number, text) type##_##name = number,
#include "trace/enums.def"
#undef VALUE
};

/* Memory of this lifetime has addresses in the executor. */
static inline bool lifetime_in_memory(uint32_t lifetime) {
    return lifetime == LIFETIME_STANDARD || lifetime == LIFETIME_FINALIZE;
}

/* Protections are bits, equal to PROT_READ, PROT_WRITE and PROT_EXEC of Linux. */
enum { PROTECT_READ = 1, PROTECT_WRITE = 2, PROTECT_EXECUTE = 4 };

#define FIELD(type, name, text) field_##type name;
#define EVENT(id, name, level, text, fields)                                                                 \
    struct event_##name {                                                                                    \
        uint32_t header;                                                                                     \
        fields                                                                                               \
    } __attribute__((packed, aligned(4)));
#include "trace/events.def"
#undef EVENT
#undef FIELD

enum event_id {
#define EVENT(id, name, level, text, fields) EVENT_ID_##name = id,
#include "trace/events.def"
#undef EVENT
};

enum {
#define EVENT(id, name, level, text, fields) EVENT_LEVEL_##name = LEVEL_##level,
#include "trace/events.def"
#undef EVENT
};

/* Whether the bytes behind an event's fields are a text. */
#define event_is_text(id) ((id) == EVENT_ID_string || (id) == EVENT_ID_report)

#define EVENT_HEADER(id, size)    ((uint32_t)(id) | (uint32_t)(size) << 12)
#define EVENT_HEADER_ID(header)   ((header)&0xfff)
#define EVENT_HEADER_SIZE(header) ((header) >> 12)

#endif
