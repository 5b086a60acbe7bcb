/* ELF relocatable objects (gABI chapter 4; x86-64 psABI chapter 4).
 *
 * What is peculiar: a file is a bag of tables that point at each other by index, and every index, offset and
 * size is the input's word.  So each table is checked once, against the file's size, when it is opened; after
 * that its entries are read by index.  Files inside archives are aligned to two bytes only: entries are
 * copied out, never pointed at. */
#include "object/elf_reader.h"

#include <stdarg.h>
#include <stdio.h>

/* --- errors
 * -------------------------------------------------------------------------------------------------------- */

const char *elf_reader_section_name(const struct elf_reader *reader, uint32_t index) {
    size_t length;
    const char *name = index < reader->section_count
                           ? bytes_string(reader->section_names, elf_section(reader, index).sh_name, &length)
                           : NULL;
    return name ? name : "?";
}

const char *elf_reader_symbol_name(const struct elf_reader *reader, uint32_t index) {
    size_t length;
    if (index >= reader->symbol_count)
        return "?";
    Elf64_Sym symbol = elf_symbol(reader, index);
    if (ELF64_ST_TYPE(symbol.st_info) == STT_SECTION)
        return elf_reader_section_name(reader, elf_reader_symbol_section(reader, index));
    const char *name = bytes_string(reader->symbol_names, symbol.st_name, &length);
    return name ? name : "?";
}

struct jitscope_error *elf_error(const struct elf_reader *reader, enum jitscope_error_code code,
                                 uint32_t section, uint64_t offset, uint32_t symbol, const char *format,
                                 ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    struct coordinates where = {.section = section ? elf_reader_section_name(reader, section) : NULL,
                                .offset = offset,
                                .symbol = symbol ? elf_reader_symbol_name(reader, symbol) : NULL};
    return error_at(code, &where, "%s", text);
}

/* --- opening
 * ------------------------------------------------------------------------------------------------------- */

static struct jitscope_error *not_an_object(struct bytes file) {
    static const char bitcode[] = {'B', 'C', (char)0xc0, (char)0xde};
    if (!file.size)
        return error_create(JITSCOPE_ERROR_FORMAT, "the file is empty");
    if (file.size >= 4 && !memcmp(file.data, bitcode, 4))
        return error_with_help(error_create(JITSCOPE_ERROR_UNSUPPORTED, "LLVM bitcode, not machine code"),
                               "compile without -flto, or with -ffat-lto-objects");
    return error_with_help(
        error_create(JITSCOPE_ERROR_FORMAT, "neither an ELF file nor an archive nor an ld script"),
        "inputs are .o, .a and .so files and linker scripts");
}

static struct jitscope_error *check_type(const Elf64_Ehdr *header) {
    if (header->e_type == ET_EXEC || header->e_type == ET_DYN)
        return error_with_help(
            error_create(JITSCOPE_ERROR_UNSUPPORTED, "an executable, not a relocatable object"),
            "give the .o files it was linked from");
    if (header->e_type != ET_REL)
        return error_create(JITSCOPE_ERROR_UNSUPPORTED,
                            "ELF type %u: only relocatable objects (1) can be linked", header->e_type);
    return NULL;
}

static struct jitscope_error *check_header(struct bytes file, Elf64_Ehdr *header) {
    if (file.size < SELFMAG || memcmp(file.data, ELFMAG, SELFMAG) != 0)
        return not_an_object(file);
    if (file.size < sizeof *header)
        return error_create(JITSCOPE_ERROR_TRUNCATED,
                            "the file ends inside its ELF header (%llu of %zu bytes)",
                            (unsigned long long)file.size, sizeof *header);
    memcpy(header, file.data, sizeof *header);
    if (header->e_ident[EI_CLASS] != ELFCLASS64)
        return error_with_help(
            error_create(JITSCOPE_ERROR_UNSUPPORTED, "a 32-bit ELF file; x86-64 objects are 64-bit"),
            "compile without -m32 and -mx32");
    if (header->e_ident[EI_DATA] != ELFDATA2LSB)
        return error_create(JITSCOPE_ERROR_UNSUPPORTED, "a big-endian ELF file; x86-64 is little-endian");
    if (header->e_machine != EM_X86_64)
        return error_create(JITSCOPE_ERROR_UNSUPPORTED, "ELF machine %u: only x86-64 (62) is supported",
                            header->e_machine);
    return check_type(header);
}

