/* debug_sample: a small debug image for tests of what the executor does with it. */
#ifndef UNIT_DEBUG_SAMPLE_H
#define UNIT_DEBUG_SAMPLE_H

#include "batch_fixture.h"
#include "executor/debug_elf.h"
#include "executor/debuggee.h"
#include "executor/jit_interface.h"

enum { SECTIONS = 2, SYMBOLS = 3, STRINGS = 256, UNIT = 16, FRAME = 32 };

/* A small sound image; all parts are there, as link/make_debug_image.c would write them. */
struct sample {
    struct debug_image_header header;
    struct debuggee_section sections[SECTIONS];
    uint8_t elf[sizeof(Elf64_Ehdr) + (ELF_FIXED + SECTIONS) * sizeof(Elf64_Shdr)];
    char strings[STRINGS];
    Elf64_Sym null;
    Elf64_Sym symbols[SYMBOLS];
    struct debug_reference references[1];
    uint8_t info[2 * UNIT];
    uint8_t frames[2 * FRAME];
};

#define PART(part) (uint32_t) offsetof(struct sample, part)
#define TABLE(part, size)                                                                                    \
    (struct debug_table) {                                                                                   \
        PART(part), (uint32_t)(size)                                                                         \
    }

static inline void set_dwarf(struct sample *sample) {
    for (int i = 0; i < 2; i++) {
        uint8_t *unit = sample->info + i * UNIT, *frame = sample->frames + i * FRAME;
        store_u32(unit, UNIT - 4);
        unit[4] = 4;
        unit[10] = 8;
        unit[11] = 1;
        store_u32(frame, FRAME - 4);
        store_u32(frame + 4, i ? 0 : UINT32_MAX);
        store_u64(frame + 8, i ? sample->header.address : 1);
    }
    sample->references[0] = (struct debug_reference){6, DEBUG_SECTION_INFO, DEBUG_SECTION_ABBREV, 4, 0};
}

static inline void set_header(struct sample *sample, uint32_t link) {
    sample->header = (struct debug_image_header){.address = 0x10000 * (link + 1),
                                                 .extent = 0x1000,
                                                 .size = sizeof *sample,
                                                 .link = link,
                                                 .description_size = PART(null),
                                                 .segments = TABLE(sections, 0),
                                                 .sections = TABLE(sections, SECTIONS),
                                                 .entries = TABLE(elf, 0),
                                                 .actions = TABLE(elf, 0),
                                                 .elf = TABLE(elf, sizeof sample->elf),
                                                 .strings = TABLE(strings, STRINGS),
                                                 .names = TABLE(null, 0),
                                                 .symbols = TABLE(symbols, SYMBOLS),
                                                 .references = TABLE(references, 1),
                                                 .elf_sections = SECTIONS};
    for (int i = 0; i < DEBUG_SECTION_COUNT; i++)
        sample->header.dwarf[i] = TABLE(info, 0);
    sample->header.dwarf[DEBUG_SECTION_INFO] = TABLE(info, sizeof sample->info);
    sample->header.dwarf[DEBUG_SECTION_FRAME] = TABLE(frames, sizeof sample->frames);
}

static inline void set_sample(struct sample *sample, uint32_t link) {
    static const char own[] = ".text\0.data\0function";
    uint32_t first = debug_image_fixed_names_size;
    memset(sample, 0, sizeof *sample);
    set_header(sample, link);
    assert_true(first + sizeof own <= STRINGS);
    memcpy(sample->strings, debug_image_fixed_names, first);
    memcpy(sample->strings + first, own, sizeof own);
    for (uint32_t i = 0; i < SYMBOLS; i++)
        sample->symbols[i] = (Elf64_Sym){first + 12,
                                         ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
                                         0,
                                         (uint16_t)(ELF_FIXED + i % SECTIONS),
                                         sample->header.address + i,
                                         1};
    for (uint32_t i = 0; i < SECTIONS; i++)
        sample->sections[i] =
            (struct debuggee_section){sample->header.address, 0x1000, first + 6 * i, 5, 0, 0};
    set_dwarf(sample);
}

/* Entries of the JIT interface's list, all of them ELF files. */
static inline uint32_t listed(void) {
    extern struct {
        uint32_t version, action;
        struct jit_code_entry *relevant, *first;
    } __jit_debug_descriptor;
    uint32_t count = 0;
    for (const struct jit_code_entry *at = __jit_debug_descriptor.first; at; at = at->next) {
        assert_memory_equal(at->symfile, ELFMAG, SELFMAG);
        count++;
    }
    return count;
}

#endif
