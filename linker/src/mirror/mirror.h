/* mirror: the linker's state at any moment, rebuilt from events alone.
 *
 * Readers (show, the inspector, checks) see this and never a graph, so that what works on a running link
 * works on a recording.  Tables are per link and indexed by the ids that events carry; an id nobody announced
 * (the recording was made at a lower level, or begins in the middle) has an entry whose `known` is false.
 *
 * A recording is untrusted: what its ids can ask for is bounded by its number of events.
 *
 * A mirror can be moved to any earlier moment and back, see history.h.
 *
 * It is either loaded whole, or on demand: then a pass over all events, in steps, makes outlines (outline.h)
 * alone.  What is in a link is read from the link's own events when somebody asks for the link, and forgotten
 * when memory gets scarce:
 *
 *     TRY(mirror_open_on_demand(mirror, &file));
 *     do
 *         TRY(mirror_index_step(mirror, 100000, &done));   a recording that grows has more, later
 *     while (!done);
 *     link = mirror_link(mirror, 7);                        reads it, but for edges
 *     TRY(mirror_want_edges(mirror, 7));
 *     mirror_trim(mirror, 64 << 20);                        LINK is no longer
 *
 * Both show the same at every moment. */
#ifndef MIRROR_MIRROR_H
#define MIRROR_MIRROR_H

#include "base/vec.h"
#include "mirror/outline.h"
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

/* How far a link's events have been read. */
struct link_reading {
    uint32_t stretch;         /* NO_ID: the first is to be read */
    uint32_t of_stretch;      /* events of it that were read */
    uint32_t events;          /* that were read in all */
    struct event_place place; /* of the next one */
};

/* Discards of symbols and sections in one list, in order. */
struct mirror_discard {
    bool is_section;
    struct event_symbol_discarded symbol;
    struct event_section_discarded section;
};

/* A link with what is in it.  Edges, claims and fixups, which are most of a recording, may be left out. */
struct mirror_link {
    union { /* the same */
        struct {
            MIRROR_LIFE
        };
        struct mirror_life life;
    };
    struct history *history; /* the mirror's */
    mentions mentions;
    uint32_t shown; /* history->epoch when counts and life were brought to the moment */
    uint32_t whole; /* the same of all things in tables */
    struct link_reading content, edges_read;
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
    mentions mentions; /* of what is the session's */
#define SESSION_TABLE(type, name)                                                                            \
    VEC(type) name;                                                                                          \
    lives name##_lives;
#define SESSION_LIST(type, name)                                                                             \
    VEC(type) name;                                                                                          \
    stamps name##_stamps;
#include "mirror/tables.def"
    VEC(struct link_outline) links; /* by number; 0 is of what belongs to none; see mirror_link() */
    struct history *history;
    bool without_edges; /* edges, claims and fixups are counted, not collected */
    uint64_t entries;   /* of all tables, see mirror.c */
    uint64_t applied;   /* events, up to the moment that is shown */
    uint64_t last_sequence;
    uint64_t lost;
    uint64_t counts[SCHEMA_EVENT_IDS]; /* by event id */
    VEC(struct life_event) life_events;
    VEC(struct link_stretch) stretches; /* in order */
    VEC(struct wide_event) wide_events; /* in order; of mirrors on demand */
    VEC(struct name_span) name_spans;   /* by number of a text; of mirrors on demand */
    bool has_far_names;                 /* or names that had no text yet, or one with a far number */
    struct link_tally cut;              /* at the moment, of the stretch that it lies in */
    uint32_t cut_stretch;               /* which; holds for moments before the last */
    bool on_demand;
    struct event_place indexed;     /* where the next event is, on demand */
    bool has_failed;                /* to index an event: nothing behind it is looked at */
    uint64_t content_bytes;         /* of links that were read on demand, about */
    uint32_t clock;                 /* counts when links are asked for */
    struct jitscope_error *failure; /* the first link that could not be read */
    struct mirror_link nothing;     /* stands for it */
};

/* Applies all events up to and including sequence UNTIL.  FILE must outlive MIRROR.  Errors: RECORDING,
 * NO_MEMORY. */
struct jitscope_error *mirror_load(struct mirror *mirror, const struct recording_file *file, uint64_t until);
/* The same with what most views need: without edges, claims and fixups, which are most of a recording. */
struct jitscope_error *mirror_load_without_edges(struct mirror *mirror, const struct recording_file *file,
                                                 uint64_t until);
