/* sorted_file: entries of one size in a file, sorted by the 64-bit number each begins with. */
#ifndef BYTES_SORTED_FILE_H
#define BYTES_SORTED_FILE_H

#include "base/bytes.h"
#include "base/os.h"

static inline bool read_whole(int fd, void *to, uint64_t size, uint64_t offset) {
    for (uint8_t *at = to; size;) {
        ssize_t got = os_read_at(fd, at, size, offset);
        if (got <= 0)
            return false;
        at += got;
        offset += (uint64_t)got;
        size -= (uint64_t)got;
    }
    return true;
}

/* The number of the first entry with NUMBER or more; COUNT when there is none, or it cannot be read. */
static inline uint32_t sorted_file_first(int fd, uint64_t offset, uint32_t count, size_t stride,
                                         uint64_t number) {
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint64_t found;
        if (!read_whole(fd, &found, sizeof found, offset + (uint64_t)middle * stride))
            return count;
        if (found < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

#endif
