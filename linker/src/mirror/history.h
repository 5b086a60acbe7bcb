/* history: lets a mirror show any moment of its recording, not only the last.
 *
 * A mirror is built once.  Its lists only grow: each element has a stamp, the number of the event that
 * brought it, and a moment has a prefix of each list, found by bisection.  The things in its tables change:
 * each has a life, the chain of all records that mention it.  After a seek a thing is told its story again,
 * up to that moment, by the code that told it the first time, when somebody looks at it.  So a seek touches
 * next to nothing, and what it shows is what a mirror built up to there would hold.
 *
 * Events are numbered here as they were applied, from 0: sequence numbers of a damaged file may repeat. */
#ifndef MIRROR_HISTORY_H
#define MIRROR_HISTORY_H

#include "trace/decode.h"

/* A record that mentions a thing. */
struct mention {
    uint32_t event;
    uint32_t previous; /* index of the thing's mention before; 0: none */
    uint64_t offset;   /* of the record */
};

/* Zeroed: never mentioned. */
struct life {
    uint32_t since;  /* event that made the table reach this far */
    uint32_t newest; /* mention; 0: none */
    uint32_t shown;  /* history->epoch when the thing was last told its story */
};

typedef VEC(uint32_t) stamps;         /* per element of a list */
typedef VEC(struct life) lives;       /* per element of a table */
typedef VEC(struct mention) mentions; /* of all lives of one owner; the first is never used */

/* How far apart the moments are from which counters are had without counting from the start. */
enum { EVENTS_PER_MOMENT = 1 << 14 };

/* One of them. */
struct moment {
    struct event_cursor cursor; /* of the next event */
    uint32_t events;            /* applied before */
    uint64_t last_sequence;     /* of these */
};

/* From here on sequence numbers go up one by one. */
struct numbering {
    uint32_t event;
    uint64_t sequence; /* of it */
};

struct history {
    const struct recording_file *file;
    /* Stories are told again while events are read: each has a decoder and a window of its own. */
    struct decoder decoder, retelling;
    struct event_window window, rereading;
    VEC(struct moment) moments;
    VEC(uint32_t) counts; /* per moment: events of each type of the schema */
    VEC(struct numbering) numbering;
    uint32_t applying; /* the event that is being applied */
    uint32_t events;   /* applied in all */
    uint32_t now;      /* how many of them the mirror shows */
    uint32_t epoch;    /* counts seeks */
    uint32_t links;    /* there are in all */
};

/* Errors: NO_MEMORY. */
struct jitscope_error *history_create(const struct recording_file *file, struct history **history);
void history_destroy(struct history *history);

/* The event that is being applied mentions the thing with this life. */
struct jitscope_error *history_mention(const struct history *history, mentions *all, struct life *life,
                                       uint64_t offset);
/* Keeps the counters now and then; COUNTS is by event id. */
struct jitscope_error *history_pass(struct history *history, const struct event_cursor *cursor,
                                    const uint64_t *counts, uint64_t last_sequence);

/* The event that is being applied has this sequence number. */
struct jitscope_error *history_number(struct history *history, uint64_t sequence);
/* The sequence number of an event that was applied. */
uint64_t history_sequence(const struct history *history, uint32_t event);

/* What a thing learns from a record. */
typedef void (*hear)(void *thing, const union any_event *event);
/* Tells THING, which is as if never mentioned, what was told up to now. */
void history_tell(struct history *history, mentions *all, const struct life *life, hear hear, void *thing);

/* How many were there before event NOW. */
uint32_t stamps_before(const uint32_t *stamps, uint32_t count, uint32_t now);
uint32_t lives_before(const struct life *lives, uint32_t count, uint32_t now);

#endif
