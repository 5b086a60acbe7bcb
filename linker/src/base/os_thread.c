/* Threads, and signals. */
#define _GNU_SOURCE
#include "base/os.h"
#include "base/os_failures.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

static int create_thread(void *(*function)(void *), void *context, size_t stack, pthread_t *thread) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    if (stack)
        pthread_attr_setstacksize(&attributes, stack);
    int failure = pthread_create(thread, &attributes, function, context);
    pthread_attr_destroy(&attributes);
    return failure;
}

static int start_thread(void *(*function)(void *), void *context, const char *name, size_t stack,
                        struct os_thread *out) {
    sigset_t all, before;
    pthread_t thread;
    if (must_fail(EAGAIN))
        return -1;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failure = create_thread(function, context, stack, &thread);
    failure = failure == EINVAL ? create_thread(function, context, 0, &thread) : failure;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = failure;
    if (failure)
        return -1;
    pthread_setname_np(thread, name);
    out->handle = thread;
    return 0;
}

/* A thread's stack holds the program's thread-local variables too: when these are many the default is
 * needed. */
int os_start_thread(void *(*function)(void *), void *context, const char *name, struct os_thread *thread) {
    enum { STACK = 128 << 10 };
    return start_thread(function, context, name, STACK, thread);
}

int os_start_roomy_thread(void *(*function)(void *), void *context, const char *name,
                          struct os_thread *thread) {
    return start_thread(function, context, name, 0, thread);
}

void os_join_thread(struct os_thread thread) {
    pthread_join(thread.handle, NULL);
}

/* For debuggers the C library says where its count is, and how it is laid out (libthread_db; three words
 * each: bits, elements, offset).  What does not look like that is not read. */
uint32_t os_counted_threads(void) {
    static const uint32_t expected[3] = {32, 1, 0};
    const uint32_t *layout = dlsym(RTLD_DEFAULT, "_thread_db___nptl_nthreads");
    const uint32_t *count = layout ? dlsym(RTLD_DEFAULT, "__nptl_nthreads") : NULL;
    return count && !memcmp(layout, expected, sizeof expected) ? __atomic_load_n(count, __ATOMIC_ACQUIRE) : 0;
}

/* --- signals --- */

int os_signal_action(int signal, const struct sigaction *action, struct sigaction *previous) {
    return sigaction(signal, action, previous);
}

void os_unblock_signal(int signal) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signal);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

int os_raise(int signal) {
    return raise(signal);
}

int os_signal_stack(void *memory, size_t size) {
    stack_t present = {0}, stack = {.ss_sp = memory, .ss_size = size, .ss_flags = memory ? 0 : SS_DISABLE};
    if (memory && (must_fail(ENOMEM) || sigaltstack(NULL, &present) < 0))
        return -1;
    return memory && !(present.ss_flags & SS_DISABLE) ? 1 : sigaltstack(&stack, NULL);
}
