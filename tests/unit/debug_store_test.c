/* Debug images: hostile bytes, merging, leaving in any order, and each failure on the way. */
#include "base/os.h"
#include "debug_sample.h"
#include "executor/debug_shelf.h"

#include <stdlib.h>

enum { MANY = 60 };

static const char *open_sample(const struct sample *sample, struct debug_image *image) {
    return debug_image_open((struct bytes){(const uint8_t *)sample, sizeof *sample}, image);
}

/* --- hostile bytes */

/* Nor does it harm where it lies. */
static void adopt_image(const struct debug_image *image) {
    struct store_image *store;
    struct store_share share;
    uint32_t count;
    const char *strings;
    assert_code(store_image_adopt(image, 1, &share, &store), JITSCOPE_SUCCESS);
    store_image_symbols(store, &share, &count, &strings);
    assert_int_equal(count, image->header->symbols.count);
    store_image_blot(store, &share);
    store_image_destroy(store);
}

/* Whatever is accepted can be stored and blotted out without harm. */
static void use_image(const struct debug_image *image) {
    struct store_image *store;
    struct store_share share;
    uint32_t count;
    const char *strings;
    assert_code(store_image_create(image, 2, 1, &store), JITSCOPE_SUCCESS);
    for (int i = 0; i < 2; i++) {
        store_share_measure(image, &share);
        assert_true(store_image_fits(store, &share));
        store_image_add(store, image, &share);
        store_image_symbols(store, &share, &count, &strings);
        assert_int_equal(count, image->header->symbols.count);
        store_image_blot(store, &share);
    }
    store_image_destroy(store);
    if (image->header->elf.count)
        adopt_image(image);
}

static void test_sound(void **state) {
    (void)state;
    struct sample sample;
    struct debug_image image;
    set_sample(&sample, 1);
    assert_null(open_sample(&sample, &image));
    use_image(&image);
}

static void test_every_byte_spoiled(void **state) {
    (void)state;
    static const uint8_t values[] = {0, 1, 7, 8, 0x7f, 0x80, 0xff};
    uint32_t refused = 0;
    for (size_t at = 0; at < sizeof(struct sample); at++)
        for (size_t i = 0; i < sizeof values; i++) {
            struct sample *sample = malloc(sizeof *sample);
            struct debug_image image;
            set_sample(sample, 1);
            ((uint8_t *)sample)[at] = values[i];
            if (open_sample(sample, &image))
                refused++;
            else
                use_image(&image);
            free(sample);
        }
    assert_true(refused > 200);
}

static void test_every_length(void **state) {
    (void)state;
    struct sample sample;
    set_sample(&sample, 1);
    for (size_t size = 0; size < sizeof sample; size++) {
        uint64_t *copy = malloc(size + 1);
        struct debug_image image;
        memcpy(copy, &sample, size);
        if (size >= sizeof sample.header)
            ((struct debug_image_header *)(void *)copy)->size = (uint32_t)size;
        assert_non_null(debug_image_open((struct bytes){(const uint8_t *)copy, size}, &image));
        free(copy);
    }
}

/* --- the store */

static const Elf64_Shdr *section_of(const struct store_image *store, const char *name) {
    const uint8_t *base = (const uint8_t *)(uintptr_t)store->public.address;
    const Elf64_Ehdr *header = (const void *)base;
    const Elf64_Shdr *sections = (const void *)(base + header->e_shoff);
    for (unsigned i = 0; i < header->e_shnum; i++)
        if (!strcmp((const char *)base + sections[header->e_shstrndx].sh_offset + sections[i].sh_name, name))
            return &sections[i];
    return NULL;
}

