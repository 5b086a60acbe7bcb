/* Perfetto's trace format: a protocol buffer, `Trace`, that is nothing but a row of packets.
 *
 * A packet describes a track (process, thread, counter) or is an event on one: a slice begins or ends, an
 * instant, a counter's new value.  Begin and end of slices on a thread must nest, which slices.c sees to;
 * packets need not be in order of time.  Names stand in the packets themselves, not interned: simpler, and
 * the files are small. Times are nanoseconds since the session began, since recordings hold no others.  A
 * recording numbers its threads but does not hold the system's numbers: thread 0, which began the session, is
 * shown as the process's main thread, number N as thread PID + N. */
#include "export/export.h"

#include "export/output.h"
#include "export/protobuf.h"
#include "export/slices.h"

#include <inttypes.h>

enum perfetto_field {
#define FIELD(name, number) name = number,
#include "export/perfetto_fields.def"
#undef FIELD
};

enum event_type { TYPE_SLICE_BEGIN = 1, TYPE_SLICE_END = 2, TYPE_INSTANT = 3, TYPE_COUNTER = 4 };
enum { INCREMENTAL_STATE_CLEARED = 1, UNIT_COUNT = 2, UNIT_SIZE_BYTES = 3 };

/* Tracks are told apart by numbers of our choice. */
enum { UUID_PROCESS = 1, UUID_COUNTERS = 16, UUID_THREADS = 64 };

enum counter { COUNT_BLOCKS, COUNT_SYMBOLS, COUNT_EDGES, COUNT_MEMORY, COUNTERS };

static const struct {
    const char *name;
    unsigned unit;
} counters[COUNTERS] = {[COUNT_BLOCKS] = {"blocks", UNIT_COUNT},
                        [COUNT_SYMBOLS] = {"symbols", UNIT_COUNT},
                        [COUNT_EDGES] = {"edges", UNIT_COUNT},
                        [COUNT_MEMORY] = {"linked memory", UNIT_SIZE_BYTES}};

static const char *const categories[] = {
    [SLICE_LINK] = "link", [SLICE_PASS] = "pass", [SLICE_ALLOCATION] = "memory", [SLICE_ACTION] = "action"};

/* An allocation. */
struct held {
    uint64_t size; /* bytes it has now */
    uint32_t link;
};

struct writer {
    const struct export_source *source;
    struct output *out;
    struct name_source names;
    struct timeline timeline;
    struct slices slices;
    VEC(uint32_t) around;     /* slices that have begun and not ended, outermost first */
    struct map64 allocations; /* number to index in HELD */
    VEC(struct held) held;
    uint64_t memory;
    bool begun;
    /* messages being built, inner ones first */
    struct text annotation, event, packet, wrapped, scratch;
};

/* --- packets */

/* What has been printed into WRITER->scratch, as a field of MESSAGE. */
static void put_scratch(struct writer *writer, struct text *message, unsigned field) {
    const struct text *scratch = &writer->scratch;
    protobuf_bytes(message, field, scratch->data ? scratch->data : "", scratch->length);
    message->failed |= scratch->failed;
}

/* What has been built in WRITER->packet. */
static struct jitscope_error *send(struct writer *writer) {
    protobuf_number(&writer->packet, PACKET_SEQUENCE, 1);
    if (!writer->begun)
        protobuf_number(&writer->packet, PACKET_SEQUENCE_FLAGS, INCREMENTAL_STATE_CLEARED);
    writer->begun = true;
    protobuf_message(&writer->wrapped, TRACE_PACKET, &writer->packet);
    return output_text(writer->out, &writer->wrapped);
}

/* What has been built in WRITER->event, on TRACK. */
static struct jitscope_error *send_event(struct writer *writer, uint64_t time, uint64_t track,
                                         enum event_type type) {
    protobuf_number(&writer->event, EVENT_TYPE, type);
    protobuf_number(&writer->event, EVENT_TRACK, track);
    protobuf_number(&writer->packet, PACKET_TIMESTAMP, time);
    protobuf_message(&writer->packet, PACKET_TRACK_EVENT, &writer->event);
    return send(writer);
}

