/* Why is there that GOT slot or PLT stub: who asked, where it leads, who still needs it; or why there is
 * none. */
#include "mirror/why_query.h"

#include <inttypes.h>

static const char *const table_names[] = {"GOT", "PLT", "TLS table"};

static void put_target(struct text *out, const struct why_query *query, const struct mirror_link *link,
                       uint32_t id) {
    const struct mirror_symbol *symbol = mirror_symbol(link, id);
    put_symbol(out, query, link, id);
    if (!symbol || symbol->state == SYMBOL_EXTERNAL_OPEN || symbol->state == SYMBOL_EXTERNAL_UNRESOLVED)
        return;
    text_append(out, ", of ");
    if (symbol->state == SYMBOL_DEFINED)
        put_input(out, query, symbol->input);
    else if (text_of(query, symbol->where).length)
        put_name(out, query, symbol->where);
    else if (symbol->provider == PROVIDER_SESSION)
        text_append(out, "an earlier link");
    else if (symbol->provider == PROVIDER_IFUNC)
        text_append(out, "its resolver's choice");
    else
        put_value(out, query, "provider", symbol->provider);
}

/* --- slots that can come to lead elsewhere */

static const struct event_lazy_stub *lazy_stub_of(const struct mirror_link *link,
                                                  const struct event_table_entry *entry) {
    for (uint32_t i = 0; i < link->lazy_stubs.count; i++)
        if (link->lazy_stubs.data[i].symbol == entry->symbol ||
            link->lazy_stubs.data[i].stub == entry->symbol)
            return &link->lazy_stubs.data[i];
    return NULL;
}

static const struct event_slot_bound *binding_of(const struct mirror_link *link,
                                                 const struct event_lazy_stub *stub) {
    const struct event_slot_bound *last = NULL;
    for (uint32_t i = 0; i < link->bindings.count; i++)
        if (link->bindings.data[i].slot == stub->slot)
            last = &link->bindings.data[i];
    return last;
}

static const char *reason_for(const struct event_slot_bound *bound) {
    return bound->why == BINDING_CALLED     ? "since it was called"
           : bound->why == BINDING_REPLACED ? "since it was replaced"
                                            : "since its link was unloaded";
}

/* True when that is what there is to say of where ENTRY leads. */
static bool put_lazy(struct text *out, const struct why_query *query, const struct mirror_link *link,
                     const struct event_table_entry *entry) {
    const struct event_lazy_stub *stub = lazy_stub_of(link, entry);
    const struct event_slot_bound *bound = stub ? binding_of(link, stub) : NULL;
    if (!stub || (!bound && !stub->waits))
        return false;
    text_append(out, entry->table == TABLE_PLT ? " and jumps" : " and leads");
    if (bound && bound->definer) {
        text_print(out, " to 0x%" PRIx64 ", ", bound->after);
        put_symbol(out, query, link, entry->target);
        text_print(out, " of link %" PRIu32 ", %s", bound->definer, reason_for(bound));
        return true;
    }
    text_append(out, " to the resolver: ");
    put_symbol(out, query, link, entry->target);
    text_append(out, " is linked when it is called");
    return true;
}

static struct jitscope_error *want_lazy(struct why_query *query, const struct mirror_link *link,
                                        const struct event_table_entry *entry) {
    const struct event_lazy_stub *stub = lazy_stub_of(link, entry);
    if (!stub)
        return NULL;
    TRY(want(query, EVENT_ID_lazy_stub, link->number, stub->slot, 0, 0));
    return want(query, EVENT_ID_slot_bound, link->number, stub->slot, 0, 0);
}

/* --- where entries lead */

/* The slot holds the target's address, once fixups are applied. */
static void put_slot_value(struct text *out, const struct why_query *query, const struct mirror_link *link,
                           const struct event_table_entry *entry) {
    const struct mirror_symbol *target = mirror_symbol(link, entry->target);
    const struct event_fixup *fixup = fixup_covering(query, link, entry->block, 0);
    uint64_t address;
    bool value = !has_edges(query, link) && link->ended && link->end.outcome == OUTCOME_OK && target &&
                 mirror_symbol_address(link, target, &address);
    if (target && target->state == SYMBOL_EXTERNAL_RESOLVED && target->provider == PROVIDER_IFUNC) {
        text_print(out, " and holds 0x%" PRIx64 ", the function for ", target->address);
        put_target(out, query, link, entry->target);
        return;
    }
    if (fixup || value)
        text_print(out, " and holds 0x%" PRIx64, fixup ? fixup->after : address);
    text_append(out, fixup || value ? ", the address of " : " and is for ");
    put_target(out, query, link, entry->target);
}

