/* Pieces of the slab: apart from each other, kept while they live, and all memory back in the end. */
#include "base/os.h"
#include "batch_fixture.h"
#include "executor/debug_slab.h"

enum { PIECES = 3000, LARGE = 1 << 18 };

static size_t size_of(uint32_t number) {
    return number % 500 == 7 ? LARGE + number : 1 + number * 37 % 900;
}

static void fill(struct debug_slab *slab, uint8_t *pieces[PIECES]) {
    for (uint32_t i = 0; i < PIECES; i++) {
        pieces[i] = debug_slab_allocate(slab, size_of(i));
        assert_non_null(pieces[i]);
        assert_int_equal((uintptr_t)pieces[i] % 16, 0);
        memset(pieces[i], (int)i, size_of(i));
    }
}

static void check_and_release(struct debug_slab *slab, uint8_t *piece, uint32_t number) {
    assert_int_equal(piece[0], (uint8_t)number);
    assert_int_equal(piece[size_of(number) - 1], (uint8_t)number);
    debug_slab_release(slab, piece);
}

static void test_any_order(void **state) {
    (void)state;
    static uint8_t *pieces[PIECES];
    struct debug_slab slab = {0};
    os_fail_after(0, false);
    int64_t before = os_live_allocations();
    for (uint32_t step = 1; step < 8; step++) { /* every STEP-th first, the others backwards */
        fill(&slab, pieces);
        debug_slab_trim(&slab); /* nothing that lives */
        for (uint32_t i = 0; i < PIECES; i++)
            if (i % step == 0)
                check_and_release(&slab, pieces[i], i);
        for (uint32_t i = PIECES; i-- > 0;)
            if (i % step)
                check_and_release(&slab, pieces[i], i);
    }
    debug_slab_release(&slab, NULL);
    debug_slab_trim(&slab);
    debug_slab_trim(&slab);
    assert_int_equal(os_live_allocations(), before);
}

static void test_no_memory(void **state) {
    (void)state;
    struct debug_slab slab = {0};
    os_fail_after(0, false);
    int64_t before = os_live_allocations();
    assert_null(debug_slab_allocate(&slab, SIZE_MAX));
    for (uint64_t n = 1; n < 4; n++) {
        os_fail_after(n, true);
        void *piece = debug_slab_allocate(&slab, 100);
        for (int i = 0; i < 2000 && piece; i++) { /* a full chunk leaves what is in it as it was */
            memset(piece, 1, 100);
            void *next = debug_slab_allocate(&slab, 100);
            debug_slab_release(&slab, piece);
            piece = next;
        }
        assert_true(n > 1 || !piece);
        os_fail_after(0, false);
        debug_slab_release(&slab, piece);
        debug_slab_trim(&slab);
    }
    assert_int_equal(os_live_allocations(), before);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_any_order), cmocka_unit_test(test_no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