static struct jitscope_error *send_track(struct writer *writer) {
    protobuf_message(&writer->packet, PACKET_TRACK_DESCRIPTOR, &writer->event);
    return send(writer);
}

/* --- tracks */

static uint32_t process_id(const struct writer *writer) {
    uint32_t process = writer->source->mirror->session.process & INT32_MAX;
    return process ? process : 1;
}

static struct jitscope_error *describe_process(struct writer *writer) {
    protobuf_number(&writer->annotation, PROCESS_PID, process_id(writer));
    protobuf_text(&writer->annotation, PROCESS_NAME, "jitscope");
    protobuf_number(&writer->event, TRACK_UUID, UUID_PROCESS);
    protobuf_message(&writer->event, TRACK_PROCESS, &writer->annotation);
    return send_track(writer);
}

static struct jitscope_error *describe_thread(struct writer *writer, uint32_t index) {
    uint32_t number = writer->timeline.clocks.data[index].number;
    text_clear(&writer->scratch);
    text_print(&writer->scratch, "linker thread %u", number);
    protobuf_number(&writer->annotation, THREAD_PID, process_id(writer));
    protobuf_number(&writer->annotation, THREAD_TID, (process_id(writer) + number) & INT32_MAX);
    put_scratch(writer, &writer->annotation, THREAD_NAME);
    protobuf_number(&writer->event, TRACK_UUID, UUID_THREADS + (uint64_t)index);
    protobuf_number(&writer->event, TRACK_PARENT, UUID_PROCESS);
    protobuf_message(&writer->event, TRACK_THREAD, &writer->annotation);
    return send_track(writer);
}

static struct jitscope_error *describe_counter(struct writer *writer, enum counter counter) {
    protobuf_number(&writer->annotation, COUNTER_UNIT, counters[counter].unit);
    protobuf_number(&writer->event, TRACK_UUID, UUID_COUNTERS + counter);
    protobuf_number(&writer->event, TRACK_PARENT, UUID_PROCESS);
    protobuf_text(&writer->event, TRACK_NAME, counters[counter].name);
    protobuf_message(&writer->event, TRACK_COUNTER, &writer->annotation);
    return send_track(writer);
}

/* --- events */

static void annotate_field(struct writer *writer, const struct event_view *view, uint32_t field) {
    const struct schema_field *about = &view->schema->fields.data[view->type->first_field + field];
    const struct schema_type *type = &view->schema->types.data[about->type];
    uint64_t value = event_field(view, field);
    struct text *out = &writer->annotation;
    if (type->print == PRINT_NS || (type->print == PRINT_ID && value == NO_ID))
        return;
    protobuf_text(out, ANNOTATION_NAME, about->name);
    if (type->print == PRINT_HEX)
        protobuf_number(out, ANNOTATION_POINTER, value);
    else if (type->print == PRINT_SIGNED)
        protobuf_number(out, ANNOTATION_INT, value);
    else if (type->print == PRINT_ID || type->print == PRINT_COUNT)
        protobuf_number(out, ANNOTATION_UINT, value);
    else {
        text_clear(&writer->scratch);
        event_print_field(&writer->scratch, view, field, &writer->names);
        put_scratch(writer, out, ANNOTATION_TEXT);
    }
    protobuf_message(&writer->event, EVENT_ANNOTATION, out);
}

static void annotate(struct writer *writer, const struct event_view *view) {
    for (uint32_t i = 0; i < view->type->field_count; i++)
        annotate_field(writer, view, i);
}

static void print_name(struct writer *writer, struct text *out, uint32_t name) {
    struct recorded_string string = recording_string(writer->source->file, name);
    text_append_escaped(out, string.bytes, string.length);
}

/* Actions are listed by the link of their allocation; their results come when that link is long done, too. */
static void print_action(struct writer *writer, const struct event_action_result *result, struct text *out) {
    const struct mirror *mirror = writer->source->mirror;
    uint32_t held = map64_find(&writer->allocations, result->allocation);
    uint32_t number = held == MAP64_NO_VALUE ? 0 : writer->held.data[held].link;
    const struct mirror_link *link = mirror_link(mirror, number);
    if (!link || result->action >= link->actions.count || !link->actions.data[result->action].known) {
        text_print(out, "action %u", result->action);
        return;
    }
    const struct event_action *action = &link->actions.data[result->action].event;
    print_name(writer, out, result->half == HALF_FINALIZE ? action->finalize.id : action->deallocate.id);
}

