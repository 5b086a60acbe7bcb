/* Tables of all sizes that come, grow and go, in several threads: none loses a byte or gets into another, and
 * all memory comes back. */
#include "base/os.h"

#include "../mappings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

enum { TABLES = 24, STEPS = 400, THREADS = 3, KIB = 1024 };

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

/* Small ones, those that share huge pages, and some that have their own. */
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

/* What was made before the fork: 0 when all went well. */
static int use_inherited(struct table *table, uint32_t *seed) {
    bool good = holds(table, 7);
    uint8_t *grown = os_resize_table(table->data, table->size, table->size + 200 * KIB);
    if (grown)
        *table = (struct table){grown, table->size};
    good = good && grown && holds(table, 7) && come_and_go(seed);
    os_release_table(table->data, table->size + 200 * KIB);
    return good ? 0 : 1;
}

/* A child of fork(2) is not stopped by what other threads were at. */
static void test_threads_and_children(void **state) {
    (void)state;
    struct os_thread threads[THREADS];
    static uint32_t seeds[] = {100, 130, 160, 190};
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(os_start_roomy_thread(come_and_go, &seeds[i], "tables", &threads[i]), 0);
    for (int i = 0; i < (ALL_FROM_MALLOC ? 0 : 4); i++) {
        struct table table = {os_resize_table(NULL, 0, 300 * KIB), 300 * KIB};
        memset(table.data, 7, table.size);
        int status, child = os_fork();
        if (!child)
            os_exit_child(use_inherited(&table, &seeds[THREADS]));
        assert_int_equal(os_wait_for_child(child, true, &status), child);
        assert_int_equal(status, 0);
        assert_true(holds(&table, 7));
        os_release_table(table.data, table.size);
    }
    assert_non_null(come_and_go(&seeds[THREADS]));
    for (int i = 0; i < THREADS; i++)
        os_join_thread(threads[i]);
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

/* Of a MiB and more they are all zeros at first, whatever was there before. */
static void test_large_tables_are_zero(void **state) {
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct table table = {os_resize_table(NULL, 0, 1024 * KIB), 1024 * KIB};
        assert_true(holds(&table, 0));
        memset(table.data, 1, table.size);
        os_release_table(table.data, table.size);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables_come_and_go),
        cmocka_unit_test(test_threads_and_children),
        cmocka_unit_test(test_handlers_in_children),
        cmocka_unit_test(test_large_tables_are_zero),
    };
    if (!ALL_FROM_MALLOC)
        os_at_fork(NULL, NULL, use_in_child); /* before there is a table */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
