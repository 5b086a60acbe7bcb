/* Lists of free ranges: neighbours merge, the first that fits is taken. */
#include "batch_fixture.h"
#include "memory/range_list.h"

static void ranges_merge_and_are_taken_first_fit(void **state) {
    (void)state;
    struct range_list list = {0};
    uint64_t at;
    assert_code(range_list_reserve(&list, 8), JITSCOPE_SUCCESS);
    range_list_give(&list, 0x5000, 0x1000);
    range_list_give(&list, 0x1000, 0x1000);
    range_list_give(&list, 0x3000, 0x1000);
    assert_int_equal(list.ranges.count, 3);
    assert_true(range_list_take(&list, 0x1000, 0x2000, &at) == false);
    range_list_give(&list, 0x4000, 0x1000); /* joins both neighbours */
    assert_int_equal(list.ranges.count, 2);
    assert_true(range_list_take(&list, 0x1000, 0x2000, &at) && at == 0x4000);
    assert_int_equal(list.ranges.count, 3);
    assert_true(range_list_take(&list, 0x800, 1, &at) && at == 0x1000);
    range_list_give(&list, 0x1000, 0x800);
    assert_false(range_list_take(&list, 0x1001, 1, &at));
    range_list_take_at(&list, 0x5400, 0x400);
    assert_int_equal(list.ranges.count, 4);
    assert_true(range_list_around(&list, 0x5800).start == 0x5800);
    range_list_give(&list, 0x2000, 0x1000);
    assert_true(list.ranges.data[0].start == 0x1000 && list.ranges.data[0].size == 0x3000);
    range_list_give(&list, UINT64_MAX - 0xfff, 0x1000); /* the last page */
    assert_false(range_list_take(&list, 0x4000, 1ull << 63, &at));
    range_list_destroy(&list);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_merge_and_are_taken_first_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
