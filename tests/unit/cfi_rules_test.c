/* Rules of call frame information: each instruction once, and what is refused. */
#include "dwarf/cfi_rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { START = 0x1000, SIZE = 0x100, RBX = 3, RBP = 6, R12 = 12, R15 = 15 };

/* def_cfa rsp+8; offset ra at cfa-8; factors 1 and -8 */
#define CIE 1, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1, 0

static size_t put_record(uint8_t *at, uint32_t id, const uint8_t *content, size_t size) {
    store_u32(at, (uint32_t)(4 + size));
    store_u32(at + 4, id);
    memcpy(at + 8, content, size);
    return 8 + size;
}

/* A section of one CIE and one FDE with these instructions; of exactly its size, so that sanitizers see its
 * end. */
static struct bytes make_section(const uint8_t *cie, size_t cie_size, const uint8_t *code, size_t size) {
    uint8_t *section = calloc(1, 64 + cie_size + size), fde[256];
    assert_non_null(section);
    size_t at = put_record(section, UINT32_MAX, cie, cie_size);
    store_u64(fde, START);
    store_u64(fde + 8, SIZE);
    memcpy(fde + 16, code, size);
    at += put_record(section + at, 0, fde, 16 + size);
    uint8_t *exact = realloc(section, at);
    return (struct bytes){exact, at};
}

/* False when there is no frame, or no rules at START + OFFSET. */
static bool find_in(struct bytes section, uint64_t offset, struct cfi_rules *rules) {
    struct cfi_frame frame;
    for (uint64_t at = 0; cfi_next_frame(section, &at, &frame);)
        if (frame.size)
            return cfi_find_rules(&frame, START + offset, rules);
    return false;
}

static bool find(const uint8_t *code, size_t size, uint64_t offset, struct cfi_rules *rules) {
    static const uint8_t cie[] = {CIE};
    struct bytes section = make_section(cie, sizeof cie, code, size);
    bool found = find_in(section, offset, rules);
    free((void *)(uintptr_t)section.data);
    return found;
}

#define FIND(offset, rules, ...)                                                                             \
    find((const uint8_t[]){__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__}), offset, rules)
#define IS(rule, kind, number)                                                                               \
    do {                                                                                                     \
        assert_int_equal((rule).how, kind);                                                                  \
        assert_int_equal((rule).value, number);                                                              \
    } while (0)

static void rows(void **state) {
    (void)state;
    struct cfi_rules rules;
    /* push rbp at 1, mov at 4, leave and ret at 0x44 */
#define FUNCTION 0x41, 0x0e, 16, 0x86, 2, 0x43, 0x0d, 6, 0x02, 0x40, 0xc6, 0x0c, 7, 8
    static const struct {
        uint64_t offset, base;
        int64_t cfa;
        enum cfi_how rbp;
    } wanted[] = {{0, 7, 8, CFI_SAME},       {1, 7, 16, CFI_OFFSET},    {3, 7, 16, CFI_OFFSET},
                  {4, 6, 16, CFI_OFFSET},    {0x43, 6, 16, CFI_OFFSET}, {0x44, 7, 8, CFI_SAME},
                  {SIZE - 1, 7, 8, CFI_SAME}};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        assert_true(FIND(wanted[i].offset, &rules, FUNCTION));
        assert_int_equal(rules.cfa_register, wanted[i].base);
        assert_int_equal(rules.cfa_offset, wanted[i].cfa);
        assert_int_equal(rules.registers[RBP].how, wanted[i].rbp);
        IS(rules.registers[CFI_RETURN_ADDRESS], CFI_OFFSET, -8);
    }
    assert_false(FIND(SIZE, &rules, FUNCTION));
}

