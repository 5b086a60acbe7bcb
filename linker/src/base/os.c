/* Failures on demand, memory, clocks and the environment.  Tables, files, processes, sockets, threads and
 * terminals are in os_tables.c, os_file.c, os_process.c, os_socket.c, os_thread.c and os_terminal.c. */
#define _GNU_SOURCE
#include "base/os.h"
#include "base/os_failures.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static _Atomic uint64_t calls;
static _Atomic int64_t live_allocations;
/* Relaxed, these two and os_injecting: threads of the library's own read them too. */
static _Atomic uint64_t fail_at;
static _Atomic bool fail_sticky;
_Atomic bool os_injecting;

void os_fail_after(uint64_t n, bool sticky) {
    atomic_store(&calls, 0);
    atomic_store_explicit(&fail_at, n, memory_order_relaxed);
    atomic_store_explicit(&fail_sticky, sticky, memory_order_relaxed);
    atomic_store_explicit(&os_injecting, true, memory_order_relaxed);
}

uint64_t os_call_count(void) {
    return atomic_load(&calls);
}

int64_t os_live_allocations(void) {
    return atomic_load(&live_allocations);
}

bool os_call_fails(int error) {
    uint64_t number = atomic_fetch_add(&calls, 1) + 1;
    uint64_t first = atomic_load_explicit(&fail_at, memory_order_relaxed);
    bool sticky = atomic_load_explicit(&fail_sticky, memory_order_relaxed);
    if (!first || (sticky ? number < first : number != first))
        return false;
    errno = error;
    return true;
}

void os_count_allocations(int more) {
    atomic_fetch_add(&live_allocations, more);
}

void *os_allocate(size_t size) {
    return must_fail(ENOMEM) ? NULL : counted(malloc(size ? size : 1));
}

void *os_allocate_zeroed(size_t size) {
    return must_fail(ENOMEM) ? NULL : counted(calloc(1, size ? size : 1));
}

void *os_reallocate(void *memory, size_t size) {
    if (must_fail(ENOMEM))
        return NULL;
    void *grown = realloc(memory, size ? size : 1);
    return memory ? grown : counted(grown);
}

void os_release(void *memory) {
    free(uncounted(memory));
}

/* --- mappings --- */

void *os_map(void *address, size_t size, int prot, int flags, int fd, off_t offset) {
    if (must_fail(ENOMEM))
        return NULL;
    void *memory = mmap(address, size, prot, flags, fd, offset);
    return memory == MAP_FAILED ? NULL : memory;
}

int os_unmap(void *address, size_t size) {
    return munmap(address, size);
}

int os_protect(void *address, size_t size, int prot) {
    return must_fail(ENOMEM) ? -1 : mprotect(address, size, prot);
}

void os_advise(void *address, size_t size, int advice) {
    int saved = errno;
    (void)madvise(address, size, advice);
    errno = saved;
}

int os_punch(void *address, size_t size) {
    return must_fail(ENOSYS) ? -1 : madvise(address, size, MADV_REMOVE);
}

int os_discard(void *address, size_t size) {
    return must_fail(EINVAL) ? -1 : madvise(address, size, MADV_DONTNEED);
}

size_t os_page_size(void) {
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* --- clocks, environment --- */

uint64_t os_time_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t os_wall_time_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

const char *os_environment(const char *name) {
    return secure_getenv(name);
}

int os_process_id(void) {
    return (int)getpid();
}
