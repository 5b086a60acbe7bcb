#include "mirror/mirror.h"

#include <inttypes.h>
#include <string.h>

/* --- typed records
 * ------------------------------------------------------------------------------------------------- */

/* Which fields each event of this version has, for records of other versions. */
struct field_place {
    const char *name;
    uint32_t offset;
    uint32_t bytes;
};

#define EVENT(id, name, level, text, fields)                                                                 \
    static const struct field_place places_##name[] = {fields{NULL, 0, 0}};
#define FIELD(type, name, text) {#name, 0, sizeof(field_##type)},
#include "trace/events.def"
#undef FIELD
#undef EVENT

static const struct field_place *places_of(uint32_t id) {
    switch (id) {
#define EVENT(id, name, level, text, fields)                                                                 \
    case id:                                                                                                 \
        return places_##name;
#include "trace/events.def"
#undef EVENT
    default:
        return NULL;
    }
}

/* Copies the fields that both versions have, by name; the others stay 0. */
static void convert(const struct event_view *view, void *out, size_t size) {
    const struct field_place *place = places_of(view->type->id);
    uint8_t *at = out;
    memset(out, 0, size);
    memcpy(at, view->record, 4);
    at += 4;
    for (; place && place->name; at += place->bytes, place++)
        for (uint32_t i = 0; i < view->type->field_count; i++) {
            const struct schema_field *field = &view->schema->fields.data[view->type->first_field + i];
            if (strcmp(field->name, place->name) != 0)
                continue;
            uint64_t value = event_field(view, i);
            memcpy(at, &value, place->bytes); /* little-endian: the low bytes */
        }
}

#define READ(view, name)                                                                                     \
    struct event_##name event;                                                                               \
    if (mirror->file->is_builtin_schema)                                                                     \
        memcpy(&event, (view)->record, sizeof event);                                                        \
    else                                                                                                     \
        convert(view, &event, sizeof event)

/* --- tables
 * -------------------------------------------------------------------------------------------------------- */

static struct jitscope_error *wild_id(const struct event_view *view, const char *what, uint32_t id) {
    return error_create(JITSCOPE_ERROR_RECORDING, "event %" PRIu64 " (%s) names %s %u, which cannot exist",
                        view->sequence, view->type->name, what, id);
}

/* Whether all tables together may grow by MORE entries.  Almost every id has an event that announced it; a
 * recording at a low level, or with gaps, names some that it has not announced.  Without a bound for the sum,
 * a small file of many links could ask, link by link, for more memory than there is. */
static bool can_reach(struct mirror *mirror, uint64_t more) {
    mirror->entries += more;
    return mirror->entries <= mirror->file->events * 4 + 65536;
}

/* Makes VEC reach to ID, with zeroed entries. */
#define REACH(vec, id, what)                                                                                 \
    do {                                                                                                     \
        uint32_t id_ = (id);                                                                                 \
        if (id_ >= (vec)->count) {                                                                           \
            uint64_t more_ = (uint64_t)id_ + 1 - (vec)->count;                                               \
            if (!can_reach(mirror, more_))                                                                   \
                return wild_id(view, what, id_);                                                             \
            TRY(vec_reserve(vec, more_));                                                                    \
            memset((vec)->data + (vec)->count, 0, more_ * sizeof *(vec)->data);                              \
            (vec)->count += (uint32_t)more_;                                                                 \
        }                                                                                                    \
    } while (0)

#define HANDLER(name)                                                                                        \
    static struct jitscope_error *apply_##name(struct mirror *mirror, struct mirror_link *link,              \
                                               const struct event_view *view)

/* Events that are only collected, in order. */
#define COLLECT(name, list)                                                                                  \
    HANDLER(name) {                                                                                          \
        READ(view, name);                                                                                    \
        (void)mirror;                                                                                        \
        return vec_push(&(list), event);                                                                     \
    }

