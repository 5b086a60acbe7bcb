/* Common Trace Format 1.8: a folder with `metadata`, text in TSDL that says what everything looks like, and
 * streams.
 *
 * The metadata are made from the schema in the recording itself, so that events of other versions come along:
 * one TSDL event per event type, one enumeration per enumerated type.  Names of fields have an underscore in
 * front, which readers take away again: `string` and others are TSDL keywords.  All
 * events of all threads are in one stream, in the recording's order; a stream's clock must not go back, so an
 * event without own time has that of the event before it.  Empty names are a dash.
 * Bytes behind an event's fields are left out, but for texts: most are whole input files.  Packets are about
 * PACKET_SIZE, since readers index by them. */
#include "export/export.h"

#include "export/output.h"
#include "export/timeline.h"

#include <inttypes.h>
#include <string.h>

enum { PACKET_SIZE = 256 << 10 };
#define CTF_MAGIC 0xc1fc1fc1u

/* --- metadata */

static const char preamble[] =
    "/* CTF 1.8 */\n"
    "typealias integer { size = 16; align = 8; signed = false; } := u16;\n"
    "typealias integer { size = 32; align = 8; signed = false; } := u32;\n"
    "typealias integer { size = 64; align = 8; signed = false; } := u64;\n"
    "typealias integer { size = 32; align = 8; signed = true; } := s32;\n"
    "typealias integer { size = 64; align = 8; signed = true; } := s64;\n"
    "typealias integer { size = 32; align = 8; signed = false; base = 16; } := x32;\n"
    "typealias integer { size = 64; align = 8; signed = false; base = 16; } := x64;\n"
    "trace {\n"
    "    major = 1;\n"
    "    minor = 8;\n"
    "    byte_order = le;\n"
    "    packet.header := struct { u32 magic; u32 stream_id; };\n"
    "};\n"
    "clock {\n"
    "    name = session;\n"
    "    description = \"nanoseconds since the session began\";\n"
    "    freq = 1000000000;\n"
    "};\n"
    "typealias integer { size = 64; align = 8; signed = false; map = clock.session.value; } := moment;\n"
    "stream {\n"
    "    id = 0;\n"
    "    packet.context := struct {\n"
    "        moment timestamp_begin;\n"
    "        moment timestamp_end;\n"
    "        u64 content_size;\n"
    "        u64 packet_size;\n"
    "    };\n"
    "    event.header := struct { u16 id; moment timestamp; };\n"
    "    event.context := struct { u64 sequence; u32 link_number; u32 thread; };\n"
    "};\n";

/* Inside quotes.  TSDL has C's escapes, which not all readers do alike: what needs one becomes an underscore.
 */
static void print_quoted(struct text *out, const char *bytes, size_t size) {
    text_append(out, "\"");
    for (size_t i = 0; i < size; i++) {
        bool plain = bytes[i] >= 0x20 && bytes[i] < 0x7f && bytes[i] != '"' && bytes[i] != '\\';
        text_append_bytes(out, plain ? &bytes[i] : "_", 1);
    }
    text_append(out, "\"");
}

static void print_label(struct text *out, uint32_t *count, const char *bytes, size_t size, uint64_t number) {
    text_append(out, (*count)++ ? ", " : " ");
    print_quoted(out, bytes, size);
    text_print(out, " = %" PRIu64, number);
}

static uint32_t print_enumerators(struct text *out, const struct schema *schema, uint32_t type) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < schema->values.count; i++) {
        const struct schema_value *value = &schema->values.data[i];
        if (value->type == type)
            print_label(out, &count, value->text, strlen(value->text), value->number);
    }
    return count;
}

static uint32_t print_edge_kinds(struct text *out, const struct export_source *source) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < source->mirror->edge_kinds.count; i++) {
        struct recorded_string name = recording_string(source->file, source->mirror->edge_kinds.data[i]);
        if (name.length)
            print_label(out, &count, name.bytes, name.length, i);
    }
    return count;
}

static uint32_t print_protections(struct text *out) {
    uint32_t count = 0;
    for (uint32_t prot = 0; prot < 8; prot++) {
        struct text name = {0};
        print_prot(&name, prot);
        print_label(out, &count, name.data ? name.data : "", name.length, prot);
        out->failed |= name.failed;
        text_destroy(&name);
    }
    return count;
}

/* An enumeration "enum : u32 { ... }" for types that have names for their numbers; without any, a number. */
static void print_enumeration(struct text *out, const struct export_source *source, uint32_t type) {
    const struct schema *schema = &source->file->schema;
    struct text labels = {0};
    uint32_t count = schema->types.data[type].print == PRINT_ENUM   ? print_enumerators(&labels, schema, type)
                     : schema->types.data[type].print == PRINT_PROT ? print_protections(&labels)
                                                                    : print_edge_kinds(&labels, source);
    unsigned bits = schema->types.data[type].bytes * 8;
    if (count)
        text_print(out, "enum : u%u {%s }", bits, labels.data ? labels.data : "");
    else
        text_print(out, "u%u", bits);
    out->failed |= labels.failed;
    text_destroy(&labels);
}

static void print_type(struct text *out, const struct export_source *source, uint32_t type) {
    const struct schema_type *about = &source->file->schema.types.data[type];
    unsigned bits = about->bytes * 8;
    switch ((enum print_kind)about->print) {
    case PRINT_NAME:
        text_append(out, "string");
        break;
    case PRINT_ENUM:
    case PRINT_PROT:
    case PRINT_EDGE_KIND:
        text_print(out, "%s_type", about->name);
        break;
    case PRINT_HEX:
        text_print(out, "x%u", bits);
        break;
    case PRINT_SIGNED:
        text_print(out, "s%u", bits);
        break;
    default:
        text_print(out, "u%u", bits);
    }
}

