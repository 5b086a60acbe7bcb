/* Sections of many batches with libgcc itself, whose lists decide what hides what: after each of many steps,
 * in which sections come and go at random, every function is found where it is, and none where none is. */
#include "base/bytes.h"
#include "base/os.h"
#include "executor/executor.h"
#include "executor/executor_unwind.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

enum {
    SLOTS = 1500,
    SLOT_SIZE = 4096,
    MOST_FUNCTIONS = 60,
    FUNCTION_SIZE = 16,
    FRAMES_AT = 1024,
    STEPS = 6000
};
enum { CIE_SIZE = 24, FDE_SIZE = 20 };

static void *mapping;
static uint8_t *space;
static uint32_t functions_of[SLOTS]; /* 0: nothing is registered */
static const void *(*find_fde)(const void *, void *);

static uint32_t chance(uint32_t below) {
    static uint64_t state = 11;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % below;
}

static uint8_t *slot_at(uint32_t slot) {
    return space + (size_t)slot * SLOT_SIZE;
}

static uint64_t section_size(uint32_t count) {
    return CIE_SIZE + (uint64_t)count * FDE_SIZE + 4;
}

/* A CIE, COUNT functions one behind the other from CODE on, a terminator. */
static void write_section(uint32_t slot, const uint8_t *code, uint32_t count) {
    static const uint8_t cie[CIE_SIZE] = {20, 0,    0,  0, 0,    0,    0, 0, 1,    'z', 'R', 0,
                                          1,  0x78, 16, 1, 0x1b, 0x0c, 7, 8, 0x90, 1,   0,   0};
    uint8_t *frames = slot_at(slot) + FRAMES_AT;
    memset(frames, 0, section_size(MOST_FUNCTIONS));
    memcpy(frames, cie, sizeof cie);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *fde = frames + CIE_SIZE + (size_t)i * FDE_SIZE;
        store_u32(fde, FDE_SIZE - 4);
        store_u32(fde + 4, (uint32_t)(fde + 4 - frames));
        store_u32(fde + 8, (uint32_t)(code + (size_t)i * FUNCTION_SIZE - (fde + 8)));
        store_u32(fde + 12, FUNCTION_SIZE);
    }
}

static const char *try_to_come_about(uint32_t slot, const uint8_t *code, uint32_t count) {
    write_section(slot, code, count);
    functions_of[slot] = count;
    return executor_register_eh_frame((uintptr_t)slot_at(slot) + FRAMES_AT, section_size(count));
}

static const char *try_to_come(uint32_t slot, uint32_t count) {
    return try_to_come_about(slot, slot_at(slot), count);
}

static void come(uint32_t slot, uint32_t count) {
    assert_null(try_to_come(slot, count));
}

static void go(uint32_t slot) {
    uint64_t size = section_size(functions_of[slot]);
    assert_null(executor_deregister_eh_frame((uintptr_t)slot_at(slot) + FRAMES_AT, size));
    functions_of[slot] = 0;
}

static bool is_found(uint32_t slot, uint32_t function) {
    const void *bases[3];
    const uint8_t *code = slot_at(slot) + (size_t)function * FUNCTION_SIZE;
    return find_fde(code + 5, bases) == slot_at(slot) + FRAMES_AT + CIE_SIZE + (size_t)function * FDE_SIZE &&
           bases[2] == code;
}

static void check(uint32_t slot) {
    uint32_t count = functions_of[slot], function = chance(count ? count : 1);
    assert_int_equal(is_found(slot, function), count != 0);
}

static void check_all(void) {
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        check(slot);
}

