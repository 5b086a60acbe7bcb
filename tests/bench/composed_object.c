/* One large object out of many copies of a small one that the compiler made (one_function.c): what
 * -ffunction-sections, templates and generated code give a linker.
 *
 * Each copy's code, node and relocations are the small object's own bytes, moved; symbols get the copy's
 * numbers as in bench_input.c.  The call frames are one CIE and a record for each copy, as an assembler
 * writes them. */
#include "input_parts.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct buffer {
    uint8_t *data;
    size_t size, capacity;
};

/* Zeroes when BYTES is NULL.  Where they went. */
static size_t append(struct buffer *buffer, const void *bytes, size_t size) {
    if (buffer->capacity - buffer->size < size) {
        buffer->capacity = buffer->capacity * 2 + size;
        buffer->data = reallocate(buffer->data, buffer->capacity);
    }
    size_t at = buffer->size;
    if (bytes)
        memcpy(buffer->data + at, bytes, size);
    else
        memset(buffer->data + at, 0, size);
    buffer->size += size;
    return at;
}

static size_t append_aligned(struct buffer *buffer, const void *bytes, size_t size, size_t alignment) {
    append(buffer, NULL, (alignment - buffer->size % alignment) % alignment);
    return append(buffer, bytes, size);
}

/* --- the small object */

struct part {
    const uint8_t *bytes;
    size_t size;
    const Elf64_Rela *relocations;
    size_t count;
};

struct pattern {
    uint8_t *file;
    const Elf64_Sym *symbols;
    const char *names;
    struct part code, node, frames;
    size_t cie_size;
};

static const Elf64_Shdr *section_of(const struct pattern *pattern, const char *name) {
    const Elf64_Ehdr *header = (const void *)pattern->file;
    const Elf64_Shdr *sections = (const void *)(pattern->file + header->e_shoff);
    const char *names = (const char *)pattern->file + sections[header->e_shstrndx].sh_offset;
    for (size_t i = 1; i < header->e_shnum; i++)
        if (!strcmp(names + sections[i].sh_name, name))
            return &sections[i];
    give_up("%s has no %s", PATTERN_OBJECT, name);
}

static struct part find_part(const struct pattern *pattern, const char *name) {
    char table[64];
    snprintf(table, sizeof table, ".rela%s", name);
    const Elf64_Shdr *section = section_of(pattern, name), *relocations = section_of(pattern, table);
    return (struct part){pattern->file + section->sh_offset, section->sh_size,
                         (const void *)(pattern->file + relocations->sh_offset),
                         relocations->sh_size / sizeof(Elf64_Rela)};
}

static struct pattern open_pattern(void) {
    size_t size;
    uint32_t length;
    struct pattern pattern = {.file = read_file(PATTERN_OBJECT, &size)};
    pattern.symbols = (const void *)(pattern.file + section_of(&pattern, ".symtab")->sh_offset);
    pattern.names = (const char *)pattern.file + section_of(&pattern, ".strtab")->sh_offset;
    pattern.code = find_part(&pattern, ".text");
    pattern.node = find_part(&pattern, ".data.rel");
    pattern.frames = find_part(&pattern, ".eh_frame");
    memcpy(&length, pattern.frames.bytes, sizeof length);
    pattern.cie_size = length + sizeof length;
    if (memcmp(pattern.node.bytes, bench_value_bytes, VALUE_SIZE) || pattern.frames.count != 1)
        give_up("%s does not look like one_function.c", PATTERN_OBJECT);
    return pattern;
}

/* --- the large one */

struct object {
    struct pattern pattern;
    enum composition composition;
    size_t count;
    struct buffer file, sections, section_names, symbols, symbol_names;
    struct buffer code, node, frames, code_relocations, node_relocations, frame_relocations; /* shared ones */
    size_t first_global;
};

static bool is_split(const struct object *object) {
    return object->composition == OWN_SECTIONS || object->composition == GROUPS;
}

static size_t section_count(const struct object *object) {
    return object->sections.size / sizeof(Elf64_Shdr);
}

static size_t add_section(struct object *object, const char *name, Elf64_Shdr section, const void *bytes) {
    size_t number = section_count(object);
    section.sh_name = (uint32_t)append(&object->section_names, name, strlen(name) + 1);
    section.sh_offset = append_aligned(&object->file, bytes, section.sh_size, 16);
    append(&object->sections, &section, sizeof section);
    return number;
}

enum { SYMBOL_TABLE = 1 }; /* its section number, so that relocation tables can name it before it is there */

