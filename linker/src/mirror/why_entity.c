/* Which events concern an entity: an input, a block, a symbol, an edge, a table entry, memory. */
#include "mirror/why_query.h"

struct jitscope_error *want_input(struct why_query *query, const struct mirror_link *link, uint32_t id) {
    const struct mirror_input *input = mirror_input(query->mirror, id);
    if (!input)
        return NULL;
    TRY(want(query, EVENT_ID_input, 0, id, 0, 0));
    if (input->event.container != NO_ID)
        TRY(want(query, EVENT_ID_input, 0, input->event.container, 0, 0));
    if (!text_of(query, input->event.pulled_by.id).length)
        return NULL;
    for (uint32_t i = 0; i < link->symbols.count; i++)
        if (link->symbols.data[i].known && link->symbols.data[i].name == input->event.pulled_by.id)
            return want(query, EVENT_ID_symbol_external, link->number, i, 0, 0);
    return NULL;
}

struct jitscope_error *want_block_origin(struct why_query *query, const struct mirror_link *link,
                                         uint32_t id) {
    const struct mirror_block *block = mirror_block(link, id);
    if (!block)
        return NULL;
    TRY(want_input(query, link, block->event.input));
    TRY(want(query, EVENT_ID_section, link->number, block->event.section, 0, 0));
    return want(query, EVENT_ID_block, link->number, id, 0, 0);
}

struct jitscope_error *want_block(struct why_query *query, const struct mirror_link *link, uint32_t id) {
    const struct mirror_block *block = mirror_block(link, id);
    if (!block)
        return NULL;
    TRY(want_block_origin(query, link, id));
    TRY(want(query, EVENT_ID_block_removed, link->number, id, 0, 0));
    TRY(want(query, EVENT_ID_cfi_record, link->number, id, 0, 0));
    if (block->segment == NO_ID)
        return NULL;
    TRY(want(query, EVENT_ID_segment, link->number, block->segment, 0, 0));
    TRY(want(query, EVENT_ID_block_placed, link->number, id, 0, 0));
    TRY(want(query, EVENT_ID_protect, link->number, block->segment, 0, 0));
    return want_memory(query, link, block->address);
}

/* Definitions that lost against it, and sections that a COMDAT group of its name kept out. */
static struct jitscope_error *want_discards(struct why_query *query, const struct mirror_link *link,
                                            uint32_t name) {
    for (uint32_t i = 0; i < link->discards.count; i++) {
        const struct mirror_discard *discard = &link->discards.data[i];
        if (!discard->is_section && discard->symbol.name.id == name)
            TRY(want(query, EVENT_ID_symbol_discarded, link->number, name, 0, 0));
        if (discard->is_section && discard->section.group.id == name)
            TRY(want(query, EVENT_ID_section_discarded, link->number, discard->section.input,
                     discard->section.input_section, 0));
    }
    return NULL;
}

/* What answers for it in a later link. */
static struct jitscope_error *want_definition(struct why_query *query, const struct mirror_link *link,
                                              uint32_t id) {
    TRY(want(query, EVENT_ID_symbol, link->number, id, 0, 0));
    TRY(want(query, EVENT_ID_symbol_bound, link->number, id, 0, 0));
    TRY(want(query, EVENT_ID_unload, link->number, 0, 0, 0));
    return want_input(query, link, link->symbols.data[id].input);
}

struct jitscope_error *want_symbol(struct why_query *query, const struct mirror_link *link, uint32_t id) {
    const struct mirror_symbol *symbol = mirror_symbol(link, id);
    static const uint32_t kinds[] = {EVENT_ID_symbol,          EVENT_ID_symbol_external,
                                     EVENT_ID_symbol_resolved, EVENT_ID_symbol_unresolved,
                                     EVENT_ID_symbol_bound,    0};
    if (!symbol)
        return NULL;
    for (uint32_t i = 0; kinds[i]; i++)
        TRY(want(query, kinds[i], link->number, id, 0, 0));
    TRY(want_input(query, link, symbol->input));
    uint32_t definition;
    const struct mirror_link *earlier = session_definition(query, link, id, &definition);
    if (earlier)
        TRY(want_definition(query, earlier, definition));
    return text_of(query, symbol->name).length ? want_discards(query, link, symbol->name) : NULL;
}

/* --- memory */

static bool covers(uint64_t start, uint64_t size, uint64_t address) {
    return address - start < size;
}

