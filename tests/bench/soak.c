/* A long day: batches are linked, run and unloaded, over and over, and what the process holds is said in
 * between.
 *
 *     bench_soak CYCLES WAY SEED
 *
 * One cycle links a batch of one to four objects, of kinds chosen at random, runs what it has, and unloads
 * some of those that are there: up to MOST_LIVE at a time, in random order.  In between links fail, unloads
 * are refused, and threads come and go that run linked code.  WAY is
 *
 *   session    one session from the first cycle to the last
 *   sessions   a new session every 100 cycles, every second one recorded in memory
 *   names      as session, and each function has a name that no other ever had
 *   executor   as session, and the code runs in another process: this program, with --fd, on whose lines
 *              is "executor=1"
 *
 * At 1/100, 1/10 and the whole of CYCLES everything is unloaded, and one line says what is there; so does the
 * last one, when the session is destroyed.  Times are of the processor. */
#define _GNU_SOURCE
#include <jitscope/jitscope.h>

#include "base/os.h"
#include "executor/debuggee.h"
#include "executor/frame_groups.h"

#include <dirent.h>
#include <link.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    MOST_LIVE = 24,
    MOST_OBJECTS = 4,
    SESSION_CYCLES = 100,
    FAILURE_EVERY = 16,
    THREAD_EVERY = 32,
    STATIC_EVERY = 20,
    BIG_EVERY = 20
};

/* Sanitizers have memory of their own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { SANITIZED = 1 };
#else
enum { SANITIZED = 0 };
#endif

extern struct debuggee jitscope_debuggee;

static void give_up(const char *why) {
    fprintf(stderr, "bench_soak: %s\n", why);
    exit(1);
}

static void check(struct jitscope_error *error) {
    if (error)
        give_up(jitscope_error_message(error));
}

static void expect(struct jitscope_error *error, enum jitscope_error_code code) {
    if (jitscope_error_code(error) != code)
        give_up(error ? jitscope_error_message(error) : "what must fail did not");
    jitscope_error_destroy(error);
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint64_t seed;

static uint32_t random_below(uint32_t limit) {
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33) % limit;
}

/* --- objects */

static int expect_same(int x) {
    return x;
}
static int expect_common(int x) {
    return x + 3;
}
static int expect_ifunc(int x) {
    return 2 * (x + 1);
}
static int expect_exceptions(int x) {
    return x + 5000;
}
static int expect_base(int x) {
    return 2 * x;
}
static int expect_user(int x) {
    return 2 * x + 1;
}

static struct kind {
    const char *name;
    int (*expected)(int x); /* NULL: something that changes */
    uint8_t *data;
    size_t size;
} kinds[] = {
    {"base", expect_base, NULL, 0},
    {"plain", NULL, NULL, 0},
    {"exceptions", expect_exceptions, NULL, 0},
    {"locals", expect_same, NULL, 0},
    {"ifunc", expect_ifunc, NULL, 0},
    {"common", expect_common, NULL, 0},
    {"lifecycle", expect_same, NULL, 0},
    {"debugged", NULL, NULL, 0},
    {"big", NULL, NULL, 0},
    {"user", expect_user, NULL, 0},
    {"fails", NULL, NULL, 0},
    {"static", expect_same, NULL, 0},
};
enum { BASE, EXCEPTIONS = 2, DEBUGGED = 7, COMMON_KINDS, BIG = COMMON_KINDS, USER, FAILS, STATIC, KINDS };

static void read_kind(struct kind *kind) {
    char path[512];
    snprintf(path, sizeof path, SOAK_OBJECTS "%s.o", kind->name);
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END))
        give_up(path);
    kind->size = (size_t)ftell(file);
    kind->data = malloc(kind->size);
    rewind(file);
    if (!kind->data || fread(kind->data, 1, kind->size, file) != kind->size)
        give_up(path);
    fclose(file);
}

/* --- what is live */

struct batch {
    struct jitscope_link *link;
    uint32_t kinds[MOST_OBJECTS], count;
};