static void put_jump(struct text *out, const struct why_query *query, const struct mirror_link *link,
                     const struct event_table_entry *entry) {
    const struct event_table_entry *slot = entry_of_target(link, TABLE_GOT, entry->target);
    const struct mirror_block *block = slot ? mirror_block(link, slot->block) : NULL;
    text_append(out, " and jumps");
    if (block && block->segment != NO_ID)
        text_print(out, " through the GOT slot at 0x%" PRIx64, block->address);
    text_append(out, " to ");
    uint64_t address;
    const struct mirror_symbol *target = mirror_symbol(link, entry->target);
    if (target && mirror_symbol_address(link, target, &address))
        text_print(out, "0x%" PRIx64 ", ", address);
    put_target(out, query, link, entry->target);
}

static struct jitscope_error *begin_entry(struct why_query *query, const struct mirror_link *link,
                                          const struct event_table_entry *entry) {
    const struct mirror_block *block = mirror_block(link, entry->block);
    const struct mirror_symbol *target = mirror_symbol(link, entry->target);
    uint64_t address;
    struct text text = {0}, fields = {0};
    put_symbol(&text, query, link, entry->symbol);
    if (block && block->segment != NO_ID)
        text_print(&text, " is at 0x%" PRIx64, block->address);
    else
        text_append(&text, " has no address");
    if (put_lazy(&text, query, link, entry))
        ; /* that is all */
    else if (entry->table == TABLE_PLT)
        put_jump(&text, query, link, entry);
    else
        put_slot_value(&text, query, link, entry);
    text_append(&text, "; ");
    put_link(&text, query, link);
    text_print(&fields, ",\"link\":%u,\"entry\":%u", link->number, entry->entry);
    if (block && block->segment != NO_ID)
        text_print(&fields, ",\"address\":\"0x%" PRIx64 "\"", block->address);
    if (target && mirror_symbol_address(link, target, &address))
        text_print(&fields, ",\"target\":\"0x%" PRIx64 "\"", address);
    return chain_begin(query, &text, &fields);
}

/* --- who needs it */

struct users {
    uint64_t claimed, relaxed;
    uint64_t without; /* that were relaxed and have never asked */
};

/* A wish for an entry has no formula. */
static bool is_wish(const struct why_query *query, uint32_t kind) {
    return kind < query->kinds.count && !text_of(query, query->kinds.data[kind].formula).length;
}

/* Loads of symbol ID's address that went straight before there was an entry; *first is the first. */
static uint64_t count_without(const struct why_query *query, const struct mirror_link *link, uint32_t id,
                              const struct event_edge_relaxed **first) {
    uint64_t count = 0;
    for (uint32_t i = 0; i < link->relaxations.count; i++) {
        const struct event_edge_relaxed *relaxed = &link->relaxations.data[i];
        if (relaxed->target != id || !is_wish(query, relaxed->before))
            continue;
        if (!count++)
            *first = relaxed;
    }
    return count;
}

/* A claimed edge is relaxed where it stood when it was claimed. */
static bool was_relaxed(const struct mirror_link *link, uint32_t block, uint64_t offset) {
    for (uint32_t i = 0; i < link->relaxations.count; i++)
        if (link->relaxations.data[i].block == block && link->relaxations.data[i].offset == offset)
            return true;
    return false;
}

static struct users users_of(const struct why_query *query, const struct mirror_link *link,
                             const struct event_table_entry *entry) {
    struct users users = {0, 0, 0};
    const struct event_edge_relaxed *first;
    for (uint32_t i = 0; i < link->claims.count; i++) {
        const struct event_edge_claimed *claim = &link->claims.data[i];
        if (claim->entry != entry->symbol)
            continue;
        users.claimed++;
        users.relaxed += was_relaxed(link, claim->block, claim->offset);
    }
    if (entry->table == TABLE_GOT)
        users.without = count_without(query, link, entry->target, &first);
    return users;
}

static void put_claimed(struct text *out, const struct users *users) {
    put_count(out, users->claimed, "reference");
    text_append(out, " asked for it");
    if (users->relaxed == users->claimed)
        text_print(out, "; %s relaxed to go straight to the target: no code needs the entry",
                   users->claimed == 1 ? "it was" : "all were");
    else if (users->relaxed)
        text_print(out, "; %" PRIu64 " of them relaxed to go straight to the target", users->relaxed);
    else
        text_append(out, "; none was relaxed");
}

static void put_and(struct text *out) {
    if (out->length)
        text_append(out, "; ");
}

