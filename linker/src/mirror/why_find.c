/* Looking things up in the mirror: which edge covers a byte, which symbol names it, which entry a symbol is.
 */
#include "mirror/why_query.h"

#include <string.h>

struct recorded_string text_of(const struct why_query *query, uint32_t name) {
    return recording_string(query->mirror->file, name);
}

bool text_is(const struct why_query *query, uint32_t name, const char *text, size_t length) {
    struct recorded_string string = text_of(query, name);
    return string.length == length && !memcmp(string.bytes, text, length);
}

uint32_t edge_width(const struct why_query *query, uint32_t kind) {
    return kind < query->kinds.count ? query->kinds.data[kind].width : 0;
}

bool has_edges(const struct why_query *query, const struct mirror_link *link) {
    if (query->mirror->counts[EVENT_ID_edge] || query->mirror->counts[EVENT_ID_fixup])
        return true;
    for (uint32_t i = 0; i < link->passes.count; i++)
        if (link->passes.data[i].ended && link->passes.data[i].end.edges)
            return false;
    return link->passes.count > 0;
}

bool link_is_live(const struct mirror_link *link) {
    for (uint32_t i = 0; i < link->allocations.count; i++)
        if (link->allocations.data[i].state == MEMORY_STATE_ABANDONED ||
            link->allocations.data[i].state == MEMORY_STATE_DEALLOCATED)
            return false;
    return !link->unloaded && !(link->ended && link->end.outcome != OUTCOME_OK);
}

const struct event_table_entry *entry_of_symbol(const struct mirror_link *link, uint32_t symbol) {
    for (uint32_t i = 0; i < link->entries.count; i++)
        if (link->entries.data[i].symbol == symbol)
            return &link->entries.data[i];
    return NULL;
}

const struct event_table_entry *entry_of_block(const struct mirror_link *link, uint32_t block) {
    for (uint32_t i = 0; i < link->entries.count; i++)
        if (link->entries.data[i].block == block)
            return &link->entries.data[i];
    return NULL;
}

const struct event_table_entry *entry_of_target(const struct mirror_link *link, uint32_t table,
                                                uint32_t target) {
    for (uint32_t i = 0; i < link->entries.count; i++)
        if (link->entries.data[i].table == table && link->entries.data[i].target == target)
            return &link->entries.data[i];
    return NULL;
}

const struct event_fixup *fixup_covering(const struct why_query *query, const struct mirror_link *link,
                                         uint32_t block, uint64_t offset) {
    for (uint32_t i = 0; i < link->fixups.count; i++) {
        const struct event_fixup *fixup = &link->fixups.data[i];
        if (fixup->block == block && offset - fixup->offset < edge_width(query, fixup->kind))
            return fixup;
    }
    return NULL;
}

/* A relaxed edge may have moved back by a few bytes, over the instruction that it is part of. */
const struct event_edge_relaxed *relaxation_at(const struct mirror_link *link, uint32_t block,
                                               uint64_t offset) {
    enum { FARTHEST_MOVE = 3 };
    for (uint32_t i = 0; i < link->relaxations.count; i++) {
        const struct event_edge_relaxed *relaxed = &link->relaxations.data[i];
        if (relaxed->block == block && relaxed->offset - offset <= FARTHEST_MOVE)
            return relaxed;
    }
    return NULL;
}

const struct mirror_link *session_definition(const struct why_query *query, const struct mirror_link *link,
                                             uint32_t id, uint32_t *definition) {
    const struct mirror_symbol *symbol = mirror_symbol(link, id);
    uint64_t address;
    if (!symbol || symbol->state != SYMBOL_EXTERNAL_RESOLVED || symbol->provider != PROVIDER_SESSION)
        return NULL;
    for (uint32_t number = link->number; number-- > 0;) {
        if (!can_define(query, number, symbol->address))
            continue;
        const struct mirror_link *earlier = mirror_link_whole(query->mirror, number);
        for (uint32_t i = 0; i < earlier->symbols.count; i++) {
            const struct mirror_symbol *other = &earlier->symbols.data[i];
            if (!other->known || other->state != SYMBOL_DEFINED || other->name != symbol->name ||
                !mirror_symbol_address(earlier, other, &address) || address != symbol->address)
                continue;
            *definition = i;
            return earlier;
        }
    }
    return NULL;
}

/* How well SYMBOL names the byte at OFFSET of its block, 0 for not at all: rather one whose size covers it,
 * then the one that begins nearest, then a global one. */
static uint64_t fitness(const struct mirror_symbol *symbol, uint64_t offset) {
    const uint64_t farthest = UINT64_MAX >> 4;
    uint64_t distance = offset - symbol->offset;
    if (symbol->offset > offset || distance >= farthest)
        return 0;
    uint64_t around = distance < symbol->size, global = symbol->scope != SCOPE_LOCAL;
    return around << 63 | (farthest - distance) << 1 | global;
}

uint32_t symbol_around(const struct why_query *query, const struct mirror_link *link, uint32_t block,
                       uint64_t offset) {
    uint32_t best = NO_ID;
    uint64_t best_fitness = 0;
    for (uint32_t i = 0; i < link->symbols.count; i++) {
        const struct mirror_symbol *symbol = &link->symbols.data[i];
        if (!symbol->known || symbol->state != SYMBOL_DEFINED || symbol->block != block ||
            !text_of(query, symbol->name).length)
            continue;
        uint64_t fits = fitness(symbol, offset);
        if (fits > best_fitness) {
            best = i;
            best_fitness = fits;
        }
    }
    return best;
}
