/* Measures what a reader of a recording waits for: opening it, building the mirror, going to random moments.
 *
 *     bench_recordings FILE [SEEKS]
 *
 * Prints name=number pairs; after each of the seeks a few things are looked at, so that work put off counts.
 */
#include "base/os.h"
#include "mirror/mirror.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

static uint64_t chance(uint64_t below) {
    static uint64_t state = 1;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 20) % below;
}

static void or_die(struct jitscope_error *error) {
    if (error) {
        fprintf(stderr, "bench_recordings: %s\n", jitscope_error_message(error));
        exit(1);
    }
}

static uint64_t peak_bytes(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_maxrss * 1024;
}

static int by_size(const void *a, const void *b) {
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* A screen full of blocks and symbols of one link. */
static uint64_t look(const struct mirror *mirror) {
    uint64_t sum = 0;
    const struct mirror_link *link = mirror_link(mirror, (uint32_t)chance(mirror->links.count));
    uint32_t blocks = (uint32_t)chance(link->blocks.count + 1),
             symbols = (uint32_t)chance(link->symbols.count + 1);
    for (uint32_t i = 0; i < 50; i++) {
        const struct mirror_block *block = mirror_block(link, blocks + i);
        const struct mirror_symbol *symbol = mirror_symbol(link, symbols + i);
        sum += (block ? block->address : 0) + (symbol ? symbol->address : 0);
    }
    return sum;
}

static void measure_seeks(struct mirror *mirror, uint32_t count) {
    uint64_t *times = calloc(count, sizeof *times), last = mirror->last_sequence, sum = 0;
    if (!times)
        or_die(error_no_memory());
    for (uint32_t i = 0; i < count; i++) {
        uint64_t at = i == 0 ? 0 : i == 1 ? last : chance(last + 1), begun = os_time_ns();
        mirror_seek(mirror, at);
        sum += look(mirror);
        times[i] = os_time_ns() - begun;
    }
    qsort(times, count, sizeof *times, by_size);
    printf("seek_median_ns=%" PRIu64 " seek_worst_ns=%" PRIu64 " seen=%" PRIu64 "\n", times[count / 2],
           times[count - 1], sum & 1);
    free(times);
}

int main(int count, char **words) {
    uint32_t seeks = count > 2 ? (uint32_t)strtoul(words[2], NULL, 10) : 1000;
    struct recording_file file;
    struct mirror *mirror = calloc(1, sizeof *mirror);
    if (count < 2 || !seeks || !mirror) {
        fprintf(stderr, "usage: bench_recordings FILE [SEEKS]\n");
        return 2;
    }
    uint64_t begun = os_time_ns();
    or_die(recording_open(words[1], &file));
    uint64_t opened = os_time_ns(), before = peak_bytes();
    or_die(mirror_load(mirror, &file, UINT64_MAX));
    uint64_t built = os_time_ns();
    printf("open_ns=%" PRIu64 " build_ns=%" PRIu64 " events=%" PRIu64 " bytes=%" PRIu64
           " mirror_bytes=%" PRIu64 " links=%u\n",
           opened - begun, built - opened, mirror->applied, file.bytes.size, peak_bytes() - before,
           mirror->links.count);
    measure_seeks(mirror, seeks);
    mirror_destroy(mirror);
    free(mirror);
    recording_close(&file);
    return 0;
}
