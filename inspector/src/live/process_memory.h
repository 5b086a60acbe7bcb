/* process_memory: what another process has in its memory, now.
 *
 * Many small ranges (entries of tables, thread-local variables) are read by few system calls: 1024 by one,
 * when all can be read.  Nothing is stopped for it: the process goes on, and ranges are read one after
 * another.  Eight aligned bytes are never seen half written.
 *
 * A process is held by a descriptor (pidfd), so that another one that gets its number later is not taken for
 * it; where there are none, by the time it was started.  One thread at a time. */
#ifndef LIVE_PROCESS_MEMORY_H
#define LIVE_PROCESS_MEMORY_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct live_process {
    uint32_t number;
    uint64_t started; /* clock ticks since the machine was */
    int descriptor;   /* -1: this kernel has none */
};

/* STARTED is what inspect_header says; 0: whatever has this number now.  *process is for
 * live_process_close(), not written on an error.  Errors: NOT_FOUND (there is none, or it is another one by
 * now), SYSTEM. */
struct jitscope_error *live_process_open(uint32_t number, uint64_t started, struct live_process *process);
void live_process_close(struct live_process *process);
/* False when it has ended, also before its parent has asked how. */
bool live_process_is_alive(const struct live_process *process);

struct memory_range {
    uint64_t address;
    void *bytes;   /* where they go */
    uint32_t size; /* 0 is nothing, and read */
    bool is_read;  /* out: all of it; otherwise BYTES may hold a part */
};

/* What cannot be read (nothing is mapped there, or it may not be read) is no error: it is not read.  Errors:
 * NOT_FOUND (the process has ended), USAGE (this user may not read it; the help says what would change that),
 * UNSUPPORTED, SYSTEM; no range is read then. */
struct jitscope_error *live_read(const struct live_process *process, struct memory_range *ranges,
                                 uint32_t count);

#endif
