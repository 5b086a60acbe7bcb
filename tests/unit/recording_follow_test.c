/* Recordings that are read while the linker's own trace writes them, in threads and in processes that are
 * killed: what was told bit by bit must be what recording_open() finds in the end. */
#define _GNU_SOURCE
#include "followed.h"

#include "trace/answers.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>

/* --- the linker's own writer */

enum { WRITERS = 4 };

struct writing {
    struct trace trace;
    struct string_pool names;
    pthread_mutex_t lock;
    uint32_t turns; /* left */
    uint64_t pause; /* nanoseconds at most between turns */
};

struct worker {
    struct writing *writing;
    pthread_t thread;
    uint64_t seed;
};

static uint32_t own_chance(uint64_t *state, uint32_t below) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((*state >> 33) % below);
}

static struct name_ref some_name(struct writing *writing, uint32_t number) {
    char text[40];
    uint32_t id;
    int length = snprintf(text, sizeof text, "name_%u", number);
    expect_good(string_pool_intern(&writing->names, text, (size_t)length, &id));
    return trace_name(&writing->trace, id);
}

static void write_event(struct writing *writing, uint64_t *state) {
    struct trace *trace = &writing->trace;
    uint32_t number = own_chance(state, 1u << 20);
    if (number % 3)
        TRACE(trace, symbol, .symbol = number, .name = some_name(writing, number % 4000), .size = 8);
    else
        TRACE(trace, block, .block = number, .size = number);
}

static void write_content(struct writing *writing, uint64_t *state) {
    uint32_t size = own_chance(state, 3 * RECORDING_CHUNK_SIZE);
    uint8_t *bytes = malloc(size + 8);
    assert_non_null(bytes);
    memset(bytes, (int)own_chance(state, 256), size + 8);
    memcpy(bytes, state, sizeof *state);
    trace_content(&writing->trace, (struct bytes){bytes, size + 8});
    free(bytes);
}

static void write_turn(struct writing *writing, uint64_t *state) {
    trace_enter_link(&writing->trace, own_chance(state, 5));
    for (uint32_t i = own_chance(state, own_chance(state, 20) ? 60 : 9000); i; i--)
        write_event(writing, state);
    if (!own_chance(state, 60))
        write_content(writing, state);
    if (!own_chance(state, 200))
        trace_flush(&writing->trace);
}

static void *work(void *context) {
    struct worker *worker = context;
    struct writing *writing = worker->writing;
    bool more = true;
    while (more) {
        pthread_mutex_lock(&writing->lock);
        more = writing->turns != 0;
        if (more) {
            writing->turns--;
            write_turn(writing, &worker->seed);
        }
        pthread_mutex_unlock(&writing->lock);
        struct timespec pause = {.tv_nsec = own_chance(&worker->seed, (uint32_t)writing->pause + 1)};
        nanosleep(&pause, NULL);
    }
    return NULL;
}

static void begin_writing(struct writing *writing, const char *to, uint32_t turns, uint64_t pause) {
    memset(writing, 0, sizeof *writing);
    pthread_mutex_init(&writing->lock, NULL);
    writing->turns = turns;
    writing->pause = pause;
    expect_good(string_pool_create(&writing->names));
    trace_create(&writing->trace, &writing->names);
    expect_good(trace_record_to(&writing->trace, to));
    trace_set_record_level(&writing->trace, LEVEL_EDGES);
}

static void start_workers(struct writing *writing, struct worker *workers) {
    for (uint32_t i = 0; i < WRITERS; i++) {
        workers[i] = (struct worker){.writing = writing, .seed = seed + i};
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    chance(2);
}

static void end_writing(struct writing *writing, bool in_good_order) {
    trace_enter_link(&writing->trace, 0);
    if (in_good_order)
        TRACE(&writing->trace, session_end, .time = 1);
    trace_destroy(&writing->trace);
    string_pool_destroy(&writing->names);
    pthread_mutex_destroy(&writing->lock);
}

static bool is_at_work(struct writing *writing) {
    pthread_mutex_lock(&writing->lock);
    bool at_work = writing->turns != 0;
    pthread_mutex_unlock(&writing->lock);
    return at_work;
}

static void pause_at_random(void) {
    struct timespec pause = {.tv_nsec = chance(4) ? chance(300000) : chance(8000000)};
    nanosleep(&pause, NULL);
}

static void follow_threads(bool with_window, bool in_good_order) {
    static struct writing writing;
    struct worker workers[WRITERS];
    struct reader reader;
    begin_writing(&writing, path, 1500, 200000);
    begin_reading(&reader, -1, with_window);
    start_workers(&writing, workers);
    while (is_at_work(&writing)) {
        refresh(&reader);
        pause_at_random();
    }
    for (uint32_t i = 0; i < WRITERS; i++)
        pthread_join(workers[i].thread, NULL);
    end_writing(&writing, in_good_order);
    if (!in_good_order)
        recording_writer_is_gone(&reader.file);
    refresh_to_end(&reader);
    expect_as_opened(&reader, path);
    expect_strings_as_opened(&reader, path);
    end_reading(&reader);
}

static void test_threads(void **state) {
    (void)state;
    for (seed = 1; seed < 4; seed++) {
        follow_threads(true, true);
        follow_threads(false, false);
    }
}

/* --- a writer that is killed */

static void write_until_killed(const char *to, int tell) {
    static struct writing writing;
    struct worker workers[WRITERS];
    begin_writing(&writing, to, UINT32_MAX, 20000);
    if (write(tell, "b", 1) != 1)
        _exit(1);
    start_workers(&writing, workers);
    for (;;)
        pause();
}

static pid_t start_writer(const char *to) {
    int ends[2];
    char byte;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (!child)
        write_until_killed(to, ends[1]);
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    close(ends[0]);
    return child;
}

static void follow_killed(int fd, const char *to) {
    struct reader reader;
    pid_t child = start_writer(to);
    begin_reading(&reader, fd < 0 ? fd : dup(fd), chance(2));
    for (uint32_t i = chance(40); i || !reader.told.count; i -= i != 0) {
        refresh(&reader);
        pause_at_random();
    }
    assert_false(recording_has_ended(&reader.file));
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    recording_writer_is_gone(&reader.file);
    refresh_to_end(&reader);
    expect_as_opened(&reader, to);
    expect_strings_as_opened(&reader, to);
    end_reading(&reader);
}

static void test_killed(void **state) {
    (void)state;
    for (seed = 1; seed < 16; seed++)
        follow_killed(-1, path);
}

/* What a live process hands over has no name. */
static void test_killed_without_name(void **state) {
    char name[40];
    (void)state;
    for (seed = 20; seed < 26; seed++) {
        int fd = memfd_create("recording", MFD_CLOEXEC);
        assert_true(fd >= 0);
        snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
        follow_killed(fd, name);
        close(fd);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_killed_without_name),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