static struct batch live[MOST_LIVE];
static uint32_t live_count;
static struct jitscope_session *session;
static bool elsewhere; /* the code runs in another process */

/* What the actions of the next link are to do. */
static struct order {
    uint8_t fails, reports;
    uint32_t cycles;
} order;

static void report(uint32_t cycles, uint64_t time, bool is_executor);

static const char *obey(void *context, const uint8_t *arguments, size_t size) {
    struct order given;
    (void)context;
    if (size != sizeof given)
        return "no order";
    memcpy(&given, arguments, size);
    if (given.reports)
        report(given.cycles, 0, true);
    return given.fails ? "this one is to fail" : NULL;
}

static struct jitscope_error *attach(struct jitscope_graph *graph, void *context) {
    static const struct order nothing;
    (void)context;
    return jitscope_graph_add_action(graph, "soak", &order, sizeof order, "soak", &nothing, sizeof nothing);
}

/* This program once more, as the target. */
static struct jitscope_executor_connection *start_executor(void) {
    static char program[] = "/proc/self/exe";
    char *command[] = {program, NULL};
    struct jitscope_executor_options options = {.size = sizeof options, .command = command};
    struct jitscope_executor_connection *connection;
    check(jitscope_executor_spawn(&options, &connection));
    return connection;
}

static int serve(int fd) {
    struct jitscope_target *target;
    os_fail_after(0, false); /* counts allocations */
    check(jitscope_target_create(fd, &target));
    check(jitscope_target_register_action(target, "soak", obey, NULL));
    check(jitscope_target_serve(target));
    report(0, 0, true);
    return 0;
}

enum { ELSEWHERE = 7 }; /* what functions in another process are called with, as main's first argument */

static void begin_session(bool recorded) {
    static char word[] = "word", *arguments[ELSEWHERE + 1];
    struct jitscope_session_options options = {
        .size = sizeof options, .inspectable = recorded, .executor = elsewhere ? start_executor() : NULL};
    for (int i = 0; i < ELSEWHERE; i++)
        arguments[i] = word;
    check(jitscope_session_create(&options, &session));
    check(jitscope_session_set_arguments(session, ELSEWHERE, arguments, NULL));
    check(jitscope_session_add_library(session, ":libstdc++.so.6"));
    if (!elsewhere)
        check(jitscope_session_register_action(session, "soak", obey, NULL));
    check(jitscope_session_add_pass(session, JITSCOPE_POST_FIXUP, "soak", attach, NULL));
}

static int argument(void) {
    return elsewhere ? ELSEWHERE : 1 + (int)(seed % 400);
}

static void *call_check(void *address) {
    int result;
    if (!elsewhere)
        return (void *)(intptr_t)((int (*)(int))(uintptr_t)address)(argument());
    check(jitscope_session_run_main(session, (uint64_t)(uintptr_t)address, &result));
    return (void *)(intptr_t)result;
}

/* In a thread of its own now and then: thread-local objects are made there and destroyed when it ends. */
static void run(const struct batch *batch, bool in_thread) {
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct kind *kind = &kinds[batch->kinds[i]];
        char name[32];
        uint64_t address;
        void *result;
        pthread_t thread;
        if (!strcmp(kind->name, "debugged"))
            continue;
        snprintf(name, sizeof name, "check_%s", kind->name);
        check(jitscope_link_lookup(session, batch->link, name, &address));
        void *function = (void *)(uintptr_t)address;
        if (!in_thread)
            result = call_check(function);
        else if (pthread_create(&thread, NULL, call_check, function) || pthread_join(thread, &result))
            give_up("no threads");
        if (kind->expected && kind->expected(argument()) != (int)(intptr_t)result)
            give_up(name);
    }
}

static bool has(const struct batch *batch, uint32_t kind) {
    for (uint32_t i = 0; i < batch->count; i++)
        if (batch->kinds[i] == kind)
            return true;
    return false;
}

static bool base_is_live(void) {
    for (uint32_t i = 0; i < live_count; i++)
        if (has(&live[i], BASE))
            return true;
    return false;
}