static void instructions(void **state) {
    (void)state;
    struct cfi_rules rules;
    assert_true(FIND(0, &rules, 0x05, RBX, 3, 0x11, R12, 0x7e, 0x14, RBP, 4, 0x09, R15, 0));
    IS(rules.registers[RBX], CFI_OFFSET, -24);
    IS(rules.registers[R12], CFI_OFFSET, 16);
    IS(rules.registers[RBP], CFI_VALUE_OFFSET, -32);
    IS(rules.registers[R15], CFI_REGISTER, 0);
    assert_true(
        FIND(0, &rules, 0x05, RBX, 3, 0x06, RBX, 0x07, R12, 0x05, R15, 1, 0x08, R15, 0x15, RBP, 1, 0x2e, 9));
    IS(rules.registers[RBX], CFI_SAME, 0);
    IS(rules.registers[R12], CFI_UNDEFINED, 0);
    IS(rules.registers[R15], CFI_SAME, 0);
    IS(rules.registers[RBP], CFI_VALUE_OFFSET, -8);
    /* remember, change, restore; and what is remembered twice */
    assert_true(FIND(0, &rules, 0x0a, 0x0e, 32, 0x0a, 0x0d, 6, 0x0b, 0x83, 2));
    assert_int_equal(rules.cfa_register, 7);
    assert_int_equal(rules.cfa_offset, 32);
    assert_true(FIND(0, &rules, 0x0a, 0x0e, 32, 0x83, 2, 0x0b));
    assert_int_equal(rules.cfa_offset, 8);
    IS(rules.registers[RBX], CFI_SAME, 0);
    /* signed forms, and the wide advances */
    assert_true(FIND(0, &rules, 0x12, 6, 0x7c));
    assert_int_equal(rules.cfa_register, 6);
    assert_int_equal(rules.cfa_offset, 32);
    assert_true(FIND(0, &rules, 0x13, 0x7e));
    assert_int_equal(rules.cfa_offset, 16);
    assert_true(FIND(0x30, &rules, 0x03, 0x10, 0, 0x04, 0x20, 0, 0, 0, 0x0e, 48, 0x41, 0x0e, 8));
    assert_int_equal(rules.cfa_offset, 48);
    assert_true(FIND(0x80, &rules, 0x01, 0x80, 0x10, 0, 0, 0, 0, 0, 0, 0x0e, 64));
    assert_int_equal(rules.cfa_offset, 64);
    assert_true(FIND(0x7f, &rules, 0x01, 0x80, 0x10, 0, 0, 0, 0, 0, 0, 0x0e, 64));
    assert_int_equal(rules.cfa_offset, 8);
    /* registers nobody saves are skipped */
    assert_true(FIND(0, &rules, 0x05, 33, 1, 0x0e, 24));
    assert_int_equal(rules.cfa_offset, 24);
}

/* An expression is refused where it counts, and no earlier. */
static void expressions(void **state) {
    (void)state;
    struct cfi_rules rules;
    assert_false(FIND(0, &rules, 0x0f, 2, 0x77, 8));
    assert_true(FIND(0, &rules, 0x41, 0x0f, 2, 0x77, 8));
    assert_false(FIND(1, &rules, 0x41, 0x0f, 2, 0x77, 8));
    assert_true(FIND(2, &rules, 0x41, 0x0f, 2, 0x77, 8, 0x41, 0x0c, 7, 8));
    assert_true(FIND(0, &rules, 0x10, RBX, 2, 0x76, 0));
    IS(rules.registers[RBX], CFI_EXPRESSION, 0);
}

static void refused(void **state) {
    (void)state;
    struct cfi_rules rules;
    assert_false(FIND(0, &rules, 0x0b));                /* nothing is remembered */
    assert_false(FIND(0, &rules, 0x3f));                /* unknown */
    assert_false(FIND(0, &rules, 0x09, RBX, 17));       /* no such register */
    assert_false(FIND(0, &rules, 0x0d, 16));            /* a CFA from the return address */
    assert_false(FIND(0, &rules, 0x0d, 0x80, 0x80, 1)); /* or from no register */
    assert_false(FIND(0, &rules, 0x0f, 200, 1));        /* longer than the record */
    uint8_t many[200];
    memset(many, 0x0a, sizeof many);
    assert_false(find(many, sizeof many, 0, &rules));
    /* a factor that overflows */
    assert_false(FIND(0, &rules, 0x05, RBX, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f));
    assert_false(FIND(0, &rules, 0x04, 1));
}

/* Each section cut at each place, and each of its bytes set to each value, is read to an end. */
static void damaged(void **state) {
    (void)state;
    static const uint8_t cie[] = {CIE}, cie4[] = {4, 'S', 0, 8, 0, 1, 0x78, 16, 0x0c, 7, 8, 0x90, 1};
    static const uint8_t code[] = {FUNCTION, 0x0a, 0x05, RBX, 3, 0x0b};
    for (int version = 0; version < 2; version++) {
        struct bytes whole = version ? make_section(cie4, sizeof cie4, code, sizeof code)
                                     : make_section(cie, sizeof cie, code, sizeof code);
        struct cfi_rules rules;
        assert_true(find_in(whole, 4, &rules));
        for (uint64_t size = 0; size < whole.size; size++) {
            uint8_t *cut = malloc(size ? size : 1);
            memcpy(cut, whole.data, size);
            assert_false(find_in((struct bytes){cut, size}, 4, &rules));
            free(cut);
        }
        uint8_t *bytes = (uint8_t *)(uintptr_t)whole.data;
        for (uint64_t at = 0; at < whole.size; at++) {
            uint8_t kept = bytes[at];
            for (int value = 0; value < 256; value++) {
                bytes[at] = (uint8_t)value;
                if (find_in(whole, 4, &rules))
                    assert_true(rules.cfa_register < CFI_RETURN_ADDRESS);
            }
            bytes[at] = kept;
        }
        free(bytes);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(rows), cmocka_unit_test(instructions),
                                       cmocka_unit_test(expressions), cmocka_unit_test(refused),
                                       cmocka_unit_test(damaged)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
