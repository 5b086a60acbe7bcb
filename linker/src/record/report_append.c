/* Appending events to a recording that is closed: its bytes with a longer schema, when it does not know
 * `report` yet, its chunks as they are, and chunks of new events behind them.  Nothing in a chunk depends on
 * its place. */
#include "record/report.h"

#include "trace/packed.h"

/* What a line takes at most; a chunk has room for one, and a few more numbers. */
enum { LONGEST_LINE = 2048, SMALLEST_CHUNK = 4096, LARGEST_CHUNK = 1 << 26 };

struct appender {
    struct text *image;
    uint64_t first_chunk; /* in the image */
    uint32_t chunk_size;
    uint64_t sequence; /* of the next event */
    uint32_t thread;
    uint64_t chunk; /* where the open one begins; 0: none */
    uint64_t first_sequence;
};

static void zeros_up_to(struct text *image, uint64_t size) {
    static const char zeros[4096];
    while (image->length < size && !image->failed) {
        uint64_t left = size - image->length;
        text_append_bytes(image, zeros, left < sizeof zeros ? left : sizeof zeros);
    }
}

/* --- header and schema */

/* The lines of this version's schema that say what a `report` is. */
static struct bytes report_lines(void) {
    static const char begin[] = "\nE\t150\treport\t";
    size_t length;
    const char *text = schema_text(&length);
    const char *lines = strstr(text, begin) + 1, *end = strstr(lines, "\nE\t");
    return (struct bytes){(const uint8_t *)lines, (uint64_t)((end ? end + 1 : text + length) - lines)};
}

static struct jitscope_error *check(const struct recording_file *file,
                                    const struct recording_header *header) {
    const struct schema_event *known = schema_event(&file->schema, EVENT_ID_report);
    if (known && (strcmp(known->name, "report") != 0 || known->size != sizeof(struct event_report) ||
                  !known->has_trailing))
        return error_create(JITSCOPE_ERROR_RECORDING,
                            "the recording's schema has other report events than this version");
    if (file->runs.count && file->runs.data[file->runs.count - 1].reach > UINT64_MAX / 2)
        return error_create(JITSCOPE_ERROR_RECORDING, "events with impossible sequence numbers");
    if (header->chunk_size < SMALLEST_CHUNK || header->chunk_size > LARGEST_CHUNK)
        return error_create(JITSCOPE_ERROR_RECORDING, "chunks of %u bytes cannot take a report",
                            header->chunk_size);
    return NULL;
}

static void put_head(struct appender *appender, const struct recording_file *file,
                     struct recording_header header) {
    struct bytes schema = bytes_slice(file->bytes, header.schema_offset, header.schema_size);
    struct bytes more = report_lines();
    struct text *image = appender->image;
    if (schema_event(&file->schema, EVENT_ID_report))
        more.size = 0;
    header.schema_offset = RECORDING_PAGE;
    header.schema_size += more.size;
    header.first_chunk = appender->first_chunk =
        (header.schema_offset + header.schema_size + RECORDING_PAGE - 1) / RECORDING_PAGE * RECORDING_PAGE;
    zeros_up_to(image, header.schema_offset);
    text_append_bytes(image, (const char *)schema.data, schema.size);
    text_append_bytes(image, (const char *)more.data, more.size);
    if (image->failed)
        return;
    header.digest = recording_header_digest(header, image->data + header.schema_offset);
    memcpy(image->data, &header, sizeof header);
    zeros_up_to(image, header.first_chunk);
}

/* --- chunks that are there */

struct skipping {
    struct text *image;
    uint64_t skip; /* bytes that do not go into it */
};

static void put_behind(void *context, const void *data, size_t size) {
    struct skipping *skipping = context;
    uint64_t skipped = size < skipping->skip ? size : skipping->skip;
    skipping->skip -= skipped;
    text_append_bytes(skipping->image, (const char *)data + skipped, size - skipped);
}

