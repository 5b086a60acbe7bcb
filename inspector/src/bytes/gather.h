/* gather: the child's side of contents: replays a recording and writes down what becomes of its batches. */
#ifndef BYTES_GATHER_H
#define BYTES_GATHER_H

#include "bytes/content_tables.h"
#include "trace/recording.h"

struct gather_order {
    const struct recording_file *file;
    int data, index;     /* files, to be appended to */
    uint32_t behind;     /* batches up to this number are there already */
    uint64_t data_bytes; /* that the file has */
    uint64_t index_links;
    struct content_progress *progress;
    int says; /* worker_say() with each batch */
};

void gather(const struct gather_order *order);

#endif