static void test_references_are_moved(void **state) {
    (void)state;
    struct sample samples[2];
    struct debug_image images[2];
    struct store_image *store;
    struct store_share shares[2];
    for (uint32_t i = 0; i < 2; i++) {
        set_sample(&samples[i], i + 1);
        samples[i].references[0].target = DEBUG_SECTION_INFO;
        assert_null(open_sample(&samples[i], &images[i]));
    }
    assert_code(store_image_create_for(images, 2, 1, &store), JITSCOPE_SUCCESS);
    for (int i = 0; i < 2; i++) {
        store_share_measure(&images[i], &shares[i]);
        store_image_add(store, &images[i], &shares[i]);
    }
    const Elf64_Shdr *info = section_of(store, ".debug_info");
    assert_non_null(info);
    assert_int_equal(info->sh_size, 4 * UNIT);
    const uint8_t *units = (const uint8_t *)(uintptr_t)store->public.address + info->sh_offset;
    const uint8_t *frames =
        (const uint8_t *)(uintptr_t)store->public.address + section_of(store, ".debug_frame")->sh_offset;
    assert_int_equal(load_u32(frames + FRAME + 4), 0);
    assert_int_equal(load_u32(frames + 3 * FRAME + 4), 2 * FRAME); /* without a reference */
    assert_int_equal(load_u32(units + 6), 0);
    assert_int_equal(load_u32(units + 2 * UNIT + 6), 2 * UNIT);
    assert_null(section_of(store, ".debug_types")); /* empty: not there */
    assert_int_equal(store->public.batches, 2);
    store_image_blot(store, &shares[0]);
    assert_int_equal(units[11], 0);            /* the unit has no entries any more */
    assert_int_equal(units[2 * UNIT + 11], 1); /* the other one has */
    store_image_destroy(store);
}

/* An image that is one by itself: what readers look for is all there, and none of it was moved. */
static void test_adopted_where_it_lies(void **state) {
    (void)state;
    struct sample sample;
    struct debug_image image;
    struct store_image *store;
    struct store_share share;
    set_sample(&sample, 1);
    assert_null(open_sample(&sample, &image));
    assert_code(store_image_adopt(&image, 7, &share, &store), JITSCOPE_SUCCESS);
    assert_int_equal(store->public.address, (uintptr_t)sample.elf);
    assert_int_equal(store->public.size, sizeof sample - PART(elf));
    assert_int_equal(store->public.number, 7);
    assert_int_equal(store->public.batches, 1);
    const Elf64_Ehdr *elf = (const void *)sample.elf;
    assert_memory_equal(elf->e_ident, ELFMAG, SELFMAG);
    assert_int_equal(elf->e_shnum, ELF_FIXED + SECTIONS);
    const Elf64_Shdr *symbols = section_of(store, ".symtab"), *frames = section_of(store, ".debug_frame"),
                     *data = section_of(store, ".data");
    assert_int_equal(symbols->sh_size, (SYMBOLS + 1) * sizeof(Elf64_Sym));
    assert_ptr_equal(sample.elf + symbols->sh_offset, &sample.null);
    assert_ptr_equal(sample.elf + frames->sh_offset, sample.frames);
    assert_int_equal(load_u32(sample.frames + FRAME + 4), 0);
    assert_int_equal(data->sh_addr, sample.header.address);
    assert_ptr_equal(data, section_of(store, ".text") + 1);
    assert_int_equal(data - (const Elf64_Shdr *)(const void *)(sample.elf + elf->e_shoff),
                     sample.symbols[1].st_shndx);
    assert_null(section_of(store, ".debug_types"));
    store_image_destroy(store);
}

/* --- the shelf */

struct shop {
    struct debug_shelf shelf;
    struct sample samples[MANY];
    struct shelved_batch batches[MANY];
    uint32_t numbers[MANY];
    bool there[MANY];
    uint32_t count;
};

static void open_shop(struct shop *shop) {
    memset(shop, 0, sizeof *shop);
    for (uint32_t i = 0; i < MANY; i++) {
        set_sample(&shop->samples[i], i + 1);
        assert_null(open_sample(&shop->samples[i], &shop->batches[i].image));
        shop->batches[i].number = &shop->numbers[i];
        shop->batches[i].alone = i % 5 == 3;
    }
}