static struct jitscope_error *truncated(const struct elf_reader *reader, uint32_t section, const char *what,
                                        uint64_t offset, uint64_t size) {
    return elf_error(reader, JITSCOPE_ERROR_TRUNCATED, section, NO_OFFSET, 0,
                     "%s at file offset 0x%llx with 0x%llx bytes lies outside the file of 0x%llx bytes", what,
                     (unsigned long long)offset, (unsigned long long)size,
                     (unsigned long long)reader->file.size);
}

/* Large counts stand in section 0 (gABI chapter 4, "Section Header", e_shnum and e_shstrndx). */
static struct jitscope_error *open_sections(struct elf_reader *reader, const Elf64_Ehdr *header) {
    if (!header->e_shoff)
        return error_create(JITSCOPE_ERROR_FORMAT, "an object without a section table");
    if (header->e_shentsize != sizeof(Elf64_Shdr))
        return error_create(JITSCOPE_ERROR_FORMAT, "section headers of %u bytes, not %zu",
                            header->e_shentsize, sizeof(Elf64_Shdr));
    if (!bytes_contain(reader->file, header->e_shoff, sizeof(Elf64_Shdr)))
        return truncated(reader, 0, "the section table", header->e_shoff, sizeof(Elf64_Shdr));
    reader->sections = reader->file.data + header->e_shoff;
    Elf64_Shdr zero = elf_section(reader, 0);
    uint64_t count = header->e_shnum ? header->e_shnum : zero.sh_size;
    if (count > (reader->file.size - header->e_shoff) / sizeof(Elf64_Shdr))
        return error_create(
            JITSCOPE_ERROR_TRUNCATED,
            "the section table at file offset 0x%llx with %llu entries lies outside the file of 0x%llx bytes",
            (unsigned long long)header->e_shoff, (unsigned long long)count,
            (unsigned long long)reader->file.size);
    uint32_t names = header->e_shstrndx == SHN_XINDEX ? zero.sh_link : header->e_shstrndx;
    if (names >= count)
        return error_create(JITSCOPE_ERROR_FORMAT, "the section name table has index %u of %llu sections",
                            names, (unsigned long long)count);
    reader->section_count = (uint32_t)count;
    Elf64_Shdr section = elf_section(reader, names);
    if (!bytes_contain(reader->file, section.sh_offset, section.sh_size))
        return truncated(reader, 0, "the section name table", section.sh_offset, section.sh_size);
    reader->section_names = bytes_slice(reader->file, section.sh_offset, section.sh_size);
    return NULL;
}

static struct jitscope_error *open_symbols(struct elf_reader *reader, uint32_t index,
                                           const Elf64_Shdr *table) {
    if (reader->symbol_table)
        return elf_error(reader, JITSCOPE_ERROR_FORMAT, index, NO_OFFSET, 0, "a second symbol table");
    if (table->sh_entsize != sizeof(Elf64_Sym) || table->sh_size % sizeof(Elf64_Sym) ||
        table->sh_size / sizeof(Elf64_Sym) >= UINT32_MAX - 1)
        return elf_error(reader, JITSCOPE_ERROR_FORMAT, index, NO_OFFSET, 0,
                         "a symbol table of 0x%llx bytes with entries of %llu",
                         (unsigned long long)table->sh_size, (unsigned long long)table->sh_entsize);
    if (!bytes_contain(reader->file, table->sh_offset, table->sh_size))
        return truncated(reader, index, "the symbol table", table->sh_offset, table->sh_size);
    if (table->sh_link >= reader->section_count)
        return elf_error(reader, JITSCOPE_ERROR_FORMAT, index, NO_OFFSET, 0,
                         "its string table has index %u of %u", table->sh_link, reader->section_count);
    Elf64_Shdr strings = elf_section(reader, table->sh_link);
    if (!bytes_contain(reader->file, strings.sh_offset, strings.sh_size))
        return truncated(reader, table->sh_link, "the string table", strings.sh_offset, strings.sh_size);
    reader->symbol_table = index;
    reader->symbols = reader->file.data + table->sh_offset;
    reader->symbol_count = (uint32_t)(table->sh_size / sizeof(Elf64_Sym));
    reader->symbol_names = bytes_slice(reader->file, strings.sh_offset, strings.sh_size);
    return NULL;
}

