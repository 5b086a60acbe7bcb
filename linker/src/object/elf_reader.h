/* elf_reader: what the steps of reading one ET_REL file share; private to object/. */
#ifndef OBJECT_ELF_READER_H
#define OBJECT_ELF_READER_H

#include "object/elf_object.h"

#include <elf.h>
#include <stddef.h>

/* Values of elf_scratch.symbol_of_index besides graph symbols. */
#define SYMBOL_NOT_YET   UINT32_MAX       /* local, made when something refers to it */
#define SYMBOL_DISCARDED (UINT32_MAX - 1) /* lies in a section that did not enter the graph */

/* psABI x86-64, section 4.1 and 4.3: what the medium code model puts beyond the reach of 32 bits. */
#ifndef SHF_X86_64_LARGE
#define SHF_X86_64_LARGE 0x10000000
#endif
#ifndef SHN_X86_64_LCOMMON
#define SHN_X86_64_LCOMMON 0xff02
#endif

/* From here on looking beforehand how much there is of something pays. */
enum { MANY_SECTIONS = 256 };

/* Elf64_Shdr and Elf64_Sym where the file has them, aligned to nothing. */
struct elf_section_entry {
    uint32_t sh_name, sh_type;
    uint64_t sh_flags, sh_addr, sh_offset, sh_size;
    uint32_t sh_link, sh_info;
    uint64_t sh_addralign, sh_entsize;
} __attribute__((packed, may_alias));

struct elf_symbol_entry {
    uint32_t st_name;
    uint8_t st_info, st_other;
    uint16_t st_shndx;
    uint64_t st_value, st_size;
} __attribute__((packed, may_alias));

_Static_assert(sizeof(struct elf_section_entry) == sizeof(Elf64_Shdr) &&
                   sizeof(struct elf_symbol_entry) == sizeof(Elf64_Sym),
               "entries are as <elf.h> has them");

static inline bool elf_is_common(uint16_t section) {
    return section == SHN_COMMON || section == SHN_X86_64_LCOMMON;
}

/* What became of an input section.  Nearly every object has a .data and a .bss with nothing in them: an empty
 * section becomes a block only when a symbol or a relocation is about it, and so does a note (EMPTY).  CALLS
 * is code for start-up files that waits for its relocations. */
enum section_state { SECTION_SKIPPED, SECTION_TAKEN, SECTION_DISCARDED, SECTION_EMPTY, SECTION_CALLS };

/* A view of one file; tables are checked once, in elf_open_object, then indexed freely. */
struct elf_reader {
    struct graph *graph;
    struct bytes file;
    uint32_t input;
    const struct elf_read_options *options;
    struct elf_scratch *scratch;

    const uint8_t *sections; /* Elf64_Shdr, possibly unaligned: archives pad to two bytes */
    uint32_t section_count;
    struct bytes section_names;

    const uint8_t *symbols; /* Elf64_Sym, possibly unaligned */
    uint32_t symbol_count;
    uint32_t symbol_table; /* index of its section; 0 when there is none */
    struct bytes symbol_names;
    const uint8_t *extended_indices; /* SHT_SYMTAB_SHNDX content, or NULL */

    /* Seen in the walk over all sections that finds the tables. */
    bool has_groups;
    uint32_t memory_sections; /* how many have SHF_ALLOC, without those that groups have dropped since */
    uint64_t table_size;      /* bytes of the relocations for those; no more than the file has */

    bool has_thread_locals; /* a symbol that was read so far is one */
    bool has_versions;      /* names with '@' are among those of symbols */
    bool has_calls;         /* a section is in state SECTION_CALLS, or was */
};

static inline const struct elf_section_entry *elf_section_at(const struct elf_reader *reader,
                                                             uint32_t index) {
    return (const struct elf_section_entry *)(const void *)reader->sections + index;
}

static inline Elf64_Shdr elf_section(const struct elf_reader *reader, uint32_t index) {
    Elf64_Shdr section;
    memcpy(&section, elf_section_at(reader, index), sizeof section);
    return section;
}

