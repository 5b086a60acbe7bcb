/* Reading a .jsr file: everything in it is checked before it is believed.
 *
 * Opening walks all records once, by their lengths alone: it finds the runs (consecutive events of one thread
 * and link) and the strings.  Runs sorted by sequence number merge the threads.  A record that no walk can
 * pass (bad length in a sealed chunk) makes the file unreadable from there; in an open chunk it is where the
 * writer stopped. */
#include "trace/recording_chunks.h"

#include "base/os.h"
#include "trace/packed.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { LARGEST_SCHEMA = 1 << 18, WHOLE = 32 << 20 };

static struct jitscope_error *bad_file(uint64_t offset, const char *what) {
    struct coordinates where = {.offset = offset};
    return error_at(JITSCOPE_ERROR_RECORDING, &where, "not a readable recording: %s", what);
}

/* --- header */

static struct jitscope_error *check_header(const struct recording_header *header) {
    if (memcmp(header->magic, RECORDING_MAGIC, sizeof header->magic) != 0)
        return bad_file(0, "no jitscope magic");
    if (header->version != RECORDING_VERSION)
        return error_create(JITSCOPE_ERROR_RECORDING,
                            "the recording has format version %u, this jitscope reads %u", header->version,
                            RECORDING_VERSION);
    if (header->schema_size > LARGEST_SCHEMA)
        return bad_file(header->schema_offset, "a schema of impossible size");
    if (header->chunk_size < sizeof(struct chunk_header) + 64 || header->chunk_size % 8 ||
        header->first_chunk % 8)
        return bad_file(8, "impossible chunk size or place");
    return NULL;
}

static struct jitscope_error *read_header(struct recording_file *file, struct recording_header *header) {
    TRY(recording_fill(file, sizeof *header));
    if (!bytes_contain(file->bytes, 0, sizeof *header))
        return bad_file(file->bytes.size, "the file ends inside its header");
    memcpy(header, file->bytes.data, sizeof *header);
    TRY(check_header(header));
    uint64_t end = header->schema_offset + header->schema_size;
    TRY(recording_fill(file, end));
    if (!bytes_contain(file->bytes, header->schema_offset, header->schema_size))
        return bad_file(header->schema_offset, "the schema lies outside the file");
    if (header->first_chunk < end)
        return bad_file(8, "impossible chunk size or place");
    if (header->digest != recording_header_digest(*header, file->bytes.data + header->schema_offset))
        return bad_file(0, "the digest of header and schema does not match them");
    return NULL;
}

/* Layout of an event as a struct says it: the records that carry the stream itself must be as this version
 * knows them. */
static bool has_layout(const struct schema *schema, const struct schema *builtin, uint32_t id) {
    const struct schema_event *event = schema_event(schema, id), *known = schema_event(builtin, id);
    if (!event || event->field_count != known->field_count || event->size != known->size ||
        event->has_trailing != known->has_trailing)
        return false;
    for (uint32_t i = 0; i < event->field_count; i++)
        if (schema->fields.data[event->first_field + i].offset !=
            builtin->fields.data[known->first_field + i].offset)
            return false;
    return true;
}

static struct jitscope_error *check_stream_events(const struct schema *schema) {
    struct schema builtin;
    size_t length;
    const char *text = schema_text(&length);
    TRY(schema_parse((struct bytes){(const uint8_t *)text, length}, &builtin));
    bool good = has_layout(schema, &builtin, EVENT_ID_run) && has_layout(schema, &builtin, EVENT_ID_string);
    schema_destroy(&builtin);
    return good ? NULL
                : error_create(JITSCOPE_ERROR_RECORDING,
                               "not a readable recording: its schema has other run or string events");
}

static struct jitscope_error *read_schema(struct recording_file *file,
                                          const struct recording_header *header) {
    size_t length;
    const char *builtin = schema_text(&length);
    struct bytes text = bytes_slice(file->bytes, header->schema_offset, header->schema_size);
    file->is_builtin_schema = text.size == length && !memcmp(text.data, builtin, length);
    TRY(schema_parse(text, &file->schema));
    return file->is_builtin_schema ? NULL : check_stream_events(&file->schema);
}

/* --- records */

struct walk {
    struct recording_file *file;
    const uint8_t *chunk; /* bytes, header included */
    uint64_t start;       /* of the chunk in the file */
    uint64_t at, end;     /* in the file */
    bool is_here;         /* its bytes stay where they are */
    bool in_run;
    struct recording_run run;
};

static struct jitscope_error *end_run(struct walk *walk) {
    if (!walk->in_run || !walk->run.count)
        return NULL;
    walk->run.bytes = walk->at - walk->run.offset;
    walk->file->events += walk->run.count;
    return vec_push(&walk->file->runs, walk->run);
}