static struct jitscope_error *open_extended_indices(struct elf_reader *reader, uint32_t index,
                                                    const Elf64_Shdr *table) {
    if (!bytes_contain(reader->file, table->sh_offset, table->sh_size))
        return truncated(reader, index, "the table of extended section indices", table->sh_offset,
                         table->sh_size);
    if (table->sh_size / 4 < reader->symbol_count)
        return elf_error(reader, JITSCOPE_ERROR_FORMAT, index, NO_OFFSET, 0, "fewer entries than symbols");
    reader->extended_indices = reader->file.data + table->sh_offset;
    return NULL;
}

/* What a table's header says is checked when it is read: here, what is too much does not count. */
static inline uint64_t counted_size(const struct elf_reader *reader, const struct elf_section_entry *table) {
    return table->sh_info < reader->section_count && elf_section_flags(reader, table->sh_info) & SHF_ALLOC &&
                   table->sh_size <= reader->file.size - reader->table_size
               ? table->sh_size
               : 0;
}

struct jitscope_error *elf_open_object(struct bytes file, struct elf_reader *reader) {
    Elf64_Ehdr header;
    uint32_t extended = 0;
    reader->file = file;
    TRY(check_header(file, &header));
    TRY(open_sections(reader, &header));
    for (uint32_t i = 1; i < reader->section_count; i++) {
        const struct elf_section_entry *section = elf_section_at(reader, i);
        reader->memory_sections += section->sh_flags & SHF_ALLOC ? 1 : 0;
        if (section->sh_type == SHT_RELA) {
            reader->table_size += counted_size(reader, section);
        } else if (section->sh_type == SHT_GROUP) {
            reader->has_groups = true;
        } else if (section->sh_type == SHT_SYMTAB) {
            const Elf64_Shdr table = elf_section(reader, i);
            TRY(open_symbols(reader, i, &table));
        } else if (section->sh_type == SHT_SYMTAB_SHNDX) {
            extended = i;
        }
    }
    if (!extended)
        return NULL;
    Elf64_Shdr section = elf_section(reader, extended);
    return open_extended_indices(reader, extended, &section);
}

/* --- the whole
 * ------------------------------------------------------------------------------------------------------- */

enum { MOST_KEPT = 8192 }; /* sections, symbols: with more of them little else counts */

void elf_scratch_destroy(struct elf_scratch *scratch) {
    vec_destroy(&scratch->block_of_section);
    vec_destroy(&scratch->symbol_of_index);
    vec_destroy(&scratch->section_state);
}

static struct jitscope_error *prepare_scratch(struct elf_reader *reader) {
    struct elf_scratch *scratch = reader->scratch;
    scratch->block_of_section.count = scratch->section_state.count = scratch->symbol_of_index.count = 0;
    TRY(vec_reserve(&scratch->block_of_section, reader->section_count));
    TRY(vec_reserve(&scratch->section_state, reader->section_count));
    TRY(vec_reserve(&scratch->symbol_of_index, reader->symbol_count));
    memset(scratch->block_of_section.data, 0xff, (size_t)reader->section_count * 4);
    memset(scratch->section_state.data, SECTION_SKIPPED, reader->section_count);
    if (reader->symbol_count)
        memset(scratch->symbol_of_index.data, 0xff, (size_t)reader->symbol_count * 4);
    return NULL;
}

struct jitscope_error *elf_read_object(struct graph *graph, struct bytes file, uint32_t input,
                                       const struct elf_read_options *options, struct elf_scratch *scratch) {
    struct elf_reader reader = {.graph = graph, .input = input, .options = options, .scratch = scratch};
    TRY(elf_open_object(file, &reader));
    TRY(prepare_scratch(&reader));
    TRY(elf_read_groups(&reader));
    TRY(elf_read_sections(&reader));
    TRY(elf_read_symbols(&reader));
    TRY(elf_read_relocations(&reader));
    if (reader.section_count > MOST_KEPT || reader.symbol_count > MOST_KEPT)
        elf_scratch_destroy(scratch); /* there is room for the graph's own tables now */
    return NULL;
}

struct jitscope_error *elf_each_definition(struct bytes file, elf_symbol_function function, void *context) {
    struct elf_reader reader = {0};
    /* A member that is no object (a text file in an archive) defines nothing. */
    if (file.size < SELFMAG || memcmp(file.data, ELFMAG, SELFMAG) != 0)
        return NULL;
    TRY(elf_open_object(file, &reader));
    for (uint32_t i = 1; i < reader.symbol_count; i++) {
        Elf64_Sym symbol = elf_symbol(&reader, i);
        size_t length;
        const char *name = bytes_string(reader.symbol_names, symbol.st_name, &length);
        if (ELF64_ST_BIND(symbol.st_info) == STB_LOCAL || symbol.st_shndx == SHN_UNDEF || !name || !length)
            continue;
        unsigned type = ELF64_ST_TYPE(symbol.st_info);
        unsigned bind = ELF64_ST_BIND(symbol.st_info);
        bool strong = !elf_is_common(symbol.st_shndx) && bind == STB_GLOBAL;
        bool data =
            !elf_is_common(symbol.st_shndx) && bind != STB_WEAK && type != STT_FUNC && type != STT_GNU_IFUNC;
        TRY(function(context, name, length, (data ? ELF_DATA : 0) | (strong ? ELF_STRONG : 0)));
    }
    return NULL;
}