static void begin_at(uintptr_t address, uint32_t offset) {
    const char *text;
    size_t size = (size_t)(SLOTS + 1) * SLOT_SIZE;
    void *library = os_library_open("libgcc_s.so.1", &text);
    assert_non_null(library);
    void *symbol = os_library_symbol(library, "_Unwind_Find_FDE");
    memcpy(&find_fde, &symbol, sizeof symbol);
    mapping = mmap((void *)address, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(mapping, MAP_FAILED);
    space = (uint8_t *)mapping + offset;
    executor_enter_unwinders();
}

static void begin(void) {
    begin_at(0, 0);
}

static void end(void) {
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        if (functions_of[slot])
            go(slot);
    check_all();
    executor_leave_unwinders();
    munmap(mapping, (size_t)(SLOTS + 1) * SLOT_SIZE);
}

/* Up to the middle the space fills, then it becomes empty. */
static void come_and_go(uint32_t steps) {
    for (uint32_t step = 0; step < steps; step++) {
        uint32_t slot = chance(SLOTS);
        bool fills = chance(100) < (step < steps / 2 ? 80u : 20u);
        if (!functions_of[slot] && fills)
            come(slot, 1 + chance(MOST_FUNCTIONS) % (1 + chance(MOST_FUNCTIONS)));
        else if (functions_of[slot] && !fills)
            go(slot);
        for (int i = 0; i < 4; i++)
            check(chance(SLOTS));
        if (step % 500 == 0)
            check_all();
    }
}

static void all_are_found_in_space_of_our_own(void **state) {
    (void)state;
    begin();
    executor_own_space((uintptr_t)space, (uint64_t)SLOTS * SLOT_SIZE);
    come_and_go(STEPS);
    end();
    executor_disown_space((uintptr_t)space);
}

static void all_are_found_in_space_of_others(void **state) {
    (void)state;
    begin();
    executor_own_space((uintptr_t)space, (uint64_t)SLOTS * SLOT_SIZE / 3);
    come_and_go(STEPS / 4);
    end();
    executor_disown_space((uintptr_t)space);
}

/* One behind the other, as a program links them, with a look each time; then from either side. */
static void all_are_found_in_order(void **state) {
    (void)state;
    begin();
    executor_own_space((uintptr_t)space, (uint64_t)SLOTS * SLOT_SIZE);
    for (uint32_t slot = 0; slot < SLOTS; slot++) {
        come(slot, 1 + slot % 5);
        check(slot);
        check(chance(SLOTS));
    }
    check_all();
    for (uint32_t slot = 0; slot < SLOTS / 2; slot++) {
        go(slot % 2 ? slot / 2 : SLOTS - 1 - slot / 2);
        check(chance(SLOTS));
    }
    end();
    executor_disown_space((uintptr_t)space);
}

/* Whatever call fails, a section is known or it is not, and hides no other. */
static void all_are_found_without_memory(void **state) {
    (void)state;
    for (uint32_t round = 0; round < 30; round++) {
        begin();
        executor_own_space((uintptr_t)space, (uint64_t)SLOTS * SLOT_SIZE);
        for (uint32_t step = 0; step < 300; step++) {
            uint32_t slot = chance(SLOTS);
            bool fails = step > 150 && step % 7 == 0;
            if (fails)
                os_fail_after(1 + chance(4), chance(2));
            if (functions_of[slot])
                go(slot);
            else if (try_to_come(slot, 1 + chance(MOST_FUNCTIONS)))
                functions_of[slot] = 0;
            os_fail_after(0, false);
            if (fails)
                check_all();
        }
        end();
        executor_disown_space((uintptr_t)space);
    }
}

/* Below all that is mapped now, with room for our sections around it. */
static uintptr_t free_multiple_of_4_gib(void) {
    begin();
    uintptr_t multiple = (uintptr_t)mapping >> 32 << 32;
    size_t size = (size_t)(SLOTS + 1) * SLOT_SIZE;
    munmap(mapping, size);
    executor_leave_unwinders();
    for (;; multiple -= (uintptr_t)1 << 32) {
        void *wanted = (void *)(multiple - SLOT_SIZE);
        void *there = mmap(wanted, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert_ptr_not_equal(there, MAP_FAILED);
        munmap(there, size);
        if (there == wanted)
            return multiple;
    }
}

/* To libgcc a table that begins with 32 zero bits is an empty section, which it never had to remember. */
static void one_at_a_multiple_of_4_gib_goes(void **state) {
    (void)state;
    begin_at(free_multiple_of_4_gib() - SLOT_SIZE, SLOT_SIZE - FRAMES_AT);
    assert_int_equal((uint32_t)(uintptr_t)(slot_at(0) + FRAMES_AT), 0);
    executor_own_space((uintptr_t)space, (uint64_t)SLOTS * SLOT_SIZE);
    come(0, 3);
    check(0);
    go(0);
    check(0);
    for (uint32_t slot = 0; slot < 4; slot++)
        come(slot, 3);
    check_all();
    go(0);
    check_all();
    end();
    executor_disown_space((uintptr_t)space);
}

/* As of functions without any code: libgcc ends the process when it does not know what is to go. */
static void two_about_the_same_address_go(void **state) {
    (void)state;
    for (uint32_t first = 0; first < 2; first++) {
        begin();
        for (uint32_t slot = 0; slot < 2; slot++)
            assert_null(try_to_come_about(slot, slot_at(9), 3));
        go(first);
        go(1 - first);
        end();
    }
}

/* --- while others look */

static bool stop, missed;

static void *look(void *unused) {
    (void)unused;
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE))
        for (uint32_t slot = 3; slot < SLOTS; slot += 10)
            if (!is_found(slot, slot % 3))
                missed = true;
    return NULL;
}

