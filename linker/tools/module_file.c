/* Section headers lead to symbols, program headers to addresses (gABI, chapters 4 and 5). */
#include "module_file.h"

#include <string.h>

static bool read_header(struct bytes file, Elf64_Ehdr *header) {
    if (!bytes_contain(file, 0, sizeof *header))
        return false;
    memcpy(header, file.data, sizeof *header);
    return memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 && header->e_ident[EI_CLASS] == ELFCLASS64;
}

static bool section_at(struct bytes file, const Elf64_Ehdr *header, uint32_t index, Elf64_Shdr *section) {
    uint64_t offset = header->e_shoff + (uint64_t)index * sizeof *section;
    if (index >= header->e_shnum || offset < header->e_shoff || !bytes_contain(file, offset, sizeof *section))
        return false;
    memcpy(section, file.data + offset, sizeof *section);
    return true;
}

static bool each_in_table(struct bytes file, const Elf64_Ehdr *header, const Elf64_Shdr *table,
                          module_symbol_function function, void *context) {
    Elf64_Shdr strings;
    struct bytes symbols = bytes_slice(file, table->sh_offset, table->sh_size);
    if (!symbols.data || !section_at(file, header, table->sh_link, &strings))
        return true;
    struct bytes names = bytes_slice(file, strings.sh_offset, strings.sh_size);
    for (uint64_t at = 0; symbols.size - at >= sizeof(Elf64_Sym); at += sizeof(Elf64_Sym)) {
        Elf64_Sym symbol;
        size_t length;
        memcpy(&symbol, symbols.data + at, sizeof symbol);
        const char *name = symbol.st_shndx != SHN_UNDEF ? bytes_string(names, symbol.st_name, &length) : NULL;
        if (name && !function(context, &symbol, name))
            return false;
    }
    return true;
}

void module_file_each_symbol(struct bytes file, module_symbol_function function, void *context) {
    Elf64_Ehdr header;
    Elf64_Shdr section;
    if (!read_header(file, &header))
        return;
    bool seen[SHT_DYNSYM + 1] = {false}; /* a file has one of each (gABI, sh_type) */
    for (uint32_t i = 0; section_at(file, &header, i, &section); i++) {
        if ((section.sh_type != SHT_SYMTAB && section.sh_type != SHT_DYNSYM) || seen[section.sh_type])
            continue;
        seen[section.sh_type] = true;
        if (!each_in_table(file, &header, &section, function, context))
            return;
    }
}

uint64_t module_file_address(struct bytes file, uint64_t offset) {
    Elf64_Ehdr header;
    if (!read_header(file, &header))
        return offset;
    for (uint32_t i = 0; i < header.e_phnum; i++) {
        Elf64_Phdr segment;
        uint64_t at = header.e_phoff + (uint64_t)i * sizeof segment;
        if (at < header.e_phoff || !bytes_contain(file, at, sizeof segment))
            break;
        memcpy(&segment, file.data + at, sizeof segment);
        uint64_t start = segment.p_offset & ~(uint64_t)4095;
        if (segment.p_type == PT_LOAD && offset >= start && offset < segment.p_offset + segment.p_filesz)
            return segment.p_vaddr - segment.p_offset + offset;
    }
    return offset;
}