static struct jitscope_error *begin_run(struct walk *walk, const uint8_t *record) {
    TRY(end_run(walk));
    struct event_run run;
    memcpy(&run, record, sizeof run);
    walk->in_run = true;
    walk->run = (struct recording_run){.sequence = run.sequence_low | (uint64_t)run.sequence_high << 32,
                                       .offset = walk->at + sizeof run,
                                       .link = run.link,
                                       .thread = run.thread};
    return NULL;
}

/* Most ids are dense.  A name that came in with an archive's index has its number long before it is told, if
 * it is: ids beyond what the file could hold go into a map, so that a wild one cannot ask for wild memory. */
static struct jitscope_error *string_slot(struct recording_file *file, uint32_t id,
                                          struct recorded_string **slot) {
    if (id >= file->most_strings) {
        TRY(map64_set(&file->far_places, id, file->far_strings.count));
        TRY(vec_push(&file->far_strings, (struct recorded_string){0}));
        *slot = &file->far_strings.data[file->far_strings.count - 1];
        return NULL;
    }
    if (id >= file->strings.count) {
        uint32_t more = id + 1 - file->strings.count;
        TRY(vec_reserve(&file->strings, more));
        memset(file->strings.data + file->strings.count, 0, more * sizeof *file->strings.data);
        file->strings.count += more;
    }
    *slot = &file->strings.data[id];
    return NULL;
}

static struct jitscope_error *add_string(struct walk *walk, const uint8_t *record) {
    struct event_string string;
    struct recorded_string *slot;
    memcpy(&string, record, sizeof string);
    const char *text = (const char *)record + sizeof string;
    if (!walk->is_here)
        text = arena_copy(&walk->file->chunks->texts, text, string.length);
    if (!text)
        return error_no_memory();
    TRY(string_slot(walk->file, string.string, &slot));
    *slot = (struct recorded_string){text, string.length};
    return NULL;
}

/* What the last field of an event with trailing bytes says. */
static uint32_t trailing_length(const uint8_t *record, const struct schema_event *event) {
    return load_u32(record + event->size - 4);
}

/* Whether a record that says it has SIZE bytes can be passed over. */
static bool is_sound(const struct walk *walk, const struct schema_event *event, uint32_t size) {
    if (size < 4 || size % 4 || size > walk->end - walk->at)
        return false;
    return !event || event->size == size || (event->has_trailing && event->size < size);
}

static struct jitscope_error *walk_record(struct walk *walk, const uint8_t *record,
                                          const struct schema_event *event, uint32_t size) {
    uint32_t id = EVENT_HEADER_ID(load_u32(record));
    if (id == EVENT_ID_run)
        return begin_run(walk, record);
    if (!walk->in_run)
        return bad_file(walk->at, "events before the first run record of a chunk");
    walk->run.count++;
    if (!event || !event->has_trailing)
        return NULL;
    if (trailing_length(record, event) > size - event->size)
        return bad_file(walk->at, "a record with fewer bytes behind its fields than it says");
    return id == EVENT_ID_string ? add_string(walk, record) : NULL;
}

static struct jitscope_error *walk_records(struct walk *walk, bool sealed) {
    while (walk->end - walk->at >= 4) {
        const uint8_t *record = walk->chunk + (walk->at - walk->start);
        uint32_t header = load_u32(record), size = EVENT_HEADER_SIZE(header);
        const struct schema_event *event = schema_event(&walk->file->schema, EVENT_HEADER_ID(header));
        if (!sealed && (!header || !is_sound(walk, event, size)))
            break;
        if (!is_sound(walk, event, size))
            return bad_file(walk->at, "a damaged record");
        TRY(walk_record(walk, record, event, size));
        walk->at += size;
    }
    return end_run(walk);
}

static struct jitscope_error *walk_sealed(struct walk *walk, const struct chunk_header *chunk, bool is_here) {
    const struct recording_file *file = walk->file;
    uint64_t events = file->events;
    if (chunk->bytes > walk->end - walk->at)
        return bad_file(walk->start, "a chunk that is longer than the file");
    if (recording_chunk_digest(*chunk, walk->chunk + sizeof *chunk) != chunk->digest)
        return bad_file(walk->start, "a chunk whose digest does not match its records");
    walk->is_here = is_here;
    walk->end = walk->at + chunk->bytes;
    TRY(walk_records(walk, true));
    if (walk->at != walk->end || file->events - events != chunk->count)
        return bad_file(walk->start + sizeof *chunk, "a chunk with another number of records than it says");
    return NULL;
}

