#include "trace/print.h"

#include <inttypes.h>

void print_prot(struct text *out, uint64_t prot) {
    text_print(out, "%c%c%c", prot & PROTECT_READ ? 'r' : '-', prot & PROTECT_WRITE ? 'w' : '-',
               prot & PROTECT_EXECUTE ? 'x' : '-');
}

static const struct schema_type *type_of_field(const struct event_view *view, uint32_t field) {
    return &view->schema->types.data[view->schema->fields.data[view->type->first_field + field].type];
}

static const char *name_of_field(const struct event_view *view, uint32_t field) {
    return view->schema->fields.data[view->type->first_field + field].name;
}

static struct recorded_string name_text(const struct name_source *names, uint64_t id) {
    return id <= UINT32_MAX ? names->text(names->context, (uint32_t)id) : (struct recorded_string){"", 0};
}

/* The text behind an enumerated, edge-kind or name field; length 0 when there is none. */
static struct recorded_string symbolic_text(const struct event_view *view, uint32_t field,
                                            const struct name_source *names) {
    const struct schema_type *type = type_of_field(view, field);
    uint64_t value = event_field(view, field);
    if (type->print == PRINT_NAME)
        return name_text(names, value);
    if (type->print == PRINT_EDGE_KIND && value < names->edge_kind_count)
        return name_text(names, names->edge_kinds[value]);
    if (type->print != PRINT_ENUM)
        return (struct recorded_string){"", 0};
    uint32_t index = view->schema->fields.data[view->type->first_field + field].type;
    const char *text = schema_value_text(view->schema, index, value);
    return (struct recorded_string){text ? text : "", text ? (uint32_t)__builtin_strlen(text) : 0};
}

static void print_bytes(struct text *out, const char *bytes, uint64_t size, const struct name_source *names) {
    if (names->is_raw)
        text_append_bytes(out, bytes, size);
    else
        text_append_escaped(out, bytes, size);
}

void event_print_field(struct text *out, const struct event_view *view, uint32_t field,
                       const struct name_source *names) {
    uint64_t value = event_field(view, field);
    const struct schema_type *type = type_of_field(view, field);
    struct recorded_string text = symbolic_text(view, field, names);
    if (text.length || type->print == PRINT_NAME) {
        print_bytes(out, text.bytes, text.length, names);
        return;
    }
    switch ((enum print_kind)type->print) {
    case PRINT_PROT:
        print_prot(out, value);
        break;
    case PRINT_HEX:
        text_print(out, "0x%" PRIx64, value);
        break;
    case PRINT_SIGNED:
        text_print(out, "%" PRId64, (int64_t)value);
        break;
    case PRINT_ID:
        if (type->bytes == 4 && value == NO_ID)
            text_append(out, "-");
        else
            text_print(out, "%" PRIu64, value);
        break;
    default:
        text_print(out, "%" PRIu64, value);
    }
}

/* Content may be large: text shows how it begins, JSON has all of it. */
enum { SHOWN_BYTES = 16 };

static void print_hex(struct text *out, struct bytes bytes) {
    static const char digits[] = "0123456789abcdef";
    for (uint64_t i = 0; i < bytes.size; i++)
        text_append_bytes(out, (char[]){digits[bytes.data[i] >> 4], digits[bytes.data[i] & 15]}, 2);
}

static void print_trailing(struct text *out, const struct event_view *view, const struct name_source *names) {
    struct bytes bytes = event_trailing_bytes(view);
    if (event_is_text(view->type->id)) {
        text_append(out, view->type->field_count ? " text=" : "text=");
        print_bytes(out, (const char *)bytes.data, bytes.size, names);
        return;
    }
    text_append(out, view->type->field_count ? " bytes=" : "bytes=");
    print_hex(out, (struct bytes){bytes.data, bytes.size < SHOWN_BYTES ? bytes.size : SHOWN_BYTES});
    text_append(out, bytes.size > SHOWN_BYTES ? "..." : "");
}

void event_print_fields(struct text *out, const struct event_view *view, const struct name_source *names) {
    for (uint32_t i = 0; i < view->type->field_count; i++) {
        text_print(out, "%s%s=", i ? " " : "", name_of_field(view, i));
        event_print_field(out, view, i, names);
    }
    if (view->type->has_trailing)
        print_trailing(out, view, names);
}

