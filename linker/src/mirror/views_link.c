/* Views of what a link did: actions, registrations, eh-frames, passes, memory. */
#include "mirror/views.h"

#include "base/map64.h"

/* --- actions and registrations
 * ------------------------------------------------------------------------------------- */

/* Halves that ran, in order, and behind them those that did not. */
uint32_t view_actions_candidates(const struct mirror *mirror, uint32_t link) {
    struct link_counts counts = mirror_counts(mirror, link);
    return counts.results + 2 * counts.actions;
}

/* Per action, which of its halves have run: 1 << (half is not FINALIZE). */
struct jitscope_error *view_actions_prepare(struct view_at *at) {
    const struct mirror_link *link = at->link;
    uint8_t *ran = os_allocate_zeroed(link->actions.count);
    if (!ran)
        return error_no_memory();
    for (uint32_t i = 0; i < link->results.count; i++)
        if (link->results.data[i].action < link->actions.count)
            ran[link->results.data[i].action] |=
                (uint8_t)(1 << (link->results.data[i].half != HALF_FINALIZE));
    at->prepared = ran;
    return NULL;
}

void view_actions_release(struct view_at *at) {
    os_release(at->prepared);
}

static void row_action_head(struct row *row, const struct view_at *at, const struct event_action *action,
                            uint32_t half) {
    row_number(row, at->link->number);
    row_number(row, action->action);
    row_value(row, at->mirror, "half", half);
    row_name(row, at->mirror, half == HALF_FINALIZE ? action->finalize.id : action->deallocate.id);
    row_number(row, action->address);
    row_number(row, action->size);
}

static bool row_of_result(const struct view_at *at, const struct event_action_result *result,
                          struct row *row) {
    const struct mirror_action *action = mirror_action(at->link, result->action);
    struct event_action unknown = {.action = result->action};
    row_action_head(row, at, action ? &action->event : &unknown, result->half);
    row_value(row, at->mirror, "outcome", result->outcome);
    row_number(row, result->duration);
    row_name(row, at->mirror, result->message.id);
    return true;
}

static bool row_of_pending(const struct view_at *at, uint32_t id, uint32_t half, struct row *row) {
    const struct mirror_action *action = mirror_action(at->link, id);
    const uint8_t *ran = at->prepared;
    if (!action || ran[id] >> (half != HALF_FINALIZE) & 1)
        return false;
    uint32_t function = half == HALF_FINALIZE ? action->event.finalize.id : action->event.deallocate.id;
    if (!recording_string(at->mirror->file, function).length)
        return false;
    row_action_head(row, at, &action->event, half);
    row_text(row, "not run");
    return true;
}

bool view_actions_row(const struct view_at *at, uint32_t candidate, struct row *row) {
    uint32_t results = at->link->results.count, actions = at->link->actions.count;
    if (candidate < results)
        return row_of_result(at, &at->link->results.data[candidate], row);
    candidate -= results;
    return candidate < actions ? row_of_pending(at, candidate, HALF_FINALIZE, row)
                               : row_of_pending(at, candidate - actions, HALF_DEALLOCATE, row);
}

uint32_t view_registrations_candidates(const struct mirror *mirror, uint32_t link) {
    return mirror_counts(mirror, link).registrations;
}

bool view_registrations_row(const struct view_at *at, uint32_t candidate, struct row *row) {
    if (candidate >= at->link->registrations.count)
        return false;
    const struct event_registration *registration = &at->link->registrations.data[candidate];
    row_number(row, at->link->number);
    row_number(row, registration->allocation);
    row_name(row, at->mirror, registration->with.id);
    row_number(row, registration->address);
    row_number(row, registration->size);
    row_text(row, registration->half == HALF_FINALIZE ? "registered" : "deregistered");
    return true;
}

/* --- eh-frames
 * ----------------------------------------------------------------------------------------------------- */

/* Where a function lies in its link; no block has 4 GiB. */
static uint64_t function_key(uint32_t block, uint64_t offset) {
    return (uint64_t)block << 32 | (uint32_t)offset;
}

uint32_t view_eh_frames_candidates(const struct mirror *mirror, uint32_t link) {
    return mirror_counts(mirror, link).cfi;
}

static struct jitscope_error *name_functions(const struct mirror_link *link, struct map64 *names) {
    for (uint32_t i = link->symbols.count; i-- > 0;) {
        const struct mirror_symbol *symbol = mirror_symbol(link, i);
        if (symbol && symbol->name && symbol->block < link->blocks.count &&
            symbol->kind == SYMBOL_KIND_FUNCTION && symbol->offset <= UINT32_MAX)
            TRY(map64_set(names, function_key(symbol->block, symbol->offset), symbol->name));
    }
    return NULL;
}

/* By function_key: the name of the first function there.  One block can hold them all (gcc's default). */
struct jitscope_error *view_eh_frames_prepare(struct view_at *at) {
    struct map64 *names = at->prepared = os_allocate_zeroed(sizeof *names);
    if (!names)
        return error_no_memory();
    struct jitscope_error *error = name_functions(at->link, names);
    if (error)
        view_eh_frames_release(at);
    return error;
}

void view_eh_frames_release(struct view_at *at) {
    if (at->prepared)
        map64_destroy(at->prepared);
    os_release(at->prepared);
}

static uint32_t function_name(const struct map64 *names, const struct event_cfi_record *record) {
    uint32_t name = MAP64_NO_VALUE;
    if (record->function_offset <= UINT32_MAX)
        name = map64_find(names, function_key(record->function, record->function_offset));
    return name == MAP64_NO_VALUE ? 0 : name;
}

