/* Executables that are made for one link: what is in them, and what happens without memory for them. */
#include "base/bytes.h"
#include "executor/launcher.h"

#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_fine(struct jitscope_error *error) {
    if (error)
        fail_msg("%s", jitscope_error_message(error));
}

static void add_object(struct launcher *launcher, uint32_t library, uint64_t size, uint64_t alignment,
                       bool read_only) {
    assert_fine(vec_push(&launcher->objects, (struct launcher_object){library, launcher->names.count, size,
                                                                      alignment, read_only}));
}

static void add_name(struct launcher *launcher, const char *name, const char *version) {
    assert_fine(vec_push(&launcher->names,
                         (struct launcher_name){launcher->objects.count - 1, name, version, false}));
}

/* Two libraries, of which one has versions; an object of 3 bytes between others; one with two names. */
static struct launcher make(void) {
    struct launcher launcher = {0};
    assert_fine(vec_push(&launcher.libraries, "/lib/liba.so"));
    assert_fine(vec_push(&launcher.libraries, "./libb.so"));
    add_object(&launcher, 0, 3, 1, false);
    add_name(&launcher, "three", "V1");
    add_object(&launcher, 0, 8, 64, false);
    add_name(&launcher, "eight", "V2");
    add_name(&launcher, "other_eight", "V1");
    add_object(&launcher, 1, 5000, 4096, true);
    add_name(&launcher, "constant", NULL);
    return launcher;
}

struct made {
    uint8_t *file;
    uint64_t size;
    struct bytes bytes;
    Elf64_Ehdr header;
};

static struct made write_it(const struct launcher *launcher) {
    struct made made;
    assert_fine(launcher_write(launcher, "/x/jitscope-executor.so", &made.file, &made.size));
    made.bytes = (struct bytes){made.file, made.size};
    memcpy(&made.header, made.file, sizeof made.header);
    return made;
}

static Elf64_Shdr section_of(const struct made *made, uint32_t type) {
    Elf64_Shdr section;
    for (uint32_t i = 0; i < made->header.e_shnum; i++) {
        memcpy(&section, made->file + made->header.e_shoff + i * sizeof section, sizeof section);
        if (section.sh_type == type)
            return section;
    }
    fail_msg("no section of type %u", type);
    return section;
}

static uint32_t hash_of(const char *name) {
    uint32_t hash = 0;
    for (; *name; name++) {
        hash = (hash << 4) + (unsigned char)*name;
        hash = (hash ^ (hash >> 24 & 0xf0)) & 0x0fffffff;
    }
    return hash;
}

/* As a loader would: by the hash table.  *VERSION is its number. */
static Elf64_Sym find(const struct made *made, const char *name, uint16_t *version) {
    Elf64_Shdr hash = section_of(made, SHT_HASH), symbols = section_of(made, SHT_DYNSYM),
               strings = section_of(made, SHT_STRTAB), versions = section_of(made, SHT_GNU_versym);
    const uint8_t *table = made->file + hash.sh_offset;
    uint32_t buckets = load_u32(table);
    Elf64_Sym symbol;
    for (uint32_t i = load_u32(table + 8 + 4 * (hash_of(name) % buckets)); i;
         i = load_u32(table + 8 + 4 * (buckets + i))) {
        memcpy(&symbol, made->file + symbols.sh_offset + i * sizeof symbol, sizeof symbol);
        *version = load_u16(made->file + versions.sh_offset + 2 * (uint64_t)i);
        if (!strcmp((const char *)made->file + strings.sh_offset + symbol.st_name, name))
            return symbol;
    }
    fail_msg("%s is not found", name);
    return symbol;
}

static void names_are_found(void **unused) {
    (void)unused;
    struct launcher launcher = make();
    struct made made = write_it(&launcher);
    uint16_t versions[4];
    Elf64_Sym three = find(&made, "three", &versions[0]), eight = find(&made, "eight", &versions[1]),
              other = find(&made, "other_eight", &versions[2]),
              constant = find(&made, "constant", &versions[3]);
    assert_int_equal(three.st_size, 3);
    assert_int_equal(eight.st_size, 8);
    assert_int_equal(eight.st_value, other.st_value);
    assert_int_equal(eight.st_value % 64, 0);
    assert_true(eight.st_value >= three.st_value + 3);
    assert_int_equal(constant.st_value % 4096, 0);
    assert_int_equal(versions[0], versions[2]);
    assert_int_not_equal(versions[0], versions[1]);
    assert_true(versions[0] > VER_NDX_GLOBAL && versions[1] > VER_NDX_GLOBAL);
    assert_int_equal(versions[3], VER_NDX_GLOBAL);
    os_release(made.file);
    launcher_destroy(&launcher);
}

