/* gather: the child's side of contents: replays a recording and writes down what becomes of its batches. */
#ifndef BYTES_GATHER_H
#define BYTES_GATHER_H

#include "bytes/content_tables.h"
#include "bytes/worker.h"
#include "trace/recording.h"

struct gather_order {
    struct recording_file *file; /* the child's own: it brings in what has grown */
    int data, index;             /* files, to be appended to */
    uint32_t behind;             /* batches up to this number are there already */
    uint64_t data_bytes;         /* that the file has */
    uint64_t index_links;
    struct content_progress *progress;
    const struct worker_ends *ends; /* to say that there is a batch more, to be told that FILE has grown */
};

/* What a child that follows a recording is told, when it has come to its end. */
enum { GATHER_MORE = 'm', GATHER_GONE = 'g' /* and its writer will not write any more */ };

void gather(const struct gather_order *order);

#endif