struct jitscope_error *want_memory(struct why_query *query, const struct mirror_link *link,
                                   uint64_t address) {
    const struct mirror *mirror = query->mirror;
    for (uint32_t i = 0; i < mirror->reservations.count; i++)
        if (covers(mirror->reservations.data[i].address, mirror->reservations.data[i].size, address))
            TRY(want(query, EVENT_ID_reservation, 0, mirror->reservations.data[i].address, 0, 0));
    for (uint32_t i = 0; i < link->allocations.count; i++)
        TRY(want(query, EVENT_ID_allocation, 0, link->allocations.data[i].allocation,
                 link->allocations.data[i].state, 0));
    if (link->ended && link->end.outcome != OUTCOME_OK)
        TRY(want(query, EVENT_ID_link_end, link->number, 0, 0, 0));
    return want(query, EVENT_ID_unload, link->number, 0, 0, 0);
}

static uint32_t allocation_of(const struct mirror_link *link) {
    return link->allocations.count ? link->allocations.data[0].allocation : NO_ID;
}

/* Of an action whose success shows as a registration, only failures are worth a line. */
static bool tells_enough(const struct mirror_link *link, const struct event_action *action) {
    bool registered = false;
    for (uint32_t i = 0; i < link->results.count; i++)
        if (link->results.data[i].action == action->action && link->results.data[i].outcome != OUTCOME_OK)
            return false;
    for (uint32_t i = 0; i < link->registrations.count; i++)
        registered |= link->registrations.data[i].address == action->address;
    return registered;
}

struct jitscope_error *want_registrations(struct why_query *query, const struct mirror_link *link,
                                          uint64_t address) {
    uint32_t allocation = allocation_of(link);
    for (uint32_t i = 0; i < link->actions.count; i++) {
        const struct mirror_action *action = &link->actions.data[i];
        if (!action->known || !covers(action->event.address, action->event.size, address))
            continue;
        TRY(want(query, EVENT_ID_action, link->number, i, 0, 0));
        if (!tells_enough(link, &action->event))
            TRY(want(query, EVENT_ID_action_result, 0, allocation, i, 0));
        TRY(want(query, EVENT_ID_registration, 0, allocation, action->event.address, 0));
    }
    return NULL;
}

struct jitscope_error *want_frames(struct why_query *query, const struct mirror_link *link, uint32_t block,
                                   uint64_t offset) {
    for (uint32_t i = 0; i < link->cfi.count; i++) {
        const struct event_cfi_record *record = &link->cfi.data[i];
        const struct mirror_block *frame = mirror_block(link, record->block);
        if (record->kind != CFI_FDE || record->function != block || !frame ||
            !covers(record->function_offset, record->function_size, offset))
            continue;
        TRY(want(query, EVENT_ID_cfi_record, link->number, record->block, 0, 0));
        if (frame->segment != NO_ID)
            TRY(want_registrations(query, link, frame->address));
    }
    return NULL;
}

/* --- edges and table entries */

/* Whether the relocation was read into a block that was later cut into records, of which BLOCK is one. */
static bool is_cut_from(const struct mirror_link *link, const struct event_edge *edge,
                        const struct mirror_block *block, uint64_t offset) {
    const struct mirror_block *whole = mirror_block(link, edge->block);
    return whole && whole->removed && whole->reason == REASON_SPLIT &&
           whole->event.input == block->event.input &&
           whole->event.input_section == block->event.input_section &&
           whole->event.input_offset + edge->offset == block->event.input_offset + offset;
}

struct jitscope_error *want_edge(struct why_query *query, const struct mirror_link *link, uint32_t id,
                                 uint64_t offset) {
    const struct mirror_block *block = mirror_block(link, id);
    for (uint32_t i = 0; i < link->edges.count && block; i++) {
        const struct event_edge *edge = &link->edges.data[i];
        if ((edge->block == id && edge->offset == offset) || is_cut_from(link, edge, block, offset))
            TRY(want(query, EVENT_ID_edge, link->number, edge->block, edge->offset, 0));
    }
    TRY(want(query, EVENT_ID_edge_claimed, link->number, id, offset, 0));
    return want(query, EVENT_ID_edge_relaxed, link->number, id, offset, 0);
}

struct jitscope_error *want_entry(struct why_query *query, const struct mirror_link *link,
                                  const struct event_table_entry *entry) {
    const struct mirror_block *block = mirror_block(link, entry->block);
    TRY(want(query, EVENT_ID_table_entry, link->number, entry->table, entry->entry, 0));
    TRY(want_block_origin(query, link, entry->asked_by));
    TRY(want_edge(query, link, entry->asked_by, entry->asked_at));
    TRY(want_symbol(query, link, entry->target));
    TRY(want_block(query, link, entry->block));
    for (uint32_t i = 0; i < link->fixups.count; i++)
        if (link->fixups.data[i].block == entry->block)
            TRY(want(query, EVENT_ID_fixup, link->number, entry->block, link->fixups.data[i].offset, 0));
    return block && block->segment != NO_ID ? want_registrations(query, link, block->address) : NULL;
}
