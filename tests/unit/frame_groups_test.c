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

/* A CIE, COUNT functions one behind the other, a terminator. */
static void write_section(uint32_t slot, uint32_t count) {
    static const uint8_t cie[CIE_SIZE] = {20, 0,    0,  0, 0,    0,    0, 0, 1,    'z', 'R', 0,
                                          1,  0x78, 16, 1, 0x1b, 0x0c, 7, 8, 0x90, 1,   0,   0};
    uint8_t *frames = slot_at(slot) + FRAMES_AT;
    memset(frames, 0, section_size(MOST_FUNCTIONS));
    memcpy(frames, cie, sizeof cie);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *fde = frames + CIE_SIZE + (size_t)i * FDE_SIZE;
        store_u32(fde, FDE_SIZE - 4);
        store_u32(fde + 4, (uint32_t)(fde + 4 - frames));
        store_u32(fde + 8, (uint32_t)(slot_at(slot) + (size_t)i * FUNCTION_SIZE - (fde + 8)));
        store_u32(fde + 12, FUNCTION_SIZE);
    }
}

static const char *try_to_come(uint32_t slot, uint32_t count) {
    write_section(slot, count);
    functions_of[slot] = count;
    return executor_register_eh_frame((uintptr_t)slot_at(slot) + FRAMES_AT, section_size(count));
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

static void begin(void) {
    const char *text;
    void *library = os_library_open("libgcc_s.so.1", &text);
    assert_non_null(library);
    void *symbol = os_library_symbol(library, "_Unwind_Find_FDE");
    memcpy(&find_fde, &symbol, sizeof symbol);
    space = mmap(NULL, (size_t)SLOTS * SLOT_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(space, MAP_FAILED);
    executor_enter_unwinders();
}

static void end(void) {
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        if (functions_of[slot])
            go(slot);
    check_all();
    executor_leave_unwinders();
    munmap(space, (size_t)SLOTS * SLOT_SIZE);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_are_found_in_order),
        cmocka_unit_test(all_are_found_in_space_of_our_own),
        cmocka_unit_test(all_are_found_in_space_of_others),
        cmocka_unit_test(all_are_found_without_memory),
        cmocka_unit_test(those_that_stay_are_never_missed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
