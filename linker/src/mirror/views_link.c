/* Views of what a link did: tables, actions, registrations, passes, memory, summary. */
#include "mirror/views.h"

#include "trace/print.h"

#include <inttypes.h>
#include <stdlib.h>

/* --- tables
 * -------------------------------------------------------------------------------------------------------- */

static void row_block_address(struct row *row, const struct mirror_link *link, uint32_t id) {
    const struct mirror_block *block = mirror_block(link, id);
    if (block && block->segment != NO_ID)
        row_number(row, block->address);
    else
        row_absent(row);
}

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

static void row_target(struct row *row, const struct mirror *mirror, const struct mirror_link *link,
                       const struct mirror_symbol *symbol) {
    uint64_t address;
    (void)mirror;
    if (symbol && mirror_symbol_address(link, symbol, &address))
        row_number(row, address);
    else
        row_absent(row);
}

static void row_where(struct row *row, const struct mirror *mirror, const struct mirror_symbol *symbol) {
    if (!symbol)
        row_absent(row);
    else if (symbol->state != SYMBOL_EXTERNAL_RESOLVED)
        row_input(row, mirror, symbol->input);
    else if (recording_string(mirror->file, symbol->where).length)
        row_name(row, mirror, symbol->where);
    else
        row_value(row, mirror, "provider", symbol->provider);
}

/* The GOT slot a stub jumps through: the entry of the same target. */
static void row_slot(struct row *row, const struct mirror_link *link, const uint32_t *slot_of,
                     uint32_t target) {
    if (target < link->symbols.count && slot_of[target])
        row_block_address(row, link, slot_of[target] - 1);
    else
        row_absent(row);
}

static struct jitscope_error *add_table(struct rows *rows, const struct mirror *mirror,
                                        const struct mirror_link *link, uint32_t table,
                                        const uint32_t *slot_of) {
    for (uint32_t i = 0; i < link->entries.count; i++) {
        const struct event_table_entry *entry = &link->entries.data[i];
        const struct mirror_symbol *symbol = mirror_symbol(link, entry->target);
        struct row row;
        if (entry->table != table)
            continue;
        TRY(row_begin(rows, &row));
        row_number(&row, link->number);
        row_number(&row, entry->entry);
        row_block_address(&row, link, entry->block);
        if (symbol && symbol->name)
            row_name(&row, mirror, symbol->name);
        else
            row_print(&row, "symbol %u", entry->target);
        row_target(&row, mirror, link, symbol);
        if (slot_of)
            row_slot(&row, link, slot_of, entry->target);
        row_where(&row, mirror, symbol);
        row_asked_by(&row, mirror, link, entry);
    }
    return NULL;
}

struct jitscope_error *view_got(struct rows *rows, const struct mirror *mirror) {
    EACH_LINK(link)
    TRY(add_table(rows, mirror, link, TABLE_GOT, NULL));
    return NULL;
}

struct jitscope_error *view_tls(struct rows *rows, const struct mirror *mirror) {
    EACH_LINK(link)
    TRY(add_table(rows, mirror, link, TABLE_TLS, NULL));
    return NULL;
}

struct jitscope_error *view_plt(struct rows *rows, const struct mirror *mirror) {
    EACH_LINK(link) {
        uint32_t *slot_of = os_allocate_zeroed(link->symbols.count * sizeof *slot_of);
        if (!slot_of)
            return error_no_memory();
        for (uint32_t i = 0; i < link->entries.count; i++) {
            const struct event_table_entry *entry = &link->entries.data[i];
            if (entry->table == TABLE_GOT && entry->target < link->symbols.count)
                slot_of[entry->target] = entry->block + 1;
        }
        struct jitscope_error *error = add_table(rows, mirror, link, TABLE_PLT, slot_of);
        os_release(slot_of);
        TRY(error);
    }
    return NULL;
}

/* --- actions and registrations
 * ------------------------------------------------------------------------------------- */

static void row_action_head(struct row *row, const struct mirror *mirror, const struct mirror_link *link,
                            const struct event_action *action, uint32_t half) {
    row_number(row, link->number);
    row_number(row, action->action);
    row_value(row, mirror, "half", half);
    row_name(row, mirror, half == HALF_FINALIZE ? action->finalize.id : action->deallocate.id);
    row_number(row, action->address);
    row_number(row, action->size);
}

static struct jitscope_error *add_result(struct rows *rows, const struct mirror *mirror,
                                         const struct mirror_link *link,
                                         const struct event_action_result *result) {
    const struct mirror_action *action = mirror_action(link, result->action);
    struct event_action unknown = {.action = result->action};
    struct row row;
    TRY(row_begin(rows, &row));
    row_action_head(&row, mirror, link, action ? &action->event : &unknown, result->half);
    row_value(&row, mirror, "outcome", result->outcome);
    row_number(&row, result->duration);
    row_name(&row, mirror, result->message.id);
    return NULL;
}