static void print_slice(struct writer *writer, const struct slice *slice, struct text *out) {
    const union any_event *event = decode_event(&writer->timeline.decoder, &slice->first);
    switch ((enum slice_kind)slice->kind) {
    case SLICE_LINK:
        text_print(out, "link %u", event->link_begin.link);
        break;
    case SLICE_PASS:
        print_name(writer, out, event->pass_begin.name.id);
        break;
    case SLICE_ALLOCATION:
        text_print(out, "allocation %u", event->allocation.allocation);
        break;
    case SLICE_ACTION:
        print_action(writer, &event->action_result, out);
        break;
    }
}

static struct jitscope_error *begin_slice(struct writer *writer, const struct slice *slice) {
    text_clear(&writer->scratch);
    print_slice(writer, slice, &writer->scratch);
    put_scratch(writer, &writer->event, EVENT_NAME);
    protobuf_text(&writer->event, EVENT_CATEGORY, categories[slice->kind]);
    annotate(writer, &slice->first);
    if (slice->last.record != slice->first.record)
        annotate(writer, &slice->last);
    return send_event(writer, slice->begin, UUID_THREADS + (uint64_t)slice->thread, TYPE_SLICE_BEGIN);
}

/* Ends the slices that are open and end before NEXT begins; NULL ends all. */
static struct jitscope_error *end_slices(struct writer *writer, const struct slice *next) {
    while (writer->around.count) {
        const struct slice *slice = &writer->slices.list.data[writer->around.data[writer->around.count - 1]];
        if (next && next->thread == slice->thread && slice->end > next->begin)
            return NULL;
        TRY(send_event(writer, slice->end, UUID_THREADS + (uint64_t)slice->thread, TYPE_SLICE_END));
        writer->around.count--;
    }
    return NULL;
}

/* --- instants and counters, on the way */

/* What an instant is called; false for events that are none. */
static bool print_instant(struct writer *writer, struct text *out) {
    const union any_event *event = writer->timeline.event;
    switch (event ? writer->timeline.view.type->id : 0) {
    case EVENT_ID_warning:
        text_append(out, "warning: ");
        print_name(writer, out, event->warning.text.id);
        return true;
    case EVENT_ID_debug_discarded:
        text_append(out, "debug information discarded");
        return true;
    case EVENT_ID_symbol_unresolved:
        text_append(out, "unresolved: ");
        print_name(writer, out, event->symbol_unresolved.name.id);
        return true;
    case EVENT_ID_unload:
        text_print(out, "unload link %u", event->unload.link);
        return true;
    case EVENT_ID_registration:
        text_append(out, event->registration.half == HALF_FINALIZE ? "registered with " : "withdrawn from ");
        print_name(writer, out, event->registration.with.id);
        return true;
    case EVENT_ID_lost:
        text_append(out, "events lost");
        return true;
    default:
        return false;
    }
}

static struct jitscope_error *send_instant(struct writer *writer) {
    struct timeline *timeline = &writer->timeline;
    text_clear(&writer->scratch);
    if (!print_instant(writer, &writer->scratch))
        return NULL;
    put_scratch(writer, &writer->event, EVENT_NAME);
    protobuf_text(&writer->event, EVENT_CATEGORY, timeline->view.type->name);
    annotate(writer, &timeline->view);
    return send_event(writer, timeline->end, UUID_THREADS + (uint64_t)timeline->thread, TYPE_INSTANT);
}

static struct jitscope_error *count(struct writer *writer, enum counter counter, uint64_t value) {
    protobuf_number(&writer->event, EVENT_COUNTER_VALUE, value & INT64_MAX);
    return send_event(writer, writer->timeline.end, UUID_COUNTERS + counter, TYPE_COUNTER);
}

/* Bytes an allocation holds: those of its segments, which may lie far apart; without them, from end to end.
 */