COLLECT(table_entry, link->entries)
COLLECT(edge_claimed, link->claims)
COLLECT(edge_relaxed, link->relaxations)
COLLECT(edge, link->edges)
COLLECT(fixup, link->fixups)
COLLECT(action_result, link->results)
COLLECT(registration, link->registrations)
COLLECT(cfi_record, link->cfi)
COLLECT(allocation, link->allocations)
COLLECT(debug_discarded, link->without_debug)

HANDLER(run) {
    (void)mirror, (void)link, (void)view;
    return NULL;
}

HANDLER(string) { /* recording_open has collected them */
    (void)mirror, (void)link, (void)view;
    return NULL;
}

/* Calls and answers are for replays; what follows from them has events of its own. */
#define PASS_OVER(name)                                                                                      \
    HANDLER(name) {                                                                                          \
        (void)mirror, (void)link, (void)view;                                                                \
        return NULL;                                                                                         \
    }

PASS_OVER(content)
PASS_OVER(call_create)
PASS_OVER(call_add_file)
PASS_OVER(call_add_memory)
PASS_OVER(call_add_library)
PASS_OVER(call_add_library_path)
PASS_OVER(call_set_modes)
PASS_OVER(call_define)
PASS_OVER(call_add_root)
PASS_OVER(call_add_pass)
PASS_OVER(call_register_action)
PASS_OVER(call_set_resolver)
PASS_OVER(call_link)
PASS_OVER(call_unload)
PASS_OVER(call_exit)
PASS_OVER(call_destroy)
PASS_OVER(call_failed)
PASS_OVER(failure)
PASS_OVER(answer_file)
PASS_OVER(answer_compiler)
PASS_OVER(answer_library)
PASS_OVER(answer_symbol)
PASS_OVER(answer_resolver)
PASS_OVER(answer_place)
PASS_OVER(answer_memory)
PASS_OVER(answer_action)
PASS_OVER(answer_exit)
PASS_OVER(edit_keep)
PASS_OVER(edit_section)
PASS_OVER(edit_block)
PASS_OVER(edit_symbol)
PASS_OVER(edit_edge)
PASS_OVER(edit_action)
PASS_OVER(edit_bytes)
PASS_OVER(edit_end)
PASS_OVER(digest)
PASS_OVER(segment_digest)

HANDLER(session_begin) {
    READ(view, session_begin);
    (void)link;
    mirror->session = event;
    mirror->has_session = true;
    return NULL;
}

HANDLER(session_end) {
    (void)link, (void)view;
    mirror->session_ended = true;
    return NULL;
}

HANDLER(edge_kind) {
    READ(view, edge_kind);
    (void)link;
    REACH(&mirror->edge_kinds, event.kind, "edge kind");
    mirror->edge_kinds.data[event.kind] = event.name.id;
    return NULL;
}

HANDLER(warning) {
    READ(view, warning);
    (void)link;
    return vec_push(&mirror->warnings, event);
}

HANDLER(lost) {
    READ(view, lost);
    (void)link;
    mirror->lost += event.events;
    return NULL;
}

HANDLER(reservation) {
    READ(view, reservation);
    (void)link;
    return vec_push(&mirror->reservations, event);
}

HANDLER(link_begin) {
    READ(view, link_begin);
    (void)mirror;
    link->begin = event;
    link->known = true;
    return NULL;
}

HANDLER(link_end) {
    READ(view, link_end);
    (void)mirror;
    link->end = event;
    link->ended = link->known = true;
    return NULL;
}

HANDLER(unload) {
    (void)mirror, (void)view;
    link->unloaded = true;
    return NULL;
}

HANDLER(input) {
    READ(view, input);
    (void)link;
    REACH(&mirror->inputs, event.input, "input");
    mirror->inputs.data[event.input] = (struct mirror_input){event, true};
    return NULL;
}

HANDLER(section) {
    READ(view, section);
    REACH(&link->sections, event.section, "section");
    link->sections.data[event.section] = (struct mirror_section){event, true};
    return NULL;
}

HANDLER(block) {
    READ(view, block);
    REACH(&link->blocks, event.block, "block");
    link->blocks.data[event.block] = (struct mirror_block){.event = event, .segment = NO_ID, .known = true};
    return NULL;
}

