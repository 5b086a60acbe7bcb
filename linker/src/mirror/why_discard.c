/* Why is that not in memory: definitions and sections that lost, blocks that were pruned, members never
 * taken. */
#include "mirror/why_query.h"

#include <inttypes.h>
#include <string.h>

/* --- definitions and sections that did not get in */

static struct jitscope_error *lost_symbol(struct why_query *query, const struct mirror_link *link,
                                          const struct event_symbol_discarded *event) {
    struct text text = {0};
    put_name(&text, query, event->name.id);
    text_append(&text, " of ");
    put_input(&text, query, event->input);
    text_append(&text, " is not in memory: that of ");
    put_input(&text, query, event->in_favour_of);
    text_append(&text, " was taken (");
    put_value(&text, query, "reason", event->reason);
    text_append(&text, "); ");
    put_link(&text, query, link);
    TRY(chain_begin(query, &text, NULL));
    TRY(want_input(query, link, event->input));
    TRY(want_input(query, link, event->in_favour_of));
    for (uint32_t i = 0; i < link->symbols.count; i++)
        if (link->symbols.data[i].known && link->symbols.data[i].name == event->name.id &&
            link->symbols.data[i].scope != SCOPE_LOCAL)
            TRY(want_symbol(query, link, i));
    return want(query, EVENT_ID_symbol_discarded, link->number, event->name.id, 0, 0);
}

static struct jitscope_error *lost_section(struct why_query *query, const struct mirror_link *link,
                                           const struct event_section_discarded *event) {
    struct text text = {0};
    text_append(&text, "section ");
    put_name(&text, query, event->name.id);
    text_append(&text, " of ");
    put_input(&text, query, event->input);
    text_append(&text, " is not in memory: ");
    put_value(&text, query, "reason", event->reason);
    if (text_of(query, event->group.id).length) {
        text_append(&text, ", group ");
        put_name(&text, query, event->group.id);
        text_append(&text, " of ");
        put_input(&text, query, event->in_favour_of);
        text_append(&text, " was taken");
    }
    text_append(&text, "; ");
    put_link(&text, query, link);
    TRY(chain_begin(query, &text, NULL));
    TRY(want_input(query, link, event->input));
    TRY(want_input(query, link, event->in_favour_of));
    for (uint32_t i = 0; i < link->symbols.count; i++)
        if (event->group.id && link->symbols.data[i].known && link->symbols.data[i].name == event->group.id)
            TRY(want(query, EVENT_ID_symbol, link->number, i, 0, 0));
    return want(query, EVENT_ID_section_discarded, link->number, event->input, event->input_section, 0);
}

static bool is_called(const struct why_query *query, const struct mirror_discard *discard, const char *name,
                      size_t length) {
    if (!discard->is_section)
        return text_is(query, discard->symbol.name.id, name, length);
    return text_is(query, discard->section.name.id, name, length) ||
           (length && text_is(query, discard->section.group.id, name, length));
}

static struct jitscope_error *chains_of_losers(struct why_query *query, const struct mirror_link *link,
                                               const char *name, size_t length) {
    for (uint32_t i = 0; i < link->discards.count; i++) {
        const struct mirror_discard *discard = &link->discards.data[i];
        if (is_called(query, discard, name, length))
            TRY(discard->is_section ? lost_section(query, link, &discard->section)
                                    : lost_symbol(query, link, &discard->symbol));
    }
    return NULL;
}

/* --- blocks that were in and left */

static bool block_is_called(const struct why_query *query, const struct mirror_link *link, uint32_t id,
                            const char *name, size_t length) {
    const struct mirror_section *section = mirror_section(link, link->blocks.data[id].event.section);
    return section && text_is(query, section->event.name.id, name, length);
}

/* Nobody led to it: from what is kept, no edge reaches it. */
static struct jitscope_error *removed_chain(struct why_query *query, const struct mirror_link *link,
                                            uint32_t id, uint32_t symbol) {
    const struct mirror_block *block = &link->blocks.data[id];
    struct text text = {0};
    if (symbol != NO_ID) {
        put_symbol(&text, query, link, symbol);
        text_append(&text, " (");
    }
    put_place(&text, query, link, id, symbol != NO_ID ? link->symbols.data[symbol].offset : 0);
    text_append(&text, symbol != NO_ID ? ")" : "");
    text_append(&text, " is not in memory: ");
    put_value(&text, query, "reason", block->reason);
    if (block->reason == REASON_UNREACHABLE)
        text_append(&text, " from the entry, -u, initialisers, or what these lead to");
    text_append(&text, "; ");
    put_link(&text, query, link);
    TRY(chain_begin(query, &text, NULL));
    TRY(want_block(query, link, id));
    return want_symbol(query, link, symbol);
}