static void put_chunks(struct appender *appender, const struct recording_file *file, uint64_t first_chunk) {
    struct skipping skipping = {appender->image, first_chunk};
    packed_write_plain(file, put_behind, &skipping);
    uint64_t chunks = appender->image->length - appender->first_chunk, size = appender->chunk_size;
    zeros_up_to(appender->image, appender->first_chunk + (chunks + size - 1) / size * size);
}

/* --- new chunks */

static void seal(struct appender *appender) {
    struct text *image = appender->image;
    if (!appender->chunk || image->failed)
        return;
    struct chunk_header header = {.magic = CHUNK_MAGIC,
                                  .thread = appender->thread,
                                  .sealed = 1,
                                  .count = (uint32_t)(appender->sequence - appender->first_sequence),
                                  .first_sequence = appender->first_sequence,
                                  .end_sequence = appender->sequence,
                                  .bytes = image->length - appender->chunk - sizeof header};
    header.digest = recording_chunk_digest(header, image->data + appender->chunk + sizeof header);
    memcpy(image->data + appender->chunk, &header, sizeof header);
}

static void begin_chunk(struct appender *appender) {
    if (appender->chunk)
        zeros_up_to(appender->image, appender->chunk + appender->chunk_size);
    appender->chunk = appender->image->length;
    appender->first_sequence = appender->sequence;
    zeros_up_to(appender->image, appender->chunk + sizeof(struct chunk_header));
    struct event_run run = {.header = EVENT_HEADER(EVENT_ID_run, sizeof run),
                            .sequence_low = (uint32_t)appender->sequence,
                            .sequence_high = (uint32_t)(appender->sequence >> 32),
                            .thread = appender->thread};
    text_append_bytes(appender->image, (const char *)&run, sizeof run);
}

static void put_line(struct appender *appender, const char *line, size_t length) {
    length = length < LONGEST_LINE ? length : LONGEST_LINE;
    uint32_t padded = ((uint32_t)length + 3) & ~3u;
    struct event_report report = {.header = EVENT_HEADER(EVENT_ID_report, sizeof report + padded),
                                  .length = (uint32_t)length};
    if (!appender->chunk ||
        appender->image->length + sizeof report + padded > appender->chunk + appender->chunk_size) {
        seal(appender);
        begin_chunk(appender);
    }
    text_append_bytes(appender->image, (const char *)&report, sizeof report);
    text_append_bytes(appender->image, line, length);
    zeros_up_to(appender->image, appender->image->length + padded - length);
    appender->sequence++;
}

static void put_manifest(struct appender *appender, const struct text *manifest) {
    for (const char *line = manifest->data, *end; line && *line; line = end + (*end == '\n')) {
        end = line + strcspn(line, "\n");
        put_line(appender, line, (size_t)(end - line));
    }
    seal(appender);
}

/* --- all of it */

/* Behind all that is there, in a thread of its own. */
static void find_place(struct appender *appender, const struct recording_file *file) {
    if (file->runs.count)
        appender->sequence = file->runs.data[file->runs.count - 1].reach + 1;
    for (uint32_t i = 0; i < file->runs.count; i++)
        if (file->runs.data[i].thread >= appender->thread)
            appender->thread = file->runs.data[i].thread + 1;
}

struct jitscope_error *report_append(const struct recording_file *file, const struct text *manifest,
                                     struct text *image) {
    struct recording_header header;
    memcpy(&header, file->bytes.data, sizeof header);
    TRY(check(file, &header));
    struct appender appender = {.image = image, .chunk_size = header.chunk_size};
    find_place(&appender, file);
    put_head(&appender, file, header);
    put_chunks(&appender, file, header.first_chunk);
    put_manifest(&appender, manifest);
    return image->failed || manifest->failed ? error_no_memory() : NULL;
}

bool report_read(const struct recording_file *file, struct text *out) {
    struct event_cursor cursor = {.file = file};
    struct event_view view;
    bool found = false;
    while (event_next(&cursor, &view)) {
        if (view.type->id != EVENT_ID_report)
            continue;
        struct recorded_string line = event_trailing_text(&view);
        text_append_escaped(out, line.bytes, line.length);
        text_append(out, "\n");
        found = true;
    }
    return found;
}
