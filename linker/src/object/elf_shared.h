/* elf_shared: what a shared library defines, answered from its own hash table, without loading it. */
#ifndef OBJECT_ELF_SHARED_H
#define OBJECT_ELF_SHARED_H

#include "base/bytes.h"
#include "base/error.h"

#include <stdbool.h>

struct elf_shared {
    struct bytes file;
    struct bytes symbols;             /* .dynsym */
    struct bytes strings;             /* .dynstr */
    struct bytes versions;            /* .gnu.version, may be empty */
    struct bytes version_names;       /* .gnu.version_d, may be empty */
    struct bytes gnu_hash, sysv_hash; /* at least one where there are symbols */
    const char *soname;               /* NULL when it has none */
    uint64_t memory_size;             /* bytes its segments span */
};

struct elf_shared_symbol {
    uint64_t value; /* st_value: relative to the load address */
    uint64_t size;
    uint32_t index; /* in .dynsym */
    uint8_t kind;   /* SYMBOL_KIND_* of trace/enums.def */
    bool weak;
    bool hidden; /* it is not what its name means without a version */
};

/* Checks and remembers where things are; FILE is borrowed and must outlive LIBRARY. */
struct jitscope_error *elf_shared_open(struct bytes file, struct elf_shared *library);
/* A name to be looked for in several libraries, with what each look-up would work out anew. */
struct elf_shared_name {
    const char *text; /* borrowed */
    size_t length;    /* up to a version */
    uint32_t hash;
};
struct elf_shared_name elf_shared_name(const char *text);
/* As elf_shared_find(). */
bool elf_shared_find_name(const struct elf_shared *library, const struct elf_shared_name *name,
                          struct elf_shared_symbol *symbol);
/* The default-version definition of NAME; false when there is none (hidden versions do not count).
 * NAME@VERSION, as the assembler's .symver writes it, asks for that version, hidden or not. */
bool elf_shared_find(const struct elf_shared *library, const char *name, struct elf_shared_symbol *symbol);
/* The definition that a reference to NAME, bound when it was linked to VERSION of another library (NULL: it
 * has no versions; what stands behind an '@' in NAME does not count), finds in LIBRARY when the loader looks
 * there first: that version, or one that has none. */
bool elf_shared_interposes(const struct elf_shared *library, const char *name, const char *version,
                           struct elf_shared_symbol *symbol);
/* What the version of symbol INDEX is called; NULL for none. */
const char *elf_shared_version_at(const struct elf_shared *library, uint64_t index);

#endif
