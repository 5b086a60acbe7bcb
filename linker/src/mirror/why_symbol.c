/* Why does that name mean what it means: which definition was chosen, who answered, or why nobody did. */
#include "mirror/why_query.h"

#include <inttypes.h>
#include <string.h>

/* One link can have as many local symbols of a name as it has inputs (".LC0"); these many are told in full.
 */
enum { MOST_CHAINS = 16 };

/* --- the answer in one sentence */

static void put_defined(struct text *out, const struct why_query *query, const struct mirror_link *link,
                        const struct mirror_symbol *symbol) {
    const struct mirror_block *block = mirror_block(link, symbol->block);
    uint64_t address;
    bool placed = mirror_symbol_address(link, symbol, &address);
    if (block && block->removed) {
        text_append(out, " was defined by ");
        put_input(out, query, symbol->input);
        text_append(out, " and is gone: ");
        put_value(out, query, "reason", block->reason);
        return;
    }
    if (placed)
        text_print(out, " is 0x%" PRIx64 ", defined ", address);
    else
        text_append(out, " is defined ");
    if (block) {
        text_append(out, "at ");
        put_place(out, query, link, symbol->block, symbol->offset);
    } else {
        text_append(out, "as an absolute value by ");
        put_input(out, query, symbol->input);
    }
}

static void put_resolved(struct text *out, const struct why_query *query,
                         const struct mirror_symbol *symbol) {
    text_print(out, " is 0x%" PRIx64 ", ", symbol->address);
    if (symbol->provider == PROVIDER_WEAK_UNDEFINED) {
        text_append(out, "because nobody defines it and all references are weak");
        return;
    }
    if (symbol->provider == PROVIDER_IFUNC) {
        text_append(out, "which its resolver chose");
        return;
    }
    text_append(out, "from outside: ");
    put_value(out, query, "provider", symbol->provider);
    if (text_of(query, symbol->where).length) {
        text_append(out, " ");
        put_name(out, query, symbol->where);
    }
}

static struct jitscope_error *begin_symbol(struct why_query *query, const struct mirror_link *link,
                                           uint32_t id) {
    const struct mirror_symbol *symbol = &link->symbols.data[id];
    struct text text = {0}, fields = {0};
    uint64_t address;
    put_name(&text, query, symbol->name);
    if (symbol->state == SYMBOL_DEFINED)
        put_defined(&text, query, link, symbol);
    else if (symbol->state == SYMBOL_EXTERNAL_RESOLVED)
        put_resolved(&text, query, symbol);
    else if (symbol->state == SYMBOL_EXTERNAL_UNRESOLVED)
        text_append(&text, " is unresolved: nobody defines it");
    else
        text_append(&text, " was not looked up: the link ended before");
    text_append(&text, "; ");
    put_link(&text, query, link);
    text_print(&fields, ",\"link\":%u,\"symbol\":%u", link->number, id);
    if (mirror_symbol_address(link, symbol, &address))
        text_print(&fields, ",\"address\":\"0x%" PRIx64 "\"", address);
    return chain_begin(query, &text, &fields);
}

/* --- why nobody defines it */

static struct jitscope_error *note_others(struct why_query *query, const struct mirror_link *link,
                                          uint32_t id) {
    const struct mirror_symbol *symbol = &link->symbols.data[id];
    for (uint32_t i = 0; i < link->symbols.count; i++) {
        const struct mirror_symbol *other = &link->symbols.data[i];
        struct text text = {0};
        if (i == id || !other->known || other->name != symbol->name || other->state != SYMBOL_DEFINED)
            continue;
        put_input(&text, query, other->input);
        text_append(&text, " has a ");
        put_value(&text, query, "scope", other->scope);
        text_append(&text, " symbol of that name: other inputs cannot see it");
        TRY(chain_note(query, &text));
    }
    return NULL;
}

static void put_searched(struct text *out, const struct why_query *query, uint32_t kind) {
    for (uint32_t i = 0, count = 0; i < query->mirror->inputs.count; i++) {
        const struct mirror_input *input = mirror_input(query->mirror, i);
        if (!input || input->event.kind != kind)
            continue;
        text_append(out, count++ ? ", " : "");
        put_name(out, query, input->event.name.id);
    }
}

static bool has_input(const struct why_query *query, uint32_t kind) {
    for (uint32_t i = 0; i < query->mirror->inputs.count; i++)
        if (mirror_input(query->mirror, i) && query->mirror->inputs.data[i].event.kind == kind)
            return true;
    return false;
}

