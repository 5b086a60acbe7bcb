#include "export/timeline.h"

struct jitscope_error *timeline_create(struct timeline *timeline, const struct export_source *source) {
    *timeline = (struct timeline){.mirror = source->mirror, .cursor = {.file = source->file}};
    return decoder_create(&timeline->decoder, &source->file->schema);
}

void timeline_destroy(struct timeline *timeline) {
    decoder_destroy(&timeline->decoder);
    map64_destroy(&timeline->index);
    vec_destroy(&timeline->clocks);
}

static struct jitscope_error *find_clock(struct timeline *timeline, uint32_t number) {
    timeline->thread = map64_find(&timeline->index, number);
    if (timeline->thread != MAP64_NO_VALUE)
        return NULL;
    timeline->thread = timeline->clocks.count;
    TRY(vec_push(&timeline->clocks, (struct thread_clock){.limit = UINT64_MAX, .number = number}));
    return map64_set(&timeline->index, number, timeline->thread);
}

static uint64_t sum(uint64_t a, uint64_t b) {
    return b > UINT64_MAX - a ? UINT64_MAX : a + b;
}

static uint64_t smaller(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static uint64_t larger(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

static const struct mirror_link *link_at(const struct timeline *timeline) {
    return mirror_link(timeline->mirror, timeline->view.link);
}

static const struct mirror_pass *pass_of(const struct timeline *timeline, uint32_t pass) {
    const struct mirror_link *link = link_at(timeline);
    return link && pass < link->passes.count && link->passes.data[pass].known ? &link->passes.data[pass]
                                                                              : NULL;
}

/* The event has its own time. */
static void set_time(struct timeline *timeline, struct thread_clock *clock, uint64_t time) {
    clock->now = clock->floor = larger(clock->now, time);
    clock->limit = UINT64_MAX;
    timeline->begin = timeline->end = clock->now;
}

static void begin_pass(struct timeline *timeline, struct thread_clock *clock,
                       const struct event_pass_begin *event) {
    const struct mirror_pass *pass = pass_of(timeline, event->pass);
    set_time(timeline, clock, event->time);
    if (pass && pass->ended)
        clock->limit = larger(clock->now, sum(event->time, pass->end.duration));
}

static void end_pass(struct timeline *timeline, struct thread_clock *clock,
                     const struct event_pass_end *event) {
    const struct mirror_pass *pass = pass_of(timeline, event->pass);
    set_time(timeline, clock, pass ? sum(pass->begin.time, event->duration) : clock->now);
}

static void end_link(struct timeline *timeline, struct thread_clock *clock,
                     const struct event_link_end *event) {
    const struct mirror_link *link = link_at(timeline);
    set_time(timeline, clock, link && link->known ? sum(link->begin.time, event->duration) : clock->now);
}

/* Took DURATION from START on, as far as there is room. */
static void set_span(struct timeline *timeline, struct thread_clock *clock, uint64_t start,
                     uint64_t duration) {
    timeline->begin = start;
    timeline->end = smaller(larger(sum(start, duration), clock->now), clock->limit);
    clock->now = timeline->end;
}

static void place(struct timeline *timeline, struct thread_clock *clock) {
    const union any_event *event = timeline->event;
    timeline->begin = timeline->end = clock->now;
    if (!event)
        return;
    switch (timeline->view.type->id) {
    case EVENT_ID_link_begin:
        set_time(timeline, clock, event->link_begin.time);
        break;
    case EVENT_ID_link_end:
        end_link(timeline, clock, &event->link_end);
        break;
    case EVENT_ID_pass_begin:
        begin_pass(timeline, clock, &event->pass_begin);
        break;
    case EVENT_ID_pass_end:
        end_pass(timeline, clock, &event->pass_end);
        break;
    case EVENT_ID_unload:
        set_time(timeline, clock, event->unload.time);
        break;
    case EVENT_ID_call_replace:
        set_time(timeline, clock, event->call_replace.time);
        break;
    case EVENT_ID_call_lazy:
        set_time(timeline, clock, event->call_lazy.time);
        break;
    case EVENT_ID_call_link:
        set_time(timeline, clock, event->call_link.time);
        break;
    case EVENT_ID_call_exit:
        set_time(timeline, clock, event->call_exit.time);
        break;
    case EVENT_ID_call_destroy:
        set_time(timeline, clock, event->call_destroy.time);
        break;
    case EVENT_ID_session_end:
        set_time(timeline, clock, event->session_end.time);
        break;
    case EVENT_ID_action_result:
        set_span(timeline, clock, clock->now, event->action_result.duration);
        break;
    case EVENT_ID_allocation:
        set_span(timeline, clock, clock->floor, event->allocation.duration);
        clock->floor = clock->now;
        break;
    default:
        break;
    }
}

struct jitscope_error *timeline_next(struct timeline *timeline, bool *more) {
    *more = event_next(&timeline->cursor, &timeline->view);
    if (!*more)
        return NULL;
    timeline->event = decode_event(&timeline->decoder, &timeline->view);
    TRY(find_clock(timeline, timeline->view.thread));
    place(timeline, &timeline->clocks.data[timeline->thread]);
    return NULL;
}