static struct jitscope_error *add(struct shop *shop, uint32_t i, enum debug_listing how) {
    struct shelved_batch *const batch = &shop->batches[i];
    uint32_t taken;
    struct jitscope_error *error = how == LISTING_ANNOUNCED
                                       ? debug_shelf_announce(&shop->shelf, &batch, 1, &taken)
                                       : debug_shelf_add_open(&shop->shelf, &shop->batches[i], how);
    shop->there[i] = !error;
    shop->count += !error;
    return error;
}

static void take_out(struct shop *shop, uint32_t i) {
    debug_shelf_remove(&shop->shelf, &shop->batches[i]);
    shop->there[i] = false;
    shop->count--;
}

/* Each batch that is there has its symbols in the image that it is said to be in; no image holds more. */
static void check_shop(const struct shop *shop) {
    uint32_t held = 0;
    for (uint32_t i = 0; i < MANY; i++) {
        uint32_t count;
        const char *strings;
        if (!shop->there[i])
            continue;
        const struct store_image *store = shop->batches[i].home->store;
        const Elf64_Sym *symbols = store_image_symbols(store, &shop->batches[i].share, &count, &strings);
        assert_int_equal(count, SYMBOLS);
        assert_int_equal(symbols[0].st_value, shop->samples[i].header.address);
        assert_string_equal(strings + symbols[0].st_name, "function");
        assert_int_equal(store->public.number, shop->numbers[i]);
    }
    for (const struct shelved_image *at = shop->shelf.newest; at; at = at->older)
        held += at->store->public.batches;
    assert_int_equal(held, shop->count);
}

static void close_shop(struct shop *shop) {
    for (uint32_t i = 0; i < MANY; i++)
        if (shop->there[i])
            take_out(shop, i);
    debug_shelf_trim(&shop->shelf);
    assert_int_equal(shop->shelf.count, 0);
    assert_int_equal(listed(), 0);
}

static void test_few_images(void **state) {
    (void)state;
    static struct shop shop;
    open_shop(&shop);
    for (uint32_t i = 0; i < MANY; i++) {
        assert_code(add(&shop, i, LISTING_ANNOUNCED), JITSCOPE_SUCCESS);
        assert_true(shop.shelf.count <= 9); /* 3 of each rank: 60 is less than 4 * 4 * 4 */
        assert_int_equal(listed(), shop.shelf.count);
    }
    check_shop(&shop);
    close_shop(&shop);
}

static void test_leaving_in_any_order(void **state) {
    (void)state;
    static struct shop shop;
    static const enum debug_listing ways[] = {LISTING_ANNOUNCED, LISTING_LISTED, LISTING_UNLISTED};
    for (unsigned seed = 1; seed < 40; seed++) {
        uint32_t random = seed * 2654435761u;
        open_shop(&shop);
        for (int step = 0; step < 300; step++) {
            random = random * 1664525 + 1013904223;
            uint32_t i = (random >> 8) % MANY;
            if (shop.there[i])
                take_out(&shop, i);
            else
                assert_code(add(&shop, i, ways[(random >> 24) % (1 + seed % 3)]), JITSCOPE_SUCCESS);
            check_shop(&shop);
        }
        close_shop(&shop);
    }
}

/* The Nth call fails: nothing has changed, and a second try works. */
static void test_failures(void **state) {
    (void)state;
    static struct shop shop;
    for (int how = LISTING_ANNOUNCED; how <= LISTING_UNLISTED; how++)
        for (uint64_t n = 1, failed = 1; failed; n++) {
            open_shop(&shop);
            failed = 0;
            for (uint32_t i = 0; i < 20; i++) {
                uint32_t before = listed();
                os_fail_after(n, false);
                struct jitscope_error *error = add(&shop, i, (enum debug_listing)how);
                os_fail_after(0, false);
                if (error) {
                    failed++;
                    assert_int_equal(listed(), before);
                    assert_code(error, JITSCOPE_ERROR_NO_MEMORY);
                    check_shop(&shop);
                    assert_code(add(&shop, i, (enum debug_listing)how), JITSCOPE_SUCCESS);
                }
                check_shop(&shop);
            }
            close_shop(&shop);
        }
}

