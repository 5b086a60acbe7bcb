/* recording: the .jsr file.
 *
 *     header (4096 bytes)   magic, version, chunk size, where the schema is
 *     schema                text, see schema.h
 *     chunks                of at most chunk_size bytes, each owned by one thread
 *
 * A chunk begins with struct chunk_header; records follow, each published by the release store of its own
 * header, so that a zero header ends an open chunk.  A full chunk is sealed with count, sequence range and an
 * XXH3 digest of header and records.  Files are mapped shared: what was published survives the death of the
 * process.  The last chunk may be cut short on close.
 *
 * A file may be packed (packed.h): compressed, all of it, when its writer is done.
 *
 * All integers are little-endian.  A file is untrusted input to its readers. */
#ifndef TRACE_RECORDING_H
#define TRACE_RECORDING_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/map64.h"
#include "base/vec.h"
#include "trace/schema.h"

#define RECORDING_MAGIC      "JITSCOPE"
#define RECORDING_VERSION    1u
#define RECORDING_CHUNK_SIZE (256u << 10)
#define RECORDING_PAGE       4096u
#define CHUNK_MAGIC          0x4b43534au /* "JSCK" */
/* Bytes; of longer names the recording has so many, the last three of which are dots. */
#define RECORDING_LONGEST_NAME (RECORDING_CHUNK_SIZE - 256)

struct recording_header {
    char magic[8];
    uint32_t version;
    uint32_t chunk_size;
    uint64_t schema_offset;
    uint64_t schema_size;
    uint64_t first_chunk;
    uint64_t digest; /* of this header, with 0 here, and the schema */
};

struct chunk_header {
    uint32_t magic;
    uint32_t thread;
    uint32_t sealed; /* 1: the fields below hold */
    uint32_t count;  /* records */
    uint64_t first_sequence;
    uint64_t end_sequence;
    uint64_t bytes;  /* of records */
    uint64_t digest; /* of this header, with 0 here, and the records */
};

uint64_t recording_header_digest(struct recording_header header, const void *schema);
uint64_t recording_chunk_digest(struct chunk_header header, const void *records);

/* --- writing */

struct recording; /* one open file */

struct jitscope_error *recording_create(const char *path, struct recording **recording);
/* The same in memory, that is in a file without a name: it is gone when nobody has it open. */
struct jitscope_error *recording_create_in_memory(struct recording **recording);
/* The file, open for reading only, for somebody else: the caller's to close.  -1 when it is no plain file, or
 * there is no descriptor left. */
int recording_open_again(const struct recording *recording);
/* Whether the file is still what it was made: nobody has cut or removed it.  Errors: RECORDING, SYSTEM. */
struct jitscope_error *recording_check(const struct recording *recording);
/* A fresh, zeroed, faulted-in chunk for THREAD. */
struct jitscope_error *recording_next_chunk(struct recording *recording, uint32_t thread,
                                            struct chunk_header **chunk);
/* Writes a sealed CHUNK of RECORDING_CHUNK_SIZE bytes behind all others, past the mapping: for bytes that are
 * there already, which costs less than touching fresh mapped pages. */
struct jitscope_error *recording_append_chunk(struct recording *recording, const struct chunk_header *chunk);
/* Fills in the seal; END is where the next record would have gone. */
void recording_seal_chunk(struct chunk_header *chunk, const uint8_t *end, uint64_t end_sequence,
                          uint32_t count);
/* Cuts the file behind its last record and closes it. */
void recording_destroy(struct recording *recording);
/* Lets go of a file that another process, the parent, goes on writing. */
void recording_abandon(struct recording *recording);

/* --- reading */

/* Consecutive events of one thread and link. */
struct recording_run {
    uint64_t sequence; /* of the first */
    uint64_t offset;   /* of the first, in the file */
    uint64_t bytes;
    uint64_t reach; /* the highest sequence number of an event in this and all earlier runs */
    uint32_t count;
    uint32_t link;
    uint32_t thread;
};

typedef VEC(struct recording_run) recording_runs;

struct recorded_string {
    const char *bytes; /* not terminated */
    uint32_t length;
};

struct recording_chunks; /* how bytes are brought in, recording_chunks.h */
struct recording_follow; /* how it grows, recording_follow.h */