HANDLER(block_removed) {
    READ(view, block_removed);
    REACH(&link->blocks, event.block, "block");
    link->blocks.data[event.block].removed = true;
    link->blocks.data[event.block].reason = event.reason;
    return NULL;
}

HANDLER(block_placed) {
    READ(view, block_placed);
    REACH(&link->blocks, event.block, "block");
    link->blocks.data[event.block].address = event.address;
    link->blocks.data[event.block].segment = event.segment;
    return NULL;
}

HANDLER(segment) {
    READ(view, segment);
    REACH(&link->segments, event.segment, "segment");
    link->segments.data[event.segment] = (struct mirror_segment){.event = event, .known = true};
    return NULL;
}

HANDLER(protect) {
    READ(view, protect);
    REACH(&link->segments, event.segment, "segment");
    link->segments.data[event.segment].final_prot = event.prot;
    return vec_push(&link->protections, event);
}

HANDLER(section_discarded) {
    READ(view, section_discarded);
    (void)mirror;
    return vec_push(&link->discards, (struct mirror_discard){.is_section = true, .section = event});
}

HANDLER(symbol_discarded) {
    READ(view, symbol_discarded);
    (void)mirror;
    return vec_push(&link->discards, (struct mirror_discard){.symbol = event});
}

HANDLER(symbol) {
    READ(view, symbol);
    REACH(&link->symbols, event.symbol, "symbol");
    link->symbols.data[event.symbol] = (struct mirror_symbol){.offset = event.offset,
                                                              .size = event.size,
                                                              .name = event.name.id,
                                                              .block = event.block,
                                                              .input = event.input,
                                                              .linkage = event.linkage,
                                                              .scope = event.scope,
                                                              .kind = event.kind,
                                                              .state = SYMBOL_DEFINED,
                                                              .known = true};
    return NULL;
}

HANDLER(symbol_external) {
    READ(view, symbol_external);
    REACH(&link->symbols, event.symbol, "symbol");
    link->symbols.data[event.symbol] = (struct mirror_symbol){.name = event.name.id,
                                                              .block = NO_ID,
                                                              .input = event.input,
                                                              .linkage = event.linkage,
                                                              .state = SYMBOL_EXTERNAL_OPEN,
                                                              .known = true};
    return NULL;
}

HANDLER(symbol_resolved) {
    READ(view, symbol_resolved);
    REACH(&link->symbols, event.symbol, "symbol");
    struct mirror_symbol *symbol = &link->symbols.data[event.symbol];
    symbol->name = event.name.id;
    symbol->address = event.address;
    symbol->has_address = symbol->known = true;
    symbol->provider = event.provider;
    symbol->where = event.where.id;
    symbol->state = SYMBOL_EXTERNAL_RESOLVED;
    return NULL;
}

HANDLER(symbol_unresolved) {
    READ(view, symbol_unresolved);
    REACH(&link->symbols, event.symbol, "symbol");
    link->symbols.data[event.symbol].name = event.name.id;
    link->symbols.data[event.symbol].state = SYMBOL_EXTERNAL_UNRESOLVED;
    return NULL;
}

HANDLER(symbol_bound) {
    READ(view, symbol_bound);
    REACH(&link->symbols, event.symbol, "symbol");
    link->symbols.data[event.symbol].address = event.address;
    link->symbols.data[event.symbol].has_address = true;
    return NULL;
}

HANDLER(pass_begin) {
    READ(view, pass_begin);
    REACH(&link->passes, event.pass, "pass");
    link->passes.data[event.pass] = (struct mirror_pass){.begin = event, .known = true};
    return NULL;
}

HANDLER(pass_end) {
    READ(view, pass_end);
    REACH(&link->passes, event.pass, "pass");
    link->passes.data[event.pass].end = event;
    link->passes.data[event.pass].ended = true;
    return NULL;
}

HANDLER(debug_image) {
    READ(view, debug_image);
    (void)mirror;
    link->debug = event;
    return NULL;
}

