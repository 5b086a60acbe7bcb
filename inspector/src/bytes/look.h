/* look: a range of one batch's memory that is shown: what it should hold, and what it holds, if somebody can
 * tell. */
#ifndef BYTES_LOOK_H
#define BYTES_LOOK_H

#include "bytes/contents.h"

struct look {
    struct contents *contents;
    uint32_t link;
    uint64_t start, size;
    /* Copies SIZE bytes that a live process has at ADDRESS; false when they cannot be read.  NULL: there is
     * none, and what the recording says is shown. */
    bool (*read)(void *context, uint64_t address, void *to, uint64_t size);
    void *context;
};

/* SIZE bytes, at most 64 of them, as they are to be shown: what the process has or, without one, what the
 * recording says.  Bits tell which are known, and which differ from the recording. */
struct looked {
    uint8_t bytes[64];
    uint8_t expected[64];
    uint64_t known;     /* in BYTES */
    uint64_t differing; /* from EXPECTED */
};
void look_at(const struct look *look, uint64_t address, uint32_t size, struct looked *looked);
/* The bytes from ADDRESS on as they are to be shown: how many of SIZE there are without a gap. */
uint64_t look_read(const struct look *look, uint64_t address, uint8_t *to, uint64_t size);

#endif
