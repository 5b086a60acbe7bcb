/* What an event decided, as a sentence: inputs, sections, blocks, symbols, tables, edges. */
#include "mirror/why_query.h"

#include "trace/print.h"

#include <inttypes.h>

#define SAY(name)                                                                                            \
    static void say_##name(struct text *out, const struct why_query *query, const struct mirror_link *link,  \
                           const struct event_##name *event)

/* --- inputs */

static void say_member(struct text *out, const struct why_query *query, const struct event_input *event) {
    put_name(out, query, event->name.id);
    text_append(out, " is taken from ");
    put_input(out, query, event->container);
    if (text_of(query, event->pulled_by.id).length) {
        text_append(out, ", because it defines ");
        put_name(out, query, event->pulled_by.id);
    } else {
        text_append(out, " with all other members");
    }
    text_print(out, ": %" PRIu64 " bytes", event->size);
}

SAY(input) {
    (void)link;
    if (event->kind == INPUT_KIND_MEMBER) {
        say_member(out, query, event);
        return;
    }
    put_name(out, query, event->name.id);
    text_append(out, " comes in: ");
    put_value(out, query, "input_kind", event->kind);
    text_print(out, ", %" PRIu64 " bytes", event->size);
}

/* --- sections and blocks */

SAY(section) {
    (void)link;
    text_append(out, "section ");
    put_name(out, query, event->name.id);
    text_append(out, " is made in the graph: ");
    print_prot(out, event->prot);
    text_append(out, ", lifetime ");
    put_value(out, query, "lifetime", event->lifetime);
}

SAY(block) {
    const struct mirror_section *section = mirror_section(link, event->section);
    if (event->input == NO_ID)
        text_append(out, "the linker adds to ");
    else
        text_print(out, "section %u of ", event->input_section);
    if (event->input != NO_ID) {
        put_input(out, query, event->input);
        text_append(out, ", ");
    }
    if (section)
        put_name(out, query, section->event.name.id);
    if (event->input != NO_ID)
        text_print(out, ", from +0x%" PRIx64 " on", event->input_offset);
    text_print(out, ": block %u, %" PRIu64 " %sbytes, aligned to %" PRIu64, event->block, event->size,
               event->zero_fill ? "zero-filled " : "", event->alignment);
}

SAY(section_discarded) {
    (void)link;
    text_append(out, "section ");
    put_name(out, query, event->name.id);
    text_append(out, " of ");
    put_input(out, query, event->input);
    text_append(out, " does not enter: ");
    put_value(out, query, "reason", event->reason);
    if (!text_of(query, event->group.id).length)
        return;
    text_append(out, " (group ");
    put_name(out, query, event->group.id);
    text_append(out, ", kept from ");
    put_input(out, query, event->in_favour_of);
    text_append(out, ")");
}

SAY(block_removed) {
    text_print(out, "block %u (", event->block);
    put_place(out, query, link, event->block, 0);
    text_append(out, ") leaves the graph: ");
    put_value(out, query, "reason", event->reason);
}

SAY(cfi_record) {
    text_print(out, "block %u is ", event->block);
    text_append(out, event->kind == CFI_FDE ? "an " : "a ");
    put_value(out, query, "cfi", event->kind);
    if (event->kind != CFI_FDE)
        return;
    text_print(out, ": it describes %" PRIu64 " bytes of code at ", event->function_size);
    put_place(out, query, link, event->function, event->function_offset);
}

/* --- symbols */

SAY(symbol) {
    put_symbol(out, query, link, event->symbol);
    if (event->block == NO_ID) {
        text_print(out, " is the absolute value 0x%" PRIx64 " in ", event->offset);
        put_input(out, query, event->input);
    } else {
        text_append(out, " is defined at ");
        put_place(out, query, link, event->block, event->offset);
    }
    text_print(out, ": %" PRIu64 " bytes, ", event->size);
    put_value(out, query, "linkage", event->linkage);
    text_append(out, " ");
    put_value(out, query, "symbol_kind", event->kind);
    text_append(out, ", scope ");
    put_value(out, query, "scope", event->scope);
}

