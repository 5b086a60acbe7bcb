/* Views of the graph: inputs, sections, segments, blocks, symbols, edges, eh-frames. */
#include "mirror/views.h"

#include "base/map64.h"

struct jitscope_error *view_inputs(struct rows *rows, const struct mirror *mirror) {
    for (uint32_t i = 0; i < mirror->inputs.count; i++) {
        const struct mirror_input *input = mirror_input(mirror, i);
        struct row row;
        if (!input)
            continue;
        TRY(row_begin(rows, &row));
        row_number(&row, i);
        row_value(&row, mirror, "input_kind", input->event.kind);
        row_number(&row, input->event.size);
        row_name(&row, mirror, input->event.name.id);
        row_input(&row, mirror, input->event.container);
        row_name(&row, mirror, input->event.pulled_by.id);
    }
    return NULL;
}

struct section_sum {
    uint64_t size, address;
    uint32_t blocks;
};

static struct jitscope_error *sum_sections(const struct mirror_link *link, struct section_sum **out) {
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
    *out = sums;
    return NULL;
}

static struct jitscope_error *add_sections(struct rows *rows, const struct mirror *mirror,
                                           const struct mirror_link *link, const struct section_sum *sums) {
    for (uint32_t i = 0; i < link->sections.count; i++) {
        const struct mirror_section *section = mirror_section(link, i);
        struct row row;
        if (!section)
            continue;
        TRY(row_begin(rows, &row));
        row_number(&row, link->number);
        row_number(&row, i);
        row_name(&row, mirror, section->event.name.id);
        row_prot(&row, section->event.prot);
        row_value(&row, mirror, "lifetime", section->event.lifetime);
        row_number(&row, sums[i].blocks);
        row_number(&row, sums[i].size);
        if (sums[i].address)
            row_number(&row, sums[i].address);
    }
    return NULL;
}

struct jitscope_error *view_sections(struct rows *rows, const struct mirror *mirror) {
    EACH_LINK(link) {
        struct section_sum *sums;
        TRY(sum_sections(link, &sums));
        struct jitscope_error *error = add_sections(rows, mirror, link, sums);
        os_release(sums);
        TRY(error);
    }
    return NULL;
}

/* The state of the link's memory: that of its last allocation event. */
static const char *memory_state(const struct mirror *mirror, const struct mirror_link *link) {
    if (!link->allocations.count)
        return "placed";
    const char *text =
        mirror_value_text(mirror, "memory_state", link->allocations.data[link->allocations.count - 1].state);
    return text ? text : "?";
}

struct jitscope_error *view_segments(struct rows *rows, const struct mirror *mirror) {
    EACH_LINK(link)
    for (uint32_t i = 0; i < link->segments.count; i++) {
        const struct mirror_segment *segment = mirror_segment(link, i);
        struct row row;
        if (!segment)
            continue;
        TRY(row_begin(rows, &row));
        row_number(&row, link->number);
        row_number(&row, i);
        row_number(&row, segment->event.address);
        row_number(&row,
                   segment->event.address + segment->event.content_size + segment->event.zero_fill_size);
        row_number(&row, segment->event.content_size);
        row_number(&row, segment->event.zero_fill_size);
        row_prot(&row, segment->event.prot);
        row_value(&row, mirror, "lifetime", segment->event.lifetime);
        row_number(&row, segment->event.blocks);
        row_text(&row, memory_state(mirror, link));
    }
    return NULL;
}

static void row_section_name(struct row *row, const struct mirror *mirror, const struct mirror_link *link,
                             uint32_t id) {
    const struct mirror_section *section = mirror_section(link, id);
    if (section)
        row_name(row, mirror, section->event.name.id);
    else
        row_absent(row);
}

struct jitscope_error *view_blocks(struct rows *rows, const struct mirror *mirror) {
    EACH_LINK(link)
    for (uint32_t i = 0; i < link->blocks.count; i++) {
        const struct mirror_block *block = mirror_block(link, i);
        struct row row;
        if (!block)
            continue;
        TRY(row_begin(rows, &row));
        row_number(&row, link->number);
        row_number(&row, i);
        if (block->segment != NO_ID)
            row_number(&row, block->address);
        else
            row_absent(&row);
        row_number(&row, block->event.size);
        row_number(&row, block->event.alignment);
        row_section_name(&row, mirror, link, block->event.section);
        row_input(&row, mirror, block->event.input);
        if (block->removed)
            row_value(&row, mirror, "reason", block->reason);
        else
            row_text(&row, block->segment != NO_ID ? "placed" : "read");
    }
    return NULL;
}

static const char *const symbol_states[] = {"defined", "external", "resolved", "unresolved"};

static struct jitscope_error *add_symbol(struct rows *rows, const struct mirror *mirror,
                                         const struct mirror_link *link, uint32_t id) {
    const struct mirror_symbol *symbol = mirror_symbol(link, id);
    struct row row;
    uint64_t address;
    /* What has no name (sections, table entries) is seen elsewhere. */
    if (!symbol || !symbol->name)
        return NULL;
    TRY(row_begin(rows, &row));
    row_number(&row, link->number);
    row_number(&row, id);
    if (mirror_symbol_address(link, symbol, &address))
        row_number(&row, address);
    else
        row_absent(&row);
    row_number(&row, symbol->size);
    row_value(&row, mirror, "symbol_kind", symbol->kind);
    row_value(&row, mirror, "linkage", symbol->linkage);
    row_value(&row, mirror, "scope", symbol->scope);
    row_text(&row, symbol_states[symbol->state]);
    row_name(&row, mirror, symbol->name);
    if (symbol->state == SYMBOL_EXTERNAL_RESOLVED && !recording_string(mirror->file, symbol->where).length)
        row_value(&row, mirror, "provider", symbol->provider);
    else if (symbol->state == SYMBOL_EXTERNAL_RESOLVED)
        row_name(&row, mirror, symbol->where);
    else
        row_input(&row, mirror, symbol->input);
    return NULL;
}

