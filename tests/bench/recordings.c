/* Measures what a reader of a recording waits for: opening it, building the mirror, going to random moments.
 *
 *     bench_recordings FILE [SEEKS [demand]]
 *
 * Prints name=number pairs; after each of the seeks a few things are looked at, so that work put off counts.
 * `demand`: of a mirror on demand, as the inspector has it, and what the process takes in memory with it. */
#include "base/os.h"
#include "mirror/views.h"
#include "mirror/why.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

enum { STEP = 200000, KEPT = 64 << 20 };

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

/* A screen full of blocks and symbols of one link; on demand it is the same for a while. */
static uint64_t look(const struct mirror *mirror) {
    enum { FOR_A_WHILE = 100 };
    static uint32_t looks, number;
    uint64_t sum = 0;
    if (!mirror->on_demand || looks++ % FOR_A_WHILE == 0)
        number = (uint32_t)chance(mirror->links.count);
    const struct mirror_link *link = mirror_link(mirror, number);
    if (!link)
        return 0;
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
        mirror_trim(mirror, KEPT);
    }
    qsort(times, count, sizeof *times, by_size);
    printf("seek_median_ns=%" PRIu64 " seek_worst_ns=%" PRIu64 " seen=%" PRIu64 "\n", times[count / 2],
           times[count - 1], sum & 1);
    free(times);
}

/* --- on demand */

static uint64_t resident_bytes(void) {
    unsigned long long size, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%llu %llu", &size, &resident) != 2)
        fprintf(stderr, "bench_recordings: no /proc/self/statm\n");
    if (file)
        fclose(file);
    return resident * 4096;
}

/* Reads every link once, and asks for a row of each of its views; times are per link. */
static void measure_links(struct mirror *mirror, bool edges) {
    uint32_t count = mirror->links.count;
    uint64_t *times = calloc(count, sizeof *times), sum = 0, bytes = 0;
    if (!times)
        or_die(error_no_memory());
    mirror_trim(mirror, 0);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t begun = os_time_ns();
        const struct mirror_link *link = mirror_link(mirror, i);
        if (edges)
            or_die(mirror_want_edges(mirror, i));
        sum += link->blocks.count + link->edges.count;
        times[i] = os_time_ns() - begun;
        bytes = mirror->content_bytes > bytes ? mirror->content_bytes : bytes;
        mirror_trim(mirror, 0);
    }
    qsort(times, count, sizeof *times, by_size);
    printf("%s_median_ns=%" PRIu64 " %s_worst_ns=%" PRIu64 " %s_bytes=%" PRIu64 " seen=%" PRIu64 "\n",
           edges ? "edges" : "link", times[count / 2], edges ? "edges" : "link", times[count - 1],
           edges ? "edges" : "link", bytes, sum & 1);
    free(times);
}

static uint64_t rows_of(const struct mirror *mirror, const char *name) {
    const struct view *view = view_find(name);
    struct rows rows = {.columns = view->columns, .column_count = view->column_count};
    uint64_t begun = os_time_ns();
    or_die(view_rows(view, mirror, &rows));
    rows_destroy(&rows);
    return os_time_ns() - begun;
}

static uint64_t ask(struct mirror *mirror, const char *question) {
    struct why_answer answer;
    uint64_t begun = os_time_ns();
    mirror_trim(mirror, 0);
    or_die(why_ask(mirror, question, NULL, &answer));
    why_destroy(&answer);
    return os_time_ns() - begun;
}

/* About a function of some link; where it is, what it is called. */
static void measure_why(struct mirror *mirror) {
    char address[24], name[100];
    const struct mirror_link *link = mirror_link(mirror, mirror->links.count / 3);
    const struct mirror_symbol *symbol = mirror_symbol(link, 0);
    const struct mirror_block *block = mirror_block(link, symbol ? symbol->block : 0);
    if (!symbol || !block)
        or_die(error_create(JITSCOPE_ERROR_NOT_FOUND, "no symbol to ask about"));
    struct recorded_string text = recording_string(mirror->file, symbol->name);
    snprintf(name, sizeof name, "%.*s", (int)text.length, text.bytes);
    snprintf(address, sizeof address, "0x%" PRIx64, block->address + 2);
    uint64_t of_address = ask(mirror, address);
    printf("why_symbol_ns=%" PRIu64 " why_address_ns=%" PRIu64 "\n", ask(mirror, name), of_address);
}

static void measure_on_demand(struct mirror *mirror, const struct recording_file *file, uint32_t seeks) {
    uint64_t begun = os_time_ns(), worst = 0;
    or_die(mirror_open_on_demand(mirror, file));
    for (bool done = false; !done;) {
        uint64_t step = os_time_ns();
        or_die(mirror_index_step(mirror, STEP, &done));
        step = os_time_ns() - step;
        worst = step > worst ? step : worst;
    }
    printf("index_ns=%" PRIu64 " step_worst_ns=%" PRIu64 " index_resident=%" PRIu64 " batches_ns=%" PRIu64
           "\n",
           os_time_ns() - begun, worst, resident_bytes(), rows_of(mirror, "batches"));
    printf("events=%" PRIu64 " links=%u\n", mirror->applied, mirror->links.count);
    measure_links(mirror, false);
    measure_links(mirror, true);
    measure_why(mirror);
    measure_seeks(mirror, seeks);
    mirror_trim(mirror, KEPT);
    printf("demand_resident=%" PRIu64 " demand_peak=%" PRIu64 "\n", resident_bytes(), peak_bytes());
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
    if (count > 3) {
        printf("open_ns=%" PRIu64 " open_resident=%" PRIu64 "\n", opened - begun, resident_bytes());
        measure_on_demand(mirror, &file, seeks);
        mirror_destroy(mirror);
        free(mirror);
        recording_close(&file);
        return 0;
    }
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
