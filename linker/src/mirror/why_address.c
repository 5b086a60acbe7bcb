/* Why is that byte there: who has the address, which symbol it belongs to, and who wrote it. */
#include "mirror/why_query.h"

#include <inttypes.h>

/* One byte of a link's memory and who determined its value. */
struct byte {
    const struct mirror_link *link;
    const struct mirror_block *block;
    uint32_t id; /* of the block */
    uint64_t address, offset;
    const struct event_table_entry *entry; /* the block is one */
    const struct event_fixup *fixup;       /* covers it */
    const struct event_edge_relaxed
        *relaxed; /* the edge that covers it, or whose instruction it is part of */
    const struct event_table_entry *asked_for; /* by the edge that covers it */
};

/* --- who wrote it */

/* Where the window of eight bytes begins that a relaxation tells of. */
static uint64_t window_of(const struct event_edge_relaxed *relaxed) {
    return relaxed->offset >= 4 ? relaxed->offset - 4 : 0;
}

static const struct event_edge_relaxed *relaxation_around(const struct byte *byte) {
    for (uint32_t i = 0; i < byte->link->relaxations.count; i++) {
        const struct event_edge_relaxed *relaxed = &byte->link->relaxations.data[i];
        uint64_t index = byte->offset - window_of(relaxed);
        if (relaxed->block != byte->id || index >= 8)
            continue;
        bool changed = (relaxed->bytes_before ^ relaxed->bytes_after) >> (8 * index) & 0xff;
        if (changed || byte->offset - relaxed->offset < 4)
            return relaxed;
    }
    return NULL;
}

/* Without edges, a table entry at least tells which edge asked for it first. */
static const struct event_table_entry *entry_asked_around(const struct byte *byte) {
    for (uint32_t i = 0; i < byte->link->entries.count; i++) {
        const struct event_table_entry *entry = &byte->link->entries.data[i];
        if (entry->asked_by == byte->id && byte->offset - entry->asked_at < 4)
            return entry;
    }
    return NULL;
}

static struct byte look_at(const struct why_query *query, const struct mirror_link *link, uint32_t id,
                           uint64_t address) {
    struct byte byte = {.link = link, .block = &link->blocks.data[id], .id = id, .address = address};
    byte.offset = address - byte.block->address;
    byte.entry = entry_of_block(link, id);
    byte.fixup = fixup_covering(query, link, id, byte.offset);
    byte.relaxed = byte.fixup ? relaxation_at(link, id, byte.fixup->offset) : relaxation_around(&byte);
    byte.asked_for = entry_asked_around(&byte);
    return byte;
}

/* --- the answer in one sentence */

static void put_owner(struct text *out, const struct why_query *query, const struct byte *byte) {
    uint32_t around = symbol_around(query, byte->link, byte->id, byte->offset);
    const struct mirror_symbol *symbol = mirror_symbol(byte->link, around);
    if (byte->entry) {
        text_print(out, "byte 0x%" PRIx64 " of ", byte->offset);
        put_symbol(out, query, byte->link, byte->entry->symbol);
        return;
    }
    if (symbol) {
        text_print(out, "%s0x%" PRIx64 "%s", byte->offset - symbol->offset < symbol->size ? "byte " : "",
                   byte->offset - symbol->offset,
                   byte->offset - symbol->offset < symbol->size ? " of " : " behind the start of ");
        put_name(out, query, symbol->name);
        text_append(out, " (");
    }
    put_place(out, query, byte->link, byte->id, byte->offset);
    text_append(out, symbol ? ")" : "");
}

/* What determined the byte's value; the texts are those of --json. */
#define ORIGINS                                                                                              \
    ORIGIN(FIXUP, "fixup")                                                                                   \
    ORIGIN(ZERO_FILL, "zero-fill")                                                                           \
    ORIGIN(RELAXATION, "relaxation")                                                                         \
    ORIGIN(REFERENCE, "reference")                                                                           \
    ORIGIN(LINKER, "linker")                                                                                 \
    ORIGIN(INPUT, "input")                                                                                   \
    ORIGIN(UNKNOWN, "input-or-fixup")