/* The result of a resolver is external until it has run. */
static bool is_result(const struct mirror_link *link, uint32_t id) {
    const struct mirror_symbol *symbol = mirror_symbol(link, id);
    return symbol && symbol->state == SYMBOL_EXTERNAL_RESOLVED && symbol->provider == PROVIDER_IFUNC;
}

SAY(symbol_external) {
    if (is_result(link, event->symbol)) {
        text_append(out, "what the resolver of ");
        put_name(out, query, event->name.id);
        text_append(out, " will choose is a symbol of its own");
        return;
    }
    put_input(out, query, event->input);
    text_append(out, " refers to ");
    put_name(out, query, event->name.id);
    text_append(out, event->linkage == LINKAGE_WEAK ? " (weak)" : "");
    text_append(out, ", which no input so far defines");
}

SAY(symbol_discarded) {
    (void)link;
    put_name(out, query, event->name.id);
    text_append(out, " of ");
    put_input(out, query, event->input);
    text_append(out, " loses to that of ");
    put_input(out, query, event->in_favour_of);
    text_append(out, ": ");
    put_value(out, query, "reason", event->reason);
}

static void put_session(struct text *out, const struct why_query *query, const struct mirror_link *link,
                        uint32_t symbol) {
    uint32_t definition;
    const struct mirror_link *earlier = session_definition(query, link, symbol, &definition);
    if (earlier)
        text_print(out, "link %u of the session defines it", earlier->number);
    else
        text_append(out, "an earlier link of the session defines it");
}

static void put_provider(struct text *out, const struct why_query *query, const struct mirror_link *link,
                         const struct event_symbol_resolved *event) {
    switch (event->provider) {
    case PROVIDER_SESSION:
        put_session(out, query, link, event->symbol);
        break;
    case PROVIDER_DEFINED:
        text_append(out, "--define, or the embedding program, gives this address");
        break;
    case PROVIDER_RESOLVER:
        text_append(out, "the embedding program's resolver answers");
        break;
    case PROVIDER_SHARED:
        text_append(out, "a shared library defines it");
        break;
    case PROVIDER_PHONY:
        text_append(out, "nobody defines it: the address is made up");
        break;
    case PROVIDER_WEAK_UNDEFINED:
        text_append(out, "nobody defines it, and all references are weak");
        break;
    case PROVIDER_IFUNC:
        text_append(out, "the resolver of the indirect function ran and chose it");
        break;
    case PROVIDER_LINKER:
        text_append(out, "the linker itself provides it");
        break;
    default:
        put_value(out, query, "provider", event->provider);
    }
}

SAY(symbol_resolved) {
    put_name(out, query, event->name.id);
    text_print(out, " is 0x%" PRIx64 ": ", event->address);
    put_provider(out, query, link, event);
    if (!text_of(query, event->where.id).length)
        return;
    text_append(out, " (");
    put_name(out, query, event->where.id);
    text_append(out, ")");
}

SAY(symbol_unresolved) {
    (void)link;
    text_append(out, "nobody defines ");
    put_name(out, query, event->name.id);
    text_append(out, ", and it is not weak");
}

SAY(symbol_bound) {
    put_symbol(out, query, link, event->symbol);
    text_print(out, " has its final address, 0x%" PRIx64, event->address);
}

/* --- tables and edges */

SAY(table_entry) {
    put_symbol(out, query, link, event->symbol);
    text_append(out, " is made: entry ");
    text_print(out, "%u of ", event->entry);
    put_value(out, query, "table", event->table);
    text_append(out, ", asked for first by ");
    put_place(out, query, link, event->asked_by, event->asked_at);
}

SAY(lazy_stub) {
    text_append(out, "calls of ");
    put_symbol(out, query, link, event->target);
    text_print(out, " go through slot %u, ", event->slot);
    text_append(out, event->waits ? "which has it linked first" : "which can come to lead elsewhere");
}

