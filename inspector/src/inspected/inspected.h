/* inspected: what is looked at, a recording or a running process, as one thing: a mirror on demand that can
 * be moved to any moment, events by number, the moments at which passes and batches began, and memory.
 *
 * A moment is a sequence number: the state after that event.  A recording may be large, or grow: what is
 * known of it comes in slices, by inspected_work().  One thread. */
#ifndef INSPECTED_INSPECTED_H
#define INSPECTED_INSPECTED_H

#include "bytes/contents.h"
#include "live/watch.h"
#include "mirror/mirror.h"

enum { MOST_SEEN = 512 };

/* What all batches hold together, see totals.h. */
struct totals {
    uint32_t batches;                           /* that were gone through, with those that never began */
    uint32_t linked, linking, failed, unloaded; /* batches */
    uint64_t executable, readable, writable;    /* bytes of those that are linked */
    uint64_t blocks, symbols, got, plt, tls;    /* of those */
};

struct inspected {
    char *name; /* the file's, or the process's number and program */
    struct recording_file file;
    struct mirror mirror;
    struct contents *contents;  /* of memory, as the recording says */
    struct event_window window; /* of events that are asked for by number */
    struct event_cursor next;   /* behind the one that was asked for last */
    uint64_t next_number;       /* of that */
    uint64_t now;               /* the moment that is shown */
    uint64_t version;           /* counts every change of what is shown: seeks, and events that came in */
    uint32_t level;             /* LEVEL_* of the recording; 0: not known (yet) */
    uint64_t interest; /* moment to begin with, once all is read: before a session that is over ended */
    uint64_t at_first; /* events that were there when it was opened */
    bool is_read;      /* all that was there once has been read */
    bool is_live;      /* a process is, or was, looked at */
    bool is_alive;     /* it still runs */
    bool has_failed;   /* reading: what came before is all there is to be seen */
    bool has_ended;    /* nothing more will come in */
    bool is_over;      /* and all is read */
    uint32_t process;
    uint64_t began;              /* CLOCK_MONOTONIC, in nanoseconds: from when on its session counts time */
    uint64_t looked;             /* when somebody last looked at the process, by the same clock */
    struct live_process linker;  /* which writes the recording */
    struct live_process memory;  /* of the process that the code runs in: the same, or another one */
    struct live_watches watches; /* slots of tables in it */
    uint64_t seen[MOST_SEEN];    /* slots that somebody looked at since the last poll */
    uint32_t seen_count;
    struct totals totals; /* of totals_version, at the moment totals_now; has_totals: they were asked for */
    uint64_t totals_version, totals_now;
    bool has_totals;
    char trouble[256]; /* why memory cannot be read; "" when all is well */
};

/* *INSPECTED is the caller's, to be closed.  Reads for about NANOSECONDS; the rest is inspected_work()'s.
 * Errors: as recording_open(). */
struct jitscope_error *inspected_open(const char *path, uint64_t nanoseconds, struct inspected **inspected);
/* The same for session SESSION (0: the first) of the process with number PROCESS.  Errors: as live_attach().
 */
struct jitscope_error *inspected_attach(uint32_t process, uint32_t session, uint64_t nanoseconds,
                                        struct inspected **inspected);
void inspected_close(struct inspected *inspected);

/* Goes on reading for about NANOSECONDS; *more is false when there is nothing left to do for now.  Errors:
 * RECORDING, NO_MEMORY, once: what was read so far can be looked at. */
struct jitscope_error *inspected_work(struct inspected *inspected, uint64_t nanoseconds, bool *more);
/* Whether it was recorded at a lower level than LEVEL (LEVEL_*), so that something is missing; false while
 * that is not known. */
bool inspected_lacks(const struct inspected *inspected, uint32_t level);
/* How much of the file has been read, of 100. */
uint32_t inspected_progress(const struct inspected *inspected);

/* Writes the recording, as far as it has been read in, to a new file at PATH.  Errors: USAGE (there is one
 * already: it may be the recording itself), SYSTEM, NO_MEMORY, RECORDING; no file is left then. */
struct jitscope_error *inspected_write(const struct inspected *inspected, const char *path);

/* Shows the state after event SEQUENCE; UINT64_MAX is the last. */
void inspected_seek(struct inspected *inspected, uint64_t sequence);
/* The last event that was read. */
uint64_t inspected_last(const struct inspected *inspected);
/* Whether batches' contents take much memory. */
bool inspected_wants_trim(const struct inspected *inspected);
/* Gives memory back that batches take which nobody has looked at for long; what was handed out of the mirror
 * is gone. */
void inspected_trim(struct inspected *inspected);

/* How many events there are up to the moment that is shown, and the one with NUMBER of these, from 0; false
 * when it is lost.  VIEW holds until the next call. */
uint64_t inspected_count(const struct inspected *inspected);
bool inspected_event(struct inspected *inspected, uint64_t number, struct event_view *view);

/* What slot ADDRESS holds in the process now, which the trace says is EXPECTED (NULL: nothing is known);
 * asked for now, known a frame later.  NULL: there is no process, or no memory. */
const struct live_watch *inspected_slot(struct inspected *inspected, uint64_t address,
                                        const uint64_t *expected);
/* Reads the memory of the process that is looked at, for struct look; NULL: there is none. */
bool (*inspected_reader(const struct inspected *inspected))(void *context, uint64_t address, void *to,
                                                            uint64_t size);

/* The nearest beginning of a pass, or of a batch, before, or behind, SEQUENCE; NULL when there is none. */
const struct mirror_boundary *inspected_boundary(const struct inspected *inspected, uint64_t sequence,
                                                 bool batch, bool forward);
/* How many begin up to the moment SEQUENCE: of mirror.boundaries. */
uint32_t inspected_boundaries_up_to(const struct inspected *inspected, uint64_t sequence);
/* The pass that was going on, or was the last, at SEQUENCE; NULL when there was none. */
const struct mirror_boundary *inspected_pass_at(const struct inspected *inspected, uint64_t sequence);
/* The last of them at or before TIME; NULL when there is none.  And the first of all. */
const struct mirror_boundary *inspected_at_time(const struct inspected *inspected, uint64_t time);
const struct mirror_boundary *inspected_first(const struct inspected *inspected);

#endif
