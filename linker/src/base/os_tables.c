/* Memory of tables that grow to megabytes.
 *
 * A linker touches each byte of its tables few times, so that getting fresh pages costs as much as all that
 * it does to them, and one of 2 MiB costs a quarter of the 512 small ones in its place.  Tables have three
 * sizes: below TABLE_SHARED_FROM they are malloc's; from TABLE_OWN_FROM on they are mappings of huge pages,
 * which move when they grow; those between share huge pages, 4 KiB being the least, and a huge page goes when
 * the last table in it goes. */
#define _GNU_SOURCE
#include "base/os.h"
#include "base/os_failures.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

enum { TABLE_SHARED_FROM = 128 << 10, TABLE_OWN_FROM = 1 << 20, HUGE_PAGE = 2 << 20, SMALL_PAGE = 4096 };

static size_t mapped_size(size_t size) {
    size_t page = size < TABLE_OWN_FROM ? SMALL_PAGE : HUGE_PAGE;
    return (size + page - 1) & ~(page - 1);
}

/* Whole pages; but a table must not get into another way of being mapped by that. */
size_t os_table_room(size_t size) {
    if (size < TABLE_SHARED_FROM || size > SIZE_MAX / 2)
        return size;
    size_t room = mapped_size(size);
    return size < TABLE_OWN_FROM && room >= TABLE_OWN_FROM ? size : room;
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

/* All zeros where there was nothing, as own mappings are. */
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

/* --- shared huge pages */

enum { PARTS = HUGE_PAGE / SMALL_PAGE, MOST_SHARED = 64 };

struct shared_page {
    uint8_t *start; /* NULL: there is none */
    uint32_t free;  /* parts */
    bool taken[PARTS];
};

static struct shared_page shared[MOST_SHARED];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all of them */

/* In a child of fork(2), where other threads may have held the lock: what there is so far goes as small pages
 * of its own would.  Nothing waits for forks: handlers that are called for them may use tables. */
static void forget_shared(void) {
    memset(shared, 0, sizeof shared);
    pthread_mutex_init(&lock, NULL);
}

/* Before anybody else can: in a child the handlers run in the order in which they came.  And not under the
 * lock: C libraries before glibc 2.36 hold one of their own while a handler runs. */
__attribute__((constructor)) static void follow_forks(void) {
    pthread_atfork(NULL, NULL, forget_shared);
}

static uint32_t parts_of(size_t size) {
    return (uint32_t)((size + SMALL_PAGE - 1) / SMALL_PAGE);
}

/* The first of COUNT free parts side by side; PARTS when there are not so many. */
static uint32_t find_parts(const struct shared_page *page, uint32_t count) {
    uint32_t found = 0;
    for (uint32_t at = 0; page->free >= count && at < PARTS; at++) {
        found = page->taken[at] ? 0 : found + 1;
        if (found == count)
            return at + 1 - count;
    }
    return PARTS;
}

static void mark_parts(struct shared_page *page, uint32_t first, uint32_t count, bool taken) {
    memset(page->taken + first, taken, count);
    page->free = taken ? page->free - count : page->free + count;
}

static bool open_page(struct shared_page *page) {
    page->start = map_huge(HUGE_PAGE);
    page->free = PARTS;
    return page->start != NULL;
}

static void *take_parts(uint32_t count) {
    struct shared_page *unused = NULL;
    for (struct shared_page *page = shared; page < shared + MOST_SHARED; page++) {
        uint32_t first = page->start ? find_parts(page, count) : PARTS;
        if (first < PARTS) {
            mark_parts(page, first, count, true);
            return page->start + (size_t)first * SMALL_PAGE;
        }
        if (!page->start && !unused)
            unused = page;
    }
    if (!unused || !open_page(unused))
        return NULL;
    mark_parts(unused, 0, count, true);
    return unused->start;
}

/* The page that TABLE is in, or NULL, and which part of it is the table's first. */
static struct shared_page *page_of(const void *table, uint32_t *first) {
    uintptr_t within = (uintptr_t)table & (HUGE_PAGE - 1);
    const uint8_t *start = (const uint8_t *)table - within;
    *first = (uint32_t)(within / SMALL_PAGE);
    for (struct shared_page *page = shared; page < shared + MOST_SHARED; page++)
        if (page->start == start)
            return page;
    return NULL;
}

/* When there are more than a process of any sense has, they are small pages of their own. */
static void *take_shared(size_t size) {
    pthread_mutex_lock(&lock);
    void *table = take_parts(parts_of(size));
    pthread_mutex_unlock(&lock);
    if (!table)
        table = map_pages(mapped_size(size));
    if (table) /* where there are no huge pages, small ones at one go */
        os_advise(table, mapped_size(size), MADV_POPULATE_WRITE);
    return table;
}

static void give_back_shared(void *table, size_t size) {
    uint32_t first;
    void *unused = table;
    pthread_mutex_lock(&lock);
    struct shared_page *page = page_of(table, &first);
    if (page) {
        mark_parts(page, first, parts_of(size), false);
        unused = page->free == PARTS ? page->start : NULL;
        page->start = unused ? NULL : page->start;
    }
    pthread_mutex_unlock(&lock);
    if (unused)
        munmap(unused, page ? HUGE_PAGE : mapped_size(size));
}

/* Whether what lies behind a table in its page is free, and its own now. */
static bool lengthen_shared(void *table, size_t old_size, size_t new_size) {
    uint32_t first, had = parts_of(old_size), wanted = parts_of(new_size);
    bool is_free = false;
    pthread_mutex_lock(&lock);
    struct shared_page *page = page_of(table, &first);
    if (page && first + wanted <= PARTS) {
        is_free = !memchr(page->taken + first + had, true, wanted - had);
        if (is_free)
            mark_parts(page, first + had, wanted - had, true);
    }
    pthread_mutex_unlock(&lock);
    return is_free;
}

/* --- all */

static void *map_table(size_t size) {
    return size >= TABLE_OWN_FROM ? map_huge(mapped_size(size)) : take_shared(size);
}

static void unmap_table(void *table, size_t size) {
    if (size < TABLE_SHARED_FROM || !table)
        free(table);
    else if (size < TABLE_OWN_FROM)
        give_back_shared(table, size);
    else
        munmap(table, mapped_size(size));
}

/* Huge pages of its own move when a table grows; up to there its bytes do. */
static void *grow_mapped(void *old, size_t old_size, size_t new_size) {
    if (old && old_size >= TABLE_SHARED_FROM && new_size < TABLE_OWN_FROM &&
        lengthen_shared(old, old_size, new_size))
        return old;
    void *table = map_table(new_size);
    if (!table || !old)
        return table;
    if (old_size < TABLE_OWN_FROM) {
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
    void *table = new_size < TABLE_SHARED_FROM ? realloc(old, new_size ? new_size : 1)
                                               : grow_mapped(old, old_size, new_size);
    return old ? table : counted(table);
}

void os_release_table(void *table, size_t size) {
    unmap_table(uncounted(table), size);
}
