/* elf_copies: what an executable's copy of a shared library's object takes (R_X86_64_COPY; psABI x86-64,
 * table 4.10): its size and alignment, and all of the names that the library has for it. */
#ifndef OBJECT_ELF_COPIES_H
#define OBJECT_ELF_COPIES_H

#include "object/elf_shared.h"

/* An object to be copied, as the library places it. */
struct elf_copy {
    uint64_t value; /* st_value */
    uint64_t size;
    uint64_t alignment;
    bool read_only; /* once the library is relocated: its copy should be, too */
};

/* Errors: UNSUPPORTED, for what cannot be copied; without coordinates. */
struct jitscope_error *elf_copy_find(const struct elf_shared *library, const char *name,
                                     struct elf_copy *copy);
/* FUNCTION is called for each exported name of COPY's object: the library's own code may know it by any.
 * VERSION is NULL where the library has no versions; texts are good as long as the library. */
struct jitscope_error *elf_copy_each_name(const struct elf_shared *library, const struct elf_copy *copy,
                                          struct jitscope_error *(*function)(void *context, const char *name,
                                                                             const char *version, bool weak),
                                          void *context);

#endif
