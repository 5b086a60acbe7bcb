/* elf_debug: the DWARF of an ET_REL file, fixed up for where its code came to lie. */
#ifndef OBJECT_ELF_DEBUG_H
#define OBJECT_ELF_DEBUG_H

#include "base/bytes.h"
#include "base/error.h"
#include "base/vec.h"
#include "executor/debug_image.h"

/* A DWARF section of the object at hand. */
struct debug_target {
    uint64_t value; /* its offset among those of its kind */
    uint32_t size;  /* bytes */
};

/* What tells sections of one object from each other, and which DWARF each is. */
struct debug_trait {
    uint64_t name_and_type; /* the first 8 bytes of its header */
    uint64_t flags;
    uint8_t kind; /* enum debug_section, or none of them */
    bool old;     /* .zdebug_info */
};

/* How the sections of an object were: the next one, mostly of the same compiler, is made alike, and has no
 * name looked at. */
struct debug_shape {
    VEC(struct debug_trait) sections; /* by index */
    VEC(uint8_t) names;               /* all of the table of section names */
    VEC(uint32_t) dwarf;              /* sections that are taken */
    VEC(uint32_t) tables;             /* relocation tables, of whatever */
};

/* DWARF of objects one behind the other; zero-initialised is empty.  Kept from link to link for its memory.
 */
struct debug_sections {
    VEC(uint8_t) bytes[DEBUG_SECTION_COUNT];
    VEC(struct debug_reference) references;
    uint32_t units;

    /* the object at hand */
    struct debug_shape shape;
    VEC(struct debug_target) targets; /* by section index; only those of DWARF mean something */
};
void debug_sections_clear(struct debug_sections *sections);
void debug_sections_destroy(struct debug_sections *sections);

#define NOT_IN_MEMORY UINT64_MAX

/* What the link decided about the object. */
struct elf_debug_places {
    const uint64_t
        *sections; /* address by section index; NOT_IN_MEMORY for what was discarded or never taken */
    uint32_t count;
    /* Address of a symbol that the object only refers to, or leaves to the linker (common); 0 when unknown.
     */
    uint64_t (*find)(const void *context, const char *name, size_t length);
    const void *context;
};

struct elf_reader;

/* Appends the DWARF of an opened file to OUT.  Compressed sections (gABI "Section Compression", and the older
 * .zdebug) are expanded.  After an error (with section and offset, not the input's name) OUT is as it was. */
struct jitscope_error *elf_read_debug(const struct elf_reader *reader, const struct elf_debug_places *places,
                                      struct debug_sections *out);

#endif
