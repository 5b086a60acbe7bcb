#include "contestant.h"

#include "../mappings.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* What the processors have worked for this process and its children that ended. */
static uint64_t worked(void) {
    struct timespec own;
    struct rusage children;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
    getrusage(RUSAGE_CHILDREN, &children);
    uint64_t seconds = (uint64_t)(own.tv_sec + children.ru_utime.tv_sec + children.ru_stime.tv_sec);
    uint64_t microseconds = (uint64_t)(children.ru_utime.tv_usec + children.ru_stime.tv_usec);
    return seconds * 1000000000u + microseconds * 1000u + (uint64_t)own.tv_nsec;
}

/* A line of /proc/self/status, in KiB. */
static long status_kib(const char *key) {
    char line[256];
    long value = -1;
    FILE *file = fopen("/proc/self/status", "r");
    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, key, strlen(key)))
            value = strtol(line + strlen(key) + 1, NULL, 10);
    if (file)
        fclose(file);
    return value;
}

/* "5" makes the highest resident size start again from the present one; see proc(5), clear_refs. */
static void reset_peak(void) {
    int fd = open("/proc/self/clear_refs", O_WRONLY);
    if (fd < 0 || write(fd, "5", 1) != 1)
        fputs("the peak of memory includes the input\n", stderr);
    if (fd >= 0)
        close(fd);
}

static long peak_kib(long before) {
    struct rusage children;
    long own = status_kib("VmHWM") - before;
    getrusage(RUSAGE_CHILDREN, &children);
    return own > children.ru_maxrss ? own : children.ru_maxrss;
}

/* They are in the process before the clock starts, for all contestants. */
static const char *open_libraries(const struct bench_input *input) {
    for (const char *const *library = input->libraries; *library; library++)
        if (!dlopen(*library, RTLD_NOW | RTLD_GLOBAL))
            return dlerror();
    return NULL;
}

static uint64_t call_entry(uint64_t address, uint64_t argument) {
    uint64_t (*entry)(uint64_t);
    memcpy(&entry, &address, sizeof entry);
    return entry(argument);
}

/* Linked code may ask for what no shared library has, only libc_nonshared.a and libgcc.a; linkers that do not
 * read those find it here.  Nothing registered is ever run: the program ends with _exit. */
__attribute__((visibility("default"))) int atexit(void (*function)(void)) {
    (void)function;
    return 0;
}

__attribute__((visibility("default"))) int __popcountdi2(long bits) {
    int count = 0;
    for (; bits; bits &= bits - 1)
        count++;
    return count;
}

int main(int count, char **arguments) {
    if (count != 4) {
        fprintf(stderr, "usage: %s INPUT MODE FOLDER\n", arguments[0]);
        return 2;
    }
    struct bench_input input = bench_input_load(arguments[1]);
    struct bench_job job = {&input, arguments[2], arguments[3]};
    const char *error = open_libraries(&input);
    if (!error && bench_prepare)
        error = bench_prepare(&job);
    reset_peak();
    long mappings = count_mappings(), memory = status_kib("VmRSS");
    uint64_t address = 0, work = worked(), began = now();
    if (!error)
        error = bench_link(&job, &address);
    uint64_t ended = now();
    work = worked() - work;
    if (error) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    long peak = peak_kib(memory);
    mappings = count_mappings() - mappings;
    printf("ns=%llu cpu_ns=%llu peak_kib=%ld mappings=%ld objects=%zu\n", (unsigned long long)(ended - began),
           (unsigned long long)work, peak, mappings, input.count);
    fflush(stdout);
    if (getenv("BENCH_LINK_ONLY")) /* instructions are counted, at a fiftieth of the speed */
        _exit(0);
    uint64_t result = call_entry(address, input.argument);
    if (result != input.expected) {
        fprintf(stderr, "wrong result: 0x%llx, not 0x%llx\n", (unsigned long long)result,
                (unsigned long long)input.expected);
        return 1;
    }
    _exit(0); /* what the linked code registered to run at exit is of no interest here */
}