static size_t add_relocations(struct object *object, const char *name, const struct buffer *table, size_t of,
                              uint64_t flags) {
    return add_section(object, name,
                       (Elf64_Shdr){.sh_type = SHT_RELA,
                                    .sh_flags = flags | SHF_INFO_LINK,
                                    .sh_size = table->size,
                                    .sh_link = SYMBOL_TABLE,
                                    .sh_info = (uint32_t)of,
                                    .sh_addralign = 8,
                                    .sh_entsize = sizeof(Elf64_Rela)},
                       table->data);
}

static size_t function_symbol(const struct object *object, size_t number) {
    return object->first_global + 2 * number;
}

static char *symbol_name(enum composition composition, const char *what, size_t number) {
    static const char filler[] = "namespaces_and_template_arguments_";
    char prefix[201] = "";
    for (size_t i = 0; composition == LONG_PREFIXES && i < sizeof prefix - 1; i++)
        prefix[i] = filler[i % (sizeof filler - 1)];
    return name_of("%s%s%08zu", prefix, what, number);
}

char *composed_function(enum composition composition, size_t number) {
    return symbol_name(composition, "function_", number);
}

/* The symbol that a relocation of copy NUMBER is about; *addend grows when it is the section's. */
static size_t target_of(const struct object *object, size_t number, size_t symbol, uint64_t code_at,
                        int64_t *addend) {
    const Elf64_Sym *old = &object->pattern.symbols[symbol];
    if (ELF64_ST_TYPE(old->st_info) == STT_SECTION) {
        *addend += (int64_t)code_at;
        return is_split(object) ? 1 + number : 1;
    }
    const char *name = object->pattern.names + old->st_name;
    unsigned role = (unsigned)(name[strlen(name) - 1] - '0');
    return function_symbol(object, partner(number, role, object->count)) + !strncmp(name, "node_", 5);
}

/* PART's relocations for copy NUMBER; places move by AT, which may be less than 0. */
static void move_relocations(const struct object *object, struct buffer *table, const struct part *part,
                             size_t number, int64_t at, uint64_t code_at) {
    for (size_t i = 0; i < part->count; i++) {
        Elf64_Rela moved = part->relocations[i];
        size_t symbol = target_of(object, number, ELF64_R_SYM(moved.r_info), code_at, &moved.r_addend);
        moved.r_offset += (uint64_t)at;
        moved.r_info = ELF64_R_INFO((uint64_t)symbol, ELF64_R_TYPE(moved.r_info));
        append(table, &moved, sizeof moved);
    }
}

/* The FDE's second word is its distance from the CIE (DWARF 5 section 6.4.1, as .eh_frame has it). */
static void add_frame(struct object *object, size_t number, uint64_t code_at) {
    const struct pattern *pattern = &object->pattern;
    if (!number)
        append(&object->frames, pattern->frames.bytes, pattern->cie_size);
    size_t at = append(&object->frames, pattern->frames.bytes + pattern->cie_size,
                       pattern->frames.size - pattern->cie_size);
    uint32_t distance = (uint32_t)at + 4;
    memcpy(object->frames.data + at + 4, &distance, sizeof distance);
    move_relocations(object, &object->frame_relocations, &pattern->frames, number,
                     (int64_t)at - (int64_t)pattern->cie_size, code_at);
}

static const size_t COMMON_SECTION = SIZE_MAX;

/* NAME may be NULL. */
static void add_symbol(struct object *object, char *name, Elf64_Sym symbol, size_t section,
                       struct buffer *indices) {
    symbol.st_name = name ? (uint32_t)append(&object->symbol_names, name, strlen(name) + 1) : 0;
    uint32_t index = section < SHN_LORESERVE || section == COMMON_SECTION ? 0 : (uint32_t)section;
    symbol.st_shndx = index ? SHN_XINDEX : section == COMMON_SECTION ? SHN_COMMON : (uint16_t)section;
    append(&object->symbols, &symbol, sizeof symbol);
    append(indices, &index, sizeof index);
    free(name);
}

/* Where each copy is: known before its bytes are, since all copies are alike. */
static size_t stride(const struct part *part) {
    return (part->size + 15) & ~(size_t)15;
}

/* How many sections a copy has of its own, and which of them is its code; the node is two behind. */
static size_t own_section(const struct object *object, size_t number) {
    size_t each = object->composition == GROUPS ? 5 : 4;
    return is_split(object) ? 2 + number * each + each - 4 : 2;
}

