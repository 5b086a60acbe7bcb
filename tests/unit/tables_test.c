/* Tables of all sizes that come, grow and go, in several threads: none loses a byte or gets into another,
 * they lie close together, and all memory comes back. */
#include "base/os.h"

#include "../mappings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

/* AddressSanitizer has tables from its own malloc, which keeps what it maps, and is not to be used in
 * children of a process with threads. */
#if defined __SANITIZE_ADDRESS__
#define ALL_FROM_MALLOC 1
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define ALL_FROM_MALLOC 1
#endif
#endif
#ifndef ALL_FROM_MALLOC
#define ALL_FROM_MALLOC 0
#endif

enum { TABLES = 24, STEPS = 400, THREADS = 3, KIB = 1024, HUGE_PAGE = 2048 * KIB, AREA = 32768 * KIB };

struct table {
    uint8_t *data;
    size_t size;
};

static uint32_t draw(uint32_t *seed) {
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

static bool holds(const struct table *table, uint8_t byte) {
    for (size_t i = 0; i < table->size; i++)
        if (table->data[i] != byte)
            return false;
    return true;
}

static struct table make(size_t size, uint8_t byte) {
    struct table table = {os_resize_table(NULL, 0, size), size};
    assert_non_null(table.data);
    memset(table.data, byte, size);
    return table;
}

static void release(struct table *table) {
    os_release_table(table->data, table->size);
    *table = (struct table){0};
}

/* Small ones, those that share huge pages, and some that have their own when they grow. */
static size_t draw_size(uint32_t *seed) {
    const size_t most[] = {8 * KIB, 300 * KIB, 900 * KIB, 3000 * KIB};
    return 1 + draw(seed) % (draw(seed) % 8 ? most[draw(seed) % 3] : most[3]);
}

static bool step(struct table *table, uint8_t byte, uint32_t *seed) {
    if (!holds(table, byte))
        return false;
    if (table->data && draw(seed) % 3 == 0) {
        os_release_table(table->data, table->size);
        *table = (struct table){0};
        return true;
    }
    size_t size = table->size + draw_size(seed) / (table->data ? 4 : 1);
    uint8_t *grown = size < 5000 * KIB ? os_resize_table(table->data, table->size, size) : NULL;
    if (!grown)
        return size >= 5000 * KIB;
    memset(grown + table->size, byte, size - table->size);
    *table = (struct table){grown, size};
    return true;
}

/* NULL, or the context when all went well. */
static void *come_and_go(void *context) {
    struct table tables[TABLES] = {0};
    uint32_t seed = *(uint32_t *)context;
    bool good = true;
    for (int i = 0; i < STEPS && good; i++) {
        uint32_t at = draw(&seed) % TABLES;
        good = step(&tables[at], (uint8_t)(at + *(uint32_t *)context), &seed);
    }
    for (uint32_t at = 0; at < TABLES; at++) {
        good = good && holds(&tables[at], (uint8_t)(at + *(uint32_t *)context));
        if (tables[at].data)
            os_release_table(tables[at].data, tables[at].size);
    }
    return good ? context : NULL;
}

static void test_tables_come_and_go(void **state) {
    (void)state;
    uint32_t seed = 1;
    assert_non_null(come_and_go(&seed)); /* malloc has what it wants */
    os_fail_after(0, false);
    int64_t live = os_live_allocations();
    long mappings = count_mappings();
    for (seed = 2; seed < 5; seed++)
        assert_non_null(come_and_go(&seed));
    assert_int_equal(os_live_allocations(), live);
    if (!ALL_FROM_MALLOC)
        assert_in_range(count_mappings(), 1, (uintmax_t)mappings + 2);
}

/* What was made before the fork, side by side: 0 when all went well. */
static int use_inherited(struct table tables[3], uint32_t *seed) {
    bool good = holds(&tables[0], 7) && holds(&tables[1], 8);
    for (int i = 0; i < 2; i++) {
        size_t size = tables[i].size;
        uint8_t *grown = os_resize_table(tables[i].data, size, size + 200 * KIB);
        good = good && grown;
        if (grown)
            tables[i] = (struct table){grown, size};
        good = good && holds(&tables[i], (uint8_t)(7 + i)) && come_and_go(seed);
        os_release_table(tables[i].data, size + 200 * KIB);
    }
    good = good && holds(&tables[2], 9);
    release(&tables[2]);
    return good && come_and_go(seed) ? 0 : 1;
}

/* A child of fork(2) is not stopped by what other threads were at. */
static void test_threads_and_children(void **state) {
    (void)state;
    struct os_thread threads[THREADS];
    static uint32_t seeds[] = {100, 130, 160, 190};
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(os_start_roomy_thread(come_and_go, &seeds[i], "tables", &threads[i]), 0);
    for (int i = 0; i < (ALL_FROM_MALLOC ? 0 : 4); i++) {
        struct table tables[] = {make(300 * KIB, 7), make(1300 * KIB, 8), make(3000 * KIB, 9)};
        int status, child = os_fork();
        if (!child)
            os_exit_child(use_inherited(tables, &seeds[THREADS]));
        assert_int_equal(os_wait_for_child(child, true, &status), child);
        assert_int_equal(status, 0);
        for (int at = 0; at < 3; at++) {
            assert_true(holds(&tables[at], (uint8_t)(7 + at)));
            release(&tables[at]);
        }
    }
    assert_non_null(come_and_go(&seeds[THREADS]));
    for (int i = 0; i < THREADS; i++)
        os_join_thread(threads[i]);
}

/* Some other thread may have been in the middle of something there. */
static void test_children_take_nothing_from_what_was_there(void **state) {
    (void)state;
    struct table table = make(200 * KIB, 1);
    int status, child = os_fork();
    if (!child) {
        struct table own = make(200 * KIB, 2);
        os_exit_child(own.data < table.data - AREA || own.data > table.data + AREA ? 0 : 1);
    }
    assert_int_equal(os_wait_for_child(child, true, &status), child);
    assert_true(ALL_FROM_MALLOC || status == 0);
    release(&table);
}

/* The least that shares a page, so that hardly anything is done but to take it and give it back. */
static void *take_and_give(void *stop) {
    enum { LEAST = 128 * KIB };
    while (!__atomic_load_n((bool *)stop, __ATOMIC_RELAXED)) {
        void *table = os_resize_table(NULL, 0, LEAST);
        if (table)
            os_release_table(table, LEAST);
    }
    return NULL;
}

static void use_in_child(void) {
    void *table = os_resize_table(NULL, 0, 200 * KIB);
    if (table)
        os_release_table(table, 200 * KIB);
}

/* Nor is what a program has called in children, whoever was there first. */
static void test_handlers_in_children(void **state) {
    enum { FORKS = 200 };
    (void)state;
    struct os_thread threads[THREADS];
    bool stop = false;
    if (ALL_FROM_MALLOC)
        skip();
    void *kept = os_resize_table(NULL, 0, 200 * KIB); /* the page stays */
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(os_start_roomy_thread(take_and_give, &stop, "tables", &threads[i]), 0);
    for (int i = 0; i < FORKS; i++) {
        int status, child = os_fork();
        if (!child)
            os_exit_child(0);
        assert_int_equal(os_wait_for_child(child, true, &status), child);
        assert_int_equal(status, 0);
    }
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    for (int i = 0; i < THREADS; i++)
        os_join_thread(threads[i]);
    os_release_table(kept, 200 * KIB);
}

/* Whatever was there before. */
static void test_zeroed_tables(void **state) {
    (void)state;
    struct table kept = make(200 * KIB, 1);
    for (size_t size = 100 * KIB; size < 12000 * KIB; size *= 3) {
        struct table table = make(size, 1), behind = make(200 * KIB, 1);
        release(&table);
        table = (struct table){os_zeroed_table(size), size};
        assert_true(table.data && holds(&table, 0));
        memset(table.data, 1, size);
        release(&table);
        table = (struct table){os_zeroed_table(2 * size), 2 * size};
        assert_true(table.data && holds(&table, 0));
        release(&table);
        assert_true(holds(&behind, 1));
        release(&behind);
    }
    assert_true(holds(&kept, 1));
    release(&kept);
    os_fail_after(1, false);
    assert_null(os_zeroed_table(200 * KIB));
    os_fail_after(0, false);
}

/* No huge page is begun before the one in front of it is full. */
static void test_tables_lie_close(void **state) {
    enum { COUNT = 9 };
    (void)state;
    if (ALL_FROM_MALLOC)
        skip();
    struct table tables[COUNT];
    for (int i = 0; i < COUNT; i++)
        tables[i] = make((size_t)(i % 2 ? 1300 : 140) * KIB, (uint8_t)i);
    for (int i = 1; i < COUNT; i++)
        assert_ptr_equal(tables[i].data, tables[i - 1].data + tables[i - 1].size);
    assert_int_equal((uintptr_t)tables[0].data % HUGE_PAGE, 0);
    release(&tables[3]);
    struct table first = make(1000 * KIB, 20), second = make(300 * KIB, 30);
    assert_ptr_equal(second.data, first.data + first.size);
    assert_ptr_equal(tables[4].data, second.data + second.size);
    release(&first);
    release(&second);
    for (int i = 0; i < COUNT; i++)
        if (i != 3) {
            assert_true(holds(&tables[i], (uint8_t)i));
            release(&tables[i]);
        }
}

static void grow(struct table *table, size_t size, uint8_t byte) {
    uint8_t *grown = os_resize_table(table->data, table->size, size);
    assert_non_null(grown);
    memset(grown + table->size, byte, size - table->size);
    *table = (struct table){grown, size};
}

/* Where nothing lies behind a table it stays; else it moves, whole huge pages of it also, again and again. */
static void test_tables_grow(void **state) {
    (void)state;
    struct table first = make(300 * KIB, 1), large = make(5000 * KIB, 2);
    uint8_t *place = large.data;
    grow(&large, 7000 * KIB, 2);
    if (!ALL_FROM_MALLOC)
        assert_ptr_equal(large.data, place);
    struct table behind = make(300 * KIB, 3);
    grow(&large, 7500 * KIB, 2);
    if (!ALL_FROM_MALLOC)
        assert_ptr_not_equal(large.data, place);
    struct table again = make(6000 * KIB, 4);
    if (!ALL_FROM_MALLOC)
        assert_ptr_equal(again.data, place);
    for (size_t size = 7600; size < 30000; size += size / 3)
        grow(&large, size * KIB, 2);
    assert_true(holds(&first, 1) && holds(&large, 2) && holds(&behind, 3) && holds(&again, 4));
    release(&first);
    release(&again);
    release(&large);
    release(&behind);
}

/* 2^32 small pages more are more than there is room for behind it. */
static void test_growth_beyond_any_area(void **state) {
    (void)state;
    if (ALL_FROM_MALLOC)
        skip();
    struct table table = make(300 * KIB, 1);
    size_t size = ((size_t)1 << 44) + table.size;
    uint8_t *grown = os_resize_table(table.data, table.size, size);
    assert_ptr_not_equal(grown, table.data);
    if (grown)
        table.data = grown;
    assert_true(holds(&table, 1));
    os_release_table(table.data, grown ? size : table.size);
}

/* Small pages of the 2 MiB at ADDRESS that are in memory; -1: nothing is mapped there. */
static int count_resident(uint8_t *address) {
    enum { SMALL_PAGES = 512 };
    unsigned char resident[SMALL_PAGES];
    int count = 0;
    if (mincore(address, HUGE_PAGE, resident))
        return -1;
    for (int i = 0; i < SMALL_PAGES; i++)
        count += resident[i] & 1;
    return count;
}

/* A huge page without tables goes, but for one beside many that have some; and all with the last table. */
static void test_memory_is_given_back(void **state) {
    enum { MANY = 9 };
    (void)state;
    if (ALL_FROM_MALLOC)
        skip();
    struct table few = make(2048 * KIB, 1), many[MANY];
    uint8_t *second = few.data + few.size;
    struct table table = make(2048 * KIB, 1);
    assert_ptr_equal(table.data, second);
    assert_int_equal(count_resident(second), 512);
    release(&table);
    assert_int_equal(count_resident(second), 0);
    table = (struct table){os_zeroed_table(2048 * KIB), 2048 * KIB};
    assert_ptr_equal(table.data, second);
    assert_int_equal(count_resident(second), 0);
    for (int i = 0; i < MANY; i++)
        many[i] = make(2048 * KIB, 1);
    memset(table.data, 1, table.size);
    release(&table);
    assert_int_equal(count_resident(second), 512);
    for (int i = 0; i < MANY; i++)
        release(&many[i]);
    assert_int_equal(count_resident(second), 0);
    assert_true(holds(&few, 1));
    uint8_t *place = few.data;
    release(&few);
    assert_int_equal(count_resident(place), -1);
}

static size_t distance(const struct table *one, const struct table *other) {
    return one->data < other->data ? (size_t)(other->data - one->data) : (size_t)(one->data - other->data);
}

/* What is not worth a huge page takes what is left of one that is there; else it is malloc's. */
static void test_small_tables_take_what_is_left(void **state) {
    (void)state;
    struct table before = make(64 * KIB, 1), large = make(300 * KIB, 2), small = make(64 * KIB, 3),
                 next = make(64 * KIB, 4);
    if (!ALL_FROM_MALLOC) {
        assert_true(distance(&before, &large) > AREA);
        assert_int_equal(distance(&large, &small), large.size);
        assert_int_equal(distance(&small, &next), small.size);
    }
    release(&large);
    grow(&before, 100 * KIB, 1);
    grow(&small, 100 * KIB, 3); /* not where it is: the next one lies there */
    grow(&small, 200 * KIB, 3);
    grow(&next, 3000 * KIB, 4);
    assert_true(holds(&before, 1) && holds(&small, 3) && holds(&next, 4));
    release(&before);
    release(&small);
    release(&next);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables_come_and_go),
        cmocka_unit_test(test_threads_and_children),
        cmocka_unit_test(test_children_take_nothing_from_what_was_there),
        cmocka_unit_test(test_handlers_in_children),
        cmocka_unit_test(test_zeroed_tables),
        cmocka_unit_test(test_tables_lie_close),
        cmocka_unit_test(test_tables_grow),
        cmocka_unit_test(test_small_tables_take_what_is_left),
        cmocka_unit_test(test_growth_beyond_any_area),
        cmocka_unit_test(test_memory_is_given_back),
    };
    if (!ALL_FROM_MALLOC)
        os_at_fork(NULL, NULL, use_in_child); /* before there is a table */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