static struct jitscope_error *note_searched(struct why_query *query) {
    static const struct {
        uint32_t kind;
        const char *text;
    } lines[] = {{INPUT_KIND_ARCHIVE, "no archive has a member that defines it: "},
                 {INPUT_KIND_SHARED, "no shared library exports it: "}};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        struct text text = {0};
        if (!has_input(query, lines[i].kind))
            continue;
        text_append(&text, lines[i].text);
        put_searched(&text, query, lines[i].kind);
        TRY(chain_note(query, &text));
    }
    return NULL;
}

/* --- who refers to it */

static struct jitscope_error *want_entries(struct why_query *query, const struct mirror_link *link,
                                           uint32_t id) {
    for (uint32_t i = 0; i < link->entries.count; i++)
        if (link->entries.data[i].target == id)
            TRY(want(query, EVENT_ID_table_entry, link->number, link->entries.data[i].table,
                     link->entries.data[i].entry, 0));
    return NULL;
}

static struct jitscope_error *note_references(struct why_query *query, const struct mirror_link *link,
                                              uint32_t id) {
    uint64_t direct = 0, relaxed = 0;
    if (!link->ended)
        return NULL;
    for (uint32_t i = 0; i < link->fixups.count; i++)
        direct += link->fixups.data[i].target == id;
    for (uint32_t i = 0; i < link->relaxations.count; i++)
        relaxed += link->relaxations.data[i].target == id;
    struct text text = {0};
    if (has_edges(query, link)) {
        put_count(&text, direct, "fixup");
        text_print(&text, " lead%s straight to it", direct == 1 ? "s" : "");
    }
    if (relaxed) {
        text_append(&text, has_edges(query, link) ? "; " : "");
        put_count(&text, relaxed, "reference");
        text_append(&text, has_edges(query, link)
                               ? " of these asked for the table before relaxation"
                               : " to it asked for a table entry and was relaxed to go straight");
    }
    return text.length ? chain_note(query, &text) : NULL;
}

static struct jitscope_error *symbol_chain(struct why_query *query, const struct mirror_link *link,
                                           uint32_t id) {
    const struct mirror_symbol *symbol = &link->symbols.data[id];
    TRY(mirror_want_edges(query->mirror, link->number));
    TRY(begin_symbol(query, link, id));
    TRY(want_symbol(query, link, id));
    if (symbol->state == SYMBOL_EXTERNAL_UNRESOLVED || symbol->state == SYMBOL_EXTERNAL_OPEN)
        TRY(want(query, EVENT_ID_link_end, link->number, 0, 0, 0));
    if (symbol->state == SYMBOL_EXTERNAL_UNRESOLVED) {
        TRY(note_others(query, link, id));
        return note_searched(query);
    }
    if (symbol->state == SYMBOL_EXTERNAL_RESOLVED && symbol->provider == PROVIDER_WEAK_UNDEFINED)
        TRY(ask_archives(query, text_of(query, symbol->name).bytes, text_of(query, symbol->name).length));
    uint64_t address;
    if (symbol->state == SYMBOL_DEFINED && symbol->block != NO_ID) {
        TRY(want_block(query, link, symbol->block));
        TRY(want_frames(query, link, symbol->block, symbol->offset));
    }
    if (symbol->state == SYMBOL_DEFINED && mirror_symbol_address(link, symbol, &address))
        TRY(want_registrations(query, link, address));
    TRY(want_entries(query, link, id));
    return note_references(query, link, id);
}

/* --- all of that name */

static struct jitscope_error *note_left_out(struct why_query *query, uint32_t left) {
    struct text text = {0};
    if (!left)
        return NULL;
    put_count(&text, left, "more symbol");
    text_append(
        &text, " of that name; `jitscope show symbols` lists them, and each can be asked for by its address");
    return chain_note(query, &text);
}

struct jitscope_error *ask_symbol(struct why_query *query, const char *name, size_t length) {
    struct name_span span = span_of_name(query, name, length);
    uint32_t left = 0;
    EACH_LINK_WITHIN(link, span)
    for (int local = 0; local < 2; local++) /* a global one is what most mean */
        for (uint32_t i = 0; i < link->symbols.count; i++) {
            const struct mirror_symbol *symbol = &link->symbols.data[i];
            bool is_local = symbol->state == SYMBOL_DEFINED && symbol->scope == SCOPE_LOCAL;
            if (!symbol->known || is_local != local || !text_is(query, symbol->name, name, length))
                continue;
            if (query->chains < MOST_CHAINS)
                TRY(symbol_chain(query, link, i));
            else
                left++;
        }
    return query->chains ? note_left_out(query, left) : NULL;
}
