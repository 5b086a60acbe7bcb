/* address_space: reserving addresses that linked code can reach the C library from.
 *
 * Code that compilers make for executables reaches data of the C library by a 32-bit distance, and so do
 * batches each other: all memory lies in one window of less than 2 GiB around the C library.  Another window,
 * the lowest 2 GiB, serves batches with 32-bit absolute addresses.  Reservations have no access and cost
 * nothing. */
#ifndef EXECUTOR_ADDRESS_SPACE_H
#define EXECUTOR_ADDRESS_SPACE_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

/* A signed 32-bit displacement, less what one instruction, one C library and its neighbours take. */
#define REACH (2 * GIB - 64 * MIB)
/* Pages of this size back big segments when the kernel can (transparent huge pages). */
#define CHUNK (2 * MIB)

/* What must be reached from everywhere in a reservation. */
struct neighbourhood {
    bool low;             /* the lowest 2 GiB; nothing else counts then */
    uint64_t near;        /* reservations gather around it */
    uint64_t first, last; /* NEAR and other reservations lie between these */
};

/* Reserves WANTED bytes in this process or as many as can be had, but not less than SIZE; multiples of CHUNK.
 * Errors: ADDRESS_SPACE. */
struct jitscope_error *address_space_reserve(const struct neighbourhood *neighbourhood, uint64_t size,
                                             uint64_t wanted, uint64_t *start, uint64_t *got);

#endif
