/* What a divergence is about: a block and an offset in it, a symbol, and the bytes there. */
#include "record/divergence.h"

#include <string.h>

/* --- subject */

static bool find_field(const struct event_view *view, const char *name, uint64_t *value) {
    for (uint32_t i = 0; i < view->type->field_count; i++)
        if (!strcmp(view->schema->fields.data[view->type->first_field + i].name, name)) {
            *value = event_field(view, i);
            return true;
        }
    return false;
}

/* Place of the first digest that differs; UINT32_MAX when only the numbers of blocks do. */
static uint32_t first_difference(const struct event_view *expected, const struct event_segment_digest *said) {
    struct bytes recorded = event_trailing_bytes(expected);
    const uint8_t *digests = (const uint8_t *)(said + 1);
    for (uint32_t i = 0; (i + 1) * 4 <= recorded.size && (i + 1) * 4 <= said->length; i++)
        if (load_u32(recorded.data + i * 4) != load_u32(digests + i * 4))
            return said->first + i;
    return UINT32_MAX;
}

/* Blocks of a segment were told of in the layout's order. */
static uint32_t block_in_segment(struct replay *replay, uint32_t link, uint32_t segment, uint32_t place) {
    struct event_cursor cursor = {.file = replay->recorded.file};
    struct event_view view;
    while (event_next(&cursor, &view) && view.sequence < replay->divergence) {
        if (view.type->id != EVENT_ID_block_placed || view.link != link)
            continue;
        const struct event_block_placed event = decode_event(&replay->recorded.decoder, &view)->block_placed;
        if (event.segment == segment && place-- == 0)
            return event.block;
    }
    return NO_ID;
}

static void take_symbol(const struct mirror *mirror, uint32_t id, struct subject *subject) {
    const struct mirror_link *link = mirror_link(mirror, subject->link);
    const struct mirror_symbol *symbol = link ? mirror_symbol(link, id) : NULL;
    if (!symbol)
        return;
    subject->symbol = (struct name_ref){symbol->name};
    if (subject->block == NO_ID && symbol->block != NO_ID) {
        subject->block = symbol->block;
        subject->offset = symbol->offset;
    }
}

static bool is_digest_of_same(const struct event_view *expected, const void *record) {
    return record && expected->type->id == EVENT_ID_segment_digest &&
           EVENT_HEADER_ID(load_u32(record)) == EVENT_ID_segment_digest;
}

struct subject subject_of(struct replay *replay, const struct mirror *mirror,
                          const struct event_view *expected, const void *record) {
    struct subject subject = {.link = expected->link, .block = NO_ID};
    uint64_t value;
    if (is_digest_of_same(expected, record)) {
        struct event_segment_digest said;
        memcpy(&said, record, sizeof said);
        uint32_t place = first_difference(expected, record);
        if (place != UINT32_MAX)
            subject.block = block_in_segment(replay, expected->link, said.segment, place);
        return subject;
    }
    if (find_field(expected, "block", &value))
        subject.block = (uint32_t)value;
    if (find_field(expected, "offset", &value))
        subject.offset = value;
    if (find_field(expected, "symbol", &value) || find_field(expected, "target", &value))
        take_symbol(mirror, (uint32_t)value, &subject);
    return subject;
}

/* --- bytes */

static uint32_t width_of(struct replay *replay, uint32_t kind) {
    struct event_cursor cursor = {.file = replay->recorded.file};
    struct event_view view;
    while (event_next(&cursor, &view)) {
        if (view.type->id != EVENT_ID_edge_kind)
            continue;
        const struct event_edge_kind event = decode_event(&replay->recorded.decoder, &view)->edge_kind;
        if (event.kind == kind)
            return event.width <= 8 ? (uint32_t)event.width : 8;
    }
    return 8;
}

/* Up to 16 bytes before the place, and what fits behind it, all in the block. */
static bool read_around(struct replay *replay, const struct mirror_block *block, uint64_t offset,
                        uint32_t length, struct replay_bytes *bytes) {
    if (offset > block->event.size || length > block->event.size - offset)
        return false;
    uint64_t before = offset < 16 ? offset : 16, left = block->event.size - offset + before;
    bytes->at = (uint32_t)before;
    bytes->length = length;
    bytes->count = left < sizeof bytes->actual ? (uint32_t)left : sizeof bytes->actual;
    bytes->address = block->address + offset - before;
    return replay_read_memory(replay, bytes->address, bytes->actual, bytes->count);
}

/* In the middle of fixing up: the bytes behind the place are still the input's. */
static void compare_fixups(struct replay *replay, const struct mirror_block *block,
                           const struct event_fixup *recorded, const struct event_fixup *said) {
    struct replay_bytes *bytes = &replay->bytes;
    uint32_t width = width_of(replay, recorded->kind);
    if (!width || !read_around(replay, block, recorded->offset, width, bytes))
        return;
    bytes->count = bytes->at + width;
    memcpy(bytes->expected, bytes->actual, bytes->count);
    memcpy(bytes->actual + bytes->at, &said->after, width); /* little-endian: the low bytes */
    memcpy(bytes->expected + bytes->at, &recorded->after, width);
    bytes->has_expected = replay->has_bytes = true;
}

static bool is_executable(const struct mirror_link *link, const struct mirror_block *block) {
    const struct mirror_segment *segment = mirror_segment(link, block->segment);
    return segment && segment->event.prot & PROTECT_EXECUTE;
}

void note_bytes(struct replay *replay, const struct mirror *mirror, const struct subject *subject,
                const struct event_view *expected, const void *record) {
    const struct mirror_link *link = mirror_link(mirror, subject->link);
    const struct mirror_block *block = link ? mirror_block(link, subject->block) : NULL;
    if (!record || !block || block->segment == NO_ID)
        return;
    replay->bytes.is_code = is_executable(link, block);
    if (is_digest_of_same(expected, record)) {
        uint64_t size =
            block->event.size < sizeof replay->bytes.actual ? block->event.size : sizeof replay->bytes.actual;
        replay->has_bytes = read_around(replay, block, 0, (uint32_t)size, &replay->bytes);
    } else if (expected->type->id == EVENT_ID_fixup && EVENT_HEADER_ID(load_u32(record)) == EVENT_ID_fixup) {
        const struct event_fixup recorded = decode_event(&replay->recorded.decoder, expected)->fixup;
        struct event_fixup said;
        memcpy(&said, record, sizeof said);
        compare_fixups(replay, block, &recorded, &said);
    }
}
