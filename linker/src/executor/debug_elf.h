/* debug_elf: the ELF file that a debug image is in the end, as far as linker and executor must agree on it.
 *
 * Whatever of it is in debug_image.h, debuggers' plug-ins read as well. */
#ifndef EXECUTOR_DEBUG_ELF_H
#define EXECUTOR_DEBUG_ELF_H

#include "executor/debug_image.h"

/* Sections of the ELF file: the null one, the string tables, .symtab, DWARF, then the batch's own. */
enum {
    ELF_NULL,
    ELF_NAMES,
    ELF_STRINGS,
    ELF_SYMBOLS,
    ELF_DWARF,
    ELF_FIXED = ELF_DWARF + DEBUG_SECTION_COUNT
};

/* More would need SHN_XINDEX, which debuggers read less well. */
enum { MOST_SECTIONS = SHN_LORESERVE - 1 };

/* An image with symbols, names and DWARF of so many bytes is an ELF file by itself. */
enum { DEBUG_IMAGE_ALONE = 64 << 10 };

/* The names of the file's first sections, each NUL-terminated, the null section's, which is empty, first. */
extern const char debug_image_fixed_names[];
extern const uint32_t debug_image_fixed_names_size;

/* Bytes of the room for header and section table. */
static inline uint64_t debug_image_elf_size(uint64_t elf_sections) {
    return sizeof(Elf64_Ehdr) + (ELF_FIXED + elf_sections) * sizeof(Elf64_Shdr);
}

#endif