static struct jitscope_error *add_discarded(struct rows *rows, const struct mirror *mirror,
                                            const struct mirror_link *link,
                                            const struct mirror_discard *discard) {
    struct row row;
    if (discard->is_section)
        return NULL;
    TRY(row_begin(rows, &row));
    row_number(&row, link->number);
    for (int i = 0; i < 6; i++)
        row_absent(&row);
    const struct mirror_input *winner = mirror_input(mirror, discard->symbol.in_favour_of);
    struct recorded_string name = recording_string(mirror->file, winner ? winner->event.name.id : 0);
    const char *reason = mirror_value_text(mirror, "reason", discard->symbol.reason);
    row_print(&row, "discarded for %.*s (%s)", (int)name.length, name.bytes, reason ? reason : "?");
    row_name(&row, mirror, discard->symbol.name.id);
    row_input(&row, mirror, discard->symbol.input);
    return NULL;
}

struct jitscope_error *view_symbols(struct rows *rows, const struct mirror *mirror) {
    EACH_LINK(link) {
        for (uint32_t i = 0; i < link->symbols.count; i++)
            TRY(add_symbol(rows, mirror, link, i));
        for (uint32_t i = 0; i < link->discards.count; i++)
            TRY(add_discarded(rows, mirror, link, &link->discards.data[i]));
    }
    return NULL;
}

static void row_symbol(struct row *row, const struct mirror *mirror, const struct mirror_link *link,
                       uint32_t id) {
    const struct mirror_symbol *symbol = mirror_symbol(link, id);
    if (symbol && symbol->name)
        row_name(row, mirror, symbol->name);
    else
        row_print(row, "symbol %u", id);
}

static void row_edge_kind(struct row *row, const struct mirror *mirror, uint32_t kind) {
    if (kind < mirror->edge_kinds.count)
        row_name(row, mirror, mirror_edge_kind(mirror, kind));
    else
        row_print(row, "%u", kind);
}

/* What was written in the end; the addend is that of the relocation, by place, when it was recorded. */
struct jitscope_error *view_edges(struct rows *rows, const struct mirror *mirror) {
    EACH_LINK(link)
    for (uint32_t i = 0; i < link->fixups.count; i++) {
        const struct event_fixup *fixup = &link->fixups.data[i];
        const struct mirror_block *block = mirror_block(link, fixup->block);
        struct row row;
        TRY(row_begin(rows, &row));
        row_number(&row, link->number);
        if (block)
            row_number(&row, block->address + fixup->offset);
        else
            row_absent(&row);
        row_section_name(&row, mirror, link, block ? block->event.section : NO_ID);
        row_number(&row, fixup->offset + (block ? block->event.input_offset : 0));
        row_edge_kind(&row, mirror, fixup->kind);
        row_symbol(&row, mirror, link, fixup->target);
        row_number(&row, (uint64_t)fixup->addend);
        row_number(&row, fixup->before);
        row_number(&row, fixup->after);
    }
    return NULL;
}

/* Where a function lies in its link; no block has 4 GiB. */
static uint64_t function_key(uint32_t block, uint64_t offset) {
    return (uint64_t)block << 32 | (uint32_t)offset;
}

/* By function_key: the name of the first function there.  One block can hold them all (gcc's default). */
static struct jitscope_error *name_functions(const struct mirror_link *link, struct map64 *names) {
    for (uint32_t i = link->symbols.count; i-- > 0;) {
        const struct mirror_symbol *symbol = mirror_symbol(link, i);
        if (symbol && symbol->name && symbol->block < link->blocks.count &&
            symbol->kind == SYMBOL_KIND_FUNCTION && symbol->offset <= UINT32_MAX)
            TRY(map64_set(names, function_key(symbol->block, symbol->offset), symbol->name));
    }
    return NULL;
}

static uint32_t function_name(const struct map64 *names, const struct event_cfi_record *record) {
    uint32_t name = MAP64_NO_VALUE;
    if (record->function_offset <= UINT32_MAX)
        name = map64_find(names, function_key(record->function, record->function_offset));
    return name == MAP64_NO_VALUE ? 0 : name;
}

static struct jitscope_error *add_record(struct rows *rows, const struct mirror *mirror,
                                         const struct mirror_link *link,
                                         const struct event_cfi_record *record, const struct map64 *names) {
    const struct mirror_block *block = mirror_block(link, record->block),
                              *cie = mirror_block(link, record->cie);
    const struct mirror_block *function = mirror_block(link, record->function);
    struct row row;
    if (block && block->removed)
        return NULL;
    TRY(row_begin(rows, &row));
    row_number(&row, link->number);
    if (block)
        row_number(&row, block->address);
    else
        row_absent(&row);
    row_number(&row, block ? block->event.size : 0);
    row_value(&row, mirror, "cfi", record->kind);
    if (cie)
        row_number(&row, cie->address);
    else
        row_absent(&row);
    if (!function)
        return NULL;
    row_number(&row, function->address + record->function_offset);
    row_number(&row, record->function_size);
    row_name(&row, mirror, function_name(names, record));
    return NULL;
}

struct jitscope_error *view_eh_frames(struct rows *rows, const struct mirror *mirror) {
    EACH_LINK(link) {
        struct map64 names = {0};
        struct jitscope_error *error = name_functions(link, &names);
        for (uint32_t i = 0; i < link->cfi.count && !error; i++)
            error = add_record(rows, mirror, link, &link->cfi.data[i], &names);
        map64_destroy(&names);
        TRY(error);
    }
    return NULL;
}
