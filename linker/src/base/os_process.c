/* This process, its children, and other processes. */
#define _GNU_SOURCE
#include "base/os.h"
#include "base/os_failures.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

int os_thread_id(void) {
    return gettid();
}

uint32_t os_effective_user(void) {
    return geteuid();
}

bool os_has_more_rights(void) {
    return getauxval(AT_SECURE) != 0;
}

const char *os_program_name(void) {
    return program_invocation_short_name;
}

ssize_t os_read_about(int process, const char *file, char *text, size_t size) {
    char path[48];
    size_t length = 0;
    ssize_t got = 1;
    snprintf(path, sizeof path, "/proc/%d/%s", process, file);
    int fd = os_open(path, O_RDONLY, 0);
    if (fd < 0)
        return -1;
    while (got > 0 && length < size - 1) {
        got = os_read(fd, text + length, size - 1 - length);
        length += got > 0 ? (size_t)got : 0;
    }
    int failure = errno == ESRCH ? ENOENT : errno; /* it has ended meanwhile */
    close(fd);
    text[length] = '\0';
    errno = failure;
    return got < 0 ? -1 : (ssize_t)length;
}

/* Field 22 of proc(5), stat; names in field 2 may hold blanks and parentheses. */
int os_process_started(int process, uint64_t *ticks) {
    enum { FIELDS_BETWEEN = 20 };
    char text[2048];
    if (os_read_about(process, "stat", text, sizeof text) < 0)
        return -1;
    const char *at = strrchr(text, ')');
    for (int i = 0; at && i < FIELDS_BETWEEN; i++)
        at = strchr(at + 1, ' ');
    *ticks = at ? strtoull(at, NULL, 10) : 0;
    errno = EINVAL;
    return at ? 0 : -1;
}

int os_process_user(int process, uint32_t *user) {
    char text[2048];
    unsigned long real, effective;
    if (os_read_about(process, "status", text, sizeof text) < 0)
        return -1;
    const char *at = strstr(text, "\nUid:");
    errno = EINVAL;
    if (!at || sscanf(at, "\nUid: %lu %lu", &real, &effective) != 2)
        return -1;
    *user = (uint32_t)effective;
    return 0;
}

int os_tracer(int process) {
    char text[2048];
    int tracer;
    const char *at =
        os_read_about(process, "status", text, sizeof text) < 0 ? NULL : strstr(text, "\nTracerPid:");
    return at && sscanf(at, "\nTracerPid: %d", &tracer) == 1 ? tracer : 0;
}

int os_open_process(int process) {
    return must_fail(ENOSYS) ? -1 : (int)syscall(SYS_pidfd_open, process, 0);
}

ssize_t os_read_memory(int process, const struct iovec *to, size_t to_count, const struct iovec *from,
                       size_t from_count) {
    return must_fail(EPERM) ? -1 : process_vm_readv(process, to, to_count, from, from_count, 0);
}

/* --- children --- */

int os_execute(char *const *words) {
    return must_fail(ENOMEM) ? -1 : execvp(words[0], words);
}

int os_at_exit(void (*function)(void)) {
    return must_fail(ENOMEM) ? -1 : atexit(function);
}

int os_at_fork(void (*before)(void), void (*in_parent)(void), void (*in_child)(void)) {
    if (must_fail(ENOMEM))
        return -1;
    errno = pthread_atfork(before, in_parent, in_child);
    return errno ? -1 : 0;
}

int os_fork(void) {
    return must_fail(ENOMEM) ? -1 : fork();
}

int os_wait_for_child(int process, bool block, int *status) {
    int found;
    do
        found = waitpid(process, status, block ? 0 : WNOHANG);
    while (found < 0 && errno == EINTR);
    return found;
}

int os_kill(int process, int signal) {
    return kill(process, signal);
}

int os_signal_process(int descriptor, int signal) {
    return (int)syscall(SYS_pidfd_send_signal, descriptor, signal, NULL, 0);
}

int os_child_stopped_by(int process) {
    siginfo_t info = {0};
    int failed = waitid(P_PID, (id_t)process, &info, WSTOPPED | WNOHANG | WNOWAIT);
    return !failed && info.si_pid == process ? info.si_status : 0;
}

void os_exit_child(int status) {
    _exit(status);
}

