/* The DWARF of one object, in a process where its code has addresses. */
#include "fuzz_common.h"

#include "object/elf_debug.h"
#include "object/elf_reader.h"

static uint64_t find(const void *context, const char *name, size_t length) {
    (void)context;
    FUZZ_HOLDS(strlen(name) == length);
    return length % 2 ? 0x2000 : 0;
}

static void check_references(const struct debug_sections *sections) {
    for (uint32_t i = 0; i < sections->references.count; i++) {
        const struct debug_reference *reference = &sections->references.data[i];
        FUZZ_HOLDS(reference->section < DEBUG_SECTION_COUNT && reference->target < DEBUG_SECTION_COUNT);
        FUZZ_HOLDS((uint64_t)reference->offset + reference->width <=
                   sections->bytes[reference->section].count);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint64_t addresses[] = {NOT_IN_MEMORY, 0x1000, NOT_IN_MEMORY, 0x3000, 0x7fff00001000};
    struct elf_debug_places places = {
        .sections = addresses, .count = sizeof addresses / sizeof *addresses, .find = find};
    struct debug_sections sections = {0};
    for (int i = 0; i < 2; i++) { /* the second copy lies behind the first */
        struct elf_reader reader = {0};
        struct jitscope_error *error = elf_open_object((struct bytes){data, size}, &reader);
        fuzz_expect_message(error ? error : elf_read_debug(&reader, &places, &sections));
        check_references(&sections);
    }
    debug_sections_clear(&sections);
    debug_sections_destroy(&sections);
    return 0;
}
