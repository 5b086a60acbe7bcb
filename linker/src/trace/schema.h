/* schema: what events look like, as data.
 *
 * The text form stands in every recording, so that a reader needs no knowledge of the version that wrote it:
 * lines of tab-separated fields,
 *
 *     T  type  bytes  print  sensitivity  meaning
 *     V  TYPE  number  text
 *     E  id  name  level  meaning
 *     F  type  name  meaning                          (of the event above)
 *
 * expanded from events.def, field_types.def and enums.def.  The built-in schema is parsed from that same
 * text. */
#ifndef TRACE_SCHEMA_H
#define TRACE_SCHEMA_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/vec.h"
#include "trace/event.h"

#include <stdbool.h>

enum print_kind {
    PRINT_ID,
    PRINT_COUNT,
    PRINT_HEX,
    PRINT_NS,
    PRINT_NAME,
    PRINT_ENUM,
    PRINT_PROT,
    PRINT_SIGNED,
    PRINT_EDGE_KIND,
};

struct schema_type {
    const char *name;
    const char *meaning;
    const char *sensitivity;
    uint8_t bytes; /* 4 or 8 */
    uint8_t print; /* enum print_kind */
};

struct schema_value {
    uint32_t type; /* index into types */
    uint32_t number;
    const char *text;
};

struct schema_field {
    const char *name;
    const char *meaning;
    uint32_t type;   /* index into types */
    uint32_t offset; /* in the record */
};

struct schema_event {
    const char *name;
    const char *meaning;
    uint16_t id;
    uint8_t level;
    uint32_t first_field;
    uint32_t field_count;
    uint32_t size;     /* of the record, without trailing bytes */
    bool has_trailing; /* the last field is a `count` called `length`: so many bytes follow the fields */
};

enum { SCHEMA_EVENT_IDS = 4096, SCHEMA_TYPE_PLACES = 256 };

struct schema {
    struct arena arena;
    char *text; /* room for the text, in the arena; then the text itself, in pieces */
    VEC(struct schema_type) types;
    VEC(struct schema_value) values;
    VEC(struct schema_field) fields;
    VEC(struct schema_event) events;
    uint16_t by_id[SCHEMA_EVENT_IDS];         /* index into events + 1; 0 unknown */
    uint32_t type_places[SCHEMA_TYPE_PLACES]; /* by name, while it is parsed: indices into types */
};

/* The schema of this version as text, with its length. */
const char *schema_text(size_t *length);
/* Parses any version's text.  Errors: RECORDING. */
struct jitscope_error *schema_parse(struct bytes text, struct schema *schema);
/* The schema of this version, for who may never need it: a new one is empty, and has the memory that reading
 * it takes, so that this cannot fail.  Errors: NO_MEMORY. */
struct jitscope_error *schema_create_builtin(struct schema *schema);
void schema_read_builtin(struct schema *schema);
void schema_destroy(struct schema *schema);

static inline const struct schema_event *schema_event(const struct schema *schema, uint32_t id) {
    return id < SCHEMA_EVENT_IDS && schema->by_id[id] ? &schema->events.data[schema->by_id[id] - 1] : NULL;
}
/* Text of an enumerated value; NULL when the schema does not know it. */
const char *schema_value_text(const struct schema *schema, uint32_t type, uint64_t number);
const char *schema_level_name(uint8_t level);

#endif
