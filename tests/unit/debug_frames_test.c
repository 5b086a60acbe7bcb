/* From .eh_frame to .debug_frame: what becomes of records that are sound, and that the others are left out
 * without a look at what lies behind the section. */
#include "batch_fixture.h"
#include "link/debug_frames.h"

#include <stdlib.h>

enum { CIE = 20, FDE = 24, CODE = 0x4000, RANGE = 0x40, NOP = 0, PLACE = 0x10000 };

/* "zR": data of FDEs is empty, pc-begin is as ENCODING says. */
static void put_cie(uint8_t *at, uint8_t encoding) {
    const uint8_t content[] = {1, 'z', 'R', 0, 1, 0x78, 16, 1, encoding, NOP, NOP, NOP};
    store_u32(at, CIE - 4);
    store_u32(at + 4, 0);
    memcpy(at + 8, content, sizeof content);
}

/* BACK: from the id to the CIE. */
static void put_fde(uint8_t *at, uint32_t back, uint32_t begin) {
    memset(at, NOP, FDE);
    store_u32(at, FDE - 4);
    store_u32(at + 4, back);
    store_u32(at + 8, begin);
    store_u32(at + 12, RANGE);
}

/* How many FDEs come of a section that ends where its memory does. */
static uint32_t convert(const uint8_t *section, size_t size, struct image_memory *image) {
    struct debug_frames frames = {.arch = &arch_x86_64, .image = image};
    uint8_t *exact = malloc(size);
    memcpy(exact, section, size);
    assert_code(debug_frames_add(&frames, PLACE, (struct bytes){exact, size}), JITSCOPE_SUCCESS);
    free(exact);
    return frames.count;
}

static void test_sound(void **state) {
    enum { ABSOLUTE = 3, RELATIVE = 0x1b, OUT_CIE = 16, OUT_ADDRESS = 8 };
    static const uint8_t encodings[] = {ABSOLUTE, RELATIVE};
    (void)state;
    for (int i = 0; i < 2; i++) {
        uint8_t section[CIE + FDE];
        struct image_memory image = {0};
        put_cie(section, encodings[i]);
        put_fde(section + CIE, CIE + 4, i ? (uint32_t)(CODE - PLACE - CIE - 8) : CODE);
        assert_int_equal(convert(section, sizeof section, &image), 1);
        const uint8_t *fde = image.data + 4 + load_u32(image.data);
        assert_int_equal(load_u32(image.data + 4), UINT32_MAX);
        assert_int_equal(load_u32(fde + 4), 0);
        assert_int_equal(load_u64(fde + OUT_ADDRESS), CODE);
        assert_int_equal(load_u64(fde + OUT_ADDRESS + 8), RANGE);
        vec_destroy(&image);
    }
}

/* Nothing is made of an address that stands elsewhere, or counts from what only the input knows. */
static void test_other_encodings(void **state) {
    static const uint8_t encodings[] = {0x9b, 0x83, 0x2b, 0x3b, 0x4b};
    (void)state;
    for (size_t i = 0; i < sizeof encodings; i++) {
        uint8_t section[CIE + FDE];
        struct image_memory image = {0};
        put_cie(section, encodings[i]);
        put_fde(section + CIE, CIE + 4, CODE);
        assert_int_equal(convert(section, sizeof section, &image), 0);
        vec_destroy(&image);
    }
}

/* Of every length, with an id that leads to each byte in front of the section and in it, but to no CIE. */
static void test_no_cie(void **state) {
    (void)state;
    for (size_t size = 8; size <= FDE; size += 4)
        for (uint32_t back = 1; back < CIE + FDE; back++) {
            uint8_t section[CIE + FDE];
            struct image_memory image = {0};
            put_cie(section, 0x1b);
            put_fde(section + CIE, back, CODE);
            store_u32(section + CIE, (uint32_t)size - 4);
            bool first = back == CIE + 4; /* the CIE */
            uint32_t count = convert(section, CIE + size, &image);
            if (!first)
                assert_int_equal(count, 0);
            put_fde(section, back, CODE); /* and where there is none at all */
            store_u32(section, (uint32_t)size - 4);
            assert_int_equal(convert(section, size, &image), 0);
            vec_destroy(&image);
        }
}

static uint32_t count_cies(const struct image_memory *image) {
    uint32_t count = 0;
    for (uint64_t at = 0; at < image->count; at += 4 + load_u32(image->data + at))
        count += load_u32(image->data + at + 4) == UINT32_MAX;
    return count;
}

/* FDEs of COUNT CIEs, each of SIZE bytes, by turns: how many came through. */
static uint32_t convert_mixed(uint32_t count, uint32_t size, uint32_t fdes, struct image_memory *image) {
    uint32_t whole = count * size + fdes * FDE;
    uint8_t *section = calloc(1, whole);
    for (uint32_t i = 0; i < count; i++) {
        put_cie(section + i * size, 0x1b);
        store_u32(section + i * size, size - 4);
    }
    for (uint32_t i = 0; i < fdes; i++) {
        uint32_t at = count * size + i * FDE;
        put_fde(section + at, at + 4 - i % count * size, CODE);
    }
    uint32_t converted = convert(section, whole, image);
    free(section);
    return converted;
}

/* Of few CIEs each is written once, whatever order their FDEs have; of many not without limit. */
static void test_mixed(void **state) {
    enum { LARGE = 4096, FDES = 3000 };
    (void)state;
    struct image_memory few = {0}, many = {0};
    assert_int_equal(convert_mixed(3, 24, FDES, &few), FDES);
    assert_int_equal(count_cies(&few), 3);
    uint32_t converted = convert_mixed(20, LARGE, FDES, &many);
    assert_in_range(converted, 20, FDES - 1);
    assert_in_range(many.count, 20 * LARGE, 6 * (20 * LARGE + FDES * FDE));
    vec_destroy(&few);
    vec_destroy(&many);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound),
        cmocka_unit_test(test_other_encodings),
        cmocka_unit_test(test_no_cie),
        cmocka_unit_test(test_mixed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
