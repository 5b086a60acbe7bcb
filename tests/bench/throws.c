/* Links the objects of `bench throws` and has them throw; with NATIVE they are linked to this program
 * already.
 *
 *     bench_throws THROWS [OBJECTS BATCHES FOLDER]     objects are FOLDER/00000.o and so on, and state.o
 *
 * Prints name=number pairs: nanoseconds of the first throw, and the median of all others. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { FRAMES = 5 };

typedef uint32_t (*measure_function)(uint64_t *times, uint32_t count);
typedef void (*thrower)(unsigned, uint32_t);

static int by_size(const void *a, const void *b) {
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static int report(measure_function measure, uint32_t count) {
    uint64_t *times = calloc(count, sizeof *times);
    if (!times || count < 2)
        return 1;
    if (measure(times, count) != count * FRAMES) {
        fprintf(stderr, "bench_throws: not every object was destroyed\n");
        return 1;
    }
    uint64_t first = times[0];
    qsort(times + 1, count - 1, sizeof *times, by_size);
    printf("first_ns=%" PRIu64 " median_ns=%" PRIu64 "\n", first, times[count / 2]);
    free(times);
    return 0;
}

#ifdef NATIVE

extern thrower throwers[], all_throwers[];
extern uint32_t thrower_count, count_of_all;
uint32_t measure_throws(uint64_t *times, uint32_t count);

int main(int count, char **words) {
    for (thrower_count = 0; thrower_count < count_of_all; thrower_count++)
        throwers[thrower_count] = all_throwers[thrower_count];
    return report(measure_throws, (uint32_t)atoi(words[count - 1]));
}

#else

#include "jitscope/jitscope.h"

static struct jitscope_session *session;

static void must(struct jitscope_error *error) {
    if (!error)
        return;
    dprintf(2, "bench_throws: %s\n", jitscope_error_message(error));
    exit(1);
}

static void add(const char *folder, const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.o", folder, name);
    must(jitscope_session_add_file(session, path));
}

static void *address_of(const char *name) {
    uint64_t address;
    must(jitscope_session_lookup(session, name, &address));
    return (void *)(uintptr_t)address;
}

static void link_batch(const char *folder, uint32_t from, uint32_t to) {
    char name[32];
    for (uint32_t i = from; i < to; i++) {
        snprintf(name, sizeof name, "%05" PRIu32, i);
        add(folder, name);
    }
    must(jitscope_session_link(session, NULL));
}

/* Batches of the same size; the first has what they share. */
static void link_all(const char *folder, uint32_t objects, uint32_t batches) {
    struct jitscope_session_options options = {.size = sizeof options};
    must(jitscope_session_create(&options, &session));
    must(jitscope_session_add_library(session, "stdc++"));
    add(folder, "state");
    for (uint32_t i = 0; i < batches; i++)
        link_batch(folder, (uint32_t)((uint64_t)objects * i / batches),
                   (uint32_t)((uint64_t)objects * (i + 1) / batches));
}

int main(int count, char **words) {
    if (count != 5)
        return 2;
    uint32_t objects = (uint32_t)atoi(words[2]);
    link_all(words[4], objects, (uint32_t)atoi(words[3]));
    thrower *throwers = address_of("throwers");
    for (uint32_t i = 0; i < objects; i++) {
        char name[32];
        snprintf(name, sizeof name, "thrower_%05" PRIu32, i);
        throwers[i] = (thrower)(uintptr_t)address_of(name);
    }
    *(uint32_t *)address_of("thrower_count") = objects;
    int status = report((measure_function)(uintptr_t)address_of("measure_throws"), (uint32_t)atoi(words[1]));
    jitscope_session_destroy(session);
    return status;
}
#endif
