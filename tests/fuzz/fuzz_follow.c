/* A recording that is followed: what is readable when it is there must be told, each event once, to who
 * follows it from its first bytes on to its last, whatever is in it. */
#define _GNU_SOURCE
#include "fuzz_mend.h"

#include "trace/recording_follow.h"

#include <sys/mman.h>
#include <unistd.h>

enum { MOST = 4 << 20 };

/* Of events and where they lie, in any order. */
struct sum {
    uint64_t events, places, bytes;
};

static void add_events(struct event_cursor *cursor, struct sum *sum) {
    struct event_view view;
    while (event_next(cursor, &view)) {
        sum->events++;
        sum->places += (view.sequence + 1) * (view.offset | 1);
        for (uint32_t i = 0; i < view.size; i++)
            sum->bytes += view.record[i];
    }
}

static void put(int fd, const uint8_t *data, size_t from, size_t to) {
    FUZZ_HOLDS(pwrite(fd, data + from, to - from, (off_t)from) == (ssize_t)(to - from));
}

/* From AT on, in pieces of STEP bytes; whether all went well. */
static bool follow(int fd, const uint8_t *data, size_t size, size_t at, size_t step, struct sum *sum) {
    struct recording_file file;
    struct event_window window = {0};
    put(fd, data, 0, at);
    struct jitscope_error *error = recording_open_descriptor(dup(fd), &file);
    if (error) {
        fuzz_expect_message(error);
        return false;
    }
    struct event_cursor cursor = {.file = &file, .window = &window};
    for (bool more = true; !error && !recording_has_ended(&file);) {
        add_events(&cursor, sum);
        if (at < size) {
            put(fd, data, at, size - at < step ? size : at + step);
            at = size - at < step ? size : at + step;
        } else if (!more)
            recording_writer_is_gone(&file);
        error = recording_refresh(&file, &more);
    }
    add_events(&cursor, sum);
    bool good = !error && at == size;
    FUZZ_HOLDS(error || recording_waiting(&file) == 0);
    fuzz_expect_message(error);
    event_window_destroy(&window);
    recording_close(&file);
    return good;
}

static void follow_at(int fd, const uint8_t *data, size_t size, size_t at, size_t step,
                      const struct sum *whole) {
    struct sum sum = {0};
    FUZZ_HOLDS(ftruncate(fd, 0) == 0);
    bool good = follow(fd, data, size, at, step, &sum);
    if (good && whole)
        FUZZ_HOLDS(sum.events == whole->events && sum.places == whole->places && sum.bytes == whole->bytes);
    if (at == size)
        FUZZ_HOLDS(good == (whole != NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct recording_file file;
    struct sum sum = {0};
    static int fd = -1;
    fd = fd < 0 ? memfd_create("followed", MFD_CLOEXEC) : fd;
    if (fd < 0)
        abort();
    if (!size || size > MOST)
        return 0;
    uint8_t *copy = mended_copy(data, size);
    struct jitscope_error *error = recording_open_memory((struct bytes){copy, size}, &file);
    bool good = !error;
    if (good) {
        struct event_cursor cursor = {.file = &file};
        add_events(&cursor, &sum);
        recording_close(&file);
    }
    fuzz_expect_message(error);
    follow_at(fd, copy, size, size, size, good ? &sum : NULL);
    struct recording_header header = {0};
    memcpy(&header, copy, size < sizeof header ? size : sizeof header);
    size_t first = header.first_chunk && header.first_chunk < size ? header.first_chunk : size;
    follow_at(fd, copy, size, first, size / 3 + 1, good ? &sum : NULL);
    follow_at(fd, copy, size, first, size / 50 + 1 + data[size - 1], good ? &sum : NULL);
    free(copy);
    return 0;
}
