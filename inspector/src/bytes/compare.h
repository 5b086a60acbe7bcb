/* compare: where a process's memory is not what the recording says that it should be.
 *
 * In writable memory that is how programs work: it has changed since the link.  In code, and in data that
 * nobody may write, it is alarming: somebody has written over it, or the recording is of another process. */
#ifndef BYTES_COMPARE_H
#define BYTES_COMPARE_H

#include "bytes/look.h"
#include "mirror/rows.h"

/* Bytes that differ, with no eight in between that do not; of one block. */
struct difference {
    uint64_t address, size;
};

struct differences {
    VEC(struct difference) list; /* by address */
    uint64_t at;                 /* how far the range is compared */
    uint64_t unread;             /* bytes that the process does not let be read, or that are not known */
    uint64_t alarming;           /* of the list: those in memory that is not writable */
};

/* Goes on from differences->at (begin with look->start), for about BUDGET bytes; done when it is at the
 * range's end. Nothing is compared before contents are CONTENTS_READY, or without a process to read.  Errors:
 * NO_MEMORY. */
struct jitscope_error *compare_some(const struct look *look, struct differences *differences,
                                    uint64_t budget);
void differences_destroy(struct differences *differences);

/* Runs of bytes that differ in two buffers of SIZE bytes at ADDRESS, for who has read them himself; without
 * regard to blocks.  Errors: NO_MEMORY. */
struct jitscope_error *compare_bytes(const uint8_t *expected, const uint8_t *actual, uint64_t size,
                                     uint64_t address, struct differences *differences);

/* address, bytes, what, where, expected, actual, leads_to */
extern const struct column difference_columns[];
extern const uint32_t difference_column_count;
/* One difference as a row: "differs", or "changed since link" where it may; by what it is called; the first
 * bytes; and, when it is a slot of the GOT or another pointer, where that leads now.  Errors: NO_MEMORY. */
struct jitscope_error *difference_cells(const struct look *look, const struct difference *difference,
                                        struct rows *rows);

#endif
