/* A program that links while it is looked at, and changes what it has linked.  It reads commands, one a line,
 * and answers each with one line:
 *
 *     link FILE               the new batch's number in this list, from 0         unload N
 *     call NAME               what a function without arguments returns
 *     peek ADDRESS            the eight bytes there
 *     poke ADDRESS VALUE HOW  writes eight bytes there, whatever the protection, which is HOW afterwards: r,
 * rw, rx threads N FILE          N threads link and unload FILE, each 200 times a second, until `stop` burst
 * N FILE            a thread does so N times a second until `stop`; says how often it did by then count how
 * often the loop of a thread of its own has come round, a thousand times a second begin FILE, end records on
 * demand exit
 */
#define _GNU_SOURCE
#include "jitscope/jitscope.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 1024, MOST_WORKERS = 16 };

static struct jitscope_session *session;
static struct jitscope_link *links[MOST];
static unsigned link_count;

static atomic_ulong rounds;
static atomic_bool stop;
static atomic_uint turns;
static pthread_t workers[MOST_WORKERS];
static unsigned worker_count;
static char worked_on[4096];
static unsigned per_second;
static pthread_mutex_t queue = PTHREAD_MUTEX_INITIALIZER;

static void say(struct jitscope_error *error) {
    printf("%s\n", error ? jitscope_error_message(error) : "done");
    jitscope_error_destroy(error);
}

static struct jitscope_error *link_file(const char *path, struct jitscope_link **link) {
    pthread_mutex_lock(&queue);
    struct jitscope_error *error = jitscope_session_add_file(session, path);
    if (!error)
        error = jitscope_session_link(session, link);
    pthread_mutex_unlock(&queue);
    return error;
}

/* --- threads */

static void sleep_until(struct timespec *time, long nanoseconds) {
    time->tv_nsec += nanoseconds;
    time->tv_sec += time->tv_nsec / 1000000000;
    time->tv_nsec %= 1000000000;
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, time, NULL);
}

static void *count_rounds(void *unused) {
    for (;;) {
        atomic_fetch_add(&rounds, 1);
        usleep(1000);
    }
    return unused;
}

static void must(struct jitscope_error *error) {
    if (!error)
        return;
    fprintf(stderr, "%s\n", jitscope_error_message(error));
    abort();
}

static void *link_and_unload(void *unused) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    while (!atomic_load(&stop)) {
        struct jitscope_link *link;
        must(link_file(worked_on, &link));
        must(jitscope_session_unload(session, link));
        atomic_fetch_add(&turns, 1);
        sleep_until(&time, 1000000000L / per_second);
    }
    return unused;
}

static void start_workers(unsigned count, unsigned rate, const char *file) {
    snprintf(worked_on, sizeof worked_on, "%s", file);
    per_second = rate;
    atomic_store(&stop, false);
    atomic_store(&turns, 0);
    for (worker_count = 0; worker_count < count && worker_count < MOST_WORKERS; worker_count++)
        pthread_create(&workers[worker_count], NULL, link_and_unload, NULL);
    printf("done\n");
}

static void stop_workers(void) {
    atomic_store(&stop, true);
    while (worker_count)
        pthread_join(workers[--worker_count], NULL);
    printf("%u\n", atomic_load(&turns));
}

/* --- memory */

static void poke(uint64_t address, uint64_t value, const char *how) {
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), first = address & ~(page - 1);
    size_t size = (size_t)(((address + 7) & ~(page - 1)) + page - first);
    int after = PROT_READ | (strchr(how, 'w') ? PROT_WRITE : 0) | (strchr(how, 'x') ? PROT_EXEC : 0);
    void *memory = (void *)(uintptr_t)first; /* NOLINT: that is the point */
    if (mprotect(memory, size, PROT_READ | PROT_WRITE | (after & PROT_EXEC))) {
        perror("mprotect");
        return;
    }
    __atomic_store_n((uint64_t *)(uintptr_t)address, value, __ATOMIC_SEQ_CST);
    mprotect(memory, size, after);
    printf("done\n");
}

static void call(const char *name) {
    uint64_t address;
    struct jitscope_error *error = jitscope_session_lookup(session, name, &address);
    if (error)
        say(error);
    else
        printf("%d\n", ((int (*)(void))(uintptr_t)address)());
}

/* --- commands */

static void link_next(const char *file) {
    struct jitscope_error *error = link_file(file, &links[link_count]);
    if (error)
        say(error);
    else
        printf("%u\n", link_count++);
}

static void obey(const char *line) {
    char text[4096] = "", how[8] = "";
    uint64_t address = 0, value = 0;
    unsigned number = 0;
    if (sscanf(line, "poke %" SCNx64 " %" SCNx64 " %7s", &address, &value, how) == 3)
        poke(address, value, how);
    else if (sscanf(line, "peek %" SCNx64, &address) == 1)
        printf("0x%" PRIx64 "\n", *(uint64_t *)(uintptr_t)address);
    else if (sscanf(line, "threads %u %4095s", &number, text) == 2)
        start_workers(number, 200, text);
    else if (sscanf(line, "burst %u %4095s", &number, text) == 2 && number)
        start_workers(1, number, text);
    else if (sscanf(line, "unload %u", &number) == 1 && number < link_count)
        say(jitscope_session_unload(session, links[number]));
    else if (sscanf(line, "link %4095s", text) == 1 && link_count < MOST)
        link_next(text);
    else if (sscanf(line, "call %4095s", text) == 1)
        call(text);
    else if (sscanf(line, "begin %4095s", text) == 1)
        say(jitscope_session_begin_recording(session, text, JITSCOPE_LEVEL_EDGES));
    else if (!strcmp(line, "end"))
        say(jitscope_session_end_recording(session));
    else if (!strcmp(line, "stop"))
        stop_workers();
    else if (!strcmp(line, "count"))
        printf("%lu\n", atomic_load(&rounds));
    else
        printf("no such command\n");
}

int main(void) {
    struct jitscope_session_options options = {.size = sizeof options,
                                               .inspectable = true,
                                               .no_default_libraries = true,
                                               .level = JITSCOPE_LEVEL_EDGES};
    char line[8192];
    pthread_t counter;
    setvbuf(stdout, NULL, _IOLBF, 0);
    must(jitscope_session_create(&options, &session));
    pthread_create(&counter, NULL, count_rounds, NULL);
    printf("%s\n", jitscope_session_inspection_failure(session) ? "cannot be inspected" : "ready");
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        if (!strcmp(line, "exit"))
            break;
        obey(line);
    }
    jitscope_session_destroy(session);
    return 0;
}
