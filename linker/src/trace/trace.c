#include "trace/trace.h"

#include "trace/answers.h"
#include "trace/recording.h"

#include <pthread.h>
#include <string.h>

/* Each thread that has emitted has one; it goes on in its own chunk when the thread comes back. */
struct writer {
    pthread_t thread;
    uint32_t number;
    struct chunk_header *chunk; /* NULL: none yet, or no recording */
    uint8_t *next, *end;
    uint32_t count;        /* records in the chunk */
    uint64_t counted_from; /* trace->sequence when the run began that count does not hold yet */
    uint64_t end_sequence; /* behind the last record that count holds */
};

struct writers {
    VEC(struct writer) list;
    uint32_t current;
};

void trace_create(struct trace *trace, const struct string_pool *names) {
    *trace = (struct trace){.names = names, .began = os_time_ns()};
}

uint64_t trace_time(const struct trace *trace) {
    return trace->level ? os_time_ns() - trace->began : 0;
}

void trace_notify(struct trace *trace, const void *record) {
    trace->callback(trace->callback_context, trace->delivered++, trace->link, record);
}

static struct writers *writers_of(struct trace *trace) {
    return trace->writer;
}

static struct writer *current_writer(struct trace *trace) {
    struct writers *writers = writers_of(trace);
    return writers && writers->list.count ? &writers->list.data[writers->current] : NULL;
}

static bool is_recording(const struct trace *trace) {
    return trace->recording && !trace->failure;
}

/* A run is no event: it has no number of its own. */
static struct event_run run_of(const struct trace *trace) {
    const struct writers *writers = trace->writer;
    bool has_writer = writers && writers->list.count;
    return (struct event_run){.header = EVENT_HEADER(EVENT_ID_run, sizeof(struct event_run)),
                              .sequence_low = (uint32_t)trace->sequence,
                              .sequence_high = (uint32_t)(trace->sequence >> 32),
                              .link = trace->link,
                              .thread = has_writer ? writers->list.data[writers->current].number : 0};
}

static void put_run(struct trace *trace) {
    struct event_run run = run_of(trace);
    memcpy(trace->next + 4, (uint8_t *)&run + 4, sizeof run - 4);
    __atomic_store_n((uint32_t *)(void *)trace->next, run.header, __ATOMIC_RELEASE);
    trace->next += sizeof run;
}

static void count_records(struct trace *trace, struct writer *writer) {
    writer->count += (uint32_t)(trace->sequence - writer->counted_from);
    writer->counted_from = writer->end_sequence = trace->sequence;
}

static void seal(struct writer *writer, const uint8_t *end) {
    if (writer->chunk && !writer->chunk->sealed)
        recording_seal_chunk(writer->chunk, end, writer->end_sequence, writer->count);
    writer->chunk = NULL;
    writer->count = 0;
}

/* Every chunk keeps room for it. */
static void put_lost(struct trace *trace) {
    struct event_lost lost = {.header = EVENT_HEADER(EVENT_ID_lost, sizeof lost)};
    memcpy(trace->next + 4, (uint8_t *)&lost + 4, sizeof lost - 4);
    __atomic_store_n((uint32_t *)(void *)trace->next, lost.header, __ATOMIC_RELEASE);
    trace->next += sizeof lost;
    trace->sequence++;
}

static void set_levels(struct trace *trace, enum event_level recorded, enum event_level delivered) {
    trace->record_level = recorded;
    trace->callback_level = delivered;
    trace->level = recorded > delivered ? recorded : delivered;
}

/* The recording ends here, the link does not; neither does a callback. */
static void fail(struct trace *trace, struct jitscope_error *error) {
    struct writer *writer = current_writer(trace);
    trace->failure = error;
    if (writer && writer->chunk) {
        put_lost(trace);
        count_records(trace, writer);
        seal(writer, trace->next);
    }
    trace->next = trace->end = NULL;
    set_levels(trace, LEVEL_OFF, trace->callback_level);
}

bool trace_next_chunk(struct trace *trace, size_t size) {
    if (!trace->record_level)
        return false;
    struct writer *writer = current_writer(trace);
    struct chunk_header *chunk;
    struct jitscope_error *error = recording_next_chunk(trace->recording, writer->number, &chunk);
    if (error) {
        fail(trace, error);
        return false;
    }
    count_records(trace, writer);
    seal(writer, trace->next);
    chunk->first_sequence = trace->sequence;
    writer->chunk = chunk;
    trace->next = (uint8_t *)(chunk + 1);
    trace->end = (uint8_t *)chunk + RECORDING_CHUNK_SIZE - sizeof(struct event_lost);
    put_run(trace);
    return (size_t)(trace->end - trace->next) >= size;
}

/* The record that was put apart has a number of its own: what comes next in the chunk at hand begins a run.
 */
static void go_on(struct trace *trace, struct writer *writer) {
    count_records(trace, writer);
    trace->sequence++;
    writer->counted_from = trace->sequence;
    if (!trace->next)
        return;
    if ((size_t)(trace->end - trace->next) < sizeof(struct event_run))
        trace_next_chunk(trace, 0);
    else
        put_run(trace);
}

