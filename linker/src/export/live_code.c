#include "export/live_code.h"

#include <stdlib.h>

/* --- links */

/* Sequence number of the call that ends the session; UINT64_MAX when it is not recorded. */
static uint64_t find_way_out(const struct export_source *source) {
    struct event_cursor cursor = {.file = source->file};
    struct event_view view;
    while (event_next(&cursor, &view))
        if (view.type->id == EVENT_ID_call_destroy || view.type->id == EVENT_ID_call_exit)
            return view.sequence;
    return UINT64_MAX;
}

/* Links unloaded before WAY_OUT, as flags by number. */
static uint8_t *find_unloaded(const struct export_source *source, uint64_t way_out) {
    uint32_t count = source->mirror->links.count;
    struct event_cursor cursor = {.file = source->file};
    struct event_view view;
    uint8_t *gone = os_allocate_zeroed(count);
    while (gone && event_next(&cursor, &view))
        if (view.type->id == EVENT_ID_unload && view.sequence < way_out && view.link < count)
            gone[view.link] = 1;
    return gone;
}

struct jitscope_error *live_links_find(const struct export_source *source, struct live_links *links) {
    const struct mirror *mirror = source->mirror;
    struct jitscope_error *error = NULL;
    *links = (struct live_links){0};
    uint8_t *gone = find_unloaded(source, find_way_out(source));
    if (!gone)
        return error_no_memory();
    for (uint32_t i = 1; i < mirror->links.count && !error; i++) {
        const struct mirror_link *link = mirror_link(mirror, i);
        if (link->ended && link->end.outcome == OUTCOME_OK && !gone[i])
            error = vec_push(&links->list, link);
    }
    os_release(gone);
    if (error)
        live_links_destroy(links);
    return error;
}

void live_links_destroy(struct live_links *links) {
    vec_destroy(&links->list);
}

/* --- memory */

bool segment_stays(const struct mirror_segment *segment) {
    return segment->known && segment->event.lifetime == LIFETIME_STANDARD;
}

const struct mirror_segment *block_home(const struct mirror_link *link, const struct mirror_block *block) {
    if (!block || !block->known || block->removed || block->segment >= link->segments.count)
        return NULL;
    const struct mirror_segment *segment = &link->segments.data[block->segment];
    uint64_t size, offset = block->address - segment->event.address;
    if (!segment_stays(segment) ||
        __builtin_add_overflow(segment->event.content_size, segment->event.zero_fill_size, &size) ||
        block->address < segment->event.address || offset > size || block->event.size > size - offset)
        return NULL;
    return segment;
}

/* --- code */

static bool is_executable(const struct mirror_segment *segment) {
    return segment && (segment->final_prot | segment->event.prot) & PROTECT_EXECUTE;
}

/* Assembly leaves labels without type and size: they reach to the end of their block. */
static bool find_code(const struct mirror *mirror, const struct mirror_link *link,
                      const struct mirror_symbol *symbol, struct live_code *code) {
    const struct mirror_block *block = mirror_block(link, symbol->block);
    bool named = symbol->known && symbol->state == SYMBOL_DEFINED &&
                 recording_string(mirror->file, symbol->name).length;
    bool kind = symbol->kind == SYMBOL_KIND_FUNCTION || symbol->kind == SYMBOL_KIND_IFUNC ||
                (symbol->kind == SYMBOL_KIND_NONE && symbol->scope != SCOPE_LOCAL);
    if (!named || !kind || !is_executable(block_home(link, block)) || symbol->offset >= block->event.size)
        return false;
    uint64_t room = block->event.size - symbol->offset;
    *code = (struct live_code){.address = block->address + symbol->offset,
                               .size = symbol->size && symbol->size < room ? symbol->size : room,
                               .link = link,
                               .name = symbol->name};
    return true;
}

static bool find_stub(const struct mirror_link *link, const struct event_table_entry *entry,
                      struct live_code *code) {
    const struct mirror_block *block = mirror_block(link, entry->block);
    const struct mirror_symbol *target = mirror_symbol(link, entry->target);
    if (entry->table != TABLE_PLT || !target || !is_executable(block_home(link, block)) || !block->event.size)
        return false;
    *code = (struct live_code){block->address, block->event.size, link, target->name, true};
    return true;
}

static struct jitscope_error *add_link(const struct mirror *mirror, const struct mirror_link *link,
                                       struct live_codes *codes) {
    struct live_code code;
    for (uint32_t i = 0; i < link->symbols.count; i++)
        if (find_code(mirror, link, &link->symbols.data[i], &code))
            TRY(vec_push(&codes->list, code));
    for (uint32_t i = 0; i < link->entries.count; i++)
        if (find_stub(link, &link->entries.data[i], &code))
            TRY(vec_push(&codes->list, code));
    return NULL;
}

static int by_address(const void *a, const void *b) {
    const struct live_code *x = a, *y = b;
    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    if (x->size != y->size)
        return x->size > y->size ? -1 : 1;
    return x->name < y->name ? -1 : x->name > y->name;
}

struct jitscope_error *live_codes_find(const struct export_source *source, struct live_codes *codes) {
    struct live_links links;
    *codes = (struct live_codes){0};
    TRY(live_links_find(source, &links));
    struct jitscope_error *error = NULL;
    for (uint32_t i = 0; i < links.list.count && !error; i++)
        error = add_link(source->mirror, links.list.data[i], codes);
    live_links_destroy(&links);
    if (error)
        live_codes_destroy(codes);
    else if (codes->list.count)
        qsort(codes->list.data, codes->list.count, sizeof *codes->list.data, by_address);
    return error;
}

void live_codes_destroy(struct live_codes *codes) {
    vec_destroy(&codes->list);
}

void live_code_name(const struct export_source *source, const struct live_code *code, struct text *name) {
    struct recorded_string string = recording_string(source->file, code->name);
    text_append_escaped(name, string.bytes, string.length);
    if (code->stub)
        text_append(name, "@plt");
}
