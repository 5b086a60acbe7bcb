/* Reading a .jsr file: everything in it is checked before it is believed.
 *
 * Opening walks all records once, by their lengths alone: it finds the runs (consecutive events of one thread
 * and link) and the strings.  Runs sorted by sequence number merge the threads.  A record that no walk can
 * pass (bad length in a sealed chunk) makes the file unreadable from there; in an open chunk it is where the
 * writer stopped. */
#include "trace/recording.h"

#include "base/os.h"
#include "trace/packed.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { LARGEST_SCHEMA = 1 << 18 };

static struct jitscope_error *bad_file(uint64_t offset, const char *what) {
    struct coordinates where = {.offset = offset};
    return error_at(JITSCOPE_ERROR_RECORDING, &where, "not a readable recording: %s", what);
}

/* --- where bytes come from */

/* A file is read as far as it is needed, piece by piece: what was read is checked while the processor's
 * caches hold it.  Zeroed: all bytes are there. */
struct source {
    int fd;
    uint8_t *memory;
    uint64_t size; /* of MEMORY; the file's when it was opened */
    bool ended;    /* there are no more bytes: the file may be shorter by now */
};

enum { PIECE = RECORDING_CHUNK_SIZE };

/* Makes BYTES reach to END, or to where the file ends. */
static struct jitscope_error *fill(struct recording_file *file, struct source *source, uint64_t end) {
    while (source->memory && file->bytes.size < end && !source->ended) {
        uint64_t left = source->size - file->bytes.size;
        uint64_t piece = end - file->bytes.size < PIECE ? PIECE : end - file->bytes.size;
        ssize_t count = os_read(source->fd, source->memory + file->bytes.size, piece < left ? piece : left);
        if (count < 0)
            return error_system("read", NULL);
        source->ended = !count;
        file->bytes.size += (uint64_t)count;
    }
    return NULL;
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

static struct jitscope_error *read_header(struct recording_file *file, struct source *source,
                                          struct recording_header *header) {
    TRY(fill(file, source, sizeof *header));
    if (!bytes_contain(file->bytes, 0, sizeof *header))
        return bad_file(file->bytes.size, "the file ends inside its header");
    memcpy(header, file->bytes.data, sizeof *header);
    TRY(check_header(header));
    uint64_t end = header->schema_offset + header->schema_size;
    TRY(fill(file, source, end));
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
    uint64_t at, end;
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
    TRY(string_slot(walk->file, string.string, &slot));
    *slot = (struct recorded_string){(const char *)record + sizeof string, string.length};
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

static struct jitscope_error *walk_chunk(struct recording_file *file, const struct chunk_header *chunk,
                                         uint64_t start, uint64_t end) {
    uint64_t events = file->events;
    struct walk walk = {.file = file, .at = start, .end = end};
    while (walk.end - walk.at >= 4) {
        const uint8_t *record = file->bytes.data + walk.at;
        uint32_t header = load_u32(record), size = EVENT_HEADER_SIZE(header);
        const struct schema_event *event = schema_event(&file->schema, EVENT_HEADER_ID(header));
        if (!chunk->sealed && (!header || !is_sound(&walk, event, size)))
            break;
        if (!is_sound(&walk, event, size))
            return bad_file(walk.at, "a damaged record");
        TRY(walk_record(&walk, record, event, size));
        walk.at += size;
    }
    TRY(end_run(&walk));
    if (chunk->sealed && (walk.at != end || file->events - events != chunk->count))
        return bad_file(start, "a chunk with another number of records than it says");
    return NULL;
}

static struct jitscope_error *read_chunk(struct recording_file *file, uint64_t at, uint64_t limit) {
    struct chunk_header chunk;
    if (limit < sizeof chunk)
        return NULL; /* a torn tail */
    memcpy(&chunk, file->bytes.data + at, sizeof chunk);
    if (!chunk.magic)
        return NULL; /* allocated, never used */
    if (chunk.magic != CHUNK_MAGIC)
        return bad_file(at, "no chunk where one should be");
    uint64_t start = at + sizeof chunk, end = at + limit;
    if (chunk.sealed > 1)
        return bad_file(at, "a chunk that is neither open nor sealed");
    if (!chunk.sealed) {
        file->open_chunks++;
        return walk_chunk(file, &chunk, start, end);
    }
    if (chunk.bytes > end - start)
        return bad_file(at, "a chunk that is longer than the file");
    if (recording_chunk_digest(chunk, file->bytes.data + start) != chunk.digest)
        return bad_file(at, "a chunk whose digest does not match its records");
    return walk_chunk(file, &chunk, start, start + chunk.bytes);
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

static struct jitscope_error *read_file(struct recording_file *file, struct source *source) {
    struct recording_header header;
    TRY(read_header(file, source, &header));
    TRY(read_schema(file, &header));
    uint64_t size = source->memory ? source->size : file->bytes.size;
    uint64_t most = size / sizeof(struct event_string);
    file->most_strings = most < UINT32_MAX - 1 ? (uint32_t)most : UINT32_MAX - 1;
    for (uint64_t at = header.first_chunk; at < size; at += header.chunk_size) {
        uint64_t left = size - at, limit = left < header.chunk_size ? left : header.chunk_size;
        TRY(fill(file, source, at + limit));
        if (at >= file->bytes.size)
            break;
        TRY(read_chunk(file, at, limit < file->bytes.size - at ? limit : file->bytes.size - at));
        if (left <= header.chunk_size)
            break;
    }
    order_runs(file);
    return NULL;
}

static struct jitscope_error *read_or_close(struct recording_file *file, struct source *source) {
    struct jitscope_error *error = read_file(file, source);
    if (error)
        recording_close(file);
    return error;
}

static struct jitscope_error *read_memory(struct recording_file *file, struct bytes bytes) {
    struct source none = {0};
    uint64_t size;
    if (packed_is(bytes)) {
        TRY(packed_read(bytes, &file->unpacked, &size, &file->unpacked_room));
        bytes = (struct bytes){file->unpacked, size};
    }
    file->bytes = bytes;
    return read_or_close(file, &none);
}

struct jitscope_error *recording_open_memory(struct bytes bytes, struct recording_file *file) {
    *file = (struct recording_file){0};
    return read_memory(file, bytes);
}

/* A packed file is needed whole; what is left is its content alone. */
static struct jitscope_error *load_packed(struct recording_file *file, struct source *source) {
    struct jitscope_error *error = fill(file, source, source->size);
    struct bytes packed = file->bytes;
    file->memory = NULL;
    if (!error)
        error = read_memory(file, packed);
    os_unmap(source->memory, source->size);
    return error;
}

/* What is there now; a writer at work may add more, or cut what it has not used. */
static struct jitscope_error *load_file(int fd, struct recording_file *file) {
    struct source source = {.fd = fd};
    bool regular;
    if (os_file_size(fd, &source.size, &regular) < 0)
        return error_system("cannot read", NULL);
    if (!source.size || !regular)
        return bad_file(0, "an empty or special file");
    source.memory = os_map(NULL, source.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!source.memory)
        return error_no_memory();
    os_advise(source.memory, source.size, MADV_HUGEPAGE);
    file->memory = source.memory;
    file->memory_size = source.size;
    file->bytes.data = source.memory;
    struct jitscope_error *error = fill(file, &source, sizeof(uint32_t));
    if (!error && packed_is(file->bytes))
        return load_packed(file, &source);
    if (!error)
        return read_or_close(file, &source);
    recording_close(file);
    return error;
}

struct jitscope_error *recording_open(const char *path, struct recording_file *file) {
    *file = (struct recording_file){0};
    int fd = os_open(path, O_RDONLY, 0);
    if (fd < 0)
        return error_with_usual_help(error_system("cannot open", path));
    struct jitscope_error *error = load_file(fd, file);
    os_close(fd);
    return error_with_usual_help(error_in_input(error, path));
}

void recording_close(struct recording_file *file) {
    vec_destroy(&file->runs);
    vec_destroy(&file->strings);
    vec_destroy(&file->far_strings);
    map64_destroy(&file->far_places);
    schema_destroy(&file->schema);
    if (file->memory)
        os_unmap(file->memory, file->memory_size);
    os_release_table(file->unpacked, file->unpacked_room);
    *file = (struct recording_file){0};
}

/* --- events */

bool event_next(struct event_cursor *cursor, struct event_view *view) {
    const struct recording_file *file = cursor->file;
    while (cursor->run < file->runs.count) {
        const struct recording_run *run = &file->runs.data[cursor->run];
        if (cursor->index == run->count) {
            cursor->run++;
            cursor->index = 0;
            continue;
        }
        if (!cursor->index)
            cursor->offset = run->offset;
        const uint8_t *record = file->bytes.data + cursor->offset;
        uint32_t header = load_u32(record);
        *view = (struct event_view){.type = schema_event(&file->schema, EVENT_HEADER_ID(header)),
                                    .schema = &file->schema,
                                    .record = record,
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