/* One record for the one library that has versions, with two of them. */
static void versions_are_needed(void **unused) {
    (void)unused;
    struct launcher launcher = make();
    struct made made = write_it(&launcher);
    Elf64_Shdr section = section_of(&made, SHT_GNU_verneed), strings = section_of(&made, SHT_STRTAB);
    Elf64_Verneed need;
    Elf64_Vernaux entry[2];
    memcpy(&need, made.file + section.sh_offset, sizeof need);
    memcpy(entry, made.file + section.sh_offset + need.vn_aux, sizeof entry);
    const char *names = (const char *)made.file + strings.sh_offset;
    assert_int_equal(section.sh_info, 1);
    assert_int_equal(section.sh_size, sizeof need + sizeof entry);
    assert_int_equal(need.vn_cnt, 2);
    assert_int_equal(need.vn_next, 0);
    assert_string_equal(names + need.vn_file, "/lib/liba.so");
    assert_string_equal(names + entry[0].vna_name, "V1");
    assert_string_equal(names + entry[1].vna_name, "V2");
    assert_int_equal(entry[0].vna_next, sizeof *entry);
    assert_int_equal(entry[1].vna_next, 0);
    assert_int_equal(entry[1].vna_hash, hash_of("V2"));
    os_release(made.file);
    launcher_destroy(&launcher);
}

/* Segments hold the sections that belong there, and nothing is writable and executable. */
static void segments_hold_what_they_should(void **unused) {
    (void)unused;
    struct launcher launcher = make();
    struct made made = write_it(&launcher);
    uint64_t constant_end = 0, relro_end = 0, end = 0;
    uint16_t version;
    Elf64_Sym constant = find(&made, "constant", &version), three = find(&made, "three", &version);
    constant_end = constant.st_value + constant.st_size;
    for (uint32_t i = 0; i < made.header.e_phnum; i++) {
        Elf64_Phdr segment;
        memcpy(&segment, made.file + made.header.e_phoff + i * sizeof segment, sizeof segment);
        assert_false(segment.p_flags & PF_W && segment.p_flags & PF_X);
        assert_true(bytes_contain(made.bytes, segment.p_offset, segment.p_filesz));
        if (segment.p_type == PT_LOAD)
            assert_int_equal(segment.p_vaddr % 4096, segment.p_offset % 4096);
        if (segment.p_type == PT_LOAD)
            end = segment.p_vaddr + segment.p_memsz;
        if (segment.p_type == PT_GNU_RELRO)
            relro_end = segment.p_vaddr + segment.p_memsz;
    }
    assert_true(constant_end <= relro_end && relro_end % 4096 == 0);
    assert_true(three.st_value >= relro_end && three.st_value + 3 <= end);
    os_release(made.file);
    launcher_destroy(&launcher);
}

static void there_is_a_limit(void **unused) {
    (void)unused;
    uint64_t sizes[][2] = {
        {LAUNCHER_MOST + 1, 1}, {UINT64_MAX, 1}, {LAUNCHER_MOST, 1}, {LAUNCHER_MOST - 8, 9}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct launcher launcher = {0};
        uint8_t *file = NULL;
        uint64_t size;
        assert_fine(vec_push(&launcher.libraries, "./a.so"));
        for (int n = 0; n < 2; n++) {
            add_object(&launcher, 0, sizes[i][n], 8, false);
            add_name(&launcher, n ? "b" : "a", NULL);
        }
        struct jitscope_error *error = launcher_write(&launcher, "/e.so", &file, &size);
        assert_int_equal(jitscope_error_code(error), JITSCOPE_ERROR_ADDRESS_SPACE);
        assert_null(file);
        jitscope_error_destroy(error);
        launcher_destroy(&launcher);
    }
}

static void without_memory_nothing_is_left(void **unused) {
    (void)unused;
    struct launcher launcher = make();
    uint64_t failed = 0;
    for (bool done = false; !done; failed++) {
        uint8_t *file = NULL;
        uint64_t size;
        int64_t live = os_live_allocations();
        os_fail_after(failed + 1, false);
        struct jitscope_error *error = launcher_write(&launcher, "/e.so", &file, &size);
        os_fail_after(0, false);
        done = !error;
        if (!done)
            assert_int_equal(jitscope_error_code(error), JITSCOPE_ERROR_NO_MEMORY);
        jitscope_error_destroy(error);
        os_release(file);
        assert_int_equal(os_live_allocations(), live);
    }
    assert_true(failed > 10);
    launcher_destroy(&launcher);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_found),
        cmocka_unit_test(versions_are_needed),
        cmocka_unit_test(segments_hold_what_they_should),
        cmocka_unit_test(there_is_a_limit),
        cmocka_unit_test(without_memory_nothing_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
