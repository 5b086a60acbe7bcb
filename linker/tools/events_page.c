/* The reference page of events, from the schema itself: docs/EVENTS.md is what this prints. */
#include "help.h"

#include "arch/arch.h"
#include "trace/schema.h"

#include <ctype.h>
#include <string.h>

static const char introduction[] =
    "# Events\n\n"
    "What the linker says while it works: in a recording (`--record FILE.jsr`), to a callback\n"
    "(`jitscope_session_set_event_callback`), and through `jitscope show events`. This page is made from the "
    "schema,\n"
    "`linker/src/trace/events.def`, by `jitscope help events`.\n\n"
    "Each level includes those before it: `session`, `phase`, `block` (the default), `edges`. Numbers of "
    "links, inputs and\n"
    "allocations count in their session, all others in their link. 4294967295 stands for \"none\".\n"
    "Events from number 100 on are what replaying needs: recordings of every level hold them, callbacks do "
    "not get them.\n\n"
    "A record is a 32-bit header (event id in the low 12 bits, record size in bytes in the high 20), then "
    "the fields,\n"
    "packed without gaps, little-endian. An event whose last field is a `count` called `length` has so many "
    "bytes behind\n"
    "its fields, padded to four. The schema stands in every recording, so that a reader needs no knowledge "
    "of the version\n"
    "that wrote it.\n";

/* As the command line writes it: --trace=phase. */
static void print_level(struct text *out, uint8_t level) {
    for (const char *at = schema_level_name(level); *at; at++)
        text_print(out, "%c", tolower((unsigned char)*at));
}

static void print_event(struct text *out, const struct schema *schema, const struct schema_event *event) {
    text_print(out, "\n### %s\n\n%u, level `", event->name, event->id);
    print_level(out, event->level);
    text_print(out, "`: %s.\n", event->meaning);
    if (event->field_count)
        text_append(out, "\n| field | type | |\n|---|---|---|\n");
    for (uint32_t i = 0; i < event->field_count; i++) {
        const struct schema_field *field = &schema->fields.data[event->first_field + i];
        text_print(out, "| %s | %s | %s |\n", field->name, schema->types.data[field->type].name,
                   field->meaning);
    }
}

static void print_values(struct text *out, const struct schema *schema, uint32_t type) {
    bool first = true;
    for (uint32_t i = 0; i < schema->values.count; i++) {
        const struct schema_value *value = &schema->values.data[i];
        if (value->type != type)
            continue;
        text_print(out, "%s%u %s", first ? ": " : ", ", value->number, value->text);
        first = false;
    }
}

static void print_types(struct text *out, const struct schema *schema) {
    text_append(out, "\n## Field types\n\n"
                     "Redaction replaces what is marked NAME and VALUE.\n\n"
                     "| type | bytes | holds | |\n|---|---|---|---|\n");
    for (uint32_t i = 0; i < schema->types.count; i++) {
        const struct schema_type *type = &schema->types.data[i];
        text_print(out, "| %s | %u | %s", type->name, type->bytes, type->meaning);
        if (type->print == PRINT_ENUM)
            print_values(out, schema, i);
        text_print(out, " | %s |\n", strcmp(type->sensitivity, "NONE") != 0 ? type->sensitivity : "");
    }
}

/* What the edge_kind events of a recording say, and jitscope_graph_add_edge() takes. */
static void print_edge_kinds(struct text *out, const struct arch *arch) {
    text_print(
        out,
        "\n## Edge kinds of %s\n\n"
        "S is the address of the target symbol, A the addend, P the address of the place, GOT that of\n"
        "`_GLOBAL_OFFSET_TABLE_`, as in the psABI. A `request-...` is a wish for a table entry; it becomes\n"
        "the kind of that name, which refers to the entry, or a `near-...`, which needs none and rewrites\n"
        "the instruction when it is written.\n\n"
        "| kind | bytes | writes | |\n|---|---|---|---|\n",
        arch->name);
    for (uint32_t i = 0; i < arch->kind_count; i++) {
        const struct edge_kind_info *kind = &arch->kinds[i];
        text_print(out, "| %s | %u | %s | %s |\n", kind->name, kind->width, kind->width ? kind->formula : "",
                   kind->purpose);
    }
}

struct jitscope_error *events_page_print(struct text *out) {
    struct schema schema;
    size_t length;
    const char *source = schema_text(&length);
    TRY(schema_parse((struct bytes){(const uint8_t *)source, length}, &schema));
    text_append(out, introduction);
    text_append(out, "\n## Events by number\n");
    for (uint32_t i = 0; i < schema.events.count; i++)
        print_event(out, &schema, &schema.events.data[i]);
    print_types(out, &schema);
    print_edge_kinds(out, &arch_x86_64);
    schema_destroy(&schema);
    return NULL;
}
