/* watch: values in a process's memory, and how they change.
 *
 * Thousands of eight-byte places (entries of GOT and PLT tables, thread-local variables) are looked at again
 * and again, so many per frame as a budget allows: first those that somebody sees, then the others in turn.
 * What changed between two looks at a place is one change, however often it did. */
#ifndef LIVE_WATCH_H
#define LIVE_WATCH_H

#include "base/map64.h"
#include "base/vec.h"
#include "live/process_memory.h"

struct live_watch {
    uint64_t address;
    uint64_t value;    /* that was read last, when is_known */
    uint64_t expected; /* what the recording says is there, when has_expected */
    uint64_t looked;   /* when the value was last read; times are CLOCK_MONOTONIC in nanoseconds */
    uint64_t changed;  /* when it was first seen to be another one than before; 0: never */
    uint32_t changes;  /* of those that were seen */
    uint32_t round;    /* in which it was last looked at */
    bool has_expected;
    bool is_known;
    bool is_removed; /* for the list only: nobody is given it */
    bool is_lost;    /* it could not be read when it was last looked at: nothing is mapped there (any more) */
};

struct live_change {
    uint64_t address;
    uint64_t before, after;
    uint64_t time;
};

enum { LIVE_CHANGES = 4096 }; /* that are kept */

/* Zeroed is empty. */
struct live_watches {
    VEC(struct live_watch) list;
    struct map64 places;         /* in the list, by address */
    uint32_t removed;            /* that are still in the list */
    struct live_change *history; /* a ring of LIVE_CHANGES; NULL: nothing has changed yet */
    uint64_t change_count;       /* that were seen in all */
    struct memory_range *ranges; /* and their bytes: for one batch */
    uint64_t *values;
    uint32_t next;  /* place in the list that is looked at next, when nobody sees others */
    uint32_t round; /* counts polls */
};

/* Watches ADDRESS from now on; *EXPECTED (NULL: nothing is known) replaces what was expected.  A value that
 * is known stays.  UINT64_MAX is no address.  Errors: NO_MEMORY. */
struct jitscope_error *live_watch_add(struct live_watches *watches, uint64_t address,
                                      const uint64_t *expected);
/* Its changes stay in the history. */
void live_watch_remove(struct live_watches *watches, uint64_t address);
/* NULL when it is not watched; until the next call that adds or polls. */
const struct live_watch *live_watch_find(const struct live_watches *watches, uint64_t address);
/* Whether what is there is known and not what was expected. */
bool live_watch_differs(const struct live_watch *watch);

/* Looks at up to BUDGET places: those of VISIBLE (addresses; what is not watched is passed over), then others
 * in turn, none twice.  Errors: those of live_read(); values stay what they were. */
struct jitscope_error *live_watch_poll(struct live_watches *watches, const struct live_process *process,
                                       const uint64_t *visible, uint32_t visible_count, uint32_t budget);

/* How many changes are kept, and one of them: 0 is the newest. */
uint32_t live_change_count(const struct live_watches *watches);
const struct live_change *live_change(const struct live_watches *watches, uint32_t age);

void live_watches_destroy(struct live_watches *watches);

#endif
