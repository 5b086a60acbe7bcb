/* elf_contents: what an ELF file of the linked memory consists of, before it has places in a file. */
#ifndef EXPORT_ELF_CONTENTS_H
#define EXPORT_ELF_CONTENTS_H

#include "export/live_code.h"

#include <elf.h>

struct elf_segment {
    uint64_t address;
    uint64_t content; /* bytes; zero-fill follows */
    uint64_t zero_fill;
    uint64_t offset; /* in the file */
    uint32_t prot;
};

struct elf_section {
    uint64_t address, size;
    uint32_t segment; /* index in the list of segments */
    uint32_t slot;    /* index in the list of numbers */
    uint32_t name;    /* string id */
    uint32_t prot;
};

/* All lists are by address but for the symbols, which are local ones first (gABI, "Symbol Table"). */
struct elf_contents {
    const struct export_source *source;
    struct live_links links;
    VEC(struct elf_segment) segments;
    VEC(struct elf_section) sections;
    VEC(uint32_t) numbers; /* by link and graph section: number in the section table, 0 for none */
    VEC(Elf64_Sym) symbols;
    uint32_t local_symbols;
    struct text strings; /* their names */
    uint64_t entry;      /* address of `main`, or 0 */
};

/* Errors: RECORDING (segments overlap), UNSUPPORTED, NO_MEMORY.  To be destroyed in any case. */
struct jitscope_error *elf_contents_find(const struct export_source *source, struct elf_contents *contents);
void elf_contents_destroy(struct elf_contents *contents);
/* Appends a name with its NUL to a string table; its offset, 0 for the empty name. */
uint32_t elf_contents_name(struct text *table, struct recorded_string name, const char *suffix);

#endif