enum origin {
#define ORIGIN(id, text) ORIGIN_##id,
    ORIGINS
#undef ORIGIN
};

static const char *const origin_texts[] = {
#define ORIGIN(id, text) text,
    ORIGINS
#undef ORIGIN
};

static bool is_rewritten(const struct byte *byte) {
    uint64_t index = byte->relaxed ? byte->offset - window_of(byte->relaxed) : 8;
    return index < 8 && (byte->relaxed->bytes_before ^ byte->relaxed->bytes_after) >> (8 * index) & 0xff;
}

static enum origin origin_of(const struct why_query *query, const struct byte *byte) {
    if (byte->fixup)
        return ORIGIN_FIXUP;
    if (byte->block->event.zero_fill)
        return ORIGIN_ZERO_FILL;
    if (is_rewritten(byte))
        return ORIGIN_RELAXATION;
    if (byte->relaxed || (byte->asked_for && !has_edges(query, byte->link)))
        return ORIGIN_REFERENCE;
    if (byte->block->event.input == NO_ID)
        return ORIGIN_LINKER;
    return has_edges(query, byte->link) ? ORIGIN_INPUT : ORIGIN_UNKNOWN;
}

/* The byte itself, where the recording tells it; -1 where it does not. */
static int value_of(const struct byte *byte, enum origin origin) {
    if (origin == ORIGIN_FIXUP)
        return byte->fixup->after >> (8 * (byte->offset - byte->fixup->offset)) & 0xff;
    if (origin == ORIGIN_RELAXATION)
        return byte->relaxed->bytes_after >> (8 * (byte->offset - window_of(byte->relaxed))) & 0xff;
    return origin == ORIGIN_ZERO_FILL ? 0 : -1;
}

static uint32_t target_of(const struct byte *byte) {
    return byte->fixup       ? byte->fixup->target
           : byte->relaxed   ? byte->relaxed->target
           : byte->asked_for ? byte->asked_for->target
                             : NO_ID;
}

static void put_writer(struct text *out, const struct why_query *query, const struct byte *byte,
                       enum origin origin) {
    static const char *const texts[] = {
        [ORIGIN_FIXUP] = "that the fixup to ",
        [ORIGIN_ZERO_FILL] = "zero-fill",
        [ORIGIN_RELAXATION] = "written when a reference was relaxed, to ",
        [ORIGIN_REFERENCE] = "part of a reference to ",
        [ORIGIN_LINKER] = "made by the linker",
        [ORIGIN_INPUT] = "content of the input, as it was",
        [ORIGIN_UNKNOWN] = "content of the input, or written by a fixup",
    };
    int value = value_of(byte, origin);
    text_append(out, ": ");
    if (value >= 0)
        text_print(out, "0x%02x, ", (unsigned)value);
    if (origin == ORIGIN_FIXUP)
        text_print(out, "byte %" PRIu64 " of %u ", byte->offset - byte->fixup->offset,
                   edge_width(query, byte->fixup->kind));
    text_append(out, texts[origin]);
    if (origin == ORIGIN_FIXUP || origin == ORIGIN_RELAXATION || origin == ORIGIN_REFERENCE)
        put_symbol(out, query, byte->link, target_of(byte));
    text_append(out, origin == ORIGIN_FIXUP ? " wrote" : "");
}

static void put_fields(struct text *out, const struct byte *byte, enum origin origin) {
    int value = value_of(byte, origin);
    text_print(out,
               ",\"link\":%u,\"address\":\"0x%" PRIx64 "\",\"block\":%u,\"offset\":\"0x%" PRIx64
               "\",\"origin\":\"%s\",\"value\":",
               byte->link->number, byte->address, byte->id, byte->offset, origin_texts[origin]);
    if (value >= 0)
        text_print(out, "%d", value);
    else
        text_append(out, "null");
}

