/* inspected: what is looked at, a recording or a running process, as one thing: a mirror that can be moved to
 * any moment, events by number, and the moments at which passes and batches began.
 *
 * A moment is a sequence number: the state after that event.  One thread. */
#ifndef INSPECTED_INSPECTED_H
#define INSPECTED_INSPECTED_H

#include "bytes/contents.h"
#include "mirror/mirror.h"

struct boundary {
    uint64_t sequence;
    uint64_t time; /* nanoseconds, as the event says */
    uint32_t link;
    uint32_t name; /* of the pass */
    bool is_batch; /* a link began; else a pass */
};

struct inspected {
    char *name; /* the file's, or the program's */
    struct recording_file file;
    struct mirror mirror;
    VEC(struct boundary) boundaries; /* in order */
    struct event_window window;      /* of events that are asked for by number */
    uint64_t now;                    /* the moment that is shown */
    uint64_t version;          /* counts every change of what is shown: seeks, and events that came in */
    struct contents *contents; /* of memory, as the recording says */
    bool is_live;
};

/* *INSPECTED is the caller's, to be closed.  Errors: as recording_open() and mirror_load(). */
struct jitscope_error *inspected_open(const char *path, struct inspected **inspected);
void inspected_close(struct inspected *inspected);

/* Goes on reading for about NANOSECONDS; *more is false when there is nothing left to do for now. */
struct jitscope_error *inspected_work(struct inspected *inspected, uint64_t nanoseconds, bool *more);

/* Shows the state after event SEQUENCE; UINT64_MAX is the last. */
void inspected_seek(struct inspected *inspected, uint64_t sequence);
/* The last event there is. */
uint64_t inspected_last(const struct inspected *inspected);

/* How many events there are up to the moment that is shown, and the one with NUMBER of these, from 0; false
 * when it is lost.  VIEW holds until the next call. */
uint64_t inspected_count(const struct inspected *inspected);
bool inspected_event(struct inspected *inspected, uint64_t number, struct event_view *view);

/* Reads the memory of the process that is looked at, for struct look; NULL: there is none. */
bool (*inspected_reader(const struct inspected *inspected))(void *context, uint64_t address, void *to,
                                                            uint64_t size);

/* The nearest boundary before, or behind, SEQUENCE; NULL when there is none. */
const struct boundary *inspected_boundary(const struct inspected *inspected, uint64_t sequence, bool batch,
                                          bool forward);
/* The pass that was going on, or was the last, at SEQUENCE; NULL when there was none. */
const struct boundary *inspected_pass_at(const struct inspected *inspected, uint64_t sequence);
/* The last boundary at or before TIME; NULL when there is none. */
const struct boundary *inspected_at_time(const struct inspected *inspected, uint64_t time);

#endif
