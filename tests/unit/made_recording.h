/* Recordings made record by record in memory, for tests: what no writer of this version makes as well. */
#ifndef MADE_RECORDING_H
#define MADE_RECORDING_H

#include "trace/recording.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Events that this version does not have, in a schema's own text. */
enum { BLOB = 4000, SIZED = 4001 };
static const char later_events[] =
    "E\t4000\tblob\tBLOCK\tbytes of something\nF\tnumber\tblob\twhich\nF\tcount\tlength\tbytes behind\n"
    "E\t4001\tsized\tBLOCK\ta length, and nothing behind it\nF\tcount\tlength\thow "
    "long\nF\tnumber\tof\twhat\n";

enum { MADE_THREADS = 3 };

struct made_chunk {
    struct chunk_header *header; /* NULL: none yet */
    uint8_t *at;                 /* where the thread's next record goes */
    uint32_t count;
};

struct made {
    uint8_t *bytes;
    uint64_t room, size; /* SIZE: up to the end of the last chunk */
    uint64_t first;      /* chunk */
    uint32_t chunk_size;
    struct made_chunk threads[MADE_THREADS];
    uint32_t thread;   /* that writes */
    uint64_t sequence; /* of the next event */
    uint32_t link;
};

static inline void made_begin(struct made *made, uint64_t room, uint32_t chunk_size,
                              const char *more_schema) {
    size_t length, more = strlen(more_schema);
    const char *text = schema_text(&length);
    *made = (struct made){.bytes = calloc(1, room), .room = room, .chunk_size = chunk_size};
    assert_non_null(made->bytes);
    struct recording_header header = {.magic = RECORDING_MAGIC,
                                      .version = RECORDING_VERSION,
                                      .chunk_size = chunk_size,
                                      .schema_offset = sizeof header,
                                      .schema_size = length + more};
    uint8_t *schema = made->bytes + sizeof header;
    memcpy(schema, text, length);
    memcpy(schema + length, more_schema, more);
    made->first = header.first_chunk = (header.schema_offset + header.schema_size + 7) / 8 * 8;
    header.digest = recording_header_digest(header, schema);
    memcpy(made->bytes, &header, sizeof header);
    made->size = made->first;
}

static inline void made_seal(struct made_chunk *chunk, uint64_t end_sequence) {
    if (chunk->header)
        recording_seal_chunk(chunk->header, chunk->at, end_sequence, chunk->count);
    *chunk = (struct made_chunk){0};
}

static inline void made_run(struct made *made) {
    struct made_chunk *chunk = &made->threads[made->thread];
    const uint32_t run[] = {EVENT_HEADER(EVENT_ID_run, 20), (uint32_t)made->sequence,
                            (uint32_t)(made->sequence >> 32), made->link, made->thread};
    memcpy(chunk->at, run, sizeof run);
    chunk->at += sizeof run;
}

static inline void made_next_chunk(struct made *made) {
    struct made_chunk *chunk = &made->threads[made->thread];
    made_seal(chunk, made->sequence);
    assert_true(made->room - made->size >= made->chunk_size);
    chunk->header = (struct chunk_header *)(void *)(made->bytes + made->size);
    *chunk->header =
        (struct chunk_header){.magic = CHUNK_MAGIC, .thread = made->thread, .first_sequence = made->sequence};
    chunk->at = (uint8_t *)(chunk->header + 1);
    made->size += made->chunk_size;
    made_run(made);
}

static inline uint64_t made_left(const struct made *made) {
    const struct made_chunk *chunk = &made->threads[made->thread];
    return chunk->header ? made->chunk_size - (uint64_t)(chunk->at - (uint8_t *)chunk->header) : 0;
}

/* What follows is THREAD's, of LINK, from SEQUENCE on. */
static inline void made_switch(struct made *made, uint32_t thread, uint32_t link, uint64_t sequence) {
    made->thread = thread;
    made->link = link;
    made->sequence = sequence;
    if (made_left(made) < 20)
        made_next_chunk(made);
    else
        made_run(made);
}

static inline void made_add(struct made *made, const uint32_t *words, size_t count) {
    if (made_left(made) < count * 4)
        made_next_chunk(made);
    struct made_chunk *chunk = &made->threads[made->thread];
    memcpy(chunk->at, words, count * 4);
    chunk->at += count * 4;
    chunk->count++;
    made->sequence++;
}

static inline struct jitscope_error *made_open(struct made *made, struct recording_file *file) {
    for (uint32_t i = 0; i < MADE_THREADS; i++)
        made_seal(&made->threads[i], made->sequence);
    return recording_open_memory((struct bytes){made->bytes, made->size}, file);
}

static inline void made_destroy(struct made *made) {
    free(made->bytes);
    *made = (struct made){0};
}

#define MADE_ADD(made, ...)                                                                                  \
    made_add(made, (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / 4)

#endif
