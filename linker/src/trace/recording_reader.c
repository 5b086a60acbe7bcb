/* Reading a .jsr file: everything in it is checked before it is believed.
 *
 * Opening walks all records once, by their lengths alone: it finds the runs (consecutive events of one thread
 * and link) and the strings.  Runs sorted by sequence number merge the threads.  A record that no walk can
 * pass (bad length in a sealed chunk) makes the file unreadable from there; in an open chunk it is where the
 * writer stopped. */
#include "trace/recording_follow.h"
#include "trace/recording_walk.h"

#include "base/os.h"
#include "trace/packed.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { LARGEST_SCHEMA = 1 << 18, WHOLE = 32 << 20 };

/* --- header */

static struct jitscope_error *check_header(const struct recording_header *header) {
    if (memcmp(header->magic, RECORDING_MAGIC, sizeof header->magic) != 0)
        return recording_is_bad(0, "no jitscope magic");
    if (header->version != RECORDING_VERSION)
        return error_create(JITSCOPE_ERROR_RECORDING,
                            "the recording has format version %u, this jitscope reads %u", header->version,
                            RECORDING_VERSION);
    if (header->schema_size > LARGEST_SCHEMA)
        return recording_is_bad(header->schema_offset, "a schema of impossible size");
    if (header->chunk_size < sizeof(struct chunk_header) + 64 || header->chunk_size % 8 ||
        header->first_chunk % 8)
        return recording_is_bad(8, "impossible chunk size or place");
    return NULL;
}

static struct jitscope_error *read_header(struct recording_file *file, struct recording_header *header) {
    TRY(recording_fill(file, sizeof *header));
    if (!bytes_contain(file->bytes, 0, sizeof *header))
        return recording_is_bad(file->bytes.size, "the file ends inside its header");
    memcpy(header, file->bytes.data, sizeof *header);
    TRY(check_header(header));
    uint64_t end = header->schema_offset + header->schema_size;
    TRY(recording_fill(file, end));
    if (!bytes_contain(file->bytes, header->schema_offset, header->schema_size))
        return recording_is_bad(header->schema_offset, "the schema lies outside the file");
    if (header->first_chunk < end)
        return recording_is_bad(8, "impossible chunk size or place");
    if (header->digest != recording_header_digest(*header, file->bytes.data + header->schema_offset))
        return recording_is_bad(0, "the digest of header and schema does not match them");
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

struct jitscope_error *recording_read_head(struct recording_file *file, struct recording_header *header) {
    TRY(read_header(file, header));
    return read_schema(file, header);
}

void recording_expect_strings(struct recording_file *file, uint64_t size) {
    uint64_t most = size / sizeof(struct event_string);
    most = most < UINT32_MAX - 1 ? most : UINT32_MAX - 1;
    if (file->most_strings < most)
        file->most_strings = (uint32_t)most;
}

/* --- chunks */

/* Its writer may go on filling it: what was seen is kept. */
static struct jitscope_error *walk_open(struct walk *walk) {
    walk->file->open_chunks++;
    walk->chunk = recording_keep(walk->file, walk->start, walk->end - walk->start);
    if (!walk->chunk)
        return error_no_memory();
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
    struct walk walk = walk_begin(file, &file->runs, at, at + limit, bytes);
    struct chunk_header chunk = {0};
    bool on_demand = file->chunks && file->chunks->on_demand;
    walk.is_here = !on_demand;
    if (limit >= sizeof chunk) /* else it is a torn tail */
        memcpy(&chunk, bytes, sizeof chunk);
    if (chunk.sealed == 1 && is_cut(&chunk, limit, chunk_size))
        chunk.sealed = 0;
    if (on_demand)
        TRY(vec_push(&file->chunks->seals,
                     (struct chunk_seal){.digest = chunk.digest, .bytes = chunk.bytes}));
    if (!chunk.magic)
        return NULL; /* allocated, never used */
    if (chunk.magic != CHUNK_MAGIC)
        return recording_is_bad(at, "no chunk where one should be");
    if (chunk.sealed > 1)
        return recording_is_bad(at, "a chunk that is neither open nor sealed");
    return chunk.sealed ? walk_sealed(&walk, &chunk) : walk_open(&walk);
}

/* In place: what is put never lies behind what is taken. */
static void order_runs(struct recording_file *file) {
    uint32_t count = file->runs.count;
    recording_order_runs(&file->runs);
    file->runs.count = 0;
    for (uint32_t i = 0; i < count; i++)
        recording_put_run(file, file->runs.data[i]);
}

struct jitscope_error *recording_read_chunks(struct recording_file *file,
                                             const struct recording_header *header) {
    uint64_t size = file->chunks ? file->chunks->file_size : file->bytes.size;
    recording_expect_strings(file, size);
    for (uint64_t at = header->first_chunk; at < size; at += header->chunk_size) {
        uint64_t left = size - at, limit = left < header->chunk_size ? left : header->chunk_size, got;
        const uint8_t *bytes;
        TRY(recording_peek(file, at, limit, &bytes, &got));
        if (got)
            TRY(read_chunk(file, at, bytes, got, header->chunk_size));
        if (got < limit || left <= header->chunk_size)
            break;
    }
    order_runs(file);
    return NULL;
}

struct jitscope_error *recording_read_whole(struct recording_file *file, uint64_t whole) {
    struct recording_header header;
    TRY(recording_read_head(file, &header));
    TRY(recording_read_on_demand(file, &header, whole));
    return recording_read_chunks(file, &header);
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
        error = recording_read_whole(file, UINT64_MAX);
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

struct jitscope_error *recording_begin(int fd, struct recording_file *file) {
    *file = (struct recording_file){0};
    TRY(recording_chunks_create(fd, file));
    return unpack_file(file);
}

struct jitscope_error *recording_open_large(const char *path, uint64_t whole, struct recording_file *file) {
    *file = (struct recording_file){0};
    int fd = os_open(path, O_RDONLY, 0);
    if (fd < 0)
        return error_with_usual_help(error_system("cannot open", path));
    struct jitscope_error *error = recording_begin(fd, file);
    if (!error)
        error = recording_read_whole(file, whole);
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
    recording_follow_destroy(file->follow);
    recording_chunks_destroy(file->chunks);
    os_release_table(file->unpacked, file->unpacked_room);
    *file = (struct recording_file){0};
}

/* --- events */

/* Makes the run's bytes be there; false ends the events. */
static bool begin_or_go_on(struct event_cursor *cursor, const struct recording_run *run) {
    if (!cursor->index)
        cursor->offset = run->offset;
    if (cursor->index && cursor->run_bytes && cursor->refreshes == cursor->file->refreshes)
        return true;
    cursor->refreshes = cursor->file->refreshes;
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
            if (cursor->run + 1 == file->runs.count)
                break; /* it may grow */
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
    uint32_t room = view->size - view->type->size, length = load_u32(view->record + view->type->size - 4);
    return (struct bytes){view->record + view->type->size, length < room ? length : room};
}

struct recorded_string event_trailing_text(const struct event_view *view) {
    struct bytes bytes = event_trailing_bytes(view);
    return (struct recorded_string){bytes.data ? (const char *)bytes.data : "", (uint32_t)bytes.size};
}

struct recorded_string recording_string(const struct recording_file *file, uint32_t id) {
    if (id < file->strings.count && file->strings.data[id].bytes)
        return file->strings.data[id];
    uint32_t place = file->far_strings.count ? map64_find(&file->far_places, id) : MAP64_NO_VALUE;
    return place == MAP64_NO_VALUE ? (struct recorded_string){"", 0} : file->far_strings.data[place];
}
