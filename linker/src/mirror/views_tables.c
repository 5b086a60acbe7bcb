/* Views of the tables that a link made: got, plt, tls. */
#include "mirror/views.h"

#include <inttypes.h>

/* "input: section+0xoffset" of the edge that made the entry. */
static void row_asked_by(struct row *row, const struct mirror *mirror, const struct mirror_link *link,
                         const struct event_table_entry *entry) {
    const struct mirror_block *block = mirror_block(link, entry->asked_by);
    const struct mirror_section *section = block ? mirror_section(link, block->event.section) : NULL;
    const struct mirror_input *input = block ? mirror_input(mirror, block->event.input) : NULL;
    if (!section) {
        row_absent(row);
        return;
    }
    struct recorded_string name = recording_string(mirror->file, section->event.name.id);
    struct recorded_string from = recording_string(mirror->file, input ? input->event.name.id : 0);
    row_print(row, "%.*s%s%.*s+0x%" PRIx64, (int)from.length, from.bytes, from.length ? ": " : "",
              (int)name.length, name.bytes, block->event.input_offset + entry->asked_at);
}

static void row_target(struct row *row, const struct mirror_link *link, const struct mirror_symbol *symbol) {
    uint64_t address;
    if (symbol && mirror_symbol_address(link, symbol, &address))
        row_number(row, address);
    else
        row_absent(row);
}

static void row_where(struct row *row, const struct mirror *mirror, const struct mirror_symbol *symbol) {
    if (!symbol)
        row_absent(row);
    else if (symbol->state != SYMBOL_EXTERNAL_RESOLVED)
        row_input(row, mirror, symbol->input);
    else if (recording_string(mirror->file, symbol->where).length)
        row_name(row, mirror, symbol->where);
    else
        row_value(row, mirror, "provider", symbol->provider);
}

/* The GOT slot a stub jumps through: the entry of the same target. */
static void row_slot(struct row *row, const struct view_at *at, uint32_t target) {
    const uint32_t *slot_of = at->prepared;
    if (target < at->link->symbols.count && slot_of[target])
        row_block_address(row, at->link, slot_of[target] - 1);
    else
        row_absent(row);
}

static bool row_of_entry(const struct view_at *at, uint32_t candidate, uint32_t table, struct row *row) {
    const struct event_table_entry *entry = &at->link->entries.data[candidate];
    if (candidate >= at->link->entries.count || entry->table != table)
        return false;
    const struct mirror_symbol *symbol = mirror_symbol(at->link, entry->target);
    row_number(row, at->link->number);
    row_number(row, entry->entry);
    row_block_address(row, at->link, entry->block);
    row_symbol(row, at->mirror, at->link, entry->target);
    row_target(row, at->link, symbol);
    if (table == TABLE_PLT)
        row_slot(row, at, entry->target);
    row_where(row, at->mirror, symbol);
    row_asked_by(row, at->mirror, at->link, entry);
    row_number(row, mirror_sequence(at->mirror, at->link->entries_stamps.data[candidate]));
    return true;
}

/* None when the table is empty, else all entries: rows are made of those that are the table's. */
static uint32_t candidates_of(const struct mirror *mirror, uint32_t number, uint32_t table) {
    struct mirror_tally tally = mirror_tally(mirror, number);
    uint32_t entries = table == TABLE_GOT ? tally.got : table == TABLE_PLT ? tally.plt : tally.tls;
    return entries ? mirror_counts(mirror, number).entries : 0;
}

uint32_t view_got_candidates(const struct mirror *mirror, uint32_t link) {
    return candidates_of(mirror, link, TABLE_GOT);
}

bool view_got_row(const struct view_at *at, uint32_t candidate, struct row *row) {
    return row_of_entry(at, candidate, TABLE_GOT, row);
}

uint32_t view_tls_candidates(const struct mirror *mirror, uint32_t link) {
    return candidates_of(mirror, link, TABLE_TLS);
}

bool view_tls_row(const struct view_at *at, uint32_t candidate, struct row *row) {
    return row_of_entry(at, candidate, TABLE_TLS, row);
}

uint32_t view_plt_candidates(const struct mirror *mirror, uint32_t link) {
    return candidates_of(mirror, link, TABLE_PLT);
}

/* Per symbol, the block of its GOT entry, + 1. */
struct jitscope_error *view_plt_prepare(struct view_at *at) {
    const struct mirror_link *link = at->link;
    uint32_t *slot_of = os_allocate_zeroed(link->symbols.count * sizeof *slot_of);
    if (!slot_of)
        return error_no_memory();
    for (uint32_t i = 0; i < link->entries.count; i++) {
        const struct event_table_entry *entry = &link->entries.data[i];
        if (entry->table == TABLE_GOT && entry->target < link->symbols.count)
            slot_of[entry->target] = entry->block + 1;
    }
    at->prepared = slot_of;
    return NULL;
}

void view_plt_release(struct view_at *at) {
    os_release(at->prepared);
}

bool view_plt_row(const struct view_at *at, uint32_t candidate, struct row *row) {
    return row_of_entry(at, candidate, TABLE_PLT, row);
}