HANDLER(action) {
    READ(view, action);
    REACH(&link->actions, event.action, "action");
    link->actions.data[event.action] = (struct mirror_action){event, true};
    return NULL;
}

/* --- applying
 * ------------------------------------------------------------------------------------------------------ */

struct jitscope_error *mirror_apply(struct mirror *mirror, const struct event_view *view) {
    /* Link numbers are dense, each in a run of its own; and their tables are large. */
    if (view->link > mirror->file->runs.count + 1024)
        return wild_id(view, "link", view->link);
    REACH(&mirror->links, view->link, "link");
    struct mirror_link *link = &mirror->links.data[view->link];
    link->number = view->link;
    mirror->applied++;
    mirror->last_sequence = view->sequence;
    mirror->counts[view->type->id]++;
    switch (view->type->id) {
#define EVENT(id, name, level, text, fields)                                                                 \
    case id:                                                                                                 \
        return apply_##name(mirror, link, view);
#include "trace/events.def"
#undef EVENT
    default:
        return NULL;
    }
}

struct jitscope_error *mirror_load(struct mirror *mirror, const struct recording_file *file, uint64_t until) {
    struct event_cursor cursor = {.file = file};
    struct event_view view;
    struct jitscope_error *error = NULL;
    *mirror = (struct mirror){.file = file};
    while (!error && event_next(&cursor, &view) && view.sequence <= until)
        error = mirror_apply(mirror, &view);
    if (error)
        mirror_destroy(mirror);
    return error;
}

static void destroy_link(struct mirror_link *link) {
    vec_destroy(&link->sections);
    vec_destroy(&link->segments);
    vec_destroy(&link->blocks);
    vec_destroy(&link->symbols);
    vec_destroy(&link->entries);
    vec_destroy(&link->claims);
    vec_destroy(&link->relaxations);
    vec_destroy(&link->edges);
    vec_destroy(&link->fixups);
    vec_destroy(&link->passes);
    vec_destroy(&link->actions);
    vec_destroy(&link->results);
    vec_destroy(&link->registrations);
    vec_destroy(&link->cfi);
    vec_destroy(&link->discards);
    vec_destroy(&link->allocations);
    vec_destroy(&link->without_debug);
    vec_destroy(&link->protections);
}

void mirror_destroy(struct mirror *mirror) {
    for (uint32_t i = 0; i < mirror->links.count; i++)
        destroy_link(&mirror->links.data[i]);
    vec_destroy(&mirror->links);
    vec_destroy(&mirror->inputs);
    vec_destroy(&mirror->reservations);
    vec_destroy(&mirror->warnings);
    vec_destroy(&mirror->edge_kinds);
}

/* --- looking up
 * ---------------------------------------------------------------------------------------------------- */

#define FIND(vec, id) ((id) < (vec)->count && (vec)->data[id].known ? &(vec)->data[id] : NULL)

const struct mirror_input *mirror_input(const struct mirror *mirror, uint32_t id) {
    return FIND(&mirror->inputs, id);
}

const struct mirror_block *mirror_block(const struct mirror_link *link, uint32_t id) {
    return FIND(&link->blocks, id);
}

const struct mirror_symbol *mirror_symbol(const struct mirror_link *link, uint32_t id) {
    return FIND(&link->symbols, id);
}

const struct mirror_section *mirror_section(const struct mirror_link *link, uint32_t id) {
    return FIND(&link->sections, id);
}

bool mirror_symbol_address(const struct mirror_link *link, const struct mirror_symbol *symbol,
                           uint64_t *address) {
    const struct mirror_block *block = mirror_block(link, symbol->block);
    if (symbol->has_address)
        *address = symbol->address;
    else if (symbol->state == SYMBOL_DEFINED && symbol->block == NO_ID)
        *address = symbol->offset;
    else if (symbol->state == SYMBOL_DEFINED && block && block->segment != NO_ID)
        *address = block->address + symbol->offset;
    else
        return false;
    return true;
}
