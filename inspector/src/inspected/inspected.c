#include "inspected/process.h"

#include "base/text.h"
#include "live/attach.h"
#include "record/detail.h"
#include "trace/recording_copy.h"
#include "trace/recording_follow.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum {
    MOST_TEARDOWN = 1 << 16,   /* events among which the end of a session is looked for */
    EVENTS_PER_STEP = 1 << 14, /* between two looks at the clock */
    CONTENT_BYTES = 48 << 20   /* of batches' contents that are kept */
};

/* --- opening
 * ------------------------------------------------------------------------------------------------- */

static struct jitscope_error *begin(struct inspected *inspected, uint64_t nanoseconds) {
    bool more = true;
    inspected->interest = UINT64_MAX;
    inspected->at_first = inspected->file.events;
    TRY(mirror_open_on_demand(&inspected->mirror, &inspected->file));
    TRY(contents_create(&inspected->file, &inspected->contents));
    TRY(inspected_work(inspected, nanoseconds, &more));
    inspected_seek(inspected, inspected->interest);
    inspected->now =
        inspected->is_read && inspected->interest != UINT64_MAX ? inspected->now : inspected_last(inspected);
    return NULL;
}

static struct jitscope_error *give(struct jitscope_error *error, struct inspected *inspected,
                                   struct inspected **out) {
    if (error)
        inspected_close(inspected);
    else
        *out = inspected;
    return error;
}

struct jitscope_error *inspected_open(const char *path, uint64_t nanoseconds, struct inspected **out) {
    struct inspected *inspected = os_allocate_zeroed(sizeof *inspected);
    struct text name = {0};
    if (!inspected)
        return error_no_memory();
    text_append(&name, path);
    inspected->name = text_take(&name);
    struct jitscope_error *error =
        inspected->name ? recording_open_followed(path, &inspected->file) : error_no_memory();
    if (!error)
        error = begin(inspected, nanoseconds);
    return give(error, inspected, out);
}

/* A process that ends right now has left its recording, which can be looked at all the same. */
static struct jitscope_error *open_process(uint32_t number, uint64_t started, bool *is_there,
                                           struct live_process *process) {
    struct jitscope_error *error = live_process_open(number, started, process);
    *is_there = !error;
    if (!error || jitscope_error_code(error) != JITSCOPE_ERROR_NOT_FOUND)
        return error;
    jitscope_error_destroy(error);
    return NULL;
}

static struct jitscope_error *open_processes(struct inspected *inspected,
                                             const struct inspect_header *header) {
    bool has_memory;
    inspected->linker.descriptor = inspected->memory.descriptor = -1;
    TRY(open_process(header->process, header->process_started, &inspected->is_alive, &inspected->linker));
    TRY(open_process(header->code_process, header->code_started, &has_memory, &inspected->memory));
    inspected->is_alive &= has_memory || header->code_process != header->process;
    return NULL;
}

static struct jitscope_error *attach(struct inspected *inspected, struct live_attached *attached,
                                     uint64_t nanoseconds) {
    struct text name = {0};
    text_print(&name, "%u %s", attached->header.process, attached->header.program);
    inspected->name = text_take(&name);
    inspected->process = attached->header.process;
    inspected->began = attached->header.session_began;
    inspected->is_live = inspected->is_alive = true;
    TRY(open_processes(inspected, &attached->header));
    int recording = attached->recording;
    attached->recording = -1;
    TRY(recording_open_descriptor(recording, &inspected->file));
    if (!inspected->is_alive)
        recording_writer_is_gone(&inspected->file);
    return inspected->name ? begin(inspected, nanoseconds) : error_no_memory();
}

struct jitscope_error *inspected_attach(uint32_t process, uint32_t session, uint64_t nanoseconds,
                                        struct inspected **out) {
    struct live_attached attached;
    struct inspected *inspected = os_allocate_zeroed(sizeof *inspected);
    if (!inspected)
        return error_no_memory();
    struct jitscope_error *error = live_attach(process, session, &attached);
    if (!error) {
        error = attach(inspected, &attached, nanoseconds);
        live_detach(&attached);
    }
    return give(error, inspected, out);
}

void inspected_close(struct inspected *inspected) {
    if (!inspected)
        return;
    event_window_destroy(&inspected->window);
    contents_destroy(inspected->contents);
    inspected_close_process(inspected);
    mirror_destroy(&inspected->mirror);
    recording_close(&inspected->file);
    os_release(inspected->name);
    os_release(inspected);
}

/* --- reading
 * ------------------------------------------------------------------------------------------------- */

static uint32_t events_read(const struct inspected *inspected) {
    return inspected->mirror.history ? inspected->mirror.history->events : 0;
}