static void test_leaving_without_memory(void **state) {
    (void)state;
    static struct shop shop;
    for (uint64_t n = 1; n < 12; n++) {
        open_shop(&shop);
        for (uint32_t i = 0; i < MANY; i++)
            assert_code(add(&shop, i, LISTING_ANNOUNCED), JITSCOPE_SUCCESS);
        for (uint32_t i = 0; i < MANY; i += 3) {
            os_fail_after(n, true);
            take_out(&shop, i);
            os_fail_after(0, false);
            check_shop(&shop);
        }
        close_shop(&shop);
    }
}

/* COUNT batches from FIRST on, all in one image. */
static struct jitscope_error *add_list(struct shop *shop, uint32_t first, uint32_t count) {
    struct shelved_batch *list[MANY] = {NULL};
    uint32_t taken;
    for (uint32_t i = 0; i < count; i++)
        list[i] = &shop->batches[first + i];
    struct jitscope_error *error = debug_shelf_announce(&shop->shelf, list, count, &taken);
    if (error)
        return error;
    assert_int_equal(taken, count);
    for (uint32_t i = 0; i < count; i++) {
        assert_ptr_equal(list[i]->home, list[0]->home);
        shop->there[first + i] = true;
    }
    shop->count += count;
    return NULL;
}

static void test_lists(void **state) {
    (void)state;
    static struct shop shop;
    for (uint32_t size = 1; size <= MANY; size++) {
        open_shop(&shop);
        for (uint32_t i = 0; i < MANY; i += size) {
            assert_code(add_list(&shop, i, size < MANY - i ? size : MANY - i), JITSCOPE_SUCCESS);
            assert_true(shop.shelf.count <= 9);
            assert_int_equal(listed(), shop.shelf.count);
            check_shop(&shop);
        }
        close_shop(&shop);
    }
}

/* Small images go into the large one that comes behind them. */
static void test_small_before_large(void **state) {
    (void)state;
    static struct shop shop;
    open_shop(&shop);
    for (uint32_t i = 0; i < 11; i++)
        assert_code(add(&shop, i, LISTING_ANNOUNCED), JITSCOPE_SUCCESS);
    assert_int_equal(shop.shelf.count, 5); /* 4, 4, 1, 1, 1 */
    assert_code(add_list(&shop, 11, 20), JITSCOPE_SUCCESS);
    assert_int_equal(shop.shelf.count, 1);
    check_shop(&shop);
    assert_code(add(&shop, 31, LISTING_ANNOUNCED), JITSCOPE_SUCCESS);
    assert_int_equal(shop.shelf.count, 2);
    close_shop(&shop);
}

static void test_failures_of_lists(void **state) {
    (void)state;
    static struct shop shop;
    for (uint64_t n = 1, failed = 1; failed; n++) {
        open_shop(&shop);
        failed = 0;
        for (uint32_t i = 0; i < MANY; i += 10) {
            uint32_t before = listed();
            os_fail_after(n, false);
            struct jitscope_error *error = i % 20 ? add_list(&shop, i, 10) : add(&shop, i, LISTING_ANNOUNCED);
            os_fail_after(0, false);
            if (error) {
                failed++;
                assert_int_equal(listed(), before);
                assert_code(error, JITSCOPE_ERROR_NO_MEMORY);
                check_shop(&shop);
                assert_code(add_list(&shop, i, 10), JITSCOPE_SUCCESS);
            }
            check_shop(&shop);
        }
        close_shop(&shop);
    }
}

static bool always(const struct shelved_batch *batch, const void *context) {
    return batch && !context;
}

