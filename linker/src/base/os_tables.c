/* Memory of tables that grow to megabytes.
 *
 * A linker touches each byte of its tables few times, so that getting fresh pages costs as much as all that
 * it does to them, and one of 2 MiB costs a quarter of the 512 small ones in its place.  By their sizes:
 *
 * - Below TABLE_SHARED_FROM they are malloc's; but from TABLE_WARM_FROM on they take what is left of a
 *   huge page that is in memory anyway, when there is one.
 * - Up to TABLE_OWN_FROM they lie side by side in areas of many huge pages, 4 KiB being the least, so that of
 *   all these pages only the last is not full: two tables that need one and a half cost three, not four.
 * - From there on they are mappings of huge pages, which move when they grow, and so are those from
 *   TABLE_MOVES_FROM on that have grown already, and may again.
 *
 * Of a huge page in which no table is any more the memory goes back to the system, unless what is kept so is
 * little beside what is in use: the next table is spared the clearing.  With its last table an area goes. */
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
#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

enum {
    SMALL_PAGE = 4096,
    HUGE_PAGE = 2 << 20,
    AREA = 32 << 20,
    TABLE_WARM_FROM = 32 << 10,
    TABLE_SHARED_FROM = 128 << 10,
    TABLE_MOVES_FROM = 1 << 20,
    TABLE_OWN_FROM = 8 << 20
};

static size_t whole_parts(size_t size) {
    return (size + SMALL_PAGE - 1) & ~(size_t)(SMALL_PAGE - 1);
}

