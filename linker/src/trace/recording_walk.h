/* recording_walk: going through the records of one chunk, by their lengths alone.
 *
 * A walk finds the runs and the strings of what it passes.  It can go on later: where a chunk is still being
 * written it stops behind the last record that was published, and what follows of the run it stopped in comes
 * as one more piece of it. */
#ifndef TRACE_RECORDING_WALK_H
#define TRACE_RECORDING_WALK_H

#include "trace/recording_chunks.h"

struct walk {
    struct recording_file *file; /* which gets the strings */
    recording_runs *runs;        /* which get the runs, in the order of the chunk */
    const uint8_t *chunk;        /* bytes, header included */
    uint64_t start;              /* of the chunk in the file */
    uint64_t at, end;            /* in the file */
    bool is_here;                /* its bytes stay where they are: strings need no copy */
    bool in_run;
    struct recording_run run; /* what is passed of it and not yet put into RUNS */
    uint32_t records;         /* put into RUNS, `run` not counted */
};

/* Of a chunk that lies at START in the file, whose bytes up to END are at CHUNK. */
struct walk walk_begin(struct recording_file *file, recording_runs *runs, uint64_t start, uint64_t end,
                       const uint8_t *chunk);
/* From walk->at to walk->end.  SEALED: anything but sound records is an error; otherwise it is where the
 * writer stopped.  Errors: RECORDING, NO_MEMORY. */
struct jitscope_error *walk_records(struct walk *walk, bool sealed);
/* The rest of a chunk whose header is CHUNK and whose bytes, from its first on, are there up to walk->end. */
struct jitscope_error *walk_sealed(struct walk *walk, const struct chunk_header *chunk);
/* The end of the last record that is published, as the bytes that are at walk->chunk up to UP_TO say: from
 * AT, which may lie behind them, on.  *STOPS: nothing can follow for now. */
uint64_t walk_published(const struct walk *walk, uint64_t at, uint64_t up_to, bool *stops);

/* By sequence, then by place: how events are told. */
void recording_order_runs(recording_runs *runs);
/* Puts RUN behind all others of the file; room for one more has been made. */
void recording_put_run(struct recording_file *file, struct recording_run run);

/* Parts of opening a file, recording_reader.c.  Header and schema: */
struct jitscope_error *recording_read_head(struct recording_file *file, struct recording_header *header);
/* How many ids of strings are taken to be dense in a file of SIZE bytes. */
void recording_expect_strings(struct recording_file *file, uint64_t size);
/* All chunks, as they are now. */
struct jitscope_error *recording_read_chunks(struct recording_file *file,
                                             const struct recording_header *header);
/* Both; WHOLE as in recording_open_large(). */
struct jitscope_error *recording_read_whole(struct recording_file *file, uint64_t whole);
/* Takes FD over; unpacks what is packed.  The parts above come after it. */
struct jitscope_error *recording_begin(int fd, struct recording_file *file);

struct jitscope_error *recording_is_bad(uint64_t offset, const char *what) __attribute__((cold));

#endif