SAY(slot_bound) {
    put_symbol(out, query, link, event->symbol);
    text_print(out, ", which held 0x%" PRIx64 ", holds 0x%" PRIx64, event->before, event->after);
    if (event->definer)
        text_print(out, ", of link %" PRIu32, event->definer);
    text_append(out, event->why == BINDING_CALLED     ? ": it was called"
                     : event->why == BINDING_REPLACED ? ": a new link takes the place of the old"
                                                      : ": the function waits again");
}

SAY(edge) {
    text_append(out, "the relocation at ");
    put_place(out, query, link, event->block, event->offset);
    text_append(out, " wants ");
    put_edge_kind(out, query, event->kind);
    text_append(out, " to ");
    put_symbol(out, query, link, event->target);
    text_print(out, ", addend %" PRId64, event->addend);
}

static void put_kinds(struct text *out, const struct why_query *query, uint32_t before, uint32_t after) {
    put_edge_kind(out, query, before);
    text_append(out, " becomes ");
    put_edge_kind(out, query, after);
}

SAY(edge_claimed) {
    text_append(out, "the builder of ");
    put_value(out, query, "table", event->table);
    text_append(out, " takes the edge at ");
    put_place(out, query, link, event->block, event->offset);
    text_append(out, " and turns it to ");
    put_symbol(out, query, link, event->entry);
    text_append(out, ": ");
    put_kinds(out, query, event->before, event->after);
}

SAY(edge_relaxed) {
    text_append(out, "the edge at ");
    put_place(out, query, link, event->block, event->offset);
    text_append(out, " is relaxed, straight to ");
    put_symbol(out, query, link, event->target);
    text_append(out, ": ");
    put_kinds(out, query, event->before, event->after);
    if (event->bytes_before == event->bytes_after)
        return;
    text_append(out, ", the instruction changes from ");
    put_bytes(out, event->bytes_before, 8);
    text_append(out, " to ");
    put_bytes(out, event->bytes_after, 8);
}

SAY(fixup) {
    const struct mirror_block *block = mirror_block(link, event->block);
    uint32_t width = edge_width(query, event->kind);
    put_edge_kind(out, query, event->kind);
    text_append(out, " is written at ");
    put_place(out, query, link, event->block, event->offset);
    if (event->kind < query->kinds.count && width) {
        text_append(out, ": ");
        put_name(out, query, query->kinds.data[event->kind].formula);
    }
    text_print(out, " with S = 0x%" PRIx64 " (", event->address);
    put_symbol(out, query, link, event->target);
    text_print(out, "), A = %" PRId64, event->addend);
    if (block && block->segment != NO_ID)
        text_print(out, ", P = 0x%" PRIx64, block->address + event->offset);
    text_append(out, "; bytes ");
    put_bytes(out, event->before, width);
    text_append(out, " become ");
    put_bytes(out, event->after, width);
}

/* --- any event */

void say_event(struct text *out, struct why_query *query, const struct event_view *view) {
    static const struct mirror_link none;
    const union any_event *event = decode_event(&query->decoder, view);
    const struct mirror_link *found = mirror_link_whole(query->mirror, view->link);
    const struct mirror_link *link = found ? found : &none;
    if (!event || say_memory_event(out, query, link, view, event))
        return;
    switch (view->type->id) {
#define CASE(name)                                                                                           \
    case EVENT_ID_##name:                                                                                    \
        say_##name(out, query, link, &event->name);                                                          \
        break;
        CASE(input)
        CASE(section)
        CASE(block)
        CASE(section_discarded)
        CASE(block_removed)
        CASE(cfi_record)
        CASE(symbol)
        CASE(symbol_external)
        CASE(symbol_discarded)
        CASE(symbol_resolved)
        CASE(symbol_unresolved)
        CASE(symbol_bound)
        CASE(table_entry)
        CASE(lazy_stub)
        CASE(slot_bound)
        CASE(edge)
        CASE(edge_claimed)
        CASE(edge_relaxed)
        CASE(fixup)
#undef CASE
    default:
        text_append(out, view->type->name);
    }
}