/* Per action, which of its halves have run: 1 << (half is not FINALIZE). */
static uint8_t *find_results(const struct mirror_link *link) {
    uint8_t *ran = os_allocate_zeroed(link->actions.count);
    for (uint32_t i = 0; ran && i < link->results.count; i++)
        if (link->results.data[i].action < link->actions.count)
            ran[link->results.data[i].action] |=
                (uint8_t)(1 << (link->results.data[i].half != HALF_FINALIZE));
    return ran;
}

/* Halves that have not run, behind those that have. */
static struct jitscope_error *add_pending(struct rows *rows, const struct mirror *mirror,
                                          const struct mirror_link *link, const struct event_action *action,
                                          uint32_t half) {
    struct row row;
    uint32_t function = half == HALF_FINALIZE ? action->finalize.id : action->deallocate.id;
    if (!recording_string(mirror->file, function).length)
        return NULL;
    TRY(row_begin(rows, &row));
    row_action_head(&row, mirror, link, action, half);
    row_text(&row, "not run");
    return NULL;
}

static struct jitscope_error *add_all_pending(struct rows *rows, const struct mirror *mirror,
                                              const struct mirror_link *link) {
    struct jitscope_error *error = NULL;
    uint8_t *ran = find_results(link);
    if (!ran)
        return error_no_memory();
    for (uint32_t half = HALF_FINALIZE; half <= HALF_DEALLOCATE; half++)
        for (uint32_t i = 0; i < link->actions.count && !error; i++) {
            const struct mirror_action *action = mirror_action(link, i);
            if (action && !(ran[i] >> (half != HALF_FINALIZE) & 1))
                error = add_pending(rows, mirror, link, &action->event, half);
        }
    os_release(ran);
    return error;
}

struct jitscope_error *view_actions(struct rows *rows, const struct mirror *mirror) {
    EACH_LINK(link) {
        for (uint32_t i = 0; i < link->results.count; i++)
            TRY(add_result(rows, mirror, link, &link->results.data[i]));
        TRY(add_all_pending(rows, mirror, link));
    }
    return NULL;
}

struct jitscope_error *view_registrations(struct rows *rows, const struct mirror *mirror) {
    EACH_LINK(link)
    for (uint32_t i = 0; i < link->registrations.count; i++) {
        const struct event_registration *registration = &link->registrations.data[i];
        struct row row;
        TRY(row_begin(rows, &row));
        row_number(&row, link->number);
        row_number(&row, registration->allocation);
        row_name(&row, mirror, registration->with.id);
        row_number(&row, registration->address);
        row_number(&row, registration->size);
        row_text(&row, registration->half == HALF_FINALIZE ? "registered" : "deregistered");
    }
    return NULL;
}

/* --- passes
 * -------------------------------------------------------------------------------------------------------- */

static struct jitscope_error *add_pass(struct rows *rows, const struct mirror *mirror,
                                       const struct mirror_link *link, const struct mirror_pass *pass,
                                       struct event_pass_end *before) {
    const struct event_pass_end *end = &pass->end;
    struct row row;
    TRY(row_begin(rows, &row));
    row_number(&row, link->number);
    row_number(&row, pass->begin.pass);
    row_value(&row, mirror, "phase", pass->begin.phase);
    row_name(&row, mirror, pass->begin.name.id);
    if (!pass->ended) {
        row.next = rows->column_count - 1;
        row_text(&row, "running");
        return NULL;
    }
    row_number(&row, end->duration);
    row_number(&row, end->sections);
    row_number(&row, end->blocks);
    row_number(&row, end->symbols);
    row_number(&row, end->edges);
    row_number(&row, (uint64_t)end->blocks - before->blocks);
    row_number(&row, (uint64_t)end->symbols - before->symbols);
    row_number(&row, (uint64_t)end->edges - before->edges);
    row_value(&row, mirror, "outcome", end->outcome);
    *before = *end;
    return NULL;
}

struct jitscope_error *view_passes(struct rows *rows, const struct mirror *mirror) {
    EACH_LINK(link) {
        struct event_pass_end before = {0};
        for (uint32_t i = 0; i < link->passes.count; i++) {
            const struct mirror_pass *pass = mirror_pass(link, i);
            if (pass)
                TRY(add_pass(rows, mirror, link, pass, &before));
        }
    }
    return NULL;
}

/* --- memory
 * -------------------------------------------------------------------------------------------------------- */

struct jitscope_error *view_memory(struct rows *rows, const struct mirror *mirror) {
    struct row row;
    for (uint32_t i = 0; i < mirror->reservations.count; i++) {
        TRY(row_begin(rows, &row));
        row_absent(&row);
        row_text(&row, "reservation");
        row_number(&row, mirror->reservations.data[i].address);
        row_number(&row, mirror->reservations.data[i].size);
        row_name(&row, mirror, mirror->reservations.data[i].why.id);
    }
    EACH_LINK(link) {
        for (uint32_t i = 0; i < link->allocations.count; i++) {
            const struct event_allocation *allocation = &link->allocations.data[i];
            TRY(row_begin(rows, &row));
            row_number(&row, link->number);
            row_print(&row, "allocation %u", allocation->allocation);
            row_number(&row, allocation->address);
            row_number(&row, allocation->size);
            row_value(&row, mirror, "memory_state", allocation->state);
            row_number(&row, allocation->duration);
        }
        for (uint32_t i = 0; i < link->protections.count; i++) {
            const struct event_protect *protect = &link->protections.data[i];
            TRY(row_begin(rows, &row));
            row_number(&row, link->number);
            row_print(&row, "segment %u", protect->segment);
            row_number(&row, protect->address);
            row_number(&row, protect->size);
            row_prot(&row, protect->prot);
        }
    }
    return NULL;
}