static void those_that_stay_are_never_missed(void **state) {
    pthread_t thread;
    (void)state;
    begin();
    executor_own_space((uintptr_t)space, (uint64_t)SLOTS * SLOT_SIZE);
    for (uint32_t slot = 3; slot < SLOTS; slot += 10)
        come(slot, 3);
    stop = missed = false;
    assert_int_equal(pthread_create(&thread, NULL, look, NULL), 0);
    for (uint32_t step = 0; step < STEPS; step++) {
        uint32_t slot = chance(SLOTS);
        if (slot % 10 == 3)
            continue;
        if (functions_of[slot])
            go(slot);
        else
            come(slot, 1 + chance(MOST_FUNCTIONS));
    }
    __atomic_store_n(&stop, true, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    assert_false(missed);
    end();
    executor_disown_space((uintptr_t)space);
}

/* --- when nobody has looked for unwinders yet */

static uint32_t ready;

static void *come_and_look(void *slot_pointer) {
    uint32_t slot = *(uint32_t *)slot_pointer;
    __atomic_add_fetch(&ready, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(&ready, __ATOMIC_ACQUIRE) < 2)
        continue;
    if (try_to_come(slot, 3) || !is_found(slot, 1))
        __atomic_store_n(&missed, true, __ATOMIC_RELAXED);
    return NULL;
}

static void two_that_come_first_are_both_found(void **state) {
    (void)state;
    missed = false;
    for (uint32_t round = 0; round < 200 && !missed; round++) {
        uint32_t slots[2] = {3, 5};
        pthread_t thread;
        begin();
        ready = 0;
        assert_int_equal(pthread_create(&thread, NULL, come_and_look, &slots[0]), 0);
        come_and_look(&slots[1]);
        pthread_join(thread, NULL);
        end();
    }
    assert_false(missed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_are_found_in_order),
        cmocka_unit_test(all_are_found_in_space_of_our_own),
        cmocka_unit_test(all_are_found_in_space_of_others),
        cmocka_unit_test(all_are_found_without_memory),
        cmocka_unit_test(one_at_a_multiple_of_4_gib_goes),
        cmocka_unit_test(two_about_the_same_address_go),
        cmocka_unit_test(those_that_stay_are_never_missed),
        cmocka_unit_test(two_that_come_first_are_both_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