static void fill_apart(const struct trace *trace, const struct writer *writer, struct chunk_header *chunk) {
    struct event_run run = run_of(trace);
    *chunk = (struct chunk_header){.magic = CHUNK_MAGIC,
                                   .thread = writer->number,
                                   .sealed = 1,
                                   .count = 1,
                                   .first_sequence = trace->sequence,
                                   .end_sequence = trace->sequence + 1,
                                   .bytes = RECORDING_CHUNK_SIZE - sizeof *chunk};
    memcpy(chunk + 1, &run, sizeof run);
    chunk->digest = recording_chunk_digest(*chunk, chunk + 1);
}

bool trace_append_apart(struct trace *trace, struct chunk_header *chunk) {
    struct writer *writer = current_writer(trace);
    if (!trace->record_level || !writer)
        return false;
    fill_apart(trace, writer, chunk);
    struct jitscope_error *error = recording_append_chunk(trace->recording, chunk);
    if (error)
        fail(trace, error);
    else
        go_on(trace, writer);
    return !error;
}

/* --- threads and links */

static struct jitscope_error *find_writer(struct trace *trace, uint32_t *index) {
    struct writers *writers = writers_of(trace);
    pthread_t self = pthread_self();
    for (*index = 0; *index < writers->list.count; ++*index)
        if (pthread_equal(writers->list.data[*index].thread, self))
            return NULL;
    return vec_push(&writers->list,
                    (struct writer){.thread = self, .number = *index, .counted_from = trace->sequence});
}

/* Makes this thread's writer the current one; true when another was. */
static bool take_over(struct trace *trace) {
    struct writers *writers = writers_of(trace);
    struct writer *old = current_writer(trace);
    uint32_t index;
    if (old && pthread_equal(old->thread, pthread_self()))
        return false;
    struct jitscope_error *error = find_writer(trace, &index);
    if (error) {
        fail(trace, error);
        return false;
    }
    old = writers->list.count > 1 ? current_writer(trace) : NULL; /* the list may have moved */
    if (old) {
        count_records(trace, old);
        old->next = trace->next;
        old->end = trace->end;
    }
    writers->current = index;
    struct writer *writer = current_writer(trace);
    writer->counted_from = trace->sequence;
    trace->next = writer->next;
    trace->end = writer->end;
    return true;
}

/* In a child of fork() the mapped file is still the parent's; nothing may be put into it. */
static void let_parent_record(struct trace *trace) {
    recording_abandon(trace->recording);
    trace->recording = NULL;
    set_levels(trace, LEVEL_OFF, LEVEL_OFF);
    trace->next = trace->end = NULL;
}

static bool is_in_child(const struct trace *trace) {
    return trace->recording && trace->process != os_process_id();
}

void trace_enter_link(struct trace *trace, uint32_t link) {
    bool changed = trace->link != link;
    trace->link = link;
    if (!trace->level)
        return;
    if (is_in_child(trace))
        let_parent_record(trace);
    if (!trace->record_level)
        return;
    changed |= take_over(trace);
    if (!changed || !trace->record_level)
        return;
    if ((size_t)(trace->end - trace->next) < sizeof(struct event_run))
        trace_next_chunk(trace, 0);
    else
        put_run(trace);
}

/* --- names */

/* Without memory the name is told again with its next event. */
static void remember(struct bit_set *set, uint32_t bit) {
    uint32_t word = bit >> 6;
    if (word >= set->count) {
        uint32_t count = word * 2 + 64;
        uint64_t *words = os_reallocate(set->words, count * sizeof *words);
        if (!words)
            return;
        memset(words + set->count, 0, (count - set->count) * sizeof *words);
        *set = (struct bit_set){words, count};
    }
    set->words[word] |= UINT64_C(1) << (bit & 63);
}

/* AT has room; the header comes last, which publishes the record. */
static void write_string(uint8_t *at, uint32_t name, const struct pooled_string *string, uint32_t length,
                         uint32_t size) {
    struct event_string event = {
        .header = EVENT_HEADER(EVENT_ID_string, size), .string = name, .length = length};
    memcpy(at + 4, (uint8_t *)&event + 4, sizeof event - 4);
    memcpy(at + sizeof event, string->bytes, length);
    if (length < string->length)
        memcpy(at + sizeof event + length - 3, "...", 3);
    memset(at + sizeof event + length, 0, size - sizeof event - length);
    __atomic_store_n((uint32_t *)(void *)at, event.header, __ATOMIC_RELEASE);
}

static void record_string(struct trace *trace, uint32_t name, const struct pooled_string *string,
                          uint32_t length, uint32_t size) {
    if ((size_t)(trace->end - trace->next) < size && !trace_next_chunk(trace, size))
        return;
    write_string(trace->next, name, string, length, size);
    trace->next += size;
    trace->sequence++;
}

