/* Words for what chains speak of.  Names are input: they are escaped. */
#include "mirror/why_query.h"

#include "mirror/views.h"

#include <inttypes.h>

void put_name(struct text *out, const struct why_query *query, uint32_t name) {
    struct recorded_string text = text_of(query, name);
    text_append_escaped(out, text.bytes, text.length);
}

void put_input(struct text *out, const struct why_query *query, uint32_t id) {
    const struct mirror_input *input = mirror_input(query->mirror, id);
    if (input)
        put_name(out, query, input->event.name.id);
    else if (id == NO_ID)
        text_append(out, "the linker");
    else
        text_print(out, "input %u", id);
}

static const char *const entry_words[] = {"the GOT slot of ", "the PLT stub of ", "the TLS entry of "};

static void put_entry(struct text *out, const struct why_query *query, const struct mirror_link *link,
                      const struct event_table_entry *entry) {
    const struct mirror_symbol *target = mirror_symbol(link, entry->target);
    text_append(out, entry->table < sizeof entry_words / sizeof *entry_words ? entry_words[entry->table]
                                                                             : "a table entry of ");
    if (target && text_of(query, target->name).length)
        put_name(out, query, target->name);
    else
        text_print(out, "symbol %u", entry->target);
}

void put_place(struct text *out, const struct why_query *query, const struct mirror_link *link, uint32_t id,
               uint64_t offset) {
    const struct mirror_block *block = mirror_block(link, id);
    const struct event_table_entry *entry = entry_of_block(link, id);
    if (entry) {
        put_entry(out, query, link, entry);
        if (offset)
            text_print(out, "+0x%" PRIx64, offset);
        return;
    }
    if (!block) {
        text_print(out, "block %u+0x%" PRIx64, id, offset);
        return;
    }
    const struct mirror_section *section = mirror_section(link, block->event.section);
    put_input(out, query, block->event.input);
    text_append(out, ": ");
    if (section)
        put_name(out, query, section->event.name.id);
    else
        text_print(out, "section %u", block->event.section);
    text_print(out, "+0x%" PRIx64, block->event.input_offset + offset);
}

void put_symbol(struct text *out, const struct why_query *query, const struct mirror_link *link,
                uint32_t id) {
    const struct mirror_symbol *symbol = mirror_symbol(link, id);
    const struct event_table_entry *entry = entry_of_symbol(link, id);
    if (entry)
        put_entry(out, query, link, entry);
    else if (symbol && text_of(query, symbol->name).length)
        put_name(out, query, symbol->name);
    else if (symbol && symbol->block != NO_ID)
        put_place(out, query, link, symbol->block, symbol->offset);
    else
        text_print(out, "symbol %u", id);
}

void put_value(struct text *out, const struct why_query *query, const char *type, uint32_t number) {
    const char *text = mirror_value_text(query->mirror, type, number);
    if (text)
        text_append_escaped(out, text, __builtin_strlen(text));
    else
        text_print(out, "%s %u", type, number);
}

void put_edge_kind(struct text *out, const struct why_query *query, uint32_t kind) {
    if (kind < query->mirror->edge_kinds.count && query->mirror->edge_kinds.data[kind])
        put_name(out, query, query->mirror->edge_kinds.data[kind]);
    else
        text_print(out, "edge kind %u", kind);
}

void put_bytes(struct text *out, uint64_t value, uint32_t count) {
    for (uint32_t i = 0; i < count && i < 8; i++)
        text_print(out, "%s%02x", i ? " " : "", (unsigned)(value >> (8 * i) & 0xff));
}

void put_link(struct text *out, const struct why_query *query, const struct mirror_link *link) {
    text_print(out, "link %u", link->number);
    if (link->ended && link->end.outcome != OUTCOME_OK)
        text_append(out, ", failed");
    else if (!link->ended)
        text_append(out, ", not finished");
    else if (!link_is_live(link))
        text_append(out, query->mirror->session_ended ? ", gone" : ", unloaded");
}

void put_count(struct text *out, uint64_t count, const char *what) {
    text_print(out, "%" PRIu64 " %s%s", count, what, count == 1 ? "" : "s");
}