/* Its writer may go on filling it: what was seen is kept. */
static struct jitscope_error *walk_open(struct walk *walk) {
    walk->file->open_chunks++;
    walk->chunk = recording_keep(walk->file, walk->start, walk->end - walk->start);
    walk->is_here = true;
    return walk_records(walk, false);
}

/* A file that was cut, or copied in part, is good as far as it goes. */
static bool is_cut(const struct chunk_header *chunk, uint64_t limit, uint64_t chunk_size) {
    return limit < chunk_size && chunk->bytes > limit - sizeof *chunk &&
           chunk->bytes <= chunk_size - sizeof *chunk;
}

static struct jitscope_error *read_chunk(struct recording_file *file, uint64_t at, const uint8_t *bytes,
                                         uint64_t limit, uint64_t chunk_size) {
    struct walk walk = {
        .file = file, .chunk = bytes, .start = at, .at = at + sizeof(struct chunk_header), .end = at + limit};
    struct chunk_header chunk = {0};
    bool on_demand = file->chunks && file->chunks->on_demand;
    if (limit >= sizeof chunk) /* else it is a torn tail */
        memcpy(&chunk, bytes, sizeof chunk);
    if (chunk.sealed == 1 && is_cut(&chunk, limit, chunk_size))
        chunk.sealed = 0;
    if (on_demand)
        TRY(vec_push(&file->chunks->seals,
                     (struct chunk_seal){chunk.digest, chunk.bytes, .is_here = chunk.sealed != 1}));
    if (!chunk.magic)
        return NULL; /* allocated, never used */
    if (chunk.magic != CHUNK_MAGIC)
        return bad_file(at, "no chunk where one should be");
    if (chunk.sealed > 1)
        return bad_file(at, "a chunk that is neither open nor sealed");
    return chunk.sealed ? walk_sealed(&walk, &chunk, !on_demand) : walk_open(&walk);
}

