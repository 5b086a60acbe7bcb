/* recording_chunks: the bytes of a recording in a file, brought in when they are needed.
 *
 * A small recording is read as a whole.  Of a large one opening keeps runs and strings alone: chunks are
 * checked one by one in a buffer, and are read, and checked, again when their events are asked for; fresh
 * memory for a gigabyte costs more than reading it twice.  A sealed chunk that is not what it was when the
 * file was opened (somebody wrote over it, or cut the file) ends the events, and recording_failure() says so.
 * Of open chunks, which their writer goes on filling, a copy is kept. */
#ifndef TRACE_RECORDING_CHUNKS_H
#define TRACE_RECORDING_CHUNKS_H

#include "trace/recording.h"

/* What a chunk must be when it is read again. */
struct chunk_seal {
    uint64_t digest;
    uint64_t bytes;  /* of records */
    uint8_t *memory; /* that has it, NULL: none has */
    bool stays;      /* somebody may keep pointers into it */
};

struct recording_chunks {
    int fd;
    uint64_t file_size; /* when it was opened, or refreshed */
    uint64_t first;     /* where chunks begin in the file */
    uint32_t size;      /* of a chunk */
    bool on_demand;     /* false: all bytes are in memory */
    bool has_ended;     /* the file is shorter than it was */
    uint8_t *memory;    /* room for the whole file; what is not touched costs nothing */
    uint64_t room;      /* in it */
    uint8_t *buffer;    /* for one chunk, while the file is opened or refreshed */
    VEC(struct chunk_seal) seals;
    struct arena texts; /* of strings */
    uint64_t lost_at;   /* chunk that could not be read again; 0: none */
};

/* Takes FD over, in case of an error too.  Errors: SYSTEM, RECORDING, NO_MEMORY. */
struct jitscope_error *recording_chunks_create(int fd, struct recording_file *file);
void recording_chunks_destroy(struct recording_chunks *chunks);

/* SIZE bytes from OFFSET on into BUFFER; *GOT is less where the file ends.  Errors: SYSTEM. */
struct jitscope_error *recording_read_at(const struct recording_chunks *chunks, uint64_t offset,
                                         uint8_t *buffer, uint64_t size, uint64_t *got);
/* Makes FILE->bytes reach to END, or to where the file ends. */
struct jitscope_error *recording_fill(struct recording_file *file, uint64_t end);
/* Chunks will be asked for one by one from here on, if that is worth while. */
struct jitscope_error *recording_read_on_demand(struct recording_file *file,
                                                const struct recording_header *header, uint64_t whole);
/* Up to SIZE bytes of the chunk at OFFSET, for now; *GOT is less where the file ends. */
struct jitscope_error *recording_peek(struct recording_file *file, uint64_t offset, uint64_t size,
                                      const uint8_t **bytes, uint64_t *got);
/* The chunk that was peeked at is kept: it cannot be read again as it is now.  NULL without memory. */
const uint8_t *recording_keep(struct recording_file *file, uint64_t offset, uint64_t size);

#endif
