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

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

static struct bytes read_file(const char *path) {
    FILE *file = fopen(path, "rb");
    long size = file && fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    uint8_t *data = size >= 0 ? malloc((size_t)size + 1) : NULL;
    if (!data || fseek(file, 0, SEEK_SET) != 0 || fread(data, 1, (size_t)size, file) != (size_t)size)
        exit(1);
    fclose(file);
    return (struct bytes){data, (uint64_t)size};
}

static double store_once(const struct bytes *inputs, int count, const char *recording) {
    struct string_pool names;
    struct trace trace;
    must(string_pool_create(&names));
    double began = now();
    trace_create(&trace, &names);
    must(trace_record_to(&trace, recording));
    trace_set_record_level(&trace, LEVEL_BLOCK);
    for (int i = 0; i < count; i++)
        trace_content(&trace, inputs[i]);
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
    struct bytes *inputs = calloc((size_t)count, sizeof *inputs);
    for (int i = 0; i < count; i++)
        inputs[i] = read_file(argv[3 + i]);
    snprintf(path, sizeof path, "%s/cost.jsr", argv[2]);
    for (int i = 0; i < rounds; i++) {
        plain[i] = link_once(argv + 3, count, NULL, JITSCOPE_LEVEL_DEFAULT);
        block[i] = link_once(argv + 3, count, path, JITSCOPE_LEVEL_DEFAULT);
        phase[i] = link_once(argv + 3, count, path, JITSCOPE_LEVEL_PHASE);
        stored[i] = store_once(inputs, count, path);
    }
    printf("%.0f %.0f %.0f %.0f\n", median(plain, rounds), median(block, rounds), median(phase, rounds),
           median(stored, rounds));
    remove(path);
    return 0;
}