static void put_without(struct text *out, const struct users *users) {
    put_and(out);
    put_count(out, users->without, "other reference");
    text_print(out, " %s relaxed without asking", users->without == 1 ? "was" : "were");
}

/* The stub of the same target jumps through the slot, whatever became of other references. */
static bool has_stub(const struct mirror_link *link, const struct event_table_entry *entry) {
    return entry->table == TABLE_GOT && entry_of_target(link, TABLE_PLT, entry->target);
}

static struct jitscope_error *note_users(struct why_query *query, const struct mirror_link *link,
                                         const struct event_table_entry *entry) {
    struct text text = {0};
    struct users users = users_of(query, link, entry);
    if (!has_edges(query, link)) {
        bool relaxed = was_relaxed(link, entry->asked_by, entry->asked_at);
        text_print(&text,
                   "the reference that asked first %s; how many others asked is known with --trace=edges",
                   relaxed ? "was relaxed to go straight to the target" : "was not relaxed");
    } else if (users.claimed) {
        put_claimed(&text, &users);
    }
    if (users.without)
        put_without(&text, &users);
    if (has_stub(link, entry)) {
        put_and(&text);
        text_append(&text, "the PLT stub jumps through the slot");
    }
    if (text.length)
        return chain_note(query, &text);
    text_destroy(&text); /* empty, but perhaps only for want of memory */
    return NULL;
}

static struct jitscope_error *entry_chain(struct why_query *query, const struct mirror_link *link,
                                          const struct event_table_entry *entry) {
    TRY(mirror_want_edges(query->mirror, link->number));
    TRY(begin_entry(query, link, entry));
    TRY(want_entry(query, link, entry));
    TRY(want_lazy(query, link, entry));
    if (entry->table == TABLE_PLT) {
        const struct event_table_entry *slot = entry_of_target(link, TABLE_GOT, entry->target);
        const struct mirror_block *block = slot ? mirror_block(link, slot->block) : NULL;
        if (block)
            TRY(want(query, EVENT_ID_table_entry, link->number, slot->table, slot->entry, 0));
        if (block && block->segment != NO_ID)
            TRY(want(query, EVENT_ID_block_placed, link->number, slot->block, 0, 0));
    }
    return note_users(query, link, entry);
}

/* --- none */

static struct jitscope_error *no_entry_chain(struct why_query *query, const struct mirror_link *link,
                                             uint32_t table, uint32_t id) {
    struct text text = {0};
    const struct mirror_symbol *symbol = &link->symbols.data[id];
    const struct event_edge_relaxed *first = NULL;
    TRY(mirror_want_edges(query->mirror, link->number));
    uint64_t without = table == TABLE_GOT ? count_without(query, link, id, &first) : 0;
    put_name(&text, query, symbol->name);
    text_print(&text, " has no entry in the %s: ", table_names[table]);
    if (without) {
        put_count(&text, without, "reference");
        text_append(&text, without == 1 ? " was" : " were");
        text_append(&text, " relaxed to go straight to the target, and no code needs one");
    } else {
        text_append(&text, "no relocation asked for one");
    }
    if (table == TABLE_PLT && symbol->state == SYMBOL_DEFINED)
        text_append(&text, " (calls inside of a link go straight to the definition)");
    text_append(&text, "; ");
    put_link(&text, query, link);
    TRY(chain_begin(query, &text, NULL));
    if (first)
        TRY(want_edge(query, link, first->block, first->offset));
    return want_symbol(query, link, id);
}

static struct jitscope_error *chains_of_link(struct why_query *query, const struct mirror_link *link,
                                             uint32_t table, const char *name, size_t length, bool none) {
    for (uint32_t i = 0; i < link->symbols.count; i++) {
        const struct mirror_symbol *symbol = &link->symbols.data[i];
        if (!symbol->known || !text_is(query, symbol->name, name, length))
            continue;
        const struct event_table_entry *entry = entry_of_target(link, table, i);
        if (entry)
            TRY(entry_chain(query, link, entry));
        else if (none)
            TRY(no_entry_chain(query, link, table, i));
    }
    return NULL;
}

struct jitscope_error *ask_table(struct why_query *query, uint32_t table, const char *name, size_t length) {
    struct name_span span = span_of_name(query, name, length);
    /* That there is none is the answer when no link has one. */
    EACH_LINK_WITHIN(link, span)
    TRY(chains_of_link(query, link, table, name, length, false));
    if (query->chains)
        return NULL;
    EACH_LINK_WITHIN(link, span)
    TRY(chains_of_link(query, link, table, name, length, true));
    return NULL;
}