/* Without memory for a long one the callback does without; it has the text with the event that uses it. */
static void deliver_string(struct trace *trace, uint32_t name, const struct pooled_string *string,
                           uint32_t length, uint32_t size) {
    uint32_t small[128];
    uint8_t *record = size <= sizeof small ? (uint8_t *)small : os_allocate(size);
    if (record) {
        write_string(record, name, string, length, size);
        trace_notify(trace, record);
    }
    if (record != (uint8_t *)small)
        os_release(record);
}

static bool wants_name(enum event_level sink, enum event_level emitting) {
    return sink && sink >= emitting;
}

/* Each sink hears of a name when it first gets an event that uses it. */
void trace_define_name(struct trace *trace, uint32_t name) {
    const struct pooled_string *string = &trace->names->strings.data[name];
    uint32_t length = string->length < RECORDING_LONGEST_NAME ? string->length : RECORDING_LONGEST_NAME;
    uint32_t size = (uint32_t)(sizeof(struct event_string) + ((length + 3) & ~3u));
    if (wants_name(trace->record_level, trace->emitting) && !bit_set_has(&trace->recorded, name)) {
        record_string(trace, name, string, length, size);
        remember(&trace->recorded, name);
    }
    if (wants_name(trace->callback_level, trace->emitting) && !bit_set_has(&trace->told, name)) {
        deliver_string(trace, name, string, length, size);
        remember(&trace->told, name);
    }
    if ((!trace->record_level || bit_set_has(&trace->recorded, name)) &&
        (!trace->callback_level || bit_set_has(&trace->told, name)))
        remember(&trace->named, name);
}

static void forget(struct bit_set *set) {
    if (set->words)
        memset(set->words, 0, set->count * sizeof *set->words);
}

/* --- sinks */

static struct jitscope_error *create_writers(struct trace *trace) {
    trace->writer = os_allocate_zeroed(sizeof(struct writers));
    trace->process = os_process_id();
    return trace->writer ? NULL : error_no_memory();
}

struct jitscope_error *trace_record_to(struct trace *trace, const char *path) {
    TRY(create_writers(trace));
    return recording_create(path, &trace->recording);
}

struct jitscope_error *trace_record_in_memory(struct trace *trace) {
    TRY(create_writers(trace));
    return recording_create_in_memory(&trace->recording);
}

int trace_open_again(const struct trace *trace) {
    return is_recording(trace) ? recording_open_again(trace->recording) : -1;
}

void trace_set_callback(struct trace *trace, enum event_level level, trace_callback callback, void *context) {
    trace->callback = callback;
    trace->callback_context = context;
    set_levels(trace, trace->record_level, callback ? level : LEVEL_OFF);
    forget(&trace->told);
    forget(&trace->named);
}

void trace_compare(struct trace *trace, enum event_level level, trace_callback callback, void *context) {
    trace_set_callback(trace, level, callback, context);
    trace->compares = callback != NULL;
}

void trace_set_record_level(struct trace *trace, enum event_level level) {
    bool starts = is_recording(trace) && level && !trace->record_level;
    set_levels(trace, is_recording(trace) ? level : LEVEL_OFF, trace->callback_level);
    if (starts)
        take_over(trace);
    if (starts && trace->record_level && !trace->next)
        trace_next_chunk(trace, 0);
}

const struct jitscope_error *trace_check(struct trace *trace) {
    if (is_recording(trace) && !is_in_child(trace)) {
        struct jitscope_error *error = recording_check(trace->recording);
        if (error)
            fail(trace, error);
    }
    return trace->failure;
}

/* What comes later goes into new chunks. */
void trace_flush(struct trace *trace) {
    struct writers *writers = writers_of(trace);
    if (is_in_child(trace))
        let_parent_record(trace);
    if (!writers || !trace->recording)
        return;
    struct writer *current = current_writer(trace);
    if (current && !trace->failure) {
        count_records(trace, current);
        current->next = trace->next;
    }
    for (uint32_t i = 0; i < writers->list.count; i++) {
        struct writer *writer = &writers->list.data[i];
        seal(writer, writer->next);
        writer->next = writer->end = NULL;
    }
    if (!trace->failure)
        trace->next = trace->end = NULL;
}

void trace_end_recording(struct trace *trace) {
    trace_flush(trace);
    recording_destroy(trace->recording);
    trace_forget_contents(trace);
    struct writers *writers = writers_of(trace);
    if (writers)
        vec_destroy(&writers->list);
    os_release(writers);
    jitscope_error_destroy(trace->failure);
    trace->recording = NULL;
    trace->writer = NULL;
    trace->failure = NULL;
    trace->next = trace->end = NULL;
    trace->sequence = 0;
    set_levels(trace, LEVEL_OFF, trace->callback_level);
    forget(&trace->recorded);
    forget(&trace->named);
}

void trace_destroy(struct trace *trace) {
    trace_end_recording(trace);
    os_release(trace->named.words);
    os_release(trace->recorded.words);
    os_release(trace->told.words);
    *trace = (struct trace){0};
}
