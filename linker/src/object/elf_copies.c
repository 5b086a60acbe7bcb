/* Copies of a shared library's objects, as code compiled for a position-dependent executable wants them.
 *
 * What is peculiar: the file does not say how an object is aligned, but where it lies does; the library's own
 * references go by any of the object's names (libc's stdio by `stdout`, its start-up by `__environ`, programs
 * by `environ`), so a copy that does not have them all is not the object; and a library that is told to find
 * a name in itself (STV_PROTECTED) never looks at a copy. */
#include "object/elf_copies.h"

#include <elf.h>
#include <inttypes.h>

enum { MOST_ALIGNMENT = 4096 };

static bool segment_at(const struct elf_shared *library, uint32_t index, Elf64_Phdr *segment) {
    Elf64_Ehdr header;
    uint64_t offset;
    memcpy(&header, library->file.data, sizeof header); /* elf_shared_open() has seen that it is there */
    if (index >= header.e_phnum ||
        __builtin_add_overflow(header.e_phoff, index * (uint64_t)sizeof *segment, &offset))
        return false;
    struct bytes bytes = bytes_slice(library->file, offset, sizeof *segment);
    if (bytes.data)
        memcpy(segment, bytes.data, sizeof *segment);
    return bytes.data;
}

static bool is_read_only(const struct elf_shared *library, uint64_t value) {
    Elf64_Phdr segment;
    for (uint32_t i = 0; segment_at(library, i, &segment); i++) {
        bool inside = value >= segment.p_vaddr && value - segment.p_vaddr < segment.p_memsz;
        if (inside &&
            (segment.p_type == PT_GNU_RELRO || (segment.p_type == PT_LOAD && !(segment.p_flags & PF_W))))
            return true;
    }
    return false;
}

static uint64_t alignment_of(uint64_t value) {
    uint64_t lowest = value & -value;
    return !lowest || lowest > MOST_ALIGNMENT ? MOST_ALIGNMENT : lowest;
}

/* Whether entry INDEX of the symbol table is data that other libraries can see. */
static bool exported_data_at(const struct elf_shared *library, uint64_t index, Elf64_Sym *symbol) {
    if (!bytes_contain(library->symbols, index * sizeof *symbol, sizeof *symbol))
        return false;
    memcpy(symbol, library->symbols.data + index * sizeof *symbol, sizeof *symbol);
    unsigned type = ELF64_ST_TYPE(symbol->st_info), bind = ELF64_ST_BIND(symbol->st_info);
    return symbol->st_shndx != SHN_UNDEF && symbol->st_shndx != SHN_ABS && bind != STB_LOCAL &&
           (type == STT_OBJECT || type == STT_NOTYPE || type == STT_COMMON);
}

static bool is_protected(const struct elf_shared *library, uint64_t value) {
    Elf64_Sym symbol;
    for (uint64_t i = 1; i < library->symbols.size / sizeof symbol; i++)
        if (exported_data_at(library, i, &symbol) && symbol.st_value == value &&
            ELF64_ST_VISIBILITY(symbol.st_other) == STV_PROTECTED)
            return true;
    return false;
}

struct jitscope_error *elf_copy_find(const struct elf_shared *library, const char *name,
                                     struct elf_copy *copy) {
    struct elf_shared_symbol symbol;
    if (!elf_shared_find(library, name, &symbol) || !symbol.size)
        return error_create(JITSCOPE_ERROR_UNSUPPORTED,
                            "the library does not say how many bytes it has, so there is no copy of it");
    if (is_protected(library, symbol.value))
        return error_create(JITSCOPE_ERROR_UNSUPPORTED,
                            "the library protects it, and would not look at a copy of it");
    *copy = (struct elf_copy){.value = symbol.value,
                              .size = symbol.size,
                              .alignment = alignment_of(symbol.value),
                              .read_only = is_read_only(library, symbol.value)};
    return NULL;
}

struct jitscope_error *elf_copy_each_name(const struct elf_shared *library, const struct elf_copy *copy,
                                          struct jitscope_error *(*function)(void *context, const char *name,
                                                                             const char *version, bool weak),
                                          void *context) {
    Elf64_Sym symbol;
    size_t length;
    for (uint64_t i = 1; i < library->symbols.size / sizeof symbol; i++) {
        if (!exported_data_at(library, i, &symbol) || symbol.st_value != copy->value)
            continue;
        const char *name = bytes_string(library->strings, symbol.st_name, &length);
        if (name && length)
            TRY(function(context, name, elf_shared_version_at(library, i),
                         ELF64_ST_BIND(symbol.st_info) == STB_WEAK));
    }
    return NULL;
}
