#include "inspected/inspected.h"

#include "base/text.h"

#include <string.h>

enum { MOST_TEARDOWN = 1 << 16 }; /* events among which the end of a session is looked for */

static struct jitscope_error *add_boundary(struct inspected *inspected, const struct event_view *view) {
    bool is_batch = view->type->id == EVENT_ID_link_begin;
    if (!is_batch && view->type->id != EVENT_ID_pass_begin)
        return NULL;
    union any_event event;
    memcpy(&event, view->record, view->size < sizeof event ? view->size : sizeof event);
    struct boundary boundary = {.sequence = view->sequence,
                                .time = is_batch ? event.link_begin.time : event.pass_begin.time,
                                .link = view->link,
                                .name = is_batch ? 0 : event.pass_begin.name.id,
                                .is_batch = is_batch};
    return vec_push(&inspected->boundaries, boundary);
}

static struct jitscope_error *find_boundaries(struct inspected *inspected) {
    struct event_window window = {0};
    struct event_cursor cursor = {.file = &inspected->file, .window = &window};
    struct event_view view;
    struct jitscope_error *error = NULL;
    while (!error && event_next(&cursor, &view))
        error = add_boundary(inspected, &view);
    event_window_destroy(&window);
    return error;
}

/* A session that is over has given all its memory back: what is of interest is the moment before. */
static uint64_t moment_of_interest(struct inspected *inspected) {
    uint64_t count = inspected_count(inspected), first = count > MOST_TEARDOWN ? count - MOST_TEARDOWN : 0;
    uint64_t moment = inspected_last(inspected), before = moment;
    struct event_view view;
    for (uint64_t i = first; i < count && inspected_event(inspected, i, &view); i++) {
        if (view.type->id == EVENT_ID_call_destroy || view.type->id == EVENT_ID_call_exit)
            moment = before;
        before = view.sequence;
    }
    return moment;
}

struct jitscope_error *inspected_open(const char *path, struct inspected **out) {
    struct inspected *inspected = os_allocate_zeroed(sizeof *inspected);
    if (!inspected)
        return error_no_memory();
    struct text name = {0};
    text_append(&name, path);
    inspected->name = text_take(&name);
    struct jitscope_error *error =
        inspected->name ? recording_open(path, &inspected->file) : error_no_memory();
    if (!error)
        error = mirror_load(&inspected->mirror, &inspected->file, UINT64_MAX);
    if (!error)
        error = contents_create(&inspected->file, &inspected->contents);
    if (!error)
        error = find_boundaries(inspected);
    if (error) {
        inspected_close(inspected);
        return error;
    }
    inspected->now = inspected_last(inspected);
    inspected_seek(inspected, moment_of_interest(inspected));
    *out = inspected;
    return NULL;
}

void inspected_close(struct inspected *inspected) {
    if (!inspected)
        return;
    event_window_destroy(&inspected->window);
    vec_destroy(&inspected->boundaries);
    contents_destroy(inspected->contents);
    mirror_destroy(&inspected->mirror);
    recording_close(&inspected->file);
    os_release(inspected->name);
    os_release(inspected);
}

struct jitscope_error *inspected_work(struct inspected *inspected, uint64_t nanoseconds, bool *more) {
    (void)inspected;
    (void)nanoseconds;
    *more = false;
    return NULL;
}

void inspected_seek(struct inspected *inspected, uint64_t sequence) {
    mirror_seek(&inspected->mirror, sequence);
    inspected->now = sequence;
    inspected->version++;
}

uint64_t inspected_last(const struct inspected *inspected) {
    const struct recording_file *file = &inspected->file;
    return file->runs.count ? file->runs.data[file->runs.count - 1].reach : 0;
}

bool (*inspected_reader(const struct inspected *inspected))(void *context, uint64_t address, void *to,
                                                            uint64_t size) {
    (void)inspected;
    return NULL;
}

/* --- events by number
 * ------------------------------------------------------------------------------------------------- */

uint64_t inspected_count(const struct inspected *inspected) {
    return inspected->mirror.applied;
}

/* Where to begin counting: the last moment that the mirror kept before NUMBER. */
static struct event_cursor near_event(const struct inspected *inspected, uint64_t number, uint64_t *at) {
    const struct history *history = inspected->mirror.history;
    uint32_t low = 0, high = history ? history->moments.count : 0;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (history->moments.data[middle].events <= number)
            low = middle + 1;
        else
            high = middle;
    }
    *at = low ? history->moments.data[low - 1].events : 0;
    return low ? history->moments.data[low - 1].cursor : (struct event_cursor){.file = &inspected->file};
}

bool inspected_event(struct inspected *inspected, uint64_t number, struct event_view *view) {
    uint64_t at;
    struct event_cursor cursor = near_event(inspected, number, &at);
    cursor.window = &inspected->window;
    while (event_next(&cursor, view))
        if (at++ == number)
            return true;
    return false;
}

/* --- boundaries
 * ------------------------------------------------------------------------------------------------- */

/* The first boundary behind SEQUENCE. */
static uint32_t boundary_behind(const struct inspected *inspected, uint64_t sequence) {
    uint32_t low = 0, high = inspected->boundaries.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (inspected->boundaries.data[middle].sequence <= sequence)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct boundary *inspected_boundary(const struct inspected *inspected, uint64_t sequence, bool batch,
                                          bool forward) {
    uint32_t i = boundary_behind(inspected, sequence);
    const struct boundary *all = inspected->boundaries.data;
    if (forward) {
        while (i < inspected->boundaries.count && batch && !all[i].is_batch)
            i++;
        return i < inspected->boundaries.count ? &all[i] : NULL;
    }
    while (i > 0 && (all[i - 1].sequence >= sequence || (batch && !all[i - 1].is_batch)))
        i--;
    return i ? &all[i - 1] : NULL;
}

const struct boundary *inspected_pass_at(const struct inspected *inspected, uint64_t sequence) {
    uint32_t i = boundary_behind(inspected, sequence);
    return i && !inspected->boundaries.data[i - 1].is_batch ? &inspected->boundaries.data[i - 1] : NULL;
}

const struct boundary *inspected_at_time(const struct inspected *inspected, uint64_t time) {
    const struct boundary *last = NULL;
    for (uint32_t i = 0; i < inspected->boundaries.count; i++)
        if (inspected->boundaries.data[i].time <= time)
            last = &inspected->boundaries.data[i];
    return last;
}