static void add_symbols(struct object *object, struct buffer *indices) {
    size_t code_step = is_split(object) ? 0 : stride(&object->pattern.code),
           node_step = is_split(object) ? 0 : stride(&object->pattern.node);
    for (size_t i = 0; i < object->first_global - 1; i++)
        add_symbol(object, NULL, (Elf64_Sym){.st_info = ELF64_ST_INFO(STB_LOCAL, STT_SECTION)},
                   own_section(object, i), indices);
    unsigned char bind = object->composition == GROUPS ? STB_WEAK : STB_GLOBAL;
    for (size_t i = 0; i < object->count; i++) {
        size_t section = own_section(object, i);
        add_symbol(object, symbol_name(object->composition, "function_", i),
                   (Elf64_Sym){.st_info = ELF64_ST_INFO(bind, STT_FUNC),
                               .st_value = i * code_step,
                               .st_size = object->pattern.code.size},
                   section, indices);
        add_symbol(object, symbol_name(object->composition, "node_", i),
                   (Elf64_Sym){.st_info = ELF64_ST_INFO(bind, STT_OBJECT),
                               .st_value = i * node_step,
                               .st_size = object->pattern.node.size},
                   section + 2, indices);
    }
    for (size_t i = 0; i < object->count && object->composition == COMMONS; i++)
        add_symbol(object, name_of("common_%08zu", i),
                   (Elf64_Sym){
                       .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT), .st_value = 8, .st_size = 8 + i % 8},
                   COMMON_SECTION, indices);
}

static void add_group(struct object *object, size_t number) {
    uint32_t first = (uint32_t)section_count(object) + 1,
             words[] = {GRP_COMDAT, first, first + 1, first + 2, first + 3};
    add_section(object, ".group",
                (Elf64_Shdr){.sh_type = SHT_GROUP,
                             .sh_size = sizeof words,
                             .sh_link = SYMBOL_TABLE,
                             .sh_info = (uint32_t)function_symbol(object, number),
                             .sh_addralign = 4,
                             .sh_entsize = 4},
                words);
}

/* Code and node sections with what is in the buffers so far, which are empty then. */
static void add_parts(struct object *object, const char *suffix, uint64_t flags) {
    static const char *const names[] = {".text", ".data.rel"};
    struct buffer *bytes[] = {&object->code, &object->node},
                  *tables[] = {&object->code_relocations, &object->node_relocations};
    uint64_t kinds[] = {SHF_ALLOC | SHF_EXECINSTR, SHF_ALLOC | SHF_WRITE};
    for (int i = 0; i < 2; i++) {
        char name[64], table_name[80];
        snprintf(name, sizeof name, "%s%s", names[i], suffix);
        snprintf(table_name, sizeof table_name, ".rela%s", name);
        size_t section = add_section(object, name,
                                     (Elf64_Shdr){.sh_type = SHT_PROGBITS,
                                                  .sh_flags = kinds[i] | flags,
                                                  .sh_size = bytes[i]->size,
                                                  .sh_addralign = 16},
                                     bytes[i]->data);
        add_relocations(object, table_name, tables[i], section, flags);
        bytes[i]->size = tables[i]->size = 0;
    }
}

static void add_copy(struct object *object, size_t number) {
    const struct pattern *pattern = &object->pattern;
    uint64_t value = value_of(number);
    char suffix[32];
    size_t code_at = append_aligned(&object->code, pattern->code.bytes, pattern->code.size, 16),
           node_at = append_aligned(&object->node, pattern->node.bytes, pattern->node.size, 16);
    memcpy(object->node.data + node_at, &value, sizeof value);
    move_relocations(object, &object->code_relocations, &pattern->code, number, (int64_t)code_at, code_at);
    move_relocations(object, &object->node_relocations, &pattern->node, number, (int64_t)node_at, code_at);
    add_frame(object, number, code_at);
    if (!is_split(object))
        return;
    if (object->composition == GROUPS)
        add_group(object, number);
    snprintf(suffix, sizeof suffix, ".function_%08zu", number);
    add_parts(object, suffix, object->composition == GROUPS ? SHF_GROUP : 0);
}

static void add_all_frames(struct object *object) {
    size_t frames = add_section(object, ".eh_frame",
                                (Elf64_Shdr){.sh_type = SHT_PROGBITS,
                                             .sh_flags = SHF_ALLOC,
                                             .sh_size = object->frames.size,
                                             .sh_addralign = 8},
                                object->frames.data);
    add_relocations(object, ".rela.eh_frame", &object->frame_relocations, frames, 0);
}