static bool is_of_initialisers(const struct elf_reader *reader, uint32_t index) {
    const Elf64_Shdr section = elf_section(reader, index);
    return section.sh_size && (section.sh_type == SHT_INIT_ARRAY || section.sh_type == SHT_PREINIT_ARRAY ||
                               !strncmp(elf_reader_section_name(reader, index), ".ctors", strlen(".ctors")));
}

/* Relocations of what will be in memory, but for unwind tables. */
static bool is_table_of_memory(const struct elf_reader *reader, const Elf64_Shdr *table) {
    return table->sh_type == SHT_RELA && table->sh_info < reader->section_count &&
           elf_section(reader, table->sh_info).sh_flags & SHF_ALLOC &&
           strcmp(elf_reader_section_name(reader, table->sh_info), ".eh_frame") != 0 &&
           bytes_contain(reader->file, table->sh_offset, table->sh_size);
}

static bool has_low_relocations(const struct elf_reader *reader, const Elf64_Shdr *table) {
    if (!is_table_of_memory(reader, table))
        return false;
    for (uint64_t at = 0; at + sizeof(Elf64_Rela) <= table->sh_size; at += sizeof(Elf64_Rela)) {
        uint32_t type = load_u32(reader->file.data + table->sh_offset + at + offsetof(Elf64_Rela, r_info));
        if (type == R_X86_64_32 || type == R_X86_64_32S)
            return true;
    }
    return false;
}

struct elf_outline elf_outline(struct bytes file) {
    struct elf_reader reader = {0};
    struct elf_outline outline = {0};
    struct jitscope_error *error = elf_open_object(file, &reader);
    for (uint32_t i = 1; !error && i < reader.section_count; i++) {
        const Elf64_Shdr section = elf_section(&reader, i);
        outline.has_initialisers |= is_of_initialisers(&reader, i);
        outline.wants_low_memory = outline.wants_low_memory || has_low_relocations(&reader, &section);
    }
    jitscope_error_destroy(error);
    return outline;
}

static struct jitscope_error *each_direct_reference(const struct elf_reader *reader, const Elf64_Shdr *table,
                                                    elf_symbol_function function, void *context) {
    for (uint64_t at = 0; at + sizeof(Elf64_Rela) <= table->sh_size; at += sizeof(Elf64_Rela)) {
        uint64_t info = load_u64(reader->file.data + table->sh_offset + at + offsetof(Elf64_Rela, r_info));
        uint32_t type = (uint32_t)ELF64_R_TYPE(info), index = (uint32_t)ELF64_R_SYM(info);
        if ((type != R_X86_64_32 && type != R_X86_64_32S && type != R_X86_64_PC32) || !index ||
            index >= reader->symbol_count)
            continue;
        Elf64_Sym symbol = elf_symbol(reader, index);
        size_t length;
        const char *name = bytes_string(reader->symbol_names, symbol.st_name, &length);
        if (symbol.st_shndx == SHN_UNDEF && name && length)
            TRY(function(context, name, length, type));
    }
    return NULL;
}

struct jitscope_error *elf_each_direct_reference(struct bytes file, elf_symbol_function function,
                                                 void *context) {
    struct elf_reader reader = {0};
    TRY(elf_open_object(file, &reader));
    for (uint32_t i = 1; i < reader.section_count; i++) {
        const Elf64_Shdr section = elf_section(&reader, i);
        if (is_table_of_memory(&reader, &section))
            TRY(each_direct_reference(&reader, &section, function, context));
    }
    return NULL;
}

const char *elf_section_name(struct bytes file, uint32_t index) {
    struct elf_reader reader = {0};
    struct jitscope_error *error = elf_open_object(file, &reader);
    if (error) {
        jitscope_error_destroy(error);
        return NULL;
    }
    return index < reader.section_count ? elf_reader_section_name(&reader, index) : NULL;
}