static struct jitscope_error *begin_byte(struct why_query *query, const struct byte *byte) {
    const struct mirror_segment *segment = &byte->link->segments.data[byte->block->segment];
    enum origin origin = origin_of(query, byte);
    struct text text = {0}, fields = {0};
    text_print(&text, "0x%" PRIx64 " is ", byte->address);
    put_owner(&text, query, byte);
    put_writer(&text, query, byte, origin);
    text_append(&text, "; ");
    put_link(&text, query, byte->link);
    if (segment->event.lifetime == LIFETIME_FINALIZE)
        text_append(&text, "; its segment was given back after the finalize actions");
    put_fields(&fields, byte, origin);
    return chain_begin(query, &text, &fields);
}

/* --- its chain */

static struct jitscope_error *want_writer(struct why_query *query, const struct byte *byte) {
    const struct mirror_link *link = byte->link;
    const struct event_table_entry *asked_for = byte->asked_for;
    uint64_t edge = byte->relaxed ? byte->relaxed->offset : byte->fixup ? byte->fixup->offset : 0;
    if (!byte->relaxed && !byte->fixup && asked_for)
        edge = asked_for->asked_at;
    else if (!byte->relaxed && !byte->fixup)
        return NULL;
    TRY(want_edge(query, link, byte->id, edge));
    if (byte->fixup)
        TRY(want(query, EVENT_ID_fixup, link->number, byte->id, byte->fixup->offset, 0));
    for (uint32_t i = 0; i < link->claims.count; i++)
        if (link->claims.data[i].block == byte->id && link->claims.data[i].offset == edge)
            asked_for = entry_of_symbol(link, link->claims.data[i].entry);
    if (asked_for)
        TRY(want(query, EVENT_ID_table_entry, link->number, asked_for->table, asked_for->entry, 0));
    uint32_t target = target_of(byte);
    if (target == NO_ID && asked_for)
        target = asked_for->target;
    return want_symbol(query, link, target);
}

static struct jitscope_error *note_level(struct why_query *query, const struct byte *byte) {
    struct text text = {0};
    if (has_edges(query, byte->link) || byte->block->event.zero_fill)
        return NULL;
    text_append(
        &text,
        "relocations and fixups are not in this recording: which of them wrote the byte, and what was there "
        "before, is known with --trace=edges");
    return chain_note(query, &text);
}

static struct jitscope_error *byte_chain(struct why_query *query, const struct mirror_link *link, uint32_t id,
                                         uint64_t address) {
    TRY(mirror_want_edges(query->mirror, link->number));
    struct byte byte = look_at(query, link, id, address);
    TRY(begin_byte(query, &byte));
    TRY(want_block(query, link, id));
    TRY(want_symbol(query, link, symbol_around(query, link, id, byte.offset)));
    if (byte.entry)
        TRY(want_entry(query, link, byte.entry));
    TRY(want_writer(query, &byte));
    TRY(want_frames(query, link, id, byte.offset));
    TRY(want_registrations(query, link, address));
    return note_level(query, &byte);
}

/* --- who has the address */

static bool in_memory(const struct mirror_link *link, uint32_t segment) {
    return segment < link->segments.count && link->segments.data[segment].known &&
           lifetime_in_memory(link->segments.data[segment].event.lifetime);
}

static struct jitscope_error *chains_of_blocks(struct why_query *query, uint64_t address, bool live) {
    EACH_LINK_AROUND(link, address) {
        if (link_is_live(link) != live)
            continue;
        for (uint32_t i = 0; i < link->blocks.count; i++) {
            const struct mirror_block *block = &link->blocks.data[i];
            if (block->known && in_memory(link, block->segment) &&
                address - block->address < block->event.size)
                TRY(byte_chain(query, link, i, address));
        }
    }
    return NULL;
}

