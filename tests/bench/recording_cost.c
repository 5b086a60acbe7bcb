/* What recording costs a link, beyond writing down its inputs.
 *
 *     recording_cost ROUNDS FOLDER FILE...     links the whole of FILEs into simulated memory
 *
 * Each round links without a recording, with one at the default level, with one at level phase, and once only
 * stores what a recording has of the inputs; medians in nanoseconds are printed: plain, block, phase, stored.
 * Interleaved, so that what else the machine does meets all three. */
#include "jitscope/jitscope.h"
#include "trace/answers.h"
#include "trace/trace.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MOST_ROUNDS = 1000 };

static void must(struct jitscope_error *error) {
    if (!error)
        return;
    fprintf(stderr, "%s\n", jitscope_error_message(error));
    exit(1);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static double link_once(char **files, int count, const char *recording, enum jitscope_level level) {
    struct jitscope_session_options options = {.size = sizeof options,
                                               .simulate = true,
                                               .base = 0x400000,
                                               .phony_externals = true,
                                               .record_path = recording,
                                               .level = level};
    struct jitscope_session *session;
    double began = now();
    must(jitscope_session_create(&options, &session));
    must(jitscope_session_set_whole_archive(session, true));
    for (int i = 0; i < count; i++)
        must(jitscope_session_add_file(session, files[i]));
    must(jitscope_session_link(session, NULL));
    jitscope_session_destroy(session);
    return now() - began;
}

/* As a session gets at a large input. */
static struct bytes map_file(const char *path) {
    int fd = open(path, O_RDONLY);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) < 0)
        exit(1);
    void *data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (data == MAP_FAILED)
        exit(1);
    return (struct bytes){data, (uint64_t)status.st_size};
}

static void store_file(struct trace *trace, const char *path) {
    struct bytes bytes = map_file(path);
    trace_content(trace, bytes);
    munmap((void *)(uintptr_t)bytes.data, bytes.size);
}

static double store_once(char **files, int count, const char *recording) {
    struct string_pool names;
    struct trace trace;
    must(string_pool_create(&names));
    double began = now();
    trace_create(&trace, &names);
    must(trace_record_to(&trace, recording));
    trace_set_record_level(&trace, LEVEL_BLOCK);
    for (int i = 0; i < count; i++)
        store_file(&trace, files[i]);
    trace_destroy(&trace);
    double took = now() - began;
    string_pool_destroy(&names);
    return took;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *times, int count) {
    qsort(times, (size_t)count, sizeof *times, ascending);
    return times[count / 2];
}

int main(int argc, char **argv) {
    static double plain[MOST_ROUNDS], block[MOST_ROUNDS], phase[MOST_ROUNDS], stored[MOST_ROUNDS];
    int rounds = argc > 3 ? atoi(argv[1]) : 0, count = argc - 3;
    char path[4096];
    if (rounds < 1 || rounds > MOST_ROUNDS)
        return 2;
    snprintf(path, sizeof path, "%s/cost.jsr", argv[2]);
    for (int i = 0; i < rounds; i++) {
        plain[i] = link_once(argv + 3, count, NULL, JITSCOPE_LEVEL_DEFAULT);
        block[i] = link_once(argv + 3, count, path, JITSCOPE_LEVEL_DEFAULT);
        phase[i] = link_once(argv + 3, count, path, JITSCOPE_LEVEL_PHASE);
        stored[i] = store_once(argv + 3, count, path);
    }
    printf("%.0f %.0f %.0f %.0f\n", median(plain, rounds), median(block, rounds), median(phase, rounds),
           median(stored, rounds));
    remove(path);
    return 0;
}