static int by_sequence(const void *a, const void *b) {
    const struct recording_run *x = a, *y = b;
    if (x->sequence != y->sequence)
        return x->sequence < y->sequence ? -1 : 1;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static void order_runs(struct recording_file *file) {
    uint64_t reach = 0;
    if (file->runs.count)
        qsort(file->runs.data, file->runs.count, sizeof *file->runs.data, by_sequence);
    for (uint32_t i = 0; i < file->runs.count; i++) {
        struct recording_run *run = &file->runs.data[i];
        uint64_t last = run->sequence + (run->count - 1);
        last = last < run->sequence ? UINT64_MAX : last;
        run->reach = reach = last > reach ? last : reach;
    }
}

static struct jitscope_error *read_file(struct recording_file *file, uint64_t whole) {
    struct recording_header header;
    TRY(read_header(file, &header));
    TRY(read_schema(file, &header));
    TRY(recording_read_on_demand(file, &header, whole));
    uint64_t size = file->chunks ? file->chunks->file_size : file->bytes.size;
    uint64_t most = size / sizeof(struct event_string);
    file->most_strings = most < UINT32_MAX - 1 ? (uint32_t)most : UINT32_MAX - 1;
    for (uint64_t at = header.first_chunk; at < size; at += header.chunk_size) {
        uint64_t left = size - at, limit = left < header.chunk_size ? left : header.chunk_size, got;
        const uint8_t *bytes;
        TRY(recording_peek(file, at, limit, &bytes, &got));
        if (got)
            TRY(read_chunk(file, at, bytes, got, header.chunk_size));
        if (got < limit || left <= header.chunk_size)
            break;
    }
    order_runs(file);
    return NULL;
}

static struct jitscope_error *unpack(struct recording_file *file, struct bytes packed) {
    uint64_t size;
    TRY(packed_read(packed, &file->unpacked, &size, &file->unpacked_room));
    file->bytes = (struct bytes){file->unpacked, size};
    return NULL;
}

struct jitscope_error *recording_open_memory(struct bytes bytes, struct recording_file *file) {
    *file = (struct recording_file){.bytes = bytes};
    struct jitscope_error *error = packed_is(bytes) ? unpack(file, bytes) : NULL;
    if (!error)
        error = read_file(file, UINT64_MAX);
    if (error)
        recording_close(file);
    return error;
}

/* A packed file is needed whole; what is left of it is its content. */
static struct jitscope_error *unpack_file(struct recording_file *file) {
    TRY(recording_fill(file, sizeof(uint32_t)));
    if (!packed_is(file->bytes))
        return NULL;
    TRY(recording_fill(file, file->chunks->file_size));
    TRY(unpack(file, file->bytes));
    recording_chunks_destroy(file->chunks);
    file->chunks = NULL;
    return NULL;
}

struct jitscope_error *recording_open_large(const char *path, uint64_t whole, struct recording_file *file) {
    *file = (struct recording_file){0};
    int fd = os_open(path, O_RDONLY, 0);
    if (fd < 0)
        return error_with_usual_help(error_system("cannot open", path));
    struct jitscope_error *error = recording_chunks_create(fd, file);
    if (!error)
        error = unpack_file(file);
    if (!error)
        error = read_file(file, whole);
    if (error)
        recording_close(file);
    return error_with_usual_help(error_in_input(error, path));
}

struct jitscope_error *recording_open(const char *path, struct recording_file *file) {
    return recording_open_large(path, WHOLE, file);
}

void recording_close(struct recording_file *file) {
    vec_destroy(&file->runs);
    vec_destroy(&file->strings);
    vec_destroy(&file->far_strings);
    map64_destroy(&file->far_places);
    schema_destroy(&file->schema);
    recording_chunks_destroy(file->chunks);
    os_release_table(file->unpacked, file->unpacked_room);
    *file = (struct recording_file){0};
}

/* --- events */

/* Makes the run's bytes be there; false ends the events. */
static bool begin_or_go_on(struct event_cursor *cursor, const struct recording_run *run) {
    if (!cursor->index)
        cursor->offset = run->offset;
    if (cursor->index && cursor->run_bytes)
        return true;
    cursor->run_bytes = recording_bytes(cursor->file, cursor->window, run->offset);
    if (!cursor->run_bytes)
        cursor->run = cursor->file->runs.count;
    return cursor->run_bytes;
}

bool event_next(struct event_cursor *cursor, struct event_view *view) {
    const struct recording_file *file = cursor->file;
    while (cursor->run < file->runs.count) {
        const struct recording_run *run = &file->runs.data[cursor->run];
        if (cursor->index == run->count) {
            cursor->run++;
            cursor->index = 0;
            continue;
        }
        if (!begin_or_go_on(cursor, run))
            break;
        const uint8_t *record = cursor->run_bytes + (cursor->offset - run->offset);
        uint32_t header = load_u32(record);
        *view = (struct event_view){.type = schema_event(&file->schema, EVENT_HEADER_ID(header)),
                                    .schema = &file->schema,
                                    .record = record,
                                    .offset = cursor->offset,
                                    .sequence = run->sequence + cursor->index,
                                    .link = run->link,
                                    .thread = run->thread,
                                    .size = EVENT_HEADER_SIZE(header)};
        cursor->offset += view->size;
        cursor->index++;
        if (view->type)
            return true;
    }
    return false;
}

bool event_cursor_is_before(const struct event_cursor *cursor, const struct event_cursor *other) {
    return cursor->run != other->run ? cursor->run < other->run : cursor->index < other->index;
}

bool event_next_before(struct event_cursor *cursor, const struct event_cursor *end, struct event_view *view) {
    if (!event_cursor_is_before(cursor, end) || !event_next(cursor, view))
        return false;
    /* It may have passed events that nobody knows. */
    struct event_cursor found = {.run = cursor->run, .index = cursor->index - 1};
    return event_cursor_is_before(&found, end);
}

struct event_cursor event_after(const struct recording_file *file, uint64_t sequence) {
    uint32_t low = 0, high = file->runs.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (file->runs.data[middle].reach <= sequence)
            low = middle + 1;
        else
            high = middle;
    }
    struct event_cursor found = {.file = file, .run = low};
    if (low < file->runs.count && file->runs.data[low].sequence <= sequence)
        found.index = (uint32_t)(sequence + 1 - file->runs.data[low].sequence);
    return found;
}

uint64_t event_field(const struct event_view *view, uint32_t index) {
    const struct schema_field *field = &view->schema->fields.data[view->type->first_field + index];
    const uint8_t *at = view->record + field->offset;
    return view->schema->types.data[field->type].bytes == 8 ? load_u64(at) : load_u32(at);
}

struct bytes event_trailing_bytes(const struct event_view *view) {
    if (!view->type->has_trailing)
        return (struct bytes){NULL, 0};
    uint32_t room = view->size - view->type->size, length = trailing_length(view->record, view->type);
    return (struct bytes){view->record + view->type->size, length < room ? length : room};
}

struct recorded_string event_trailing_text(const struct event_view *view) {
    struct bytes bytes = event_trailing_bytes(view);
    return (struct recorded_string){bytes.data ? (const char *)bytes.data : "", (uint32_t)bytes.size};
}

struct recorded_string recording_string(const struct recording_file *file, uint32_t id) {
    if (id < file->strings.count && file->strings.data[id].bytes)
        return file->strings.data[id];
    uint32_t place = id < file->most_strings ? MAP64_NO_VALUE : map64_find(&file->far_places, id);
    return place == MAP64_NO_VALUE ? (struct recorded_string){"", 0} : file->far_strings.data[place];
}