void event_print_text(struct text *out, const struct event_view *view, const struct name_source *names) {
    text_print(out, "%8" PRIu64 "  %u  %-18s ", view->sequence, view->link, view->type->name);
    event_print_fields(out, view, names);
}

static void print_json_value(struct text *out, const struct event_view *view, uint32_t field,
                             const struct name_source *names) {
    const struct schema_type *type = type_of_field(view, field);
    uint64_t value = event_field(view, field);
    struct recorded_string text = symbolic_text(view, field, names);
    if (text.length || type->print == PRINT_NAME) {
        text_append(out, "\"");
        text_append_json(out, text.bytes, text.length);
        text_append(out, "\"");
    } else if (type->print == PRINT_PROT) {
        text_append(out, "\"");
        print_prot(out, value);
        text_append(out, "\"");
    } else if (type->print == PRINT_ID && type->bytes == 4 && value == NO_ID) {
        text_append(out, "null");
    } else if (type->print == PRINT_SIGNED) {
        text_print(out, "%" PRId64, (int64_t)value);
    } else if (type->print == PRINT_HEX) {
        text_print(out, "\"0x%" PRIx64 "\"", value); /* 64 bits do not survive JSON readers as a number */
    } else {
        text_print(out, "%" PRIu64, value);
    }
}

static void print_trailing_json(struct text *out, const struct event_view *view) {
    struct bytes bytes = event_trailing_bytes(view);
    bool is_text = event_is_text(view->type->id);
    text_append(out, is_text ? ",\"text\":\"" : ",\"bytes\":\"");
    if (is_text)
        text_append_json(out, (const char *)bytes.data, bytes.size);
    else
        print_hex(out, bytes);
    text_append(out, "\"");
}

void event_print_json_fields(struct text *out, const struct event_view *view,
                             const struct name_source *names) {
    for (uint32_t i = 0; i < view->type->field_count; i++) {
        text_print(out, ",\"%s\":", name_of_field(view, i));
        print_json_value(out, view, i, names);
    }
    if (view->type->has_trailing)
        print_trailing_json(out, view);
}

void event_print_json(struct text *out, const struct event_view *view, const struct name_source *names) {
    text_print(out, "{\"sequence\":%" PRIu64 ",\"link_number\":%u,\"event\":\"%s\"", view->sequence,
               view->link, view->type->name);
    event_print_json_fields(out, view, names);
    text_append(out, "}");
}

/* --- reference */

static void print_event_reference(struct text *out, const struct schema *schema,
                                  const struct schema_event *event) {
    text_print(out, "\n### `%s`\n\n%s. Id %u, level %s, %u bytes.\n\n", event->name, event->meaning,
               event->id, schema_level_name(event->level), event->size);
    if (!event->field_count)
        return;
    text_append(out, "| field | type | meaning |\n|---|---|---|\n");
    for (uint32_t i = 0; i < event->field_count; i++) {
        const struct schema_field *field = &schema->fields.data[event->first_field + i];
        text_print(out, "| %s | %s | %s |\n", field->name, schema->types.data[field->type].name,
                   field->meaning);
    }
}

void schema_print_reference(struct text *out, const struct schema *schema) {
    text_append(out, "# Events\n\nMade from `linker/src/trace/events.def`; do not edit.\n\n"
                     "## Field types\n\n| type | bytes | sensitivity | meaning |\n|---|---|---|---|\n");
    for (uint32_t i = 0; i < schema->types.count; i++) {
        const struct schema_type *type = &schema->types.data[i];
        text_print(out, "| %s | %u | %s | %s", type->name, type->bytes, type->sensitivity, type->meaning);
        const char *separator = ": ";
        for (uint32_t v = 0; v < schema->values.count; v++) {
            if (schema->values.data[v].type != i)
                continue;
            text_print(out, "%s%u %s", separator, schema->values.data[v].number, schema->values.data[v].text);
            separator = ", ";
        }
        text_append(out, " |\n");
    }
    text_append(out, "\n## Events\n");
    for (uint32_t i = 0; i < schema->events.count; i++)
        print_event_reference(out, schema, &schema->events.data[i]);
}