/* --- summary
 * ------------------------------------------------------------------------------------------------------- */

#define LINE(what_, ...)                                                                                     \
    do {                                                                                                     \
        struct row row_;                                                                                     \
        TRY(row_begin(rows, &row_));                                                                         \
        row_text(&row_, what_);                                                                              \
        row_print(&row_, __VA_ARGS__);                                                                       \
    } while (0)

#define STRING(id) (int)recording_string(mirror->file, id).length, recording_string(mirror->file, id).bytes

static struct jitscope_error *summarize_session(struct rows *rows, const struct mirror *mirror) {
    if (mirror->has_session) {
        LINE("jitscope", "%.*s", STRING(mirror->session.version.id));
        LINE("target", "%.*s", STRING(mirror->session.target.id));
        LINE("memory manager", "%.*s", STRING(mirror->session.memory_manager.id));
        LINE("process", "%u", mirror->session.process);
    }
    LINE("events", "%" PRIu64 " in %" PRIu64 " bytes", mirror->applied, mirror->file->bytes.size);
    if (mirror->lost)
        LINE("lost events", "%" PRIu64, mirror->lost);
    if (mirror->file->open_chunks)
        LINE("writer", "still at work, or died: %u open chunk%s", mirror->file->open_chunks,
             mirror->file->open_chunks == 1 ? "" : "s");
    for (uint32_t i = 0; i < mirror->warnings.count; i++)
        LINE("warning", "%.*s", STRING(mirror->warnings.data[i].text.id));
    return NULL;
}

static uint32_t live_blocks(const struct mirror_link *link) {
    uint32_t live = 0;
    for (uint32_t i = 0; i < link->blocks.count; i++) {
        const struct mirror_block *block = mirror_block(link, i);
        live += block && !block->removed;
    }
    return live;
}

static struct jitscope_error *summarize_link(struct rows *rows, const struct mirror *mirror,
                                             const struct mirror_link *link) {
    const char *outcome = mirror_value_text(mirror, "outcome", link->end.outcome);
    struct row row;
    TRY(row_begin(rows, &row));
    row_print(&row, "link %u", link->number);
    if (link->ended)
        row_print(&row, "%s in %" PRIu64 " us%s", outcome ? outcome : "?", link->end.duration / 1000,
                  link->unloaded ? ", unloaded" : "");
    else
        row_text(&row, "not finished");
    if (link->ended && link->end.outcome == OUTCOME_FAILED)
        LINE("  error", "%.*s", STRING(link->end.error.id));
    LINE("  graph", "%u sections, %u blocks, %u symbols, %u table entries, %u relaxed edges",
         link->sections.count, live_blocks(link), link->symbols.count, link->entries.count,
         link->relaxations.count);
    if (link->debug.size)
        LINE("  debug image", "%" PRIu64 " bytes: %u symbols, %u frames, %u units of %u inputs",
             link->debug.size, link->debug.symbols, link->debug.frames, link->debug.units,
             link->debug.inputs);
    for (uint32_t i = 0; i < link->without_debug.count; i++)
        LINE("  no debug info", "%.*s", STRING(link->without_debug.data[i].why.id));
    return NULL;
}

struct kind_count {
    uint64_t count;
    const char *name;
};

static int by_count(const void *a, const void *b) {
    const struct kind_count *x = a, *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return __builtin_strcmp(x->name, y->name);
}

static struct jitscope_error *summarize_kinds(struct rows *rows, const struct mirror *mirror) {
    const struct schema *schema = &mirror->file->schema;
    struct kind_count *kinds = os_allocate_zeroed(schema->events.count * sizeof *kinds);
    struct jitscope_error *error = NULL;
    if (!kinds)
        return error_no_memory();
    for (uint32_t i = 0; i < schema->events.count; i++)
        kinds[i] =
            (struct kind_count){mirror->counts[schema->events.data[i].id], schema->events.data[i].name};
    qsort(kinds, schema->events.count, sizeof *kinds, by_count);
    for (uint32_t i = 0; i < schema->events.count && kinds[i].count && !error; i++) {
        struct row row;
        error = row_begin(rows, &row);
        if (error)
            break;
        row_print(&row, "  %s", kinds[i].name);
        row_print(&row, "%" PRIu64, kinds[i].count);
    }
    os_release(kinds);
    return error;
}

struct jitscope_error *view_summary(struct rows *rows, const struct mirror *mirror) {
    TRY(summarize_session(rows, mirror));
    LINE("inputs", "%u", mirror->inputs.count);
    EACH_LINK(link)
    if (link->known)
        TRY(summarize_link(rows, mirror, link));
    LINE("events per kind", "%s", "");
    return summarize_kinds(rows, mirror);
}
