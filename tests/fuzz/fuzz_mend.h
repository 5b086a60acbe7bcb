/* For targets that read recordings: digests are made right first, since behind them is what wants testing. */
#ifndef FUZZ_FUZZ_MEND_H
#define FUZZ_FUZZ_MEND_H

#include "fuzz_common.h"

#include "trace/recording.h"

static inline void mend_chunk(uint8_t *at, uint64_t room) {
    struct chunk_header chunk;
    if (room < sizeof chunk)
        return;
    memcpy(&chunk, at, sizeof chunk);
    if (chunk.magic != CHUNK_MAGIC || chunk.sealed != 1 || chunk.bytes > room - sizeof chunk)
        return;
    chunk.digest = recording_chunk_digest(chunk, at + sizeof chunk);
    memcpy(at, &chunk, sizeof chunk);
}

static inline void mend_digests(uint8_t *data, size_t size) {
    struct recording_header header;
    if (size < sizeof header)
        return;
    memcpy(&header, data, sizeof header);
    if (!bytes_contain((struct bytes){data, size}, header.schema_offset, header.schema_size))
        return;
    header.digest = recording_header_digest(header, data + header.schema_offset);
    memcpy(data, &header, sizeof header);
    if (header.chunk_size < sizeof(struct chunk_header))
        return;
    for (uint64_t at = header.first_chunk; at < size; at += header.chunk_size)
        mend_chunk(data + at, size - at < header.chunk_size ? size - at : header.chunk_size);
}

/* A copy of DATA with right digests. */
static inline uint8_t *mended_copy(const uint8_t *data, size_t size) {
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    if (size)
        memcpy(copy, data, size);
    mend_digests(copy, size);
    return copy;
}

#endif