static void row_address_of(struct row *row, const struct mirror_block *block) {
    if (block)
        row_number(row, block->address);
    else
        row_absent(row);
}

bool view_eh_frames_row(const struct view_at *at, uint32_t candidate, struct row *row) {
    if (candidate >= at->link->cfi.count)
        return false;
    const struct event_cfi_record *record = &at->link->cfi.data[candidate];
    const struct mirror_block *block = mirror_block(at->link, record->block),
                              *function = mirror_block(at->link, record->function);
    if (block && block->removed)
        return false;
    row_number(row, at->link->number);
    row_address_of(row, block);
    row_number(row, block ? block->event.size : 0);
    row_value(row, at->mirror, "cfi", record->kind);
    row_address_of(row, mirror_block(at->link, record->cie));
    if (!function)
        return true;
    row_number(row, function->address + record->function_offset);
    row_number(row, record->function_size);
    row_name(row, at->mirror, function_name(at->prepared, record));
    return true;
}

/* --- passes
 * -------------------------------------------------------------------------------------------------------- */

uint32_t view_passes_candidates(const struct mirror *mirror, uint32_t link) {
    return mirror_counts(mirror, link).passes;
}

/* Per pass, the one that ended before it, + 1: what it changed is seen against that. */
struct jitscope_error *view_passes_prepare(struct view_at *at) {
    uint32_t *before = os_allocate_zeroed(at->link->passes.count * sizeof *before), ended = 0;
    if (!before)
        return error_no_memory();
    for (uint32_t i = 0; i < at->link->passes.count; i++) {
        const struct mirror_pass *pass = mirror_pass(at->link, i);
        before[i] = ended;
        ended = pass && pass->ended ? i + 1 : ended;
    }
    at->prepared = before;
    return NULL;
}

void view_passes_release(struct view_at *at) {
    os_release(at->prepared);
}

static void row_counts(const struct view_at *at, uint32_t id, const struct event_pass_end *end,
                       struct row *row) {
    const uint32_t *ended_before = at->prepared;
    struct event_pass_end before = {0};
    if (ended_before[id])
        before = at->link->passes.data[ended_before[id] - 1].end;
    row_number(row, end->sections);
    row_number(row, end->blocks);
    row_number(row, end->symbols);
    row_number(row, end->edges);
    row_number(row, (uint64_t)end->blocks - before.blocks);
    row_number(row, (uint64_t)end->symbols - before.symbols);
    row_number(row, (uint64_t)end->edges - before.edges);
}

bool view_passes_row(const struct view_at *at, uint32_t id, struct row *row) {
    enum { COUNTS = 8 };
    const struct mirror_pass *pass = mirror_pass(at->link, id);
    if (!pass)
        return false;
    row_number(row, at->link->number);
    row_number(row, pass->begin.pass);
    row_value(row, at->mirror, "phase", pass->begin.phase);
    row_name(row, at->mirror, pass->begin.name.id);
    if (!pass->ended) {
        row->next += COUNTS;
        row_text(row, "running");
        return true;
    }
    row_number(row, pass->end.duration);
    row_counts(at, id, &pass->end, row);
    row_value(row, at->mirror, "outcome", pass->end.outcome);
    return true;
}

/* --- memory
 * -------------------------------------------------------------------------------------------------------- */

/* Reservations are the session's: they come with link 0, before all others. */
static uint32_t reservations_of(const struct mirror *mirror, uint32_t link) {
    return link ? 0 : mirror->reservations.count;
}

uint32_t view_memory_candidates(const struct mirror *mirror, uint32_t link) {
    struct link_counts counts = mirror_counts(mirror, link);
    return reservations_of(mirror, link) + counts.allocations + counts.protections;
}

static bool row_of_reservation(const struct view_at *at, const struct event_reservation *reservation,
                               struct row *row) {
    row_absent(row);
    row_text(row, "reservation");
    row_number(row, reservation->address);
    row_number(row, reservation->size);
    row_name(row, at->mirror, reservation->why.id);
    return true;
}

static bool row_of_allocation(const struct view_at *at, const struct event_allocation *allocation,
                              struct row *row) {
    row_number(row, at->link->number);
    row_print(row, "allocation %u", allocation->allocation);
    row_number(row, allocation->address);
    row_number(row, allocation->size);
    row_value(row, at->mirror, "memory_state", allocation->state);
    row_number(row, allocation->duration);
    return true;
}

static bool row_of_protection(const struct view_at *at, uint32_t number, struct row *row) {
    if (number >= at->link->protections.count)
        return false;
    const struct event_protect *protect = &at->link->protections.data[number];
    row_number(row, at->link->number);
    row_print(row, "segment %u", protect->segment);
    row_number(row, protect->address);
    row_number(row, protect->size);
    row_prot(row, protect->prot);
    return true;
}

bool view_memory_row(const struct view_at *at, uint32_t candidate, struct row *row) {
    uint32_t reservations = reservations_of(at->mirror, at->link->number);
    uint32_t allocations = at->link->allocations.count;
    if (candidate < reservations)
        return row_of_reservation(at, &at->mirror->reservations.data[candidate], row);
    candidate -= reservations;
    return candidate < allocations ? row_of_allocation(at, &at->link->allocations.data[candidate], row)
                                   : row_of_protection(at, candidate - allocations, row);
}
