/* Failures on demand, memory, clocks and the environment.  Files, processes, sockets, threads and terminals
 * are in os_file.c, os_process.c, os_socket.c, os_thread.c and os_terminal.c. */
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

static inline void *counted(void *memory) {
    if (is_injecting() && memory)
        atomic_fetch_add(&live_allocations, 1);
    return memory;
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
    if (is_injecting() && memory)
        atomic_fetch_sub(&live_allocations, 1);
    free(memory);
}

/* --- tables --- */

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* Below the first limit tables are malloc's; below the second, mappings faulted in at one go; above, huge
 * pages. */
enum { TABLE_MAPPED_FROM = 128 << 10, TABLE_HUGE_FROM = 1 << 20, HUGE_PAGE = 2 << 20, SMALL_PAGE = 4096 };

static size_t mapped_size(size_t size) {
    size_t page = size < TABLE_HUGE_FROM ? SMALL_PAGE : HUGE_PAGE;
    return (size + page - 1) & ~(page - 1);
}

/* Whole pages; but a table must not get into another way of being mapped by that. */
size_t os_table_room(size_t size) {
    if (size < TABLE_MAPPED_FROM || size > SIZE_MAX / 2)
        return size;
    size_t room = mapped_size(size);
    return size < TABLE_HUGE_FROM && room >= TABLE_HUGE_FROM ? size : room;
}

/* LeakSanitizer does not see what mappings point to, nor AddressSanitizer where they end. */
#if defined __SANITIZE_ADDRESS__
#define ALL_FROM_MALLOC 1
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define ALL_FROM_MALLOC 1
#endif
#endif

#ifdef ALL_FROM_MALLOC

static void unmap_table(void *table, size_t size) {
    (void)size;
    free(table);
}

/* All zeros where there was nothing, as mappings are. */
static void *grow_mapped(void *old, size_t old_size, size_t new_size) {
    void *table = calloc(1, new_size);
    if (table && old) {
        memcpy(table, old, old_size);
        free(old);
    }
    return table;
}

#else

static void *map_pages(size_t size) {
    void *memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

/* Aligned so that huge pages fit: maps more and gives the ends back. */
static void *map_huge(size_t size) {
    size_t whole = size + HUGE_PAGE;
    uint8_t *start = map_pages(whole);
    if (!start)
        return NULL;
    uint8_t *table = start + (-(uintptr_t)start & (HUGE_PAGE - 1));
    if (table > start)
        munmap(start, (size_t)(table - start));
    munmap(table + size, (size_t)(start + whole - table - size));
    os_advise(table, size, MADV_HUGEPAGE);
    return table;
}

static void *map_table(size_t size) {
    if (size >= TABLE_HUGE_FROM)
        return map_huge(mapped_size(size));
    void *table = map_pages(mapped_size(size));
    if (table)
        os_advise(table, mapped_size(size), MADV_POPULATE_WRITE);
    return table;
}

static void unmap_table(void *table, size_t size) {
    if (size >= TABLE_MAPPED_FROM && table)
        munmap(table, mapped_size(size));
    else
        free(table);
}

static void *grow_pages(void *old, size_t old_size, size_t new_size) {
    size_t had = mapped_size(old_size), wanted = mapped_size(new_size);
    uint8_t *table = mremap(old, had, wanted, MREMAP_MAYMOVE);
    if (table == MAP_FAILED)
        return NULL;
    if (wanted > had)
        os_advise(table + had, wanted - had, MADV_POPULATE_WRITE);
    return table;
}

/* What is mapped moves pages, not bytes; only into its first huge page is a table copied. */
static void *grow_mapped(void *old, size_t old_size, size_t new_size) {
    if (old_size >= TABLE_MAPPED_FROM && new_size < TABLE_HUGE_FROM)
        return grow_pages(old, old_size, new_size);
    void *table = map_table(new_size);
    if (!table || !old)
        return table;
    if (old_size < TABLE_HUGE_FROM) {
        memcpy(table, old, old_size);
        unmap_table(old, old_size);
        return table;
    }
    size_t moved = mapped_size(old_size);
    if (mremap(old, moved, moved, MREMAP_MAYMOVE | MREMAP_FIXED, table) == MAP_FAILED) {
        unmap_table(table, new_size);
        return NULL;
    }
    return table;
}

#endif

void *os_resize_table(void *old, size_t old_size, size_t new_size) {
    if (must_fail(ENOMEM) || new_size > SIZE_MAX / 2)
        return NULL;
    void *table = new_size < TABLE_MAPPED_FROM ? realloc(old, new_size ? new_size : 1)
                                               : grow_mapped(old, old_size, new_size);
    return old ? table : counted(table);
}

void os_release_table(void *table, size_t size) {
    if (is_injecting() && table)
        atomic_fetch_sub(&live_allocations, 1);
    unmap_table(table, size);
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
