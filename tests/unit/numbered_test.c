/* Numbered things against a plain table, in random order. */
#include "base/numbered.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { ROUNDS = 20000, MOST = 200 };

static uint32_t random_below(uint32_t limit) {
    static uint64_t seed = 1;
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33) % limit;
}

static void follows_a_plain_table(void **state) {
    static char things[ROUNDS + 1];
    static bool there[ROUNDS + 2];
    struct numbered list = {0};
    uint32_t live = 0, latest = 0;
    (void)state;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        bool adds = !live || (live < MOST && random_below(2));
        if (adds) {
            assert_null(numbered_reserve(&list));
            assert_int_equal(numbered_add(&list, &things[list.last + 1]), ++latest);
            there[latest] = true;
            live++;
        } else {
            uint32_t number = list.entries.data[random_below(list.entries.count)].number;
            if (there[number]) {
                numbered_remove(&list, number);
                there[number] = false;
                live--;
            }
        }
        uint32_t asked = random_below(latest + 2), newest = latest;
        assert_ptr_equal(numbered_find(&list, asked), there[asked] ? &things[asked] : NULL);
        while (newest && !there[newest])
            newest--;
        assert_ptr_equal(numbered_latest(&list), newest ? &things[newest] : NULL);
        uint32_t below = asked;
        while (below && !there[below])
            below--;
        const struct numbered_entry *entry = numbered_up_to(&list, asked);
        assert_ptr_equal(entry ? entry->thing : NULL, below ? &things[below] : NULL);
        assert_int_equal(entry ? entry->number : 0, below);
        assert_int_equal(list.entries.count - list.gone, live);
        assert_true(list.entries.count <= 2 * live + 34);
    }
    numbered_destroy(&list);
    assert_null(numbered_latest(&list));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(follows_a_plain_table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
