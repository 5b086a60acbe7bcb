/* A reader of a recording that grows, who notes what it is told, to be held against recording_open(). */
#ifndef FOLLOWED_H
#define FOLLOWED_H

#include "random_recording.h"

#include "base/digest.h"
#include "base/os.h"
#include "trace/recording_follow.h"

#include <unistd.h>

static char path[] = "/tmp/jitscope-follow-XXXXXX";

static inline void expect_good(struct jitscope_error *error) {
    if (error)
        fail_msg("%s", jitscope_error_message(error));
}

/* --- what was told */

struct told {
    uint64_t sequence, digest;
    uint32_t link, thread;
};

struct reader {
    struct recording_file file;
    struct event_window window;
    struct event_cursor cursor;
    VEC(struct told) told;
    uint64_t next; /* sequence number */
};

static inline void listen(struct reader *reader) {
    struct event_view view;
    reader->cursor.file = &reader->file;
    while (event_next(&reader->cursor, &view)) {
        expect_good(vec_push(&reader->told, (struct told){view.sequence, digest_64(view.record, view.size),
                                                          view.link, view.thread}));
        reader->next = view.sequence + 1;
    }
    struct jitscope_error *failure = recording_failure(&reader->file);
    expect_good(failure);
}

static inline void begin_reading(struct reader *reader, int fd, bool with_window) {
    memset(reader, 0, sizeof *reader);
    expect_good(fd < 0 ? recording_open_followed(path, &reader->file)
                       : recording_open_descriptor(fd, &reader->file));
    reader->cursor.window = with_window ? &reader->window : NULL;
    listen(reader);
}

static inline void end_reading(struct reader *reader) {
    event_window_destroy(&reader->window);
    vec_destroy(&reader->told);
    recording_close(&reader->file);
}

static inline bool refresh(struct reader *reader) {
    bool more;
    uint64_t before = recording_settled(&reader->file);
    expect_good(recording_refresh(&reader->file, &more));
    uint64_t settled = recording_settled(&reader->file);
    assert_true(settled >= before && (more || settled == before));
    listen(reader);
    assert_int_equal(reader->next, settled);
    return more;
}

static inline void refresh_to_end(struct reader *reader) {
    while (refresh(reader))
        ;
    assert_true(recording_has_ended(&reader->file));
    assert_int_equal(recording_waiting(&reader->file), 0);
}

/* READER was told all that is in WHOLE, each thing once and in order. */
static inline void expect_told(const struct reader *reader, const struct recording_file *whole) {
    struct event_cursor cursor = {.file = whole};
    struct event_view view;
    uint32_t i = 0;
    for (; event_next(&cursor, &view); i++) {
        assert_true(i < reader->told.count);
        const struct told *told = &reader->told.data[i];
        assert_int_equal(told->sequence, view.sequence);
        assert_int_equal(told->digest, digest_64(view.record, view.size));
        assert_int_equal(told->link, view.link);
        assert_int_equal(told->thread, view.thread);
    }
    assert_int_equal(i, reader->told.count);
}

static inline void expect_same_strings(const struct recording_file *a, const struct recording_file *b) {
    assert_int_equal(a->strings.count, b->strings.count);
    for (uint32_t id = 0; id < a->strings.count + 100; id++) {
        struct recorded_string x = recording_string(a, id), y = recording_string(b, id);
        assert_int_equal(x.length, y.length);
        assert_memory_equal(x.bytes, y.bytes, x.length);
    }
}

/* The followed file is as if it had been opened now. */
static inline void expect_same_files(const struct recording_file *a, const struct recording_file *b) {
    assert_int_equal(a->runs.count, b->runs.count);
    for (uint32_t i = 0; i < a->runs.count; i++) {
        const struct recording_run *x = &a->runs.data[i], *y = &b->runs.data[i];
        assert_int_equal(x->sequence, y->sequence);
        assert_int_equal(x->offset, y->offset);
        assert_int_equal(x->bytes, y->bytes);
        assert_int_equal(x->reach, y->reach);
        assert_int_equal(x->count, y->count);
        assert_int_equal(x->link, y->link);
        assert_int_equal(x->thread, y->thread);
    }
    assert_int_equal(a->events, b->events);
    assert_int_equal(a->open_chunks, b->open_chunks);
}

static inline void expect_as_opened(struct reader *reader, const char *from) {
    struct recording_file whole;
    expect_good(recording_open(from, &whole));
    assert_true(whole.events > 0);
    expect_told(reader, &whole);
    expect_same_files(&reader->file, &whole);
    recording_close(&whole);
}

/* Of a writer that gives each text one number. */
static inline void expect_strings_as_opened(const struct reader *reader, const char *from) {
    struct recording_file whole;
    expect_good(recording_open(from, &whole));
    assert_true(whole.strings.count > 0);
    expect_same_strings(&reader->file, &whole);
    recording_close(&whole);
}

static inline int make_path(void **state) {
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 || close(fd) != 0;
}

static inline int remove_path(void **state) {
    (void)state;
    return unlink(path);
}

#endif