static struct jitscope_error *chains_of_removed(struct why_query *query, const struct mirror_link *link,
                                                const char *name, size_t length) {
    for (uint32_t i = 0; i < link->symbols.count; i++) {
        const struct mirror_symbol *symbol = &link->symbols.data[i];
        const struct mirror_block *block = mirror_block(link, symbol->block);
        if (symbol->known && symbol->state == SYMBOL_DEFINED && block && block->removed &&
            text_is(query, symbol->name, name, length))
            TRY(removed_chain(query, link, symbol->block, i));
    }
    for (uint32_t i = 0; i < link->blocks.count; i++)
        if (link->blocks.data[i].known && link->blocks.data[i].removed &&
            block_is_called(query, link, i, name, length))
            TRY(removed_chain(query, link, i, NO_ID));
    return NULL;
}

/* --- what is in memory after all */

static struct jitscope_error *not_discarded(struct why_query *query, const char *name, size_t length) {
    EACH_LINK_LATEST_FIRST(link) {
        for (uint32_t i = 0; i < link->symbols.count; i++) {
            struct text text = {0};
            if (!link->symbols.data[i].known || !text_is(query, link->symbols.data[i].name, name, length))
                continue;
            put_name(&text, query, link->symbols.data[i].name);
            text_append(&text, link->symbols.data[i].state == SYMBOL_DEFINED
                                   ? " was not discarded"
                                   : " was not discarded: no input of the link defines it");
            text_append(&text, "; ");
            put_link(&text, query, link);
            TRY(chain_begin(query, &text, NULL));
            TRY(want_symbol(query, link, i));
            TRY(want_block(query, link, link->symbols.data[i].block));
        }
        for (uint32_t i = 0; i < link->sections.count; i++) {
            struct text text = {0};
            if (!link->sections.data[i].known ||
                !text_is(query, link->sections.data[i].event.name.id, name, length))
                continue;
            text_append(&text, "section ");
            put_name(&text, query, link->sections.data[i].event.name.id);
            text_append(&text, " was not discarded; ");
            put_link(&text, query, link);
            TRY(chain_begin(query, &text, NULL));
            TRY(want(query, EVENT_ID_section, link->number, i, 0, 0));
        }
    }
    return NULL;
}

/* --- what never came near */

static struct jitscope_error *tell_member(struct why_query *query, uint32_t archive, const char *name,
                                          size_t length, const char *member, size_t member_length) {
    bool note = query->chains;
    struct text text = {0};
    text_append_escaped(&text, name, length);
    text_append(&text,
                note ? " would be in " : " is not in memory: nobody referred to it, so that no link took ");
    put_input(&text, query, archive);
    text_append(&text, "(");
    text_append_escaped(&text, member, member_length);
    text_append(&text, note ? "), but a weak reference alone takes no member" : "), which defines it");
    TRY(note ? chain_note(query, &text) : chain_begin(query, &text, NULL));
    return want_input(query, mirror_link_whole(query->mirror, 0), archive);
}

struct jitscope_error *ask_archives(struct why_query *query, const char *name, size_t length) {
    const struct mirror *mirror = query->mirror;
    struct jitscope_error *error = NULL;
    struct text path = {0}, member = {0};
    for (uint32_t i = 0; i < mirror->inputs.count && query->archives && mirror->links.count && !error; i++) {
        const struct mirror_input *input = mirror_input(mirror, i);
        if (!input || input->event.kind != INPUT_KIND_ARCHIVE)
            continue;
        struct recorded_string archive = text_of(query, input->event.name.id);
        text_clear(&path);
        text_clear(&member);
        text_append_bytes(&path, archive.bytes, archive.length);
        if (path.data && !path.failed &&
            query->archives->defines(query->archives->context, path.data, name, length, &member))
            error = tell_member(query, i, name, length, member.data ? member.data : "", member.length);
    }
    text_destroy(&path);
    text_destroy(&member);
    return error;
}

static struct jitscope_error *inputs_of_name(struct why_query *query, const char *name, size_t length) {
    for (uint32_t i = 0; i < query->mirror->inputs.count; i++) {
        const struct mirror_input *input = mirror_input(query->mirror, i);
        struct text text = {0};
        if (!input || !query->mirror->links.count || !text_is(query, input->event.name.id, name, length))
            continue;
        put_input(&text, query, i);
        text_append(&text, " came in as ");
        put_value(&text, query, "input_kind", input->event.kind);
        TRY(chain_begin(query, &text, NULL));
        /* Members are pulled by a link; the latest that there is knows the name that did it. */
        TRY(want_input(query, mirror_link_whole(query->mirror, query->mirror->links.count - 1), i));
    }
    return NULL;
}

struct jitscope_error *ask_discard(struct why_query *query, const char *name, size_t length) {
    EACH_LINK_LATEST_FIRST(link) {
        TRY(chains_of_losers(query, link, name, length));
        TRY(chains_of_removed(query, link, name, length));
    }
    if (!query->chains)
        TRY(not_discarded(query, name, length));
    if (!query->chains)
        TRY(inputs_of_name(query, name, length));
    return query->chains ? NULL : ask_archives(query, name, length);
}