void os_become_worker(void) {
    const struct sigaction by_default = {.sa_handler = SIG_DFL};
    enum { LOW_PRIORITY = 10 };
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int signal = 1; signal < NSIG; signal++)
        sigaction(signal, &by_default, NULL);
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int stream = 0; nothing >= 0 && stream < 3; stream++)
        dup2(nothing, stream);
    setpriority(PRIO_PROCESS, 0, LOW_PRIORITY);
}

int os_random(void *buffer, size_t size) {
    return must_fail(ENOSYS) || getrandom(buffer, size, 0) != (ssize_t)size ? -1 : 0;
}

int os_on_exit(void (*function)(int status, void *context), void *context) {
    return must_fail(ENOMEM) ? -1 : on_exit(function, context);
}

/* FD becomes the descriptors FIRST to LAST there. */
static int spawn(const char *program, char *const *words, int fd, int first, int last, int *process) {
    posix_spawn_file_actions_t actions;
    if (must_fail(ENOMEM))
        return -1;
    posix_spawn_file_actions_init(&actions); /* cannot fail on Linux */
    int failure = 0;
    for (int as = first; as <= last && !failure; as++)
        failure = posix_spawn_file_actions_adddup2(&actions, fd, as); /* FD as itself: takes CLOEXEC away */
    failure = failure ? failure : posix_spawnp(process, program, &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    errno = failure;
    return errno ? -1 : 0;
}

int os_spawn(const char *program, char *const *words, int fd, int *process) {
    return spawn(program, words, fd, fd, fd < 0 ? fd - 1 : fd, process);
}

int os_spawn_on(char *const *words, int fd, int *process) {
    return spawn(words[0], words, fd, STDIN_FILENO, STDOUT_FILENO, process);
}

int os_take_standard_streams(int *in, int *out) {
    *in = must_fail(EMFILE) ? -1 : fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    *out = *in < 0 ? -1 : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int nothing = *out < 0 ? -1 : open("/dev/null", O_RDWR | O_CLOEXEC);
    bool taken = nothing >= 0 && dup2(nothing, STDIN_FILENO) >= 0 &&
                 dup2(fcntl(STDERR_FILENO, F_GETFD) < 0 ? nothing : STDERR_FILENO, STDOUT_FILENO) >= 0;
    if (nothing >= 0)
        close(nothing);
    if (!taken && *in >= 0)
        close(*in);
    if (!taken && *out >= 0)
        close(*out);
    return taken ? 0 : -1;
}

void os_name_process(const char *name) {
    prctl(PR_SET_NAME, name);
}

/* Between the two: what the child of a bare clone(2) does must not need more of the C library than this. */
static _Noreturn void keep(char *const *words, int fd, int other, const char *variable) {
    const struct sigaction ignore = {.sa_handler = SIG_IGN};
    int child, status = 0;
    close(other);
    setpgid(0, 0);                     /* what the terminal sends is not for it */
    sigaction(SIGTTOU, &ignore, NULL); /* and yet it may write there */
    if (putenv((char *)(uintptr_t)variable) || os_spawn(words[0], words, fd, &child))
        _exit(OS_NOT_STARTED);
    close(fd);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : OS_SIGNALLED + WTERMSIG(status));
}

int os_spawn_apart(char *const *words, int fd, int other, const char *variable, int *keeper) {
    long child = must_fail(EAGAIN) ? -1 : syscall(SYS_clone, CLONE_UNTRACED, NULL, NULL, NULL, 0);
    if (!child)
        keep(words, fd, other, variable);
    *keeper = (int)child;
    return child < 0 ? -1 : 0;
}

int os_wait_apart(int keeper) {
    int status, found;
    do
        found = waitpid(keeper, &status, __WCLONE);
    while (found < 0 && errno == EINTR);
    return found == keeper && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void os_allow_tracing_by(int process) {
    prctl(PR_SET_PTRACER, process, 0, 0, 0);
}

int os_run(char *const *words, int input) {
    posix_spawn_file_actions_t actions;
    if (must_fail(ENOMEM) || posix_spawn_file_actions_init(&actions) != 0)
        return -1;
    pid_t child;
    int status = posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO && !status; fd++)
        status = posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_WRONLY, 0);
    if (!status)
        status = posix_spawnp(&child, words[0], &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (status)
        return -1;
    pid_t ended;
    do
        ended = waitpid(child, &status, 0);
    while (ended < 0 && errno == EINTR);
    return ended == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