/* One more event of the mirror's file; the mirror shows its last moment then.  After an error the mirror can
 * only be destroyed.  One on demand goes on as far as that event by itself, as with mirror_index_step(). */
struct jitscope_error *mirror_apply(struct mirror *mirror, const struct event_view *view);
void mirror_destroy(struct mirror *mirror);

/* --- on demand */

/* As if there were no events yet.  FILE must outlive MIRROR; it may get more events at its end.  Errors:
 * NO_MEMORY. */
struct jitscope_error *mirror_open_on_demand(struct mirror *mirror, const struct recording_file *file);
/* Goes over up to MOST more events; a mirror that shows its last moment shows the new last one then, another
 * goes on showing its own.  *DONE: there are no more for now.  After an error the mirror can only be
 * destroyed.  Errors: RECORDING, NO_MEMORY. */
struct jitscope_error *mirror_index_step(struct mirror *mirror, uint32_t most, bool *done);
/* Reads up to MOST more events of a link's content, or of its edges, claims and fixups.  *DONE: all that are
 * known are read.  Errors: RECORDING, NO_MEMORY; the link is forgotten then. */
struct jitscope_error *mirror_link_load_step(const struct mirror *mirror, uint32_t number, bool edges,
                                             uint32_t most, bool *done);
/* How many events of it are still to be read for that; 0 for links of loaded mirrors. */
uint32_t mirror_link_left(const struct mirror *mirror, uint32_t number, bool edges);
/* Reads edges, claims and fixups, if they are not there: they are in the lists of mirror_link() from now on.
 * Errors: RECORDING, NO_MEMORY. */
struct jitscope_error *mirror_want_edges(const struct mirror *mirror, uint32_t number);
/* Forgets contents, those that were not asked for the longest time first, until the rest takes no more than
 * BUDGET bytes; the one asked for last stays in any case.  What was handed out of the others is gone. */
void mirror_trim(struct mirror *mirror, uint64_t budget);
/* Whether a link's content, without edges, is in memory and complete; and forgets it. */
bool mirror_has_content(const struct mirror *mirror, uint32_t number);
void mirror_forget(const struct mirror *mirror, uint32_t number);
/* Why a link that was asked for seemed empty: it could not be read, for lack of memory, or since the file was
 * changed.  NULL when all is well.  Hands the error over: who asks for links asks for this behind them. */
struct jitscope_error *mirror_failure(const struct mirror *mirror);

/* --- moments */

/* Shows the moment after the event with this sequence number (UINT64_MAX: the last), among the events that
 * were applied; takes less than a millisecond, however many there are.  What the functions below have handed
 * out is as it was then no longer.  From then on links and all that is in tables must be asked for with them:
 * only they bring a thing to the moment.  Counts of tables and lists, and the lists, are right as they stand
 * in a link asked for. One thread at a time, though MIRROR is const for those who look.  recording_failure()
 * says whether something could not be shown any more. */
void mirror_seek(struct mirror *mirror, uint64_t sequence);

/* --- links */

/* A link by its number, known or not; NULL when there is none.  On demand it is read, if it must be; when
 * that fails, mirror_failure() says why and the link seems empty.  It stays where it is until it is
 * forgotten. */
const struct mirror_link *mirror_link(const struct mirror *mirror, uint32_t number);
/* The same; all that is in its tables is at the moment and need not be asked for one by one. */
const struct mirror_link *mirror_link_whole(const struct mirror *mirror, uint32_t number);
/* For each link of a mirror; on demand all of them are in memory in the end. */
#define EACH_LINK(link)                                                                                      \
    for (const struct mirror_link *link = mirror_link(mirror, 0); link;                                      \
         link = mirror_link(mirror, link->number + 1))

/* What befell a link as a whole; nothing for one that there is not.  Without its content. */
struct mirror_life mirror_life(const struct mirror *mirror, uint32_t number);
/* All zero for a link that there is not.  Without its content. */
struct mirror_tally mirror_tally(const struct mirror *mirror, uint32_t number);
/* How many inputs came in since the link before had ended. */
uint32_t mirror_tally_inputs(const struct mirror *mirror, uint32_t number);
/* How far its tables and lists reach: at the moment, when its content is in memory, else in the end. */
struct link_counts mirror_counts(const struct mirror *mirror, uint32_t number);
/* The sequence number of an event by its stamp (history.h): where the thing that has it came to be. */
uint64_t mirror_sequence(const struct mirror *mirror, uint32_t event);

/* --- things */

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