/* A session that is over has given all its memory back: what is of interest is the moment before. */
static void find_interest(struct inspected *inspected) {
    uint64_t count = events_read(inspected), first = count > MOST_TEARDOWN ? count - MOST_TEARDOWN : 0;
    uint64_t before = UINT64_MAX;
    struct event_view view;
    for (uint64_t i = first; i < count && inspected_event(inspected, i, &view); i++) {
        if (view.type->id == EVENT_ID_call_destroy || view.type->id == EVENT_ID_call_exit)
            inspected->interest = before;
        before = view.sequence;
    }
}

/* One that begins in the middle does not say, and counts as one of all. */
static void find_level(struct inspected *inspected) {
    inspected->level = LEVEL_SESSION;
    while (inspected->level < LEVEL_EDGES && !detail_is_missing(&inspected->file, inspected->level + 1))
        inspected->level++;
}

bool inspected_lacks(const struct inspected *inspected, uint32_t level) {
    return inspected->level && inspected->level < level;
}

static struct jitscope_error *bring_in(struct inspected *inspected, bool *more) {
    *more = false;
    if (inspected->has_ended)
        return NULL;
    TRY(recording_refresh(&inspected->file, more));
    if (!recording_has_ended(&inspected->file))
        return NULL;
    inspected->has_ended = !*more;
    return NULL;
}

static struct jitscope_error *index_for(struct inspected *inspected, uint64_t nanoseconds, bool *done) {
    uint64_t end = os_time_ns() + nanoseconds;
    do
        TRY(mirror_index_step(&inspected->mirror, EVENTS_PER_STEP, done));
    while (!*done && os_time_ns() < end);
    return NULL;
}

/* All that was there at first is read, and all that will ever be.  Who follows a busy process never catches
 * up with it for good. */
static void note_progress(struct inspected *inspected, bool caught_up) {
    bool is_over = caught_up && inspected->has_ended && !inspected->is_over;
    bool is_read = caught_up || (inspected->is_live && events_read(inspected) >= inspected->at_first);
    if (!is_over && (!is_read || inspected->is_read))
        return;
    if (is_over || !inspected->is_live)
        find_interest(inspected);
    if (!inspected->is_read)
        find_level(inspected);
    inspected->is_read = true;
    inspected->is_over |= is_over;
    inspected->version++;
}

struct jitscope_error *inspected_work(struct inspected *inspected, uint64_t nanoseconds, bool *more) {
    uint32_t before = events_read(inspected);
    bool done = true, comes_in = false;
    inspected_look_at_process(inspected);
    *more = false;
    if (inspected->has_failed)
        return NULL;
    struct jitscope_error *error = bring_in(inspected, &comes_in);
    if (!error)
        error = index_for(inspected, nanoseconds, &done);
    inspected->has_failed = error;
    *more = !error && (!done || comes_in);
    if (events_read(inspected) != before) {
        inspected->version++;
        contents_renew(inspected->contents, &inspected->file);
        mirror_seek(&inspected->mirror, inspected->now);
    }
    note_progress(inspected, done && !comes_in);
    return error;
}

uint32_t inspected_progress(const struct inspected *inspected) {
    uint64_t events = inspected->file.events;
    return events ? (uint32_t)(events_read(inspected) * (uint64_t)100 / events) : 100;
}

struct jitscope_error *inspected_write(const struct inspected *inspected, const char *path) {
    int fd = os_open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (fd < 0 && errno == EEXIST)
        return error_create(JITSCOPE_ERROR_USAGE, "%s is there already: name a new file", path);
    if (fd < 0)
        return error_system("cannot write", path);
    struct jitscope_error *error = error_in_input(recording_copy(&inspected->file, fd), path);
    if (os_close(fd) < 0 && !error)
        error = error_system("cannot write", path);
    if (error)
        os_remove(path);
    return error;
}

void inspected_seek(struct inspected *inspected, uint64_t sequence) {
    mirror_seek(&inspected->mirror, sequence);
    inspected->now = sequence;
    inspected->version++;
}

uint64_t inspected_last(const struct inspected *inspected) {
    uint32_t events = events_read(inspected);
    return events ? mirror_sequence(&inspected->mirror, events - 1) : 0;
}

bool inspected_wants_trim(const struct inspected *inspected) {
    return inspected->mirror.content_bytes > CONTENT_BYTES;
}

void inspected_trim(struct inspected *inspected) {
    mirror_trim(&inspected->mirror, CONTENT_BYTES / 2);
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

/* Going on from the event before is cheaper than looking for this one. */
bool inspected_event(struct inspected *inspected, uint64_t number, struct event_view *view) {
    uint64_t at;
    struct event_cursor cursor = near_event(inspected, number, &at);
    if (inspected->next.file && inspected->next_number >= at && inspected->next_number <= number) {
        cursor = inspected->next;
        at = inspected->next_number;
    }
    cursor.window = &inspected->window;
    while (at <= number && event_next(&cursor, view))
        at++;
    inspected->next = cursor;
    inspected->next_number = at;
    return at == number + 1;
}
