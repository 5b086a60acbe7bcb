/* Views of the graph: sections, segments, blocks, symbols, edges. */
#include "mirror/views.h"

struct section_sum {
    uint64_t size, address;
    uint32_t blocks;
};

uint32_t view_sections_candidates(const struct mirror *mirror, uint32_t link) {
    return mirror_counts(mirror, link).sections;
}

/* Per section, what its blocks make together. */
struct jitscope_error *view_sections_prepare(struct view_at *at) {
    const struct mirror_link *link = at->link;
    struct section_sum *sums = os_allocate_zeroed(link->sections.count * sizeof *sums);
    if (!sums)
        return error_no_memory();
    for (uint32_t i = 0; i < link->blocks.count; i++) {
        const struct mirror_block *block = mirror_block(link, i);
        if (!block || block->removed || block->event.section >= link->sections.count)
            continue;
        struct section_sum *sum = &sums[block->event.section];
        if (block->segment != NO_ID && (!sum->address || block->address < sum->address))
            sum->address = block->address;
        sum->size += block->event.size;
        sum->blocks++;
    }
    at->prepared = sums;
    return NULL;
}

void view_sections_release(struct view_at *at) {
    os_release(at->prepared);
}

bool view_sections_row(const struct view_at *at, uint32_t id, struct row *row) {
    const struct mirror_section *section = mirror_section(at->link, id);
    const struct section_sum *sums = at->prepared;
    if (!section)
        return false;
    row_number(row, at->link->number);
    row_number(row, id);
    row_name(row, at->mirror, section->event.name.id);
    row_prot(row, section->event.prot);
    row_value(row, at->mirror, "lifetime", section->event.lifetime);
    row_number(row, sums[id].blocks);
    row_number(row, sums[id].size);
    if (sums[id].address)
        row_number(row, sums[id].address);
    return true;
}

/* The state of the link's memory: that of its last allocation event. */
static const char *memory_state(const struct mirror *mirror, const struct mirror_link *link) {
    if (!link->allocations.count)
        return "placed";
    const char *text =
        mirror_value_text(mirror, "memory_state", link->allocations.data[link->allocations.count - 1].state);
    return text ? text : "?";
}

uint32_t view_segments_candidates(const struct mirror *mirror, uint32_t link) {
    return mirror_counts(mirror, link).segments;
}

bool view_segments_row(const struct view_at *at, uint32_t id, struct row *row) {
    const struct mirror_segment *segment = mirror_segment(at->link, id);
    if (!segment)
        return false;
    const struct event_segment *event = &segment->event;
    row_number(row, at->link->number);
    row_number(row, id);
    row_number(row, event->address);
    row_number(row, event->address + event->content_size + event->zero_fill_size);
    row_number(row, event->content_size);
    row_number(row, event->zero_fill_size);
    row_prot(row, event->prot);
    row_value(row, at->mirror, "lifetime", event->lifetime);
    row_number(row, event->blocks);
    row_text(row, memory_state(at->mirror, at->link));
    return true;
}

uint32_t view_blocks_candidates(const struct mirror *mirror, uint32_t link) {
    return mirror_counts(mirror, link).blocks;
}

bool view_blocks_row(const struct view_at *at, uint32_t id, struct row *row) {
    const struct mirror_block *block = mirror_block(at->link, id);
    if (!block)
        return false;
    row_number(row, at->link->number);
    row_number(row, id);
    row_block_address(row, at->link, id);
    row_number(row, block->event.size);
    row_number(row, block->event.alignment);
    row_section(row, at->mirror, at->link, block->event.section);
    row_input(row, at->mirror, block->event.input);
    if (block->removed)
        row_value(row, at->mirror, "reason", block->reason);
    else
        row_text(row, block->segment != NO_ID ? "placed" : "read");
    return true;
}

/* Symbols, and behind them those that lost. */
static const char *const symbol_states[] = {"defined", "external", "resolved", "unresolved"};