size_t os_table_room(size_t size) {
    return size < TABLE_SHARED_FROM || size > SIZE_MAX / 2 ? size : whole_parts(size);
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

static void *make_zeroed(size_t size) {
    return calloc(1, size);
}

static void *grow_mapped(void *old, size_t old_size, size_t new_size) {
    (void)old_size;
    return realloc(old, new_size);
}

static void *grow_small(void *old, size_t old_size, size_t new_size) {
    return grow_mapped(old, old_size, new_size ? new_size : 1);
}

#else

static void *map_pages(size_t size, int prot) {
    void *memory = mmap(NULL, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

/* Aligned so that huge pages fit: maps more and gives the ends back. */
static void *map_huge(size_t size, int prot) {
    size_t whole = size + HUGE_PAGE;
    uint8_t *start = map_pages(whole, prot);
    if (!start)
        return NULL;
    uint8_t *table = start + (-(uintptr_t)start & (HUGE_PAGE - 1));
    if (table > start)
        munmap(start, (size_t)(table - start));
    munmap(table + size, (size_t)(start + whole - table - size));
    os_advise(table, size, MADV_HUGEPAGE);
    return table;
}

/* --- areas that tables share */

enum { PARTS = AREA / SMALL_PAGE, PAGE_PARTS = HUGE_PAGE / SMALL_PAGE, MOST_AREAS = 64 };

struct parts {
    uint64_t bits[PARTS / 64];
};

struct area {
    uint8_t *start; /* NULL: there is none, and the rest says nothing */
    bool inherited; /* by a child of fork(2) */
    uint32_t open;  /* parts from the start on that have access, in whole huge pages */
    uint32_t taken; /* how many parts tables have */
    struct parts used;
    struct parts touched; /* since the system gave them: they may be other than zero */
};

static struct area areas[MOST_AREAS];
static uint32_t area_count; /* those before it were used at some time: the rest is memory never touched */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all of them */

/* In a child of fork(2), where other threads may have held the lock: what there is so far is only given back,
 * without looking at more than where it lies.  Nothing waits for forks: handlers that are called for them may
 * use tables. */
static void close_inherited(void) {
    for (struct area *area = areas; area < areas + area_count; area++)
        area->inherited = area->start != NULL;
    pthread_mutex_init(&lock, NULL);
}

/* Before anybody else can: in a child the handlers run in the order in which they came.  And not under the
 * lock: C libraries before glibc 2.36 hold one of their own while a handler runs. */
__attribute__((constructor)) static void follow_forks(void) {
    pthread_atfork(NULL, NULL, close_inherited);
}

static uint32_t parts_of(size_t size) {
    return (uint32_t)(whole_parts(size) / SMALL_PAGE);
}

/* The first part from AT on that is among PARTS, or is not; PARTS when there is none. */
static uint32_t next_part(const struct parts *parts, uint32_t at, bool among) {
    for (; at < PARTS; at = (at | 63) + 1) {
        uint64_t word = (among ? parts->bits[at / 64] : ~parts->bits[at / 64]) >> at % 64;
        if (word)
            return at + (uint32_t)__builtin_ctzll(word);
    }
    return PARTS;
}

static bool has_any(const struct parts *parts, uint32_t first, uint32_t count) {
    return next_part(parts, first, true) < first + count;
}

static void mark(struct parts *parts, uint32_t first, uint32_t count, bool among) {
    for (uint32_t at = first, end = first + count, next; at < end; at = next) {
        next = (at | 63) + 1 < end ? (at | 63) + 1 : end;
        uint64_t bits = UINT64_MAX >> (64 - (next - at)) << at % 64;
        parts->bits[at / 64] = among ? parts->bits[at / 64] | bits : parts->bits[at / 64] & ~bits;
    }
}

/* The first of COUNT free parts side by side; PARTS when there are not so many. */
static uint32_t find_parts(const struct area *area, uint32_t count) {
    uint32_t first = next_part(&area->used, 0, false);
    while (first < PARTS) {
        uint32_t end = next_part(&area->used, first, true);
        if (end - first >= count)
            return first;
        first = next_part(&area->used, end, false);
    }
    return PARTS;
}

static void *address_of(const struct area *area, uint32_t part) {
    return area->start + (size_t)part * SMALL_PAGE;
}

/* Areas have access as far as they are used: what has it counts against limits of memory, and is had at once
 * where all memory is locked. */
static bool open_parts(struct area *area, uint32_t end) {
    if (end <= area->open)
        return true;
    end = (end + PAGE_PARTS - 1) / PAGE_PARTS * PAGE_PARTS;
    if (mprotect(address_of(area, area->open), (size_t)(end - area->open) * SMALL_PAGE,
                 PROT_READ | PROT_WRITE))
        return false;
    area->open = end;
    return true;
}

static bool take_parts(struct area *area, uint32_t first, uint32_t count) {
    if (!open_parts(area, first + count))
        return false;
    mark(&area->used, first, count, true);
    mark(&area->touched, first, count, true);
    area->taken += count;
    return true;
}

static void clear_touched(struct area *area, uint32_t first, uint32_t count) {
    for (uint32_t at = next_part(&area->touched, first, true), end; at < first + count;
         at = next_part(&area->touched, end, true)) {
        end = next_part(&area->touched, at, false);
        end = end < first + count ? end : first + count;
        memset(address_of(area, at), 0, (size_t)(end - at) * SMALL_PAGE);
    }
}

static void *take_from(struct area *area, uint32_t count, bool zeroed) {
    uint32_t first = find_parts(area, count);
    if (first == PARTS)
        return NULL;
    if (zeroed)
        clear_touched(area, first, count);
    return take_parts(area, first, count) ? address_of(area, first) : NULL;
}

/* All of AREA begins anew: a child of fork(2) may have come between whatever its last one left undone. */
static void *take_from_new(struct area *area, uint32_t count, bool zeroed) {
    *area = (struct area){.start = map_huge(AREA, PROT_NONE)};
    void *table = area->start ? take_from(area, count, zeroed) : NULL;
    if (area->start && !table) {
        munmap(area->start, AREA);
        area->start = NULL;
    }
    return table;
}

static void *take_from_any(uint32_t count, bool zeroed) {
    struct area *unused = NULL;
    for (struct area *area = areas; area < areas + area_count; area++) {
        bool fits = area->start && !area->inherited && PARTS - area->taken >= count;
        void *table = fits ? take_from(area, count, zeroed) : NULL;
        if (table)
            return table;
        if (!area->start && !unused)
            unused = area;
    }
    if (!unused && area_count < MOST_AREAS)
        unused = &areas[area_count++];
    return unused ? take_from_new(unused, count, zeroed) : NULL;
}

static void *take_shared(size_t size, bool zeroed) {
    pthread_mutex_lock(&lock);
    void *table = take_from_any(parts_of(size), zeroed);
    pthread_mutex_unlock(&lock);
    return table;
}

/* Free parts of huge pages that are in memory: for what would not be worth a page of its own. */
static uint32_t find_warm(const struct area *area, uint32_t count) {
    uint32_t first = area->start && !area->inherited ? find_parts(area, count) : PARTS;
    uint32_t last = first + count - 1;
    bool is_warm = first < PARTS && has_any(&area->touched, first / PAGE_PARTS * PAGE_PARTS, PAGE_PARTS) &&
                   has_any(&area->touched, last / PAGE_PARTS * PAGE_PARTS, PAGE_PARTS);
    return is_warm ? first : PARTS;
}

static void *take_warm(size_t size) {
    uint32_t count = parts_of(size);
    void *table = NULL;
    pthread_mutex_lock(&lock);
    for (struct area *area = areas; area < areas + area_count && !table; area++) {
        uint32_t first = find_warm(area, count);
        if (first < PARTS && take_parts(area, first, count))
            table = address_of(area, first);
    }
    pthread_mutex_unlock(&lock);
    return table;
}

/* The area that TABLE is in, or NULL, and which part of it is the table's first. */
static struct area *area_of(const void *table, uint32_t *first) {
    for (struct area *area = areas; area < areas + area_count; area++) {
        uintptr_t within = (uintptr_t)table - (uintptr_t)area->start;
        *first = (uint32_t)(within / SMALL_PAGE);
        if (area->start && within < AREA)
            return area;
    }
    return NULL;
}

static bool is_idle(const struct area *area, uint32_t page) {
    return !has_any(&area->used, page * PAGE_PARTS, PAGE_PARTS) &&
           has_any(&area->touched, page * PAGE_PARTS, PAGE_PARTS);
}

/* Keeps an eighth of what is in use, in those pages that are taken from first.  Locked memory stays. */
static void give_idle_pages_back(struct area *area) {
    uint32_t kept = 0;
    for (uint32_t page = 0; page < PARTS / PAGE_PARTS; page++) {
        if (!is_idle(area, page) || ++kept * PAGE_PARTS <= area->taken / 8)
            continue;
        if (!madvise(address_of(area, page * PAGE_PARTS), HUGE_PAGE, MADV_DONTNEED))
            mark(&area->touched, page * PAGE_PARTS, PAGE_PARTS, false);
    }
}

/* What is to be unmapped: an area with nothing in it. */
static void *free_parts(struct area *area, uint32_t first, uint32_t count) {
    void *start = area->start;
    mark(&area->used, first, count, false);
    area->taken -= count;
    if (area->taken) {
        give_idle_pages_back(area);
        return NULL;
    }
    area->start = NULL;
    return start;
}

/* False: it was in none. */
static bool give_back_shared(void *table, size_t size) {
    uint32_t first;
    void *unused = NULL;
    pthread_mutex_lock(&lock);
    struct area *area = area_of(table, &first);
    if (area && !area->inherited)
        unused = free_parts(area, first, parts_of(size));
    else if (area)
        os_advise(table, whole_parts(size), MADV_DONTNEED);
    pthread_mutex_unlock(&lock);
    if (unused)
        munmap(unused, AREA);
    return area != NULL;
}

/* Whether TABLE lies in an area; *LONGER: what lies behind it was free, and is its own now. */
static bool lengthen_shared(void *table, size_t old_size, size_t new_size, bool *longer) {
    bool fits = new_size <= AREA;
    uint32_t first, had = parts_of(old_size), more = fits ? parts_of(new_size) - had : 0;
    pthread_mutex_lock(&lock);
    struct area *area = area_of(table, &first);
    *longer = fits && area && !area->inherited && first + had + more <= PARTS &&
              !has_any(&area->used, first + had, more) && take_parts(area, first + had, more);
    pthread_mutex_unlock(&lock);
    return area != NULL;
}

/* --- mappings of their own */

static size_t within_page(const void *address) {
    return (uintptr_t)address & (HUGE_PAGE - 1);
}

struct mapping {
    uint8_t *start;
    size_t size;
};

/* That of a table which is in no area.  It may begin anywhere in its first huge page. */
static struct mapping mapping_of(void *table, size_t size) {
    if (size < TABLE_MOVES_FROM)
        return (struct mapping){table, whole_parts(size)};
    size_t before = within_page(table);
    return (struct mapping){(uint8_t *)table - before,
                            (before + size + HUGE_PAGE - 1) & ~(size_t)(HUGE_PAGE - 1)};
}

/* BEFORE: where in its first huge page it is to begin.  Small pages when there are more areas than a process
 * of any sense has. */
static void *map_own(size_t size, size_t before) {
    if (size < TABLE_MOVES_FROM)
        return map_pages(whole_parts(size), PROT_READ | PROT_WRITE);
    uint8_t *start = map_huge(mapping_of((void *)before, size).size, PROT_READ | PROT_WRITE);
    return start ? start + before : NULL;
}

static void unmap_own(void *table, size_t size) {
    struct mapping mapping = mapping_of(table, size);
    munmap(mapping.start, mapping.size);
}

static void *move_own(void *old, size_t old_size, size_t new_size) {
    struct mapping from = mapping_of(old, old_size);
    if (from.size == mapping_of(old, new_size).size)
        return old;
    uint8_t *table = map_own(new_size, within_page(old));
    if (table && mremap(from.start, from.size, from.size, MREMAP_MAYMOVE | MREMAP_FIXED,
                        table - within_page(table)) == MAP_FAILED) {
        unmap_own(table, new_size);
        return NULL;
    }
    return table;
}

/* --- all */

static void *map_table(size_t size, size_t own_from, bool zeroed) {
    void *table = size < own_from ? take_shared(size, zeroed) : NULL;
    if (!table)
        table = map_own(size, 0);
    if (table && size < TABLE_MOVES_FROM) /* where there are no huge pages, small ones at one go */
        os_advise(table, whole_parts(size), MADV_POPULATE_WRITE);
    return table;
}

static void unmap_table(void *table, size_t size) {
    if (!table || (size >= TABLE_WARM_FROM && give_back_shared(table, size)))
        return;
    if (size < TABLE_SHARED_FROM)
        free(table);
    else
        unmap_own(table, size);
}

static void *make_zeroed(size_t size) {
    return size < TABLE_SHARED_FROM ? calloc(1, size) : map_table(size, TABLE_OWN_FROM, true);
}

/* Whole huge pages leave an area without being copied, where the kernel leaves empty ones there (since 5.7).
 */
static void *move_out(void *old, size_t old_size, size_t new_size) {
    size_t head = (HUGE_PAGE - within_page(old)) & (HUGE_PAGE - 1);
    size_t pages = old_size < head ? 0 : (old_size - head) & ~(size_t)(HUGE_PAGE - 1);
    uint8_t *from = old, *table = pages ? map_own(new_size, within_page(old)) : NULL;
    if (table && mremap(from + head, pages, pages, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP,
                        table + head) == MAP_FAILED) {
        unmap_own(table, new_size);
        return NULL;
    }
    if (table) {
        memcpy(table, from, head);
        memcpy(table + head + pages, from + head + pages, old_size - head - pages);
    }
    return table;
}

static void *grow_mapped(void *old, size_t old_size, size_t new_size) {
    bool longer = false;
    if (!old)
        return map_table(new_size, TABLE_OWN_FROM, false);
    bool is_shared = old_size >= TABLE_WARM_FROM && lengthen_shared(old, old_size, new_size, &longer);
    if (longer)
        return old;
    if (!is_shared && old_size >= TABLE_MOVES_FROM)
        return move_own(old, old_size, new_size);
    void *table = is_shared ? move_out(old, old_size, new_size) : NULL;
    if (!table && (table = map_table(new_size, is_shared ? TABLE_MOVES_FROM : TABLE_OWN_FROM, false)))
        memcpy(table, old, old_size);
    if (table)
        unmap_table(old, old_size);
    return table;
}

/* Below TABLE_SHARED_FROM. */
static void *grow_small(void *old, size_t old_size, size_t new_size) {
    bool longer = false;
    if (!old && new_size >= TABLE_WARM_FROM && (old = take_warm(new_size)))
        return old;
    if (old_size < TABLE_WARM_FROM || !lengthen_shared(old, old_size, new_size, &longer))
        return realloc(old, new_size ? new_size : 1);
    if (longer)
        return old;
    void *table = take_warm(new_size);
    if (table || (table = malloc(new_size))) {
        memcpy(table, old, old_size);
        unmap_table(old, old_size);
    }
    return table;
}

#endif

void *os_resize_table(void *old, size_t old_size, size_t new_size) {
    if (must_fail(ENOMEM) || new_size > SIZE_MAX / 2)
        return NULL;
    void *table = new_size < TABLE_SHARED_FROM ? grow_small(old, old_size, new_size)
                                               : grow_mapped(old, old_size, new_size);
    return old ? table : counted(table);
}

void *os_zeroed_table(size_t size) {
    return must_fail(ENOMEM) || size > SIZE_MAX / 2 ? NULL : counted(make_zeroed(size ? size : 1));
}

void os_release_table(void *table, size_t size) {
    unmap_table(uncounted(table), size);
}