struct recording_file {
    struct bytes bytes; /* of a large file only those that recording_bytes() hands out are there */
    struct recording_chunks *chunks; /* NULL: bytes are borrowed */
    struct schema schema;
    bool is_builtin_schema;              /* records are exactly this version's structs */
    recording_runs runs;                 /* by sequence */
    VEC(struct recorded_string) strings; /* by id, below MOST_STRINGS */
    VEC(struct recorded_string) far_strings;
    struct map64 far_places;         /* in far_strings, by id, from MOST_STRINGS on */
    uint32_t most_strings;           /* records of strings that the file could hold */
    uint64_t events;                 /* records, `run` not counted */
    uint32_t open_chunks;            /* unsealed ones: the writer is still at work, or died */
    bool has_session_end;            /* which is the last event of a session that ends in good order */
    struct recording_follow *follow; /* NULL: it is taken as it was when it was opened */
    uint32_t refreshes;              /* that brought something in */
    uint8_t *unpacked; /* a packed recording's BYTES, a table of that room (packed.h); NULL: not packed */
    uint64_t unpacked_room;
};

/* What is used of the file is copied, not mapped: its writer may cut it at any time, and a mapping would end
 * in SIGBUS. Errors: SYSTEM, NOT_FOUND, RECORDING (what is wrong, at which offset). */
struct jitscope_error *recording_open(const char *path, struct recording_file *file);
/* The same, but files of more than WHOLE bytes are brought into memory chunk by chunk, as they are needed;
 * recording_open chooses WHOLE. */
struct jitscope_error *recording_open_large(const char *path, uint64_t whole, struct recording_file *file);
/* BYTES are borrowed, unless they are packed, and aligned to 8. */
struct jitscope_error *recording_open_memory(struct bytes bytes, struct recording_file *file);
void recording_close(struct recording_file *file);
/* Why events ended before their time: a large file, whose chunks are read when they are needed, was changed
 * or cut after it was opened.  NULL when all is well.  To be asked behind the last event. */
struct jitscope_error *recording_failure(const struct recording_file *file);

/* The few chunks in use, for those who go through a large file and keep no pointers into it: without one, all
 * chunks that are asked for stay in memory until the file is closed.  Zeroed is empty. */
enum { WINDOW_CHUNKS = 16 };
struct event_window {
    struct {
        uint8_t *memory;
        uint32_t chunk;
    } slots[WINDOW_CHUNKS];
    uint32_t next;  /* slot to be used */
    uint32_t loads; /* of chunks */
};
void event_window_destroy(struct event_window *window);

/* What is at OFFSET, of an event's record or its run's first, up to the end of the run; NULL when it is lost.
 * With a WINDOW it may be gone after the next call. */
const uint8_t *recording_bytes(const struct recording_file *file, struct event_window *window,
                               uint64_t offset);

/* One event where it lies. */
struct event_view {
    const struct schema_event *type;
    const struct schema *schema;
    const uint8_t *record; /* until the file is closed; with a window, until the next event or refresh */
    uint64_t offset;       /* of the record in the file */
    uint64_t sequence;
    uint32_t link;
    uint32_t thread;
    uint32_t size;
};

struct event_cursor {
    const struct recording_file *file;
    uint32_t run;
    uint32_t index;              /* in the run */
    uint64_t offset;             /* of the next record */
    struct event_window *window; /* NULL: records stay in memory */
    const uint8_t *run_bytes;    /* of the current run, when it was begun */
    uint32_t refreshes;          /* of the file, then */
};

/* Events in order of sequence; false at the end, from where it goes on when the file is refreshed
 * (recording_follow.h).  Events that the file's own schema does not know are
 * skipped. */
bool event_next(struct event_cursor *cursor, struct event_view *view);
/* The same; false also when the next event would not lie before END. */
bool event_next_before(struct event_cursor *cursor, const struct event_cursor *end, struct event_view *view);
/* Run and index of the first event, in order, with a sequence number above SEQUENCE: up to there goes the
 * state at SEQUENCE. It is for event_next_before only. */
struct event_cursor event_after(const struct recording_file *file, uint64_t sequence);
bool event_cursor_is_before(const struct event_cursor *cursor, const struct event_cursor *other);
uint64_t event_field(const struct event_view *view, uint32_t field);
/* The bytes behind the fields; NULL when events of this type have none. */
struct bytes event_trailing_bytes(const struct event_view *view);
/* The same as text. */
struct recorded_string event_trailing_text(const struct event_view *view);

/* Text behind a string id; empty when the recording has none. */
struct recorded_string recording_string(const struct recording_file *file, uint32_t id);

#endif