/* Names, symbols, and the indices that a symbol's 16 bits do not hold (gABI chapter 4, "Symbol Table"). */
static void add_tables(struct object *object) {
    struct buffer indices = {0};
    append(&indices, NULL, 4);
    add_symbols(object, &indices);
    size_t strings = add_section(
        object, ".strtab",
        (Elf64_Shdr){.sh_type = SHT_STRTAB, .sh_size = object->symbol_names.size, .sh_addralign = 1},
        object->symbol_names.data);
    if (section_count(object) >= SHN_LORESERVE)
        add_section(object, ".symtab_shndx",
                    (Elf64_Shdr){.sh_type = SHT_SYMTAB_SHNDX,
                                 .sh_size = indices.size,
                                 .sh_link = SYMBOL_TABLE,
                                 .sh_addralign = 4,
                                 .sh_entsize = 4},
                    indices.data);
    Elf64_Shdr *table = (Elf64_Shdr *)(void *)object->sections.data + SYMBOL_TABLE;
    table->sh_type = SHT_SYMTAB;
    table->sh_offset = append_aligned(&object->file, object->symbols.data, object->symbols.size, 16);
    table->sh_size = object->symbols.size;
    table->sh_link = (uint32_t)strings;
    table->sh_info = (uint32_t)object->first_global;
    table->sh_addralign = 8;
    table->sh_entsize = sizeof(Elf64_Sym);
    free(indices.data);
}

/* Counts that 16 bits do not hold stand in section 0 (gABI chapter 4, "ELF Header"). */
static void finish(struct object *object) {
    size_t names =
        add_section(object, ".shstrtab", (Elf64_Shdr){.sh_type = SHT_STRTAB, .sh_addralign = 1}, NULL);
    Elf64_Shdr *sections = (Elf64_Shdr *)(void *)object->sections.data;
    size_t count = section_count(object);
    sections[names].sh_offset = append(&object->file, object->section_names.data, object->section_names.size);
    sections[names].sh_size = object->section_names.size;
    sections[0].sh_size = count < SHN_LORESERVE ? 0 : count;
    sections[0].sh_link = names < SHN_LORESERVE ? 0 : (uint32_t)names;
    Elf64_Ehdr header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                         .e_type = ET_REL,
                         .e_machine = EM_X86_64,
                         .e_version = EV_CURRENT,
                         .e_ehsize = sizeof header,
                         .e_shentsize = sizeof(Elf64_Shdr),
                         .e_shnum = count < SHN_LORESERVE ? (uint16_t)count : 0,
                         .e_shstrndx = names < SHN_LORESERVE ? (uint16_t)names : SHN_XINDEX};
    header.e_shoff = append_aligned(&object->file, sections, object->sections.size, 16);
    memcpy(object->file.data, &header, sizeof header);
}

/* The null section, a place for the symbol table; the null symbol.  Local symbols are those of code sections.
 */
static void begin(struct object *object) {
    append(&object->file, NULL, sizeof(Elf64_Ehdr));
    append(&object->sections, NULL, 2 * sizeof(Elf64_Shdr));
    append(&object->section_names, "\0.symtab", sizeof "\0.symtab");
    ((Elf64_Shdr *)(void *)object->sections.data)[SYMBOL_TABLE].sh_name = 1;
    append(&object->symbol_names, "", 1);
    append(&object->symbols, NULL, sizeof(Elf64_Sym));
    object->first_global = 1 + (is_split(object) ? object->count : 1);
}

struct bench_object compose_object(const char *path, enum composition composition, size_t count) {
    struct object object = {.pattern = open_pattern(), .composition = composition, .count = count};
    begin(&object);
    for (size_t i = 0; i < count; i++)
        add_copy(&object, i);
    if (!is_split(&object))
        add_parts(&object, "", 0);
    add_all_frames(&object);
    add_tables(&object);
    finish(&object);
    struct buffer *spare[] = {&object.sections,
                              &object.section_names,
                              &object.symbols,
                              &object.symbol_names,
                              &object.code,
                              &object.node,
                              &object.frames,
                              &object.code_relocations,
                              &object.node_relocations,
                              &object.frame_relocations};
    for (size_t i = 0; i < sizeof spare / sizeof *spare; i++)
        free(spare[i]->data);
    free(object.pattern.file);
    return (struct bench_object){name_of("%s", path), object.file.data, object.file.size};
}