static bool row_of_symbol(const struct view_at *at, uint32_t id, struct row *row) {
    const struct mirror *mirror = at->mirror;
    const struct mirror_symbol *symbol = mirror_symbol(at->link, id);
    uint64_t address;
    /* What has no name (sections, table entries) is seen elsewhere. */
    if (!symbol || !symbol->name)
        return false;
    row_number(row, at->link->number);
    row_number(row, id);
    if (mirror_symbol_address(at->link, symbol, &address))
        row_number(row, address);
    else
        row_absent(row);
    row_number(row, symbol->size);
    row_value(row, mirror, "symbol_kind", symbol->kind);
    row_value(row, mirror, "linkage", symbol->linkage);
    row_value(row, mirror, "scope", symbol->scope);
    row_text(row, symbol_states[symbol->state]);
    row_name(row, mirror, symbol->name);
    if (symbol->state == SYMBOL_EXTERNAL_RESOLVED && !recording_string(mirror->file, symbol->where).length)
        row_value(row, mirror, "provider", symbol->provider);
    else if (symbol->state == SYMBOL_EXTERNAL_RESOLVED)
        row_name(row, mirror, symbol->where);
    else
        row_input(row, mirror, symbol->input);
    return true;
}

static bool row_of_discard(const struct view_at *at, uint32_t number, struct row *row) {
    const struct mirror *mirror = at->mirror;
    const struct mirror_discard *discard = &at->link->discards.data[number];
    if (number >= at->link->discards.count || discard->is_section)
        return false;
    row_number(row, at->link->number);
    for (int i = 0; i < 6; i++)
        row_absent(row);
    const struct mirror_input *winner = mirror_input(mirror, discard->symbol.in_favour_of);
    struct recorded_string name = recording_string(mirror->file, winner ? winner->event.name.id : 0);
    const char *reason = mirror_value_text(mirror, "reason", discard->symbol.reason);
    row_print(row, "discarded for %.*s (%s)", (int)name.length, name.bytes, reason ? reason : "?");
    row_name(row, mirror, discard->symbol.name.id);
    row_input(row, mirror, discard->symbol.input);
    return true;
}

uint32_t view_symbols_candidates(const struct mirror *mirror, uint32_t link) {
    struct link_counts counts = mirror_counts(mirror, link);
    return counts.symbols + counts.discards;
}

bool view_symbols_row(const struct view_at *at, uint32_t candidate, struct row *row) {
    uint32_t symbols = at->link->symbols.count;
    return candidate < symbols ? row_of_symbol(at, candidate, row)
                               : row_of_discard(at, candidate - symbols, row);
}

static void row_edge_kind(struct row *row, const struct mirror *mirror, uint32_t kind) {
    if (kind < mirror->edge_kinds.count)
        row_name(row, mirror, mirror_edge_kind(mirror, kind));
    else
        row_print(row, "%u", kind);
}

uint32_t view_edges_candidates(const struct mirror *mirror, uint32_t link) {
    return mirror_counts(mirror, link).fixups;
}

struct jitscope_error *view_edges_prepare(struct view_at *at) {
    TRY(mirror_want_edges(at->mirror, at->link->number));
    at->link = mirror_link(at->mirror, at->link->number);
    return NULL;
}

void view_edges_release(struct view_at *at) {
    (void)at;
}

/* What was written in the end; the addend is that of the relocation, by place, when it was recorded. */
bool view_edges_row(const struct view_at *at, uint32_t candidate, struct row *row) {
    if (candidate >= at->link->fixups.count)
        return false;
    const struct event_fixup *fixup = &at->link->fixups.data[candidate];
    const struct mirror_block *block = mirror_block(at->link, fixup->block);
    row_number(row, at->link->number);
    if (block)
        row_number(row, block->address + fixup->offset);
    else
        row_absent(row);
    row_section(row, at->mirror, at->link, block ? block->event.section : NO_ID);
    row_number(row, fixup->offset + (block ? block->event.input_offset : 0));
    row_edge_kind(row, at->mirror, fixup->kind);
    row_symbol(row, at->mirror, at->link, fixup->target);
    row_number(row, (uint64_t)fixup->addend);
    row_number(row, fixup->before);
    row_number(row, fixup->after);
    return true;
}