/* False when another batch refers to it. */
static bool unload(uint32_t which) {
    struct jitscope_error *error = jitscope_session_unload(session, live[which].link);
    if (error) {
        expect(error, JITSCOPE_ERROR_IN_USE);
        return false;
    }
    live[which] = live[--live_count];
    return true;
}

static void unload_all(void) {
    while (live_count) {
        bool any = false;
        for (uint32_t i = live_count; i-- > 0;)
            any |= unload(i);
        if (!any)
            give_up("batches hold each other");
    }
}

/* --- cycles */

/* The digits in the name become those of the cycle. */
static void add_named(uint32_t cycle) {
    static const char pattern[] = "function_000000";
    char name[32];
    struct kind *kind = &kinds[DEBUGGED];
    uint8_t *copy = malloc(kind->size);
    if (!copy)
        give_up("out of memory");
    memcpy(copy, kind->data, kind->size);
    snprintf(name, sizeof name, "function_%06u", cycle % 1000000);
    for (size_t at = 0; at + sizeof pattern <= kind->size; at++)
        if (!memcmp(copy + at, pattern, sizeof pattern - 1))
            memcpy(copy + at, name, sizeof pattern - 1);
    check(jitscope_session_add_memory(session, name, copy, kind->size));
    free(copy);
}

static void add_kind(struct batch *batch, uint32_t kind) {
    if (has(batch, kind))
        return;
    batch->kinds[batch->count++] = kind;
    check(jitscope_session_add_memory(session, kinds[kind].name, kinds[kind].data, kinds[kind].size));
}

static void fail_somehow(void) {
    const struct kind *kind = &kinds[FAILS];
    switch (random_below(3)) {
    case 0:
        check(jitscope_session_add_memory(session, "fails", kind->data, kind->size));
        expect(jitscope_session_link(session, NULL), JITSCOPE_ERROR_UNRESOLVED);
        return;
    case 1:
        kind = &kinds[EXCEPTIONS];
        check(jitscope_session_add_memory(session, kind->name, kind->data, kind->size));
        order.fails = true;
        expect(jitscope_session_link(session, NULL), JITSCOPE_ERROR_ACTION_FAILED);
        order.fails = false;
        return;
    default:
        check(jitscope_session_add_memory(session, "cut short", kind->data, kind->size / 2));
        expect(jitscope_session_link(session, NULL), JITSCOPE_ERROR_TRUNCATED);
    }
}

/* What takes static TLS: there is little, and the C library gets back what was taken last. */
static void take_static(void) {
    struct batch batch = {0};
    add_kind(&batch, STATIC);
    check(jitscope_session_link(session, &batch.link));
    run(&batch, false);
    check(jitscope_session_unload(session, batch.link));
}

static void cycle(uint32_t number, bool names) {
    struct batch batch = {0};
    if (number % STATIC_EVERY == 0)
        take_static();
    uint32_t objects = 1 + random_below(MOST_OBJECTS);
    if (number % FAILURE_EVERY == 0)
        fail_somehow();
    if (names)
        add_named(number);
    for (uint32_t i = 0; i < objects; i++)
        add_kind(&batch, random_below(BIG_EVERY) || objects > 1 ? random_below(COMMON_KINDS) : (uint32_t)BIG);
    if (!has(&batch, BASE) && batch.count < MOST_OBJECTS && base_is_live())
        add_kind(&batch, USER);
    check(jitscope_session_link(session, &batch.link));
    live[live_count++] = batch;
    run(&batch, number % THREAD_EVERY == 0);
    uint32_t wanted = random_below(MOST_LIVE);
    for (uint32_t tries = 0; live_count > wanted && tries < 4 * MOST_LIVE; tries++)
        unload(random_below(live_count));
    if (live_count == MOST_LIVE)
        unload_all();
}

/* --- what the process holds */

static uint64_t count_entries(const char *folder) {
    uint64_t count = 0;
    DIR *directory = opendir(folder);
    while (directory && readdir(directory))
        count++;
    closedir(directory);
    return count - 3; /* ".", "..", and this one */
}

