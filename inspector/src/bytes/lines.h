/* lines: line tables of batches, read by libdwarf in a child of their own. */
#ifndef BYTES_LINES_H
#define BYTES_LINES_H

#include "base/text.h"
#include "base/vec.h"
#include "bytes/worker.h"

struct line_entry {
    uint64_t address;
    uint32_t line; /* 0: what was before ends here */
    uint32_t file; /* index */
};

struct link_lines {
    uint32_t link;
    bool is_ready;
    int data; /* a file: rows, then files' offsets and lengths, then their names; -1: there are none */
    uint32_t rows, files;
};

/* Zeroed is empty. */
struct lines {
    struct worker worker;
    uint32_t working; /* the link it works on; 0: none */
    struct lines_counts *counts;
    VEC(struct link_lines) links;
};

/* Starts to read the debug image that lies at OFFSET of file FD; one at a time. Errors: SYSTEM, NO_MEMORY. */
struct jitscope_error *lines_start(struct lines *lines, uint32_t link, int fd, uint64_t offset,
                                   uint64_t size);
/* NULL when LINK was not started. */
struct link_lines *lines_find(struct lines *lines, uint32_t link);
/* Notes whether the child is done. */
void lines_listen(struct lines *lines);
bool lines_row(const struct link_lines *link, uint64_t address, struct line_entry *row);
bool lines_file(const struct link_lines *link, uint32_t file, struct text *out);
void lines_destroy(struct lines *lines);

#endif
