#include "trace/decode.h"

#include <string.h>

static const struct schema_field *event_fields(const struct schema *schema,
                                               const struct schema_event *event) {
    return schema->fields.data + event->first_field;
}

static uint8_t width_of(const struct schema *schema, const struct schema_field *field) {
    return schema->types.data[field->type].bytes;
}

static bool same_field(const struct schema *a, const struct schema_field *x, const struct schema *b,
                       const struct schema_field *y) {
    return x->offset == y->offset && width_of(a, x) == width_of(b, y) && !strcmp(x->name, y->name);
}

static bool same_layout(const struct schema *from, const struct schema_event *theirs,
                        const struct schema *builtin, const struct schema_event *ours) {
    if (theirs->field_count != ours->field_count || theirs->size != ours->size)
        return false;
    for (uint32_t i = 0; i < ours->field_count; i++)
        if (!same_field(from, &event_fields(from, theirs)[i], builtin, &event_fields(builtin, ours)[i]))
            return false;
    return true;
}

/* 1 + the place of the field called NAME, 0 when there is none. */
static uint16_t find_field(const struct schema *schema, const struct schema_event *event, const char *name) {
    for (uint32_t i = 0; i < event->field_count; i++)
        if (!strcmp(event_fields(schema, event)[i].name, name))
            return (uint16_t)(i + 1);
    return 0;
}

struct jitscope_error *decoder_create(struct decoder *decoder, const struct schema *from) {
    size_t length;
    const char *text = schema_text(&length);
    *decoder = (struct decoder){.from = from};
    struct jitscope_error *error =
        schema_parse((struct bytes){(const uint8_t *)text, length}, &decoder->builtin);
    const struct schema *builtin = &decoder->builtin;
    if (!error)
        error = vec_reserve(&decoder->source, builtin->fields.count);
    if (error) {
        decoder_destroy(decoder);
        return error;
    }
    for (uint32_t i = 0; i < builtin->events.count; i++) {
        const struct schema_event *ours = &builtin->events.data[i], *theirs = schema_event(from, ours->id);
        decoder->same[ours->id] = theirs && same_layout(from, theirs, builtin, ours);
        for (uint32_t f = 0; f < ours->field_count; f++)
            vec_put(&decoder->source,
                    theirs ? find_field(from, theirs, event_fields(builtin, ours)[f].name) : (uint16_t)0);
    }
    return NULL;
}

void decoder_destroy(struct decoder *decoder) {
    vec_destroy(&decoder->source);
    schema_destroy(&decoder->builtin);
}

static const union any_event *translate(struct decoder *decoder, const struct event_view *view,
                                        const struct schema_event *ours) {
    uint8_t *copy = (uint8_t *)&decoder->copy;
    decoder->copy.header = EVENT_HEADER(ours->id, ours->size);
    for (uint32_t i = 0; i < ours->field_count; i++) {
        const struct schema_field *field = &event_fields(&decoder->builtin, ours)[i];
        const struct schema_type *type = &decoder->builtin.types.data[field->type];
        uint16_t source = decoder->source.data[ours->first_field + i];
        uint64_t value = source ? event_field(view, source - 1u) : type->print == PRINT_ID ? NO_ID : 0;
        memcpy(copy + field->offset, &value, type->bytes);
    }
    return &decoder->copy;
}

const union any_event *decode_event(struct decoder *decoder, const struct event_view *view) {
    if (__builtin_expect(decoder->same[view->type->id], 1))
        return (const union any_event *)(const void *)view->record;
    const struct schema_event *ours = schema_event(&decoder->builtin, view->type->id);
    return ours ? translate(decoder, view, ours) : NULL;
}