static uint64_t count_mappings(void) {
    static char line[4096];
    uint64_t count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps))
        count++;
    fclose(maps);
    return count;
}

static uint64_t resident(void) {
    unsigned long all, pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%lu %lu", &all, &pages) != 2)
        give_up("/proc/self/statm");
    fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static int see_library(struct dl_phdr_info *info, size_t size, void *counts) {
    (void)size;
    ((uint64_t *)counts)[0]++;
    ((uint64_t *)counts)[1] += info->dlpi_tls_modid != 0;
    return 0;
}

static uint64_t count_sections(void) {
    uint64_t sum = 0;
    for (int i = 0; i < DEBUGGEE_UNWINDERS; i++)
        sum += jitscope_debuggee.unwinders[i].sections;
    return sum;
}

static void report(uint32_t cycles, uint64_t time, bool is_executor) {
    uint64_t libraries[2] = {0, 0};
    uint64_t slabs = frame_groups_slabs(),
             slab_bytes = slabs * (FRAME_GROUPS_SLAB + 16); /* libgcc's, for ten seconds */
    dl_iterate_phdr(see_library, libraries);
    malloc_trim(0);
    printf("executor=%d cycles=%u ns=%llu allocations=%lld heap=%llu resident=%llu mappings=%llu "
           "descriptors=%llu "
           "batches=%llu "
           "images=%llu sections=%llu libraries=%llu modules=%llu\n",
           is_executor, cycles, (unsigned long long)time, (long long)(os_live_allocations() - (int64_t)slabs),
           (unsigned long long)(mallinfo2().uordblks + mallinfo2().hblkhd - slab_bytes),
           (unsigned long long)(SANITIZED ? 0 : resident() - slab_bytes),
           (unsigned long long)(SANITIZED ? 0 : count_mappings()),
           (unsigned long long)count_entries("/proc/self/fd"), (unsigned long long)jitscope_debuggee.batches,
           (unsigned long long)jitscope_debuggee.images, (unsigned long long)count_sections(),
           (unsigned long long)libraries[0], (unsigned long long)libraries[1]);
    fflush(stdout);
}

/* One batch is there while the executor looks. */
static void report_all(uint32_t cycles, uint64_t time) {
    struct batch batch = {0};
    report(cycles, time, false);
    if (!elsewhere)
        return;
    order = (struct order){.reports = true, .cycles = cycles};
    add_kind(&batch, BASE);
    check(jitscope_session_link(session, &batch.link));
    order = (struct order){0};
    check(jitscope_session_unload(session, batch.link));
}

static void soak(uint32_t cycles, bool many, bool names) {
    uint64_t began = now();
    uint32_t last = 0;
    begin_session(false);
    for (uint32_t i = 1; i <= cycles; i++) {
        cycle(i, names);
        bool mark = i == cycles / 100 || i == cycles / 10 || i == cycles;
        if (mark || (many && i % SESSION_CYCLES == 0))
            unload_all();
        if (many && i % SESSION_CYCLES == 0) {
            jitscope_session_destroy(session);
            begin_session(i / SESSION_CYCLES % 2);
        }
        if (!mark)
            continue;
        report_all(i, (now() - began) / (i - last));
        began = now();
        last = i;
    }
    jitscope_session_destroy(session);
    report(cycles, 0, false);
}

int main(int argc, char **argv) {
    if (argc == 3 && !strcmp(argv[1], "--fd"))
        return serve(atoi(argv[2]));
    if (argc != 4)
        give_up("CYCLES, WAY and SEED are wanted");
    os_fail_after(0, false); /* counts allocations */
    seed = strtoull(argv[3], NULL, 10);
    for (uint32_t i = 0; i < KINDS; i++)
        read_kind(&kinds[i]);
    elsewhere = !strcmp(argv[2], "executor");
    soak((uint32_t)strtoul(argv[1], NULL, 10), !strcmp(argv[2], "sessions"), !strcmp(argv[2], "names"));
    return 0;
}