/* What most of the walks over all sections ask first, and of most sections at all. */
static inline uint32_t elf_section_type(const struct elf_reader *reader, uint32_t index) {
    return elf_section_at(reader, index)->sh_type;
}

static inline uint64_t elf_section_flags(const struct elf_reader *reader, uint32_t index) {
    return elf_section_at(reader, index)->sh_flags;
}

static inline const struct elf_symbol_entry *elf_symbol_at(const struct elf_reader *reader, uint32_t index) {
    return (const struct elf_symbol_entry *)(const void *)reader->symbols + index;
}

static inline Elf64_Sym elf_symbol(const struct elf_reader *reader, uint32_t index) {
    Elf64_Sym symbol;
    memcpy(&symbol, elf_symbol_at(reader, index), sizeof symbol);
    return symbol;
}

static inline unsigned elf_symbol_type(const struct elf_reader *reader, uint32_t index) {
    return ELF64_ST_TYPE(elf_symbol_at(reader, index)->st_info);
}

/* Those who read tables take some entries at a time, whose names they prepare at once. */
enum { NAMES_AHEAD = 16 };
struct elf_names_ahead {
    uint32_t count;
    uint32_t indices[NAMES_AHEAD]; /* of the entries */
    struct pool_name names[NAMES_AHEAD];
};

/* Without bytes where there is no text at OFFSET; to be prepared. */
static inline struct pool_name elf_name(struct bytes texts, uint64_t offset) {
    struct pool_name name = {0};
    name.bytes = bytes_string(texts, offset, &name.length);
    return name;
}

/* Header, section table, names and symbol table of an ET_REL file for x86-64. */
struct jitscope_error *elf_open_object(struct bytes file, struct elf_reader *reader);

/* Never NULL: "?" for what has no proper name. */
const char *elf_reader_section_name(const struct elf_reader *reader, uint32_t index);
const char *elf_reader_symbol_name(const struct elf_reader *reader, uint32_t index);
/* The section a symbol lies in, with SHN_XINDEX looked up; special indices as they are. */
static inline uint32_t elf_reader_symbol_section(const struct elf_reader *reader, uint32_t index) {
    uint16_t section = elf_symbol_at(reader, index)->st_shndx;
    if (__builtin_expect(section != SHN_XINDEX, 1))
        return section;
    /* Without the table it is a section that does not exist. */
    return reader->extended_indices ? load_u32(reader->extended_indices + (size_t)index * 4) : UINT32_MAX;
}

/* An error about SECTION (0: none) at OFFSET and SYMBOL (0: none). */
struct jitscope_error *elf_error(const struct elf_reader *reader, enum jitscope_error_code code,
                                 uint32_t section, uint64_t offset, uint32_t symbol, const char *format, ...)
    __attribute__((format(printf, 6, 7), cold));

/* The steps, in order. */
struct jitscope_error *elf_read_groups(struct elf_reader *reader);
struct jitscope_error *elf_read_sections(struct elf_reader *reader);
/* Makes the block of a section that was left out as empty; does nothing to others. */
struct jitscope_error *elf_reader_want_empty(struct elf_reader *reader, uint32_t index);
static inline struct jitscope_error *elf_reader_want_section(struct elf_reader *reader, uint32_t index) {
    bool empty = reader->scratch->section_state.data[index] == SECTION_EMPTY;
    return empty ? elf_reader_want_empty(reader, index) : NULL;
}
/* The error that a section is code for start-up files. */
struct jitscope_error *elf_refuse_start_up_code(const struct elf_reader *reader, uint32_t section);
struct jitscope_error *elf_read_symbols(struct elf_reader *reader);
/* Makes the graph symbol of a local that was left out so far. */
struct jitscope_error *elf_reader_want_symbol(struct elf_reader *reader, uint32_t index);
struct jitscope_error *elf_read_relocations(struct elf_reader *reader);

#endif
