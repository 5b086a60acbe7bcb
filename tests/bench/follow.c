/* Measures what following a growing recording costs its reader, who looks 60 times a second:
 *
 *     bench_follow FILE EVENTS_PER_FRAME [FRAMES [THREADS]]
 *
 * Threads write in turn, through the linker's own trace; between two turns the reader brings in what was
 * written and goes through it, event by event.  The reader's time alone is measured.  Then nobody writes.
 * Prints name=number pairs. */
#include "trace/recording_follow.h"
#include "trace/trace.h"

#include <inttypes.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_THREADS = 64, IDLE_FRAMES = 1000 };

struct writer {
    struct trace *trace;
    pthread_t thread;
    sem_t turn, done;
    uint32_t number, events;
};

static void or_die(struct jitscope_error *error) {
    if (error) {
        fprintf(stderr, "bench_follow: %s\n", jitscope_error_message(error));
        exit(1);
    }
}

static void *write_in_turn(void *context) {
    struct writer *writer = context;
    struct trace *trace = writer->trace;
    for (uint32_t k = 0;;) {
        while (sem_wait(&writer->turn) != 0)
            ;
        if (!writer->events)
            return NULL;
        trace_enter_link(trace, writer->number);
        for (uint32_t i = 0; i < writer->events; i++, k++)
            TRACE(trace, block_placed, .block = k, .segment = k % 4, .address = k * UINT64_C(512));
        sem_post(&writer->done);
    }
}

static void start(struct writer *writers, uint32_t threads, struct trace *trace, uint32_t events) {
    for (uint32_t i = 0; i < threads; i++) {
        writers[i] = (struct writer){.trace = trace, .number = i + 1, .events = events};
        sem_init(&writers[i].turn, 0, 0);
        sem_init(&writers[i].done, 0, 0);
        if (pthread_create(&writers[i].thread, NULL, write_in_turn, &writers[i]) != 0)
            or_die(error_no_memory());
    }
}

static void take_turn(struct writer *writer) {
    sem_post(&writer->turn);
    while (sem_wait(&writer->done) != 0)
        ;
}

static void stop(struct writer *writers, uint32_t threads) {
    for (uint32_t i = 0; i < threads; i++) {
        writers[i].events = 0;
        sem_post(&writers[i].turn);
        pthread_join(writers[i].thread, NULL);
    }
}

static int by_size(const void *a, const void *b) {
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* One frame; how long it took. */
static uint64_t follow(struct recording_file *file, struct event_cursor *cursor, uint64_t *events) {
    struct event_view view;
    bool more = true;
    uint64_t begun = os_time_ns();
    while (more)
        or_die(recording_refresh(file, &more));
    while (event_next(cursor, &view))
        ++*events;
    return os_time_ns() - begun;
}

static void print_times(const char *name, uint64_t *times, uint32_t count) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += times[i];
    qsort(times, count, sizeof *times, by_size);
    printf("%s_mean_ns=%" PRIu64 " %s_median_ns=%" PRIu64 " %s_worst_ns=%" PRIu64 " ", name, sum / count,
           name, times[count / 2], name, times[count - 1]);
}

static void measure(struct recording_file *file, struct writer *writers, uint32_t threads, uint32_t frames) {
    uint64_t *times = calloc(frames > IDLE_FRAMES ? frames : IDLE_FRAMES, sizeof *times), events = 0;
    struct event_window window = {0};
    struct event_cursor cursor = {.file = file, .window = &window};
    if (!times)
        or_die(error_no_memory());
    for (uint32_t i = 0; i < frames; i++) {
        take_turn(&writers[i % threads]);
        times[i] = follow(file, &cursor, &events);
    }
    print_times("frame", times, frames);
    printf("events=%" PRIu64 " ", events);
    for (uint32_t i = 0; i < IDLE_FRAMES; i++)
        times[i] = follow(file, &cursor, &events);
    print_times("idle", times, IDLE_FRAMES);
    printf("open_chunks=%u\n", file->open_chunks);
    event_window_destroy(&window);
    free(times);
}

int main(int count, char **words) {
    unsigned long events = count > 2 ? strtoul(words[2], NULL, 10) : 0;
    unsigned long frames = count > 3 ? strtoul(words[3], NULL, 10) : 600;
    unsigned long threads = count > 4 ? strtoul(words[4], NULL, 10) : 4;
    if (!events || !frames || !threads || threads > MOST_THREADS) {
        fprintf(stderr, "usage: bench_follow FILE EVENTS_PER_FRAME [FRAMES [THREADS]]\n");
        return 2;
    }
    struct writer writers[MOST_THREADS];
    struct string_pool names;
    struct trace trace;
    struct recording_file file;
    or_die(string_pool_create(&names));
    trace_create(&trace, &names);
    or_die(trace_record_to(&trace, words[1]));
    trace_set_record_level(&trace, LEVEL_EDGES);
    or_die(recording_open_followed(words[1], &file));
    start(writers, (uint32_t)threads, &trace, (uint32_t)events);
    measure(&file, writers, (uint32_t)threads, (uint32_t)frames);
    stop(writers, (uint32_t)threads);
    recording_close(&file);
    trace_destroy(&trace);
    string_pool_destroy(&names);
    return 0;
}