static void print_event(struct text *out, const struct export_source *source,
                        const struct schema_event *event) {
    const struct schema *schema = &source->file->schema;
    text_print(out, "event {\n    id = %u;\n    stream_id = 0;\n    name = \"%s\";\n    fields := struct {\n",
               event->id, event->name);
    for (uint32_t i = 0; i < event->field_count; i++) {
        const struct schema_field *field = &schema->fields.data[event->first_field + i];
        text_append(out, "        ");
        print_type(out, source, field->type);
        text_print(out, " _%s;\n", field->name);
    }
    if (event_is_text(event->id))
        text_append(out, "        string _text;\n");
    text_append(out, "    };\n};\n");
}

static void print_metadata(struct text *out, const struct export_source *source) {
    const struct schema *schema = &source->file->schema;
    text_append(out, preamble);
    text_append(out, "env { tracer_name = \"jitscope\"; };\n");
    for (uint32_t i = 0; i < schema->types.count; i++) {
        uint8_t print = schema->types.data[i].print;
        if (print != PRINT_ENUM && print != PRINT_PROT && print != PRINT_EDGE_KIND)
            continue;
        text_append(out, "typealias ");
        print_enumeration(out, source, i);
        text_print(out, " := %s_type;\n", schema->types.data[i].name);
    }
    for (uint32_t i = 0; i < schema->events.count; i++)
        if (schema->events.data[i].id != EVENT_ID_run)
            print_event(out, source, &schema->events.data[i]);
}

static struct jitscope_error *write_metadata(const struct export_source *source, const char *folder) {
    struct text text = {0};
    struct output out;
    char *path;
    TRY(output_open_in(&out, folder, "metadata", &path));
    print_metadata(&text, source);
    struct jitscope_error *error = output_close(&out, output_text(&out, &text));
    text_destroy(&text);
    os_release(path);
    return error;
}

/* --- the stream */

struct packet {
    struct text bytes; /* events so far */
    uint64_t begin, end;
};

static void put(struct text *bytes, uint64_t value, size_t size) {
    text_append_bytes(bytes, (const char *)&value, size); /* little-endian, as the host */
}

/* Escaped, so that no byte is 0 but the last.  babeltrace2 2.0 prints the text of an earlier event for one
 * that is empty, so that it is a dash, as in tables for what is absent. */
static void put_string(struct text *bytes, struct recorded_string string) {
    if (string.length)
        text_append_escaped(bytes, string.bytes, string.length);
    else
        text_append(bytes, "-");
    put(bytes, 0, 1);
}

static void put_event(struct text *bytes, const struct timeline *timeline, uint64_t time) {
    const struct event_view *view = &timeline->view;
    put(bytes, view->type->id, 2);
    put(bytes, time, 8);
    put(bytes, view->sequence, 8);
    put(bytes, view->link, 4);
    put(bytes, view->thread, 4);
    for (uint32_t i = 0; i < view->type->field_count; i++) {
        const struct schema_type *type =
            &view->schema->types.data[view->schema->fields.data[view->type->first_field + i].type];
        uint64_t value = event_field(view, i);
        if (type->print == PRINT_NAME)
            put_string(bytes, recording_string(timeline->cursor.file, (uint32_t)value));
        else
            put(bytes, value, type->bytes);
    }
    if (event_is_text(view->type->id))
        put_string(bytes, event_trailing_text(view));
}

static struct jitscope_error *end_packet(struct packet *packet, struct output *out) {
    struct text header = {0};
    uint64_t bits = (8 + 4 * 8 + (uint64_t)packet->bytes.length) * 8;
    if (!packet->bytes.length)
        return packet->bytes.failed ? error_no_memory() : NULL;
    put(&header, CTF_MAGIC, 4);
    put(&header, 0, 4);
    put(&header, packet->begin, 8);
    put(&header, packet->end, 8);
    put(&header, bits, 8);
    put(&header, bits, 8);
    struct jitscope_error *error = output_text(out, &header);
    text_destroy(&header);
    TRY(error);
    return output_text(out, &packet->bytes);
}

static struct jitscope_error *write_events(struct timeline *timeline, struct packet *packet,
                                           struct output *out) {
    for (bool more = true; !out->failure;) {
        TRY(timeline_next(timeline, &more));
        if (!more)
            break;
        packet->end = timeline->end > packet->end ? timeline->end : packet->end;
        if (!packet->bytes.length)
            packet->begin = packet->end;
        put_event(&packet->bytes, timeline, packet->end);
        if (packet->bytes.length >= PACKET_SIZE)
            TRY(end_packet(packet, out));
    }
    return end_packet(packet, out);
}

static struct jitscope_error *write_stream(const struct export_source *source, const char *folder) {
    struct packet packet = {0};
    struct timeline timeline;
    struct output out;
    char *path;
    TRY(timeline_create(&timeline, source));
    struct jitscope_error *error = output_open_in(&out, folder, "stream", &path);
    if (!error) {
        error = output_close(&out, write_events(&timeline, &packet, &out));
        os_release(path);
    }
    text_destroy(&packet.bytes);
    timeline_destroy(&timeline);
    return error;
}

struct jitscope_error *export_ctf(const struct export_source *source, struct output *out) {
    TRY(write_stream(source, out->path));
    return write_metadata(source, out->path);
}