static uint64_t bytes_held(const struct writer *writer, const struct event_allocation *event) {
    uint32_t number = writer->timeline.view.link;
    const struct mirror *mirror = writer->source->mirror;
    const struct mirror_link *link = mirror_link(mirror, number);
    bool loading = event->state == MEMORY_STATE_IN_FLIGHT;
    uint64_t bytes = 0;
    if (!link || !number || !link->segments.count)
        return event->size;
    for (uint32_t i = 0; i < link->segments.count; i++) {
        const struct event_segment *segment = &link->segments.data[i].event;
        if (segment->lifetime == LIFETIME_STANDARD || (loading && segment->lifetime == LIFETIME_FINALIZE))
            bytes += segment->content_size + segment->zero_fill_size;
    }
    return bytes;
}

static struct jitscope_error *hold(struct writer *writer, const struct event_allocation *event) {
    uint32_t index = map64_find(&writer->allocations, event->allocation);
    if (index == MAP64_NO_VALUE) {
        index = writer->held.count;
        TRY(vec_push(&writer->held, (struct held){.link = writer->timeline.view.link}));
        TRY(map64_set(&writer->allocations, event->allocation, index));
    }
    bool gone = event->state == MEMORY_STATE_ABANDONED || event->state == MEMORY_STATE_DEALLOCATED;
    uint64_t bytes = gone ? 0 : bytes_held(writer, event);
    writer->memory += bytes - writer->held.data[index].size;
    writer->held.data[index].size = bytes;
    return count(writer, COUNT_MEMORY, writer->memory);
}

static struct jitscope_error *take_counts(struct writer *writer) {
    const union any_event *event = writer->timeline.event;
    uint32_t id = event ? writer->timeline.view.type->id : 0;
    if (id == EVENT_ID_allocation)
        return hold(writer, &event->allocation);
    if (id != EVENT_ID_pass_end)
        return NULL;
    TRY(count(writer, COUNT_BLOCKS, event->pass_end.blocks));
    TRY(count(writer, COUNT_SYMBOLS, event->pass_end.symbols));
    return count(writer, COUNT_EDGES, event->pass_end.edges);
}

/* --- the whole */

static struct jitscope_error *take_events(struct writer *writer) {
    uint32_t described = 0;
    for (bool more = true; !writer->out->failure;) {
        TRY(timeline_next(&writer->timeline, &more));
        if (!more)
            break;
        while (described < writer->timeline.clocks.count)
            TRY(describe_thread(writer, described++));
        TRY(slices_take(&writer->slices, &writer->timeline));
        TRY(send_instant(writer));
        TRY(take_counts(writer));
    }
    return NULL;
}

static struct jitscope_error *send_slices(struct writer *writer) {
    TRY(slices_settle(&writer->slices, &writer->timeline));
    for (uint32_t i = 0; i < writer->slices.list.count; i++) {
        TRY(end_slices(writer, &writer->slices.list.data[i]));
        TRY(begin_slice(writer, &writer->slices.list.data[i]));
        TRY(vec_push(&writer->around, i));
    }
    return end_slices(writer, NULL);
}

static struct jitscope_error *write_trace(struct writer *writer) {
    TRY(timeline_create(&writer->timeline, writer->source));
    TRY(describe_process(writer));
    for (enum counter i = 0; i < COUNTERS; i++)
        TRY(describe_counter(writer, i));
    TRY(take_events(writer));
    return send_slices(writer);
}

struct jitscope_error *export_perfetto(const struct export_source *source, struct output *out) {
    struct writer *writer = os_allocate_zeroed(sizeof *writer);
    if (!writer)
        return error_no_memory();
    writer->source = source;
    writer->out = out;
    writer->names = export_names(source);
    struct jitscope_error *error = write_trace(writer);
    timeline_destroy(&writer->timeline);
    slices_destroy(&writer->slices);
    map64_destroy(&writer->allocations);
    vec_destroy(&writer->held);
    vec_destroy(&writer->around);
    struct text *texts[] = {&writer->annotation, &writer->event, &writer->packet, &writer->wrapped,
                            &writer->scratch};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        text_destroy(texts[i]);
    os_release(writer);
    return error;
}
