/* outline: what a mirror knows of every link, whether or not the link's content is in memory.
 *
 * All that happened to a link as a whole, where its memory is, how many things it has, and where its events
 * lie.  A session of a hundred thousand links has so many outlines, but few contents that anybody looks at.
 *
 * Events of one link that follow each other are a stretch; it ends where another link's events begin, or at
 * the next of history's moments, so that counting from there passes few events.  A stretch knows the tally of
 * its link at its end.  The tally at any moment is that of the last stretch before it, or, when the moment
 * lies in a stretch, that of the one before with what comes up to the moment, which a seek counts. */
#ifndef MIRROR_OUTLINE_H
#define MIRROR_OUTLINE_H

#include "base/vec.h"
#include "mirror/history.h"

/* How far each table of a link reaches and each list, in the end. */
struct link_counts {
#define LINK_TABLE(type, name) uint32_t name;
#define LINK_LIST(type, name)  uint32_t name;
#include "mirror/tables.def"
};

/* What a batch holds, in numbers that need no things: what events have made and removed. */
struct link_tally {
    uint32_t sections, blocks, symbols; /* as far as their tables reach */
    uint32_t removed;                   /* blocks */
    uint32_t got, plt, tls;             /* entries */
    uint64_t executable, readable, writable;
};

/* Where events lie; a cursor without what it needs while it reads. */
struct event_place {
    uint32_t run, index;
    uint64_t offset;
};

struct link_stretch {
    uint32_t first;           /* event */
    uint32_t link;            /* number */
    uint32_t previous, next;  /* of the same link; NO_ID: none */
    struct event_place place; /* of its first event; of mirrors on demand */
    struct link_tally tally;  /* of the link at its end */
};

/* What befell a link as a whole. */
struct life_event {
    uint32_t event;
    uint32_t previous; /* of the link, + 1; 0: none */
    union {
        uint32_t header;
        struct event_link_begin link_begin;
        struct event_link_end link_end;
        struct event_unload unload;
        struct event_debug_image debug_image;
        struct event_allocation allocation;
    } is;
};

/* At the moment that is shown. */
#define MIRROR_LIFE                                                                                          \
    uint32_t number;                                                                                         \
    bool known, ended, unloaded;                                                                             \
    bool allocated; /* an allocation has told its state */                                                   \
    uint32_t state; /* MEMORY_STATE_* of the last that did */                                                \
    struct event_link_begin begin;                                                                           \
    struct event_link_end end;                                                                               \
    struct event_debug_image debug; /* size 0: none was made */                                              \
    uint32_t begun, done;           /* events that began and ended it first, at any moment; NO_ID: none */

struct mirror_life {
    MIRROR_LIFE
};

/* A segment of any link. */
struct mirror_placement {
    uint64_t address, size;
    uint32_t link, segment;
    uint32_t blocks;
    uint8_t prot, lifetime;
};

/* Where a pass, or a link, begins. */
struct mirror_boundary {
    uint64_t sequence;
    uint64_t time; /* as the event says */
    uint32_t link;
    uint32_t name; /* of the pass */
    bool is_link;  /* else a pass */
};

/* An event whose numbers count per session; `why` looks for those, whichever link was at work. */
struct wide_event {
    uint32_t event;
    uint32_t key; /* low half of the first number that identifies it */
    struct event_place place;
};

/* Links whose symbols have a name lie between these. */
struct name_span {
    uint32_t end;   /* number of the last, + 1; 0: none has it */
    uint32_t first; /* number */
};

struct mirror_link;

struct link_outline {
    uint32_t since;           /* event that made links reach this far */
    uint32_t begun, done;     /* as in MIRROR_LIFE */
    uint32_t life;            /* newest life_event, + 1; 0: none */
    uint32_t first, last;     /* stretches; NO_ID: none */
    uint32_t events;          /* in all */
    uint32_t used;            /* when its content was last asked for, see content.c */
    bool has_absolute;        /* one of its symbols lies in no block */
    struct mirror_link *link; /* content; NULL: not in memory */
    struct link_counts counts;
};

#endif
