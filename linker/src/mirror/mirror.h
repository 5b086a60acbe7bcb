/* mirror: the linker's state at any moment, rebuilt from events alone.
 *
 * Readers (show, the inspector, checks) see this and never a graph, so that what works on a running link
 * works on a recording.  Tables are per link and indexed by the ids that events carry; an id nobody announced
 * (the recording was made at a lower level, or begins in the middle) has an entry whose `known` is false.
 *
 * A recording is untrusted: what its ids can ask for is bounded by its number of events. */
#ifndef MIRROR_MIRROR_H
#define MIRROR_MIRROR_H

#include "base/vec.h"
#include "trace/recording.h"

struct mirror_input {
    struct event_input event;
    bool known;
};

struct mirror_section {
    struct event_section event;
    bool known;
};

struct mirror_segment {
    struct event_segment event;
    uint32_t final_prot; /* from `protect`; 0 before */
    bool known;
};

struct mirror_block {
    struct event_block event;
    uint64_t address;
    uint32_t segment; /* NO_ID before it is placed */
    uint32_t reason;  /* why it was removed */
    bool known, removed;
};

enum mirror_symbol_state {
    SYMBOL_DEFINED,
    SYMBOL_EXTERNAL_OPEN,
    SYMBOL_EXTERNAL_RESOLVED,
    SYMBOL_EXTERNAL_UNRESOLVED
};

struct mirror_symbol {
    uint64_t address;
    uint64_t offset, size;
    uint32_t name, block, input;
    uint32_t linkage, scope, kind;
    uint32_t provider, where; /* when resolved */
    uint8_t state;            /* enum mirror_symbol_state */
    bool known, has_address;
};

struct mirror_pass {
    struct event_pass_begin begin;
    struct event_pass_end end;
    bool known, ended;
};

struct mirror_action {
    struct event_action event;
    bool known;
};

/* Discards of symbols and sections in one list, in order. */
struct mirror_discard {
    bool is_section;
    struct event_symbol_discarded symbol;
    struct event_section_discarded section;
};

struct mirror_link {
    uint32_t number;
    bool known, ended, unloaded;
    struct event_link_begin begin;
    struct event_link_end end;
    VEC(struct mirror_section) sections;
    VEC(struct mirror_segment) segments;
    VEC(struct mirror_block) blocks;
    VEC(struct mirror_symbol) symbols;
    VEC(struct event_table_entry) entries;
    VEC(struct event_edge_claimed) claims;
    VEC(struct event_edge_relaxed) relaxations;
    VEC(struct event_edge) edges;
    VEC(struct event_fixup) fixups;
    VEC(struct mirror_pass) passes;
    VEC(struct mirror_action) actions;
    VEC(struct event_action_result) results;
    VEC(struct event_registration) registrations;
    VEC(struct event_cfi_record) cfi;
    struct event_debug_image debug; /* size 0: none was made */
    VEC(struct event_debug_discarded) without_debug;
    VEC(struct mirror_discard) discards;
    VEC(struct event_allocation) allocations; /* changes of state, in order */
    VEC(struct event_protect) protections;
};

struct mirror {
    const struct recording_file *file; /* for strings; borrowed */
    struct event_session_begin session;
    bool has_session, session_ended;
    VEC(struct mirror_input) inputs;
    VEC(struct mirror_link) links; /* by number; 0 holds what belongs to none */
    VEC(struct event_reservation) reservations;
    VEC(struct event_warning) warnings;
    VEC(uint32_t) edge_kinds; /* name ids */
    uint64_t entries;         /* of all tables, see mirror.c */
    uint64_t applied;         /* events */
    uint64_t last_sequence;
    uint64_t lost;
    uint64_t counts[SCHEMA_EVENT_IDS]; /* by event id */
};

/* Applies all events up to and including sequence UNTIL.  FILE must outlive MIRROR.  Errors: RECORDING,
 * NO_MEMORY. */
struct jitscope_error *mirror_load(struct mirror *mirror, const struct recording_file *file, uint64_t until);
/* One more event. */
struct jitscope_error *mirror_apply(struct mirror *mirror, const struct event_view *view);
void mirror_destroy(struct mirror *mirror);

/* Entry or NULL, for ids from events. */
const struct mirror_input *mirror_input(const struct mirror *mirror, uint32_t id);
const struct mirror_block *mirror_block(const struct mirror_link *link, uint32_t id);
const struct mirror_symbol *mirror_symbol(const struct mirror_link *link, uint32_t id);
const struct mirror_section *mirror_section(const struct mirror_link *link, uint32_t id);
/* Where a symbol is, when the events so far say it. */
bool mirror_symbol_address(const struct mirror_link *link, const struct mirror_symbol *symbol,
                           uint64_t *address);

#endif