/* Between blocks of a segment: only alignment put it there. */
static struct jitscope_error *padding_chain(struct why_query *query, const struct mirror_link *link,
                                            uint32_t segment, uint64_t address) {
    const struct event_segment *event = &link->segments.data[segment].event;
    uint32_t behind = NO_ID;
    struct text text = {0};
    for (uint32_t i = 0; i < link->blocks.count; i++)
        if (link->blocks.data[i].known && link->blocks.data[i].segment == segment &&
            link->blocks.data[i].address > address &&
            (behind == NO_ID || link->blocks.data[i].address < link->blocks.data[behind].address))
            behind = i;
    text_print(&text, "0x%" PRIx64 " is padding in segment %u at 0x%" PRIx64, address, segment,
               event->address);
    if (behind != NO_ID) {
        text_append(&text, ", so that ");
        put_place(&text, query, link, behind, 0);
        text_print(&text, " is aligned to %" PRIu64, link->blocks.data[behind].event.alignment);
    }
    text_append(&text, "; ");
    put_link(&text, query, link);
    TRY(chain_begin(query, &text, NULL));
    TRY(want_block(query, link, behind));
    TRY(want(query, EVENT_ID_segment, link->number, segment, 0, 0));
    return want_memory(query, link, address);
}

static struct jitscope_error *chains_of_padding(struct why_query *query, uint64_t address) {
    EACH_LINK_AROUND(link, address)
    for (uint32_t i = 0; i < link->segments.count; i++) {
        const struct event_segment *event = &link->segments.data[i].event;
        if (in_memory(link, i) && address - event->address < event->content_size + event->zero_fill_size)
            TRY(padding_chain(query, link, i, address));
    }
    return NULL;
}

/* Where a symbol from outside begins: what lies there, its provider knows. */
static struct jitscope_error *chains_of_externals(struct why_query *query, uint64_t address) {
    EACH_LINK_LATEST_FIRST(link)
    for (uint32_t i = 0; i < link->symbols.count; i++) {
        const struct mirror_symbol *symbol = &link->symbols.data[i];
        struct text text = {0};
        if (!symbol->known || !symbol->has_address || symbol->address != address)
            continue;
        text_print(&text, "0x%" PRIx64 " is where ", address);
        put_name(&text, query, symbol->name);
        text_append(&text, " begins, outside of what was linked; ");
        put_link(&text, query, link);
        TRY(chain_begin(query, &text, NULL));
        TRY(want_symbol(query, link, i));
    }
    return NULL;
}

/* --- nobody */

static struct jitscope_error *nobody_has(const struct why_query *query, uint64_t address) {
    const struct mirror_placement *nearest = NULL;
    uint64_t least = UINT64_MAX;
    struct jitscope_error *error =
        error_create(JITSCOPE_ERROR_NOT_FOUND, "nothing in the recording was ever at 0x%" PRIx64, address);
    for (uint32_t i = query->mirror->placements.count; i-- > 0;) {
        const struct mirror_placement *place = &query->mirror->placements.data[i];
        uint64_t distance =
            address < place->address ? place->address - address : address - (place->address + place->size);
        if (!lifetime_in_memory(place->lifetime) || distance >= least)
            continue;
        nearest = place;
        least = distance;
    }
    if (!nearest)
        return error_with_help(error,
                               "the recording tells of no memory at all; one made with --trace=block does");
    return error_with_help(error, "the nearest memory is 0x%" PRIx64 "-0x%" PRIx64, nearest->address,
                           nearest->address + nearest->size);
}

static struct jitscope_error *reserved_chain(struct why_query *query, uint64_t address) {
    for (uint32_t i = 0; i < query->mirror->reservations.count; i++) {
        const struct event_reservation *event = &query->mirror->reservations.data[i];
        struct text text = {0};
        if (address - event->address >= event->size)
            continue;
        text_print(&text, "0x%" PRIx64 " is reserved address space", address);
        text_append(&text, query->mirror->counts[EVENT_ID_segment]
                               ? " that no link has used"
                               : "; what links have put there is known with --trace=block");
        TRY(chain_begin(query, &text, NULL));
        return want(query, EVENT_ID_reservation, 0, event->address, 0, 0);
    }
    return nobody_has(query, address);
}

struct jitscope_error *ask_address(struct why_query *query, uint64_t address) {
    TRY(chains_of_blocks(query, address, true));
    TRY(chains_of_blocks(query, address, false));
    if (!query->chains)
        TRY(chains_of_padding(query, address));
    if (!query->chains)
        TRY(chains_of_externals(query, address));
    return query->chains ? NULL : reserved_chain(query, address);
}
