#define _GNU_SOURCE
#include "trace/shared_pages.h"

#include "base/os.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>

/* What a signal handler reads has to be whole at each moment: one word each, with the number of the first
 * page, how many there are, and whether they are lost.  0 is a free place.  Recordings take few: the largest
 * extents have 4 MiB. */
enum { MOST_GUARDED = 4096, PAGE_SHIFT = 12, COUNT_BITS = 20 };
#define LOST (UINT64_C(1) << 63)

static _Atomic uint64_t guarded[MOST_GUARDED];
static _Atomic uint32_t reach; /* places beyond this have never been taken */

/* Of the handler; held while it comes and goes. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t users;
static struct sigaction previous;
static bool follows_forks;

static uintptr_t start_of(uint64_t word) {
    return (uintptr_t)((word & ~LOST) >> COUNT_BITS << PAGE_SHIFT);
}

static size_t size_of(uint64_t word) {
    return (size_t)(word & ((1u << COUNT_BITS) - 1)) << PAGE_SHIFT;
}

static bool replace(uint64_t word) {
    return os_map((void *)start_of(word), size_of(word), PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != NULL;
}

/* --- SIGBUS */

static bool replace_around(uintptr_t address) {
    uint32_t count = atomic_load(&reach);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t word = atomic_load(&guarded[i]);
        if (address - start_of(word) >= size_of(word))
            continue;
        atomic_fetch_or(&guarded[i], LOST);
        return replace(word);
    }
    return false;
}

static void pass_on(int signal, siginfo_t *info, void *context) {
    if (previous.sa_flags & SA_SIGINFO) {
        previous.sa_sigaction(signal, info, context);
    } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
        previous.sa_handler(signal);
    } else if (previous.sa_handler == SIG_DFL || info->si_code > 0) {
        /* A fault happens again as soon as this returns; what kill(2) sent must be sent again. */
        const struct sigaction deadly = {.sa_handler = SIG_DFL};
        os_signal_action(signal, &deadly, NULL);
        if (info->si_code <= 0)
            raise(signal);
    }
}

static void on_bus_error(int signal, siginfo_t *info, void *context) {
    if (info->si_code <= 0 || !replace_around((uintptr_t)info->si_addr))
        pass_on(signal, info, context);
}

/* --- fork */

static void before_fork(void) {
    pthread_mutex_lock(&lock);
}

static void behind_fork(void) {
    pthread_mutex_unlock(&lock);
}

static void in_child(void) {
    uint32_t count = atomic_load(&reach);
    pthread_mutex_unlock(&lock);
    for (uint32_t i = 0; i < count; i++)
        if (size_of(atomic_load(&guarded[i])))
            replace(atomic_load(&guarded[i]));
}

/* --- coming and going */

/* Without them the recording is as good, and the program as vulnerable as it would have been. */
static void add_user(void) {
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    pthread_mutex_lock(&lock);
    if (!follows_forks)
        follows_forks = os_at_fork(before_fork, behind_fork, in_child) == 0;
    if (!users++)
        os_signal_action(SIGBUS, &action, &previous);
    pthread_mutex_unlock(&lock);
}

/* Somebody who has set a handler since then keeps it. */
static void remove_user(void) {
    struct sigaction current;
    pthread_mutex_lock(&lock);
    if (!--users && !os_signal_action(SIGBUS, NULL, &current) && current.sa_flags & SA_SIGINFO &&
        current.sa_sigaction == on_bus_error)
        os_signal_action(SIGBUS, &previous, NULL);
    pthread_mutex_unlock(&lock);
}

int shared_pages_guard(void *start, size_t size) {
    uint64_t word = (uint64_t)(uintptr_t)start >> PAGE_SHIFT << COUNT_BITS | size >> PAGE_SHIFT;
    for (uint32_t i = 0; i < MOST_GUARDED; i++) {
        uint64_t none = 0;
        if (!atomic_compare_exchange_strong(&guarded[i], &none, word))
            continue;
        uint32_t seen = atomic_load(&reach);
        while (seen <= i && !atomic_compare_exchange_weak(&reach, &seen, i + 1))
            continue;
        add_user();
        return (int)i;
    }
    return NO_SHARED_PAGES;
}

void shared_pages_release(int number) {
    if (number == NO_SHARED_PAGES)
        return;
    remove_user();
    atomic_store(&guarded[number], 0);
}

bool shared_pages_are_lost(int number) {
    return number != NO_SHARED_PAGES && atomic_load(&guarded[number]) & LOST;
}
