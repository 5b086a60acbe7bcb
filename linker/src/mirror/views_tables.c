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

/* What is known of entries beforehand. */
struct entries {
    uint32_t *slot_of;  /* by target symbol: the block of its GOT entry, + 1 */
    uint32_t *lazy_of;  /* by symbol of an entry: which of lazy_stubs it is of, + 1 */
    uint32_t *bound_as; /* by number of slot: the last of bindings, + 1 */
    uint32_t slots;
};

/* How the slot of an entry that can come to lead elsewhere stands; NULL for all other entries. */
static const struct event_lazy_stub *lazy_stub_of(const struct view_at *at, uint32_t symbol,
                                                  const struct event_slot_bound **bound) {
    const struct entries *entries = at->prepared;
    uint32_t index = symbol < at->link->symbols.count ? entries->lazy_of[symbol] : 0;
    *bound = NULL;
    if (!index || index > at->link->lazy_stubs.count)
        return NULL;
    const struct event_lazy_stub *stub = &at->link->lazy_stubs.data[index - 1];
    uint32_t last = stub->slot < entries->slots ? entries->bound_as[stub->slot] : 0;
    *bound = last ? &at->link->bindings.data[last - 1] : NULL;
    return stub;
}

static void row_target(struct row *row, const struct view_at *at, const struct event_table_entry *entry) {
    const struct event_slot_bound *bound;
    const struct mirror_symbol *symbol = mirror_symbol(at->link, entry->target);
    uint64_t address;
    lazy_stub_of(at, entry->symbol, &bound);
    if (bound && bound->definer)
        row_number(row, bound->after);
    else if (!bound && symbol && mirror_symbol_address(at->link, symbol, &address))
        row_number(row, address);
    else
        row_absent(row);
}

static void row_where(struct row *row, const struct view_at *at, const struct event_table_entry *entry) {
    const struct event_slot_bound *bound;
    const struct mirror *mirror = at->mirror;
    const struct mirror_symbol *symbol = mirror_symbol(at->link, entry->target);
    const struct event_lazy_stub *lazy = lazy_stub_of(at, entry->symbol, &bound);
    if (!symbol)
        row_absent(row);
    else if (bound && bound->definer)
        row_print(row, "link %" PRIu32, bound->definer);
    else if (bound || (lazy && lazy->waits))
        row_print(row, "lazy");
    else if (symbol->state != SYMBOL_EXTERNAL_RESOLVED)
        row_input(row, mirror, symbol->input);
    else if (recording_string(mirror->file, symbol->where).length)
        row_name(row, mirror, symbol->where);
    else
        row_value(row, mirror, "provider", symbol->provider);
}

/* The GOT slot a stub jumps through: the entry of the same target. */
static void row_slot(struct row *row, const struct view_at *at, const struct event_table_entry *entry) {
    const struct entries *entries = at->prepared;
    const struct event_slot_bound *bound;
    const struct event_lazy_stub *lazy = lazy_stub_of(at, entry->symbol, &bound);
    const struct mirror_symbol *own = lazy ? mirror_symbol(at->link, lazy->symbol) : NULL;
    if (own)
        row_block_address(row, at->link, own->block);
    else if (entry->target < at->link->symbols.count && entries->slot_of[entry->target])
        row_block_address(row, at->link, entries->slot_of[entry->target] - 1);
    else
        row_absent(row);
}

static bool row_of_entry(const struct view_at *at, uint32_t candidate, uint32_t table, struct row *row) {
    const struct event_table_entry *entry = &at->link->entries.data[candidate];
    if (candidate >= at->link->entries.count || entry->table != table)
        return false;
    row_number(row, at->link->number);
    row_number(row, entry->entry);
    row_block_address(row, at->link, entry->block);
    row_symbol(row, at->mirror, at->link, entry->target);
    row_target(row, at, entry);
    if (table == TABLE_PLT)
        row_slot(row, at, entry);
    row_where(row, at, entry);
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

uint32_t view_tls_candidates(const struct mirror *mirror, uint32_t link) {
    return candidates_of(mirror, link, TABLE_TLS);
}

uint32_t view_plt_candidates(const struct mirror *mirror, uint32_t link) {
    return candidates_of(mirror, link, TABLE_PLT);
}

/* --- what is known beforehand */

static void release(struct view_at *at) {
    struct entries *entries = at->prepared;
    if (!entries)
        return;
    os_release(entries->slot_of);
    os_release(entries->lazy_of);
    os_release(entries->bound_as);
    os_release(entries);
    at->prepared = NULL;
}

static void note_lazy(struct entries *entries, const struct mirror_link *link) {
    for (uint32_t i = 0; i < link->lazy_stubs.count; i++) {
        const struct event_lazy_stub *stub = &link->lazy_stubs.data[i];
        if (stub->symbol < link->symbols.count)
            entries->lazy_of[stub->symbol] = i + 1;
        if (stub->stub < link->symbols.count)
            entries->lazy_of[stub->stub] = i + 1;
    }
    for (uint32_t i = 0; i < link->bindings.count; i++)
        if (link->bindings.data[i].slot < entries->slots)
            entries->bound_as[link->bindings.data[i].slot] = i + 1;
}

static struct jitscope_error *prepare(struct view_at *at) {
    const struct mirror_link *link = at->link;
    struct entries *entries = at->prepared = os_allocate_zeroed(sizeof *entries);
    if (!entries)
        return error_no_memory();
    entries->slots = link->lazy_stubs.count;
    entries->slot_of = os_allocate_zeroed((size_t)link->symbols.count * sizeof(uint32_t));
    entries->lazy_of = os_allocate_zeroed((size_t)link->symbols.count * sizeof(uint32_t));
    entries->bound_as = os_allocate_zeroed((size_t)entries->slots * sizeof(uint32_t));
    if (!entries->slot_of || !entries->lazy_of || !entries->bound_as) {
        release(at);
        return error_no_memory();
    }
    for (uint32_t i = 0; i < link->entries.count; i++) {
        const struct event_table_entry *entry = &link->entries.data[i];
        if (entry->table == TABLE_GOT && entry->target < link->symbols.count)
            entries->slot_of[entry->target] = entry->block + 1;
    }
    note_lazy(entries, link);
    return NULL;
}

#define PREPARED_TABLE(name, table)                                                                          \
    struct jitscope_error *view_##name##_prepare(struct view_at *at) {                                       \
        return prepare(at);                                                                                  \
    }                                                                                                        \
    void view_##name##_release(struct view_at *at) {                                                         \
        release(at);                                                                                         \
    }                                                                                                        \
    bool view_##name##_row(const struct view_at *at, uint32_t candidate, struct row *row) {                  \
        return row_of_entry(at, candidate, table, row);                                                      \
    }

PREPARED_TABLE(got, TABLE_GOT)
PREPARED_TABLE(plt, TABLE_PLT)
PREPARED_TABLE(tls, TABLE_TLS)
