/* mirror: the linker's state at any moment, rebuilt from events alone.
 *
 * Readers (show, the inspector, checks) see this and never a graph, so that what works on a running link
 * works on a recording.  Tables are per link and indexed by the ids that events carry; an id nobody announced
 * (the recording was made at a lower level, or begins in the middle) has an entry whose `known` is false.
 *
 * A recording is untrusted: what its ids can ask for is bounded by its number of events.
 *
 * A mirror can be moved to any earlier moment and back, see history.h. */
#ifndef MIRROR_MIRROR_H
#define MIRROR_MIRROR_H

#include "base/vec.h"
#include "mirror/history.h"
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
    struct event_debug_image debug; /* size 0: none was made */
    uint32_t begun, done;           /* events that began and ended it first, at any moment; NO_ID: none */
    struct life life;
    struct history *history; /* the mirror's */
#define LINK_TABLE(type, name)                                                                               \
    VEC(type) name;                                                                                          \
    lives name##_lives;
#define LINK_LIST(type, name)                                                                                \
    VEC(type) name;                                                                                          \
    stamps name##_stamps;
#include "mirror/tables.def"
};

/* What a link holds, in numbers. */
struct mirror_tally {
    uint32_t inputs; /* that came in since the link before had ended */
    uint32_t sections, symbols;
    uint32_t blocks;                         /* that were not removed */
    uint32_t got, plt, tls;                  /* entries */
    uint64_t executable, readable, writable; /* bytes of segments with r-x, r--, rw- */
};

struct mirror {
    const struct recording_file *file; /* for strings; borrowed */
    struct event_session_begin session;
    bool has_session, session_ended;
    struct life life;
#define SESSION_TABLE(type, name)                                                                            \
    VEC(type) name;                                                                                          \
    lives name##_lives;
#define SESSION_LIST(type, name)                                                                             \
    VEC(type) name;                                                                                          \
    stamps name##_stamps;
#include "mirror/tables.def"
    VEC(struct mirror_link) links; /* by number; 0 holds what belongs to none */
    struct history *history;
    bool without_edges; /* edges, claims and fixups are counted, not collected */
    uint64_t entries;   /* of all tables, see mirror.c */
    uint64_t applied;   /* events, up to the moment that is shown */
    uint64_t last_sequence;
    uint64_t lost;
    uint64_t counts[SCHEMA_EVENT_IDS]; /* by event id */
};

/* Applies all events up to and including sequence UNTIL.  FILE must outlive MIRROR.  Errors: RECORDING,
 * NO_MEMORY. */
struct jitscope_error *mirror_load(struct mirror *mirror, const struct recording_file *file, uint64_t until);
/* The same with what most views need: without edges, claims and fixups, which are most of a recording. */
struct jitscope_error *mirror_load_without_edges(struct mirror *mirror, const struct recording_file *file,
                                                 uint64_t until);
/* One more event of the mirror's file; the mirror shows its last moment then.  After an
 * error the mirror can only be destroyed. */
struct jitscope_error *mirror_apply(struct mirror *mirror, const struct event_view *view);
void mirror_destroy(struct mirror *mirror);

/* Shows the moment after the event with this sequence number (UINT64_MAX: the last), among the events that
 * were applied; takes less than a millisecond, however many there are.  What the functions below have handed
 * out is as it was then no longer.  From then on links and all that is in tables must be asked for with them:
 * only they bring a thing to the moment.  Counts of tables and lists, and the lists, are right as they stand
 * in a link asked for. One thread at a time, though MIRROR is const for those who look.  recording_failure()
 * says whether something could not be shown any more. */
void mirror_seek(struct mirror *mirror, uint64_t sequence);

/* A link by its number, known or not; NULL when there is none. */
const struct mirror_link *mirror_link(const struct mirror *mirror, uint32_t number);
/* For each link of a mirror. */
#define EACH_LINK(link)                                                                                      \
    for (const struct mirror_link *link = mirror_link(mirror, 0); link;                                      \
         link = mirror_link(mirror, link->number + 1))

/* All zero for a link that there is not. */
struct mirror_tally mirror_tally(const struct mirror *mirror, uint32_t number);
/* The sequence number of an event by its stamp (history.h): where the thing that has it came to be. */
uint64_t mirror_sequence(const struct mirror *mirror, uint32_t event);

/* Entry or NULL, for ids from events. */
const struct mirror_input *mirror_input(const struct mirror *mirror, uint32_t id);
const struct mirror_block *mirror_block(const struct mirror_link *link, uint32_t id);
const struct mirror_symbol *mirror_symbol(const struct mirror_link *link, uint32_t id);
const struct mirror_section *mirror_section(const struct mirror_link *link, uint32_t id);
const struct mirror_segment *mirror_segment(const struct mirror_link *link, uint32_t id);
const struct mirror_pass *mirror_pass(const struct mirror_link *link, uint32_t id);
const struct mirror_action *mirror_action(const struct mirror_link *link, uint32_t id);
/* The name of an edge kind, 0 when it has none. */
uint32_t mirror_edge_kind(const struct mirror *mirror, uint32_t kind);
/* Where a symbol is, when the events so far say it. */
bool mirror_symbol_address(const struct mirror_link *link, const struct mirror_symbol *symbol,
                           uint64_t *address);

#endif
