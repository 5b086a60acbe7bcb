#include "trace/recording_walk.h"

#include <stdlib.h>
#include <string.h>

struct jitscope_error *recording_is_bad(uint64_t offset, const char *what) {
    struct coordinates where = {.offset = offset};
    return error_at(JITSCOPE_ERROR_RECORDING, &where, "not a readable recording: %s", what);
}

struct walk walk_begin(struct recording_file *file, recording_runs *runs, uint64_t start, uint64_t end,
                       const uint8_t *chunk) {
    return (struct walk){.file = file,
                         .runs = runs,
                         .chunk = chunk,
                         .start = start,
                         .at = start + sizeof(struct chunk_header),
                         .end = end};
}

/* --- runs and strings */

static struct jitscope_error *end_run(struct walk *walk) {
    struct recording_run *run = &walk->run;
    if (!walk->in_run || !run->count)
        return NULL;
    run->bytes = walk->at - run->offset;
    TRY(vec_push(walk->runs, *run));
    walk->records += run->count;
    run->sequence += run->count;
    run->offset = walk->at;
    run->count = 0;
    return NULL;
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

/* --- records */

/* Whether a record at AT that says it has SIZE bytes can be passed over. */
static bool is_sound(const struct walk *walk, uint64_t at, uint32_t header) {
    uint32_t size = EVENT_HEADER_SIZE(header);
    if (size < 4 || size % 4 || size > walk->end - at)
        return false;
    const struct schema_event *event = schema_event(&walk->file->schema, EVENT_HEADER_ID(header));
    return !event || event->size == size || (event->has_trailing && event->size < size);
}

static struct jitscope_error *walk_record(struct walk *walk, const uint8_t *record, uint32_t header) {
    uint32_t id = EVENT_HEADER_ID(header), size = EVENT_HEADER_SIZE(header);
    const struct schema_event *event = schema_event(&walk->file->schema, id);
    if (id == EVENT_ID_run)
        return begin_run(walk, record);
    if (!walk->in_run)
        return recording_is_bad(walk->at, "events before the first run record of a chunk");
    walk->run.count++;
    if (id == EVENT_ID_session_end)
        walk->file->has_session_end = true;
    if (!event || !event->has_trailing)
        return NULL;
    /* What the last field says. */
    if (load_u32(record + event->size - 4) > size - event->size)
        return recording_is_bad(walk->at, "a record with fewer bytes behind its fields than it says");
    return id == EVENT_ID_string ? add_string(walk, record) : NULL;
}

struct jitscope_error *walk_records(struct walk *walk, bool sealed) {
    while (walk->end - walk->at >= 4) {
        const uint8_t *record = walk->chunk + (walk->at - walk->start);
        uint32_t header = load_u32(record);
        bool sound = is_sound(walk, walk->at, header);
        if (!sealed && (!header || !sound))
            break;
        if (!sound)
            return recording_is_bad(walk->at, "a damaged record");
        TRY(walk_record(walk, record, header));
        walk->at += EVENT_HEADER_SIZE(header);
    }
    return end_run(walk);
}

uint64_t walk_published(const struct walk *walk, uint64_t at, uint64_t up_to, bool *stops) {
    *stops = false;
    while (!*stops && at < up_to && up_to - at >= 4) {
        uint32_t header = load_u32(walk->chunk + (at - walk->start));
        *stops = !header || !is_sound(walk, at, header);
        at += *stops ? 0 : EVENT_HEADER_SIZE(header);
    }
    return at;
}

struct jitscope_error *walk_sealed(struct walk *walk, const struct chunk_header *chunk) {
    uint64_t first = walk->start + sizeof *chunk;
    if (chunk->bytes > walk->end - first)
        return recording_is_bad(walk->start, "a chunk that is longer than the file");
    walk->end = first + chunk->bytes;
    if (walk->end < walk->at || recording_chunk_digest(*chunk, walk->chunk + sizeof *chunk) != chunk->digest)
        return recording_is_bad(walk->start, "a chunk whose digest does not match its records");
    TRY(walk_records(walk, true));
    if (walk->at != walk->end || walk->records != chunk->count)
        return recording_is_bad(first, "a chunk with another number of records than it says");
    return NULL;
}

/* --- order */

static int by_sequence(const void *a, const void *b) {
    const struct recording_run *x = a, *y = b;
    if (x->sequence != y->sequence)
        return x->sequence < y->sequence ? -1 : 1;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

void recording_order_runs(recording_runs *runs) {
    if (runs->count)
        qsort(runs->data, runs->count, sizeof *runs->data, by_sequence);
}

static uint64_t reach_of(const struct recording_run *run) {
    uint64_t last = run->sequence + (run->count - 1);
    return last < run->sequence ? UINT64_MAX : last;
}

static bool goes_on(const struct recording_run *run, const struct recording_run *piece) {
    return piece->offset == run->offset + run->bytes && piece->sequence == run->sequence + run->count;
}

void recording_put_run(struct recording_file *file, struct recording_run run) {
    struct recording_run *last = file->runs.count ? &file->runs.data[file->runs.count - 1] : NULL;
    file->events += run.count;
    run.reach = reach_of(&run);
    if (last && last->reach > run.reach)
        run.reach = last->reach;
    if (!last || !goes_on(last, &run)) {
        vec_put(&file->runs, run);
        return;
    }
    last->count += run.count;
    last->bytes += run.bytes;
    last->reach = run.reach;
}
