/* Reading a .jsr file: everything in it is checked before it is believed.
 *
 * Opening walks all records once, by their lengths alone: it finds the runs (consecutive events of one thread
 * and link) and the strings.  Runs sorted by sequence number merge the threads.  A record that no walk can
 * pass (bad length in a sealed chunk) makes the file unreadable from there; in an open chunk it is where the
 * writer stopped. */
#include "trace/recording.h"

#include "base/os.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { LARGEST_SCHEMA = 1 << 18 };

static struct jitscope_error *bad_file(uint64_t offset, const char *what) {
    struct coordinates where = {.offset = offset};
    return error_at(JITSCOPE_ERROR_RECORDING, &where, "not a readable recording: %s", what);
}

/* --- header */

static struct jitscope_error *read_header(struct bytes bytes, struct recording_header *header) {
    if (!bytes_contain(bytes, 0, sizeof *header))
        return bad_file(bytes.size, "the file ends inside its header");
    memcpy(header, bytes.data, sizeof *header);
    if (memcmp(header->magic, RECORDING_MAGIC, sizeof header->magic) != 0)
        return bad_file(0, "no jitscope magic");
    if (header->version != RECORDING_VERSION)
        return error_create(JITSCOPE_ERROR_RECORDING,
                            "the recording has format version %u, this jitscope reads %u", header->version,
                            RECORDING_VERSION);
    if (!bytes_contain(bytes, header->schema_offset, header->schema_size))
        return bad_file(header->schema_offset, "the schema lies outside the file");
    if (header->schema_size > LARGEST_SCHEMA)
        return bad_file(header->schema_offset, "a schema of impossible size");
    if (header->chunk_size < sizeof(struct chunk_header) + 64 || header->chunk_size % 8 ||
        header->first_chunk % 8 || header->first_chunk < header->schema_offset + header->schema_size)
        return bad_file(8, "impossible chunk size or place");
    if (header->digest != recording_header_digest(*header, bytes.data + header->schema_offset))
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

static struct jitscope_error *add_string(struct walk *walk, const uint8_t *record) {
    struct event_string string;
    struct recording_file *file = walk->file;
    memcpy(&string, record, sizeof string);
    /* Ids are dense: each needs a record of its own, so that a wild id cannot ask for wild memory. */
    if (string.string > file->bytes.size / sizeof string || string.string >= UINT32_MAX - 1)
        return bad_file(walk->at, "a string with an impossible number");
    if (string.string >= file->strings.count) {
        uint32_t more = string.string + 1 - file->strings.count;
        TRY(vec_reserve(&file->strings, more));
        memset(file->strings.data + file->strings.count, 0, more * sizeof *file->strings.data);
        file->strings.count += more;
    }
    file->strings.data[string.string] =
        (struct recorded_string){(const char *)record + sizeof string, string.length};
    return NULL;
}

/* The record's size, or 0 when there is none that makes sense. */
static uint32_t record_size(const struct walk *walk, uint32_t header) {
    uint32_t size = EVENT_HEADER_SIZE(header), id = EVENT_HEADER_ID(header);
    const struct schema_event *event = schema_event(&walk->file->schema, id);
    if (size < 4 || size % 4 || size > walk->end - walk->at)
        return 0;
    return event && (event->has_trailing ? size < event->size : size != event->size) ? 0 : size;
}

/* What the last field of an event with trailing bytes says. */
static uint32_t trailing_length(const uint8_t *record, const struct schema_event *event) {
    return load_u32(record + event->size - 4);
}

static bool has_its_trailing_bytes(const struct walk *walk, const uint8_t *record, uint32_t size) {
    const struct schema_event *event = schema_event(&walk->file->schema, EVENT_HEADER_ID(load_u32(record)));
    return !event || !event->has_trailing || trailing_length(record, event) <= size - event->size;
}

static struct jitscope_error *walk_chunk(struct recording_file *file, const struct chunk_header *chunk,
                                         uint64_t start, uint64_t end) {
    uint64_t events = file->events;
    struct walk walk = {.file = file, .at = start, .end = end};
    while (walk.end - walk.at >= 4) {
        const uint8_t *record = file->bytes.data + walk.at;
        uint32_t header = load_u32(record);
        if (!header && !chunk->sealed)
            break;
        uint32_t size = record_size(&walk, header);
        if (!size && chunk->sealed)
            return bad_file(walk.at, "a damaged record");
        if (!size)
            break;
        if (EVENT_HEADER_ID(header) == EVENT_ID_run)
            TRY(begin_run(&walk, record));
        else if (!walk.in_run)
            return bad_file(walk.at, "events before the first run record of a chunk");
        else if (!has_its_trailing_bytes(&walk, record, size))
            return bad_file(walk.at, "a record with fewer bytes behind its fields than it says");
        else
            walk.run.count++;
        if (EVENT_HEADER_ID(header) == EVENT_ID_string)
            TRY(add_string(&walk, record));
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

static struct jitscope_error *read_file(struct recording_file *file) {
    struct recording_header header;
    TRY(read_header(file->bytes, &header));
    TRY(read_schema(file, &header));
    for (uint64_t at = header.first_chunk; at < file->bytes.size; at += header.chunk_size) {
        uint64_t left = file->bytes.size - at;
        TRY(read_chunk(file, at, left < header.chunk_size ? left : header.chunk_size));
        if (left <= header.chunk_size)
            break;
    }
    if (file->runs.count)
        qsort(file->runs.data, file->runs.count, sizeof *file->runs.data, by_sequence);
    return NULL;
}

struct jitscope_error *recording_open_memory(struct bytes bytes, struct recording_file *file) {
    *file = (struct recording_file){.bytes = bytes};
    struct jitscope_error *error = read_file(file);
    if (error)
        recording_close(file);
    return error;
}

/* What is there now; a writer at work may add more, or cut what it has not used. */
static struct jitscope_error *read_bytes(int fd, uint8_t *memory, uint64_t size, uint64_t *got) {
    for (*got = 0; *got < size;) {
        ssize_t count = os_read(fd, memory + *got, size - *got);
        if (count < 0)
            return error_system("read", NULL);
        if (!count)
            break;
        *got += (uint64_t)count;
    }
    return NULL;
}

static struct jitscope_error *load_file(int fd, struct recording_file *file) {
    uint64_t size, got;
    bool regular;
    if (os_file_size(fd, &size, &regular) < 0)
        return error_system("cannot read", NULL);
    if (!size || !regular)
        return bad_file(0, "an empty or special file");
    uint8_t *memory = os_map(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!memory)
        return error_no_memory();
    os_advise(memory, size, MADV_HUGEPAGE);
    struct jitscope_error *error = read_bytes(fd, memory, size, &got);
    if (!error)
        error = recording_open_memory((struct bytes){memory, got}, file);
    if (error) {
        os_unmap(memory, size);
        return error;
    }
    file->memory = memory;
    file->memory_size = size;
    return NULL;
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
    schema_destroy(&file->schema);
    if (file->memory)
        os_unmap(file->memory, file->memory_size);
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
    return (struct recorded_string){"", 0};
}
