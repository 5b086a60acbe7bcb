/* PTRACE_SEIZE and PTRACE_INTERRUPT (ptrace(2)) stop a thread without a signal of their own.  A signal of
 * another's may come first: the stop is then its delivery, and who lets the thread go must hand it on. */
#define _GNU_SOURCE
#include "target_threads.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#define PATIENCE_NS 1000000000u

static const int endings[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};

static void hold_endings(struct target_threads *threads) {
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        sigaddset(&set, endings[i]);
    sigprocmask(SIG_BLOCK, &set, &threads->mask);
}

bool target_threads_hurry(void) {
    sigset_t waiting;
    bool found = false;
    sigpending(&waiting);
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        found |= sigismember(&waiting, endings[i]) == 1;
    return found;
}

/* --- stopping */

/* A thread that has ended, of a process that has not or is not waited for (proc(5), /proc/PID/stat). */
static bool has_ended(pid_t process, pid_t thread) {
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/%d/task/%d/stat", (int)process, (int)thread);
    int fd = os_open(path, O_RDONLY, 0);
    if (fd < 0)
        return true;
    ssize_t size = os_read(fd, text, sizeof text - 1);
    os_close(fd);
    if (size <= 0)
        return true;
    text[size] = '\0';
    const char *state = strrchr(text, ')'); /* the name before it may hold anything */
    return state && strlen(state) > 2 && (state[2] == 'Z' || state[2] == 'X');
}

static struct jitscope_error *seize(struct target_threads *threads, pid_t process, pid_t number) {
    TRY(vec_reserve(&threads->list, 1));
    if (ptrace(PTRACE_SEIZE, number, NULL, NULL)) {
        int reason = errno;
        if (reason == ESRCH || has_ended(process, number))
            return NULL;
        int tracer = os_tracer(process);
        if (tracer)
            return error_create(JITSCOPE_ERROR_SYSTEM,
                                "cannot stop the process: it is being debugged, by process %d", tracer);
        errno = reason;
        return error_with_help(error_system("cannot stop the process: ptrace", NULL),
                               "it must be a process of your own, not traced by a debugger; "
                               "/proc/sys/kernel/yama/ptrace_scope may ask for root");
    }
    vec_put(&threads->list, (struct target_thread){.number = number});
    ptrace(PTRACE_INTERRUPT, number, NULL, NULL); /* fails for a thread that has ended: the wait tells */
    return NULL;
}

/* Whether there is an answer: the thread has stopped, or *gone. */
static bool look_at(struct target_thread *thread, bool *gone) {
    int status;
    pid_t found = waitpid(thread->number, &status, __WALL | WNOHANG);
    *gone = found < 0 || (found && !WIFSTOPPED(status));
    if (!found || *gone)
        return found != 0;
    thread->stopped = true;
    if (status >> 16 == 0)
        thread->signal = WSTOPSIG(status);
    return true;
}

/* Those from FIRST on. */
static void await(struct target_threads *threads, uint32_t first) {
    uint64_t end = os_time_ns() + PATIENCE_NS;
    struct timespec pause = {.tv_nsec = 50000};
    for (uint32_t i = first; i < threads->list.count;) {
        bool gone;
        if (look_at(&threads->list.data[i], &gone)) {
            if (gone)
                threads->list.data[i] = threads->list.data[--threads->list.count];
            else
                i++;
        } else if (os_time_ns() > end || target_threads_hurry()) {
            i++;
        } else {
            nanosleep(&pause, NULL);
            pause.tv_nsec += pause.tv_nsec < 5000000 ? pause.tv_nsec : 0;
        }
    }
}

static bool is_known(const struct target_threads *threads, pid_t number) {
    for (uint32_t i = 0; i < threads->list.count; i++)
        if (threads->list.data[i].number == number)
            return true;
    return false;
}

struct listing {
    struct target_threads *threads;
    pid_t process;
    struct jitscope_error *error;
};

static void add_entry(void *context, const char *name) {
    struct listing *listing = context;
    pid_t number = (pid_t)strtol(name, NULL, 10);
    if (number > 0 && !listing->error && !is_known(listing->threads, number))
        listing->error = seize(listing->threads, listing->process, number);
}

/* Until a pass over the list finds no thread that is new: those that run may start others. */
static struct jitscope_error *stop_all(struct target_threads *threads, pid_t process) {
    char folder[48];
    snprintf(folder, sizeof folder, "/proc/%d/task", (int)process);
    for (uint32_t before = 0;; before = threads->list.count) {
        struct listing listing = {threads, process, NULL};
        if (os_each_entry(folder, add_entry, &listing) && errno != ENOENT)
            return error_system("cannot list", folder);
        if (listing.error || threads->list.count <= before)
            return listing.error;
        await(threads, before);
    }
}

static int by_number(const void *a, const void *b) {
    const struct target_thread *one = a, *other = b;
    return (one->number > other->number) - (one->number < other->number);
}

struct jitscope_error *target_threads_stop(pid_t process, struct target_threads *threads) {
    *threads = (struct target_threads){0};
    hold_endings(threads);
    struct jitscope_error *error = stop_all(threads, process);
    if (!error && !threads->list.count)
        error = error_create(JITSCOPE_ERROR_NOT_FOUND, "process %d has ended", (int)process);
    if (error)
        target_threads_release(threads);
    else
        qsort(threads->list.data, threads->list.count, sizeof *threads->list.data, by_number);
    return error;
}

/* Who does not stop cannot be let go either; the system does it when this program ends. */
void target_threads_release(struct target_threads *threads) {
    for (uint32_t i = 0; i < threads->list.count; i++)
        ptrace(PTRACE_DETACH, threads->list.data[i].number, NULL,
               (void *)(intptr_t)threads->list.data[i].signal);
    vec_destroy(&threads->list);
    sigprocmask(SIG_SETMASK, &threads->mask, NULL);
}