/* More than an image of several batches is to hold: they become several images, and those are not merged. */
static void test_long_list(void **state) {
    (void)state;
    enum { COUNT = 10000, LEFT = 4096 / SECTIONS };
    static struct sample samples[COUNT];
    static struct shelved_batch batches[COUNT];
    static struct shelved_batch *list[COUNT];
    static uint32_t numbers[COUNT];
    struct debug_shelf shelf = {0};
    for (uint32_t i = 0; i < COUNT; i++) {
        set_sample(&samples[i], i + 1);
        assert_null(open_sample(&samples[i], &batches[i].image));
        batches[i].number = &numbers[i];
        list[i] = &batches[i];
    }
    for (uint32_t done = 0, taken; done < COUNT; done += taken) {
        assert_code(debug_shelf_announce(&shelf, list + done, COUNT - done, &taken), JITSCOPE_SUCCESS);
        assert_int_equal(taken, COUNT - done < LEFT ? COUNT - done : LEFT);
    }
    assert_int_equal(shelf.count, (COUNT + LEFT - 1) / LEFT);
    for (uint32_t i = 0; i < COUNT; i++)
        assert_int_equal(numbers[i], i / LEFT + 1);
    for (uint32_t i = 0; i < COUNT; i += LEFT / 2)
        debug_shelf_remove(&shelf, list[i]);
    assert_int_equal(shelf.count, (COUNT + LEFT - 1) / LEFT);
    debug_shelf_withdraw(&shelf, always, NULL); /* else each removal makes one of them anew */
    for (uint32_t i = 0; i < COUNT; i++)
        if (i % (LEFT / 2))
            debug_shelf_remove(&shelf, list[i]);
    assert_int_equal(shelf.count, 0);
}

/* Ten thousand sections each: not all of them can be one ELF file. */
static void test_many_sections(void **state) {
    (void)state;
    enum { COUNT = 10000 };
    static struct shop shop;
    open_shop(&shop);
    size_t extra = COUNT * sizeof(struct debuggee_section);
    uint32_t texts = STRINGS;
    uint8_t *bytes[MANY];
    for (uint32_t i = 0; i < MANY; i++) {
        struct sample *sample = malloc(sizeof *sample + extra);
        bytes[i] = (uint8_t *)sample;
        memset(sample, 0, sizeof *sample + extra);
        set_sample(sample, i + 1);
        /* The sections move behind all the rest: an image whose tables are only its sections. */
        uint32_t strings = (uint32_t)(sizeof sample->header + extra);
        memcpy(bytes[i] + strings, shop.samples[i].strings, sizeof sample->strings);
        struct debug_table none = {strings + texts, 0};
        sample->header.size = strings + texts;
        sample->header.description_size = strings + texts;
        sample->header.elf_sections = COUNT;
        sample->header.elf = (struct debug_table){strings, 0};
        sample->header.sections = (struct debug_table){sizeof sample->header, COUNT};
        sample->header.segments = (struct debug_table){sizeof sample->header, 0};
        sample->header.entries = sample->header.actions = (struct debug_table){strings, 0};
        sample->header.strings = (struct debug_table){strings, texts};
        sample->header.names = sample->header.symbols = sample->header.references = none;
        for (int j = 0; j < DEBUG_SECTION_COUNT; j++)
            sample->header.dwarf[j] = none;
        memset(bytes[i] + sizeof sample->header, 0, extra);
        assert_null(debug_image_open((struct bytes){bytes[i], sample->header.size}, &shop.batches[i].image));
        shop.batches[i].alone = false;
        assert_code(add(&shop, i, LISTING_ANNOUNCED), JITSCOPE_SUCCESS);
        const Elf64_Ehdr *elf = (const void *)(uintptr_t)shop.batches[i].home->store->public.address;
        assert_true(elf->e_shnum > COUNT);
        assert_int_equal(elf->e_shnum, shop.batches[i].home->store->used[PART_SECTIONS] / sizeof(Elf64_Shdr));
    }
    close_shop(&shop);
    for (uint32_t i = 0; i < MANY; i++)
        free(bytes[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound),
        cmocka_unit_test(test_every_byte_spoiled),
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_references_are_moved),
        cmocka_unit_test(test_adopted_where_it_lies),
        cmocka_unit_test(test_few_images),
        cmocka_unit_test(test_leaving_in_any_order),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_leaving_without_memory),
        cmocka_unit_test(test_many_sections),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_long_list),
        cmocka_unit_test(test_small_before_large),
        cmocka_unit_test(test_failures_of_lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
