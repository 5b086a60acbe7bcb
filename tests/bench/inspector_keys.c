/* How long the inspector's user waits: for the first screen of a recording, then for each key, drawing
 * included; and how long the slices take in which it goes on reading, scanning and searching.
 *
 *     inspector_keys FILE [COMMAND...]
 *
 * Instead of its own scenario it runs the COMMANDs when there are some.
 *
 * Prints first_ns, read_ns (all is read), rss_bytes, and for each line of the scenario `key WORST_NS NAME`.
 */
#include "draw/draw.h"
#include "inspected/inspected.h"
#include "model/update.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { FIRST_LOOK = 200000000, SLICE = 6000000 }; /* nanoseconds, as the program's own loop */

static struct grid grid;
static struct state state;
static uint64_t worst_slice, slices;

static void or_die(struct jitscope_error *error) {
    if (!error)
        return;
    fprintf(stderr, "inspector_keys: %s\n", jitscope_error_message(error));
    exit(1);
}

static void show(void) {
    or_die(draw(&grid, &state));
}

/* As the loop on a terminal: a slice of what is to be done, then a drawing. */
static bool work(void) {
    const struct input news = {.kind = INPUT_NEWS}, scan = {.kind = INPUT_WORK};
    uint64_t begun = os_time_ns(), version = state.inspected->version;
    bool more;
    or_die(inspected_work(state.inspected, SLICE, &more));
    if (state.inspected->version != version)
        update(&state, &news);
    if (update_has_work(&state))
        update(&state, &scan);
    show();
    uint64_t took = os_time_ns() - begun;
    worst_slice = took > worst_slice ? took : worst_slice;
    slices++;
    return more || (update_has_work(&state) && !state.table.sheet.is_waiting) ||
           (state.table.sheet.is_waiting && sheet_descriptor(&state.table.sheet) < 0);
}

static void finish(void) {
    while (work())
        ;
}

static uint64_t press(const struct input *input) {
    uint64_t begun = os_time_ns();
    update(&state, input);
    show();
    return os_time_ns() - begun;
}

/* A line of the scenario: a command, TIMES times in a row; the worst of them. */
static void measure(const char *line, int times) {
    struct input input = {.kind = INPUT_COMMAND, .command = line};
    uint64_t worst = 0, begun = os_time_ns();
    worst_slice = slices = 0;
    for (int i = 0; i < times; i++) {
        uint64_t took = press(&input);
        worst = took > worst ? took : worst;
    }
    finish();
    printf("key %" PRIu64 " slice %" PRIu64 " done %" PRIu64 " %s\n", worst, worst_slice,
           os_time_ns() - begun, line);
}

static const struct {
    const char *line;
    int times;
} scenario[] = {
    {"down", 50},
    {"page-down", 5},
    {"map", 1},
    {"down", 20},
    {"zoom in", 3},
    {"segments", 1},
    {"last", 1},
    {"blocks", 1},
    {"page-down", 20},
    {"last", 1},
    {"page-up", 20},
    {"first", 1},
    {"symbols", 1},
    {"last", 1},
    {"half-up", 10},
    {"event -1", 20},
    {"event 1", 20},
    {"pass -1", 20},
    {"step-batch -1", 20},
    {"goto 0", 1},
    {"goto 12000000", 1},
    {"event 1", 20},
    {"sort -address", 1},
    {"page-down", 10},
    {"sort", 1},
    {"filter size > 4096", 1},
    {"filter", 1},
    {"search no such name", 1},
    {"follow", 1},
    {"got", 1},
    {"last", 1},
    {"page-up", 10},
    {"edges", 1},
    {"last", 1},
    {"page-up", 10},
    {"eh-frames", 1},
    {"passes", 1},
    {"actions", 1},
    {"registrations", 1},
    {"inputs", 1},
    {"last", 1},
    {"events", 1},
    {"last", 1},
    {"page-up", 20},
    {"first", 1},

    {"overview", 1},
    {"help", 1},
};

static uint64_t resident(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_maxrss * 1024;
}

int main(int argc, char **argv) {
    struct inspected *inspected;
    if (argc < 2) {
        fprintf(stderr, "usage: inspector_keys FILE [COMMAND...]\n");
        return 2;
    }
    uint64_t begun = os_time_ns();
    or_die(inspected_open(argv[1], FIRST_LOOK, &inspected));
    or_die(state_create(&state, inspected));
    state.rows = 60;
    state.columns = 200;
    show();
    printf("first_ns=%" PRIu64 "\n", os_time_ns() - begun);
    finish();
    printf("read_ns=%" PRIu64 " slice_ns=%" PRIu64 " events=%u\n", os_time_ns() - begun, worst_slice,
           inspected->mirror.history->events);
    printf("read_rss_bytes=%" PRIu64 "\n", resident());
    for (size_t i = 0; argc == 2 && i < sizeof scenario / sizeof *scenario; i++)
        measure(scenario[i].line, scenario[i].times);
    for (int i = 2; i < argc; i++)
        measure(argv[i], 1);
    printf("rss_bytes=%" PRIu64 "\n", resident());
    state_destroy(&state);
    inspected_close(inspected);
    grid_destroy(&grid);
    return 0;
}
