/* debug_image: what one batch tells debuggers, as the argument bytes of the action register-debug-image.
 *
 * The linker makes it from the batch's no-alloc sections, laid out and fixed up (link/make_debug_image.c);
 * the executor keeps the description for plug-ins (debuggee.h) and merges the sections of many small batches
 * into few ELF images (debug_store.c).  A large image becomes an ELF file where it lies: from `elf` on it has
 * all that the file needs in its place, the header and the section table excepted, for which there is room.
 *
 *     header, segments, sections, entries, actions     the description, to which `strings` belong as well
 *     room for the ELF header and the section table    images from some size on
 *     strings, names                                   .strtab
 *     (a null symbol,) symbols                         .symtab
 *     references
 *     dwarf                                            .debug_*
 *
 * Addresses are absolute.  Offsets into other DWARF sections count from the start of this image's own
 * section; each of them is in the list of references, so that sections can be appended to each other by
 * adding to those.  Only what an FDE says of its CIE is in no list: it is found by the records' lengths.
 *
 * Everything is little-endian and found by offset from the start; readers check every offset
 * (debug_image_open). */
#ifndef EXECUTOR_DEBUG_IMAGE_H
#define EXECUTOR_DEBUG_IMAGE_H

#include "base/bytes.h"
#include "base/vec.h"

#include <elf.h>

enum debug_section {
#define DEBUG_SECTION(NAME, name) DEBUG_SECTION_##NAME,
#include "executor/debug_sections.def"
#undef DEBUG_SECTION
    DEBUG_SECTION_COUNT
};

/* ".debug_info" of DEBUG_SECTION_INFO. */
extern const char *const debug_section_names[DEBUG_SECTION_COUNT];

/* A field that holds an offset into section TARGET. */
struct debug_reference {
    uint32_t offset; /* of the field, in SECTION */
    uint8_t section; /* enum debug_section */
    uint8_t target;
    uint8_t width; /* bytes: 4 or 8 (64-bit DWARF) */
    uint8_t spare;
};

struct debug_table {
    uint32_t offset; /* from the start of the image */
    uint32_t count;  /* entries; bytes for the sections */
};

/* The order of the parts is that of the fields: the description first. */
struct debug_image_header {
    uint64_t address;            /* lowest address of the batch's memory */
    uint64_t extent;             /* bytes from there to its highest */
    uint32_t size;               /* of the whole image, in bytes; a multiple of 8 */
    uint32_t link;               /* number of the batch in its session */
    uint32_t description_size;   /* bytes from the start that describe the batch (tables up to `strings`) */
    uint32_t units;              /* compilation and type units */
    struct debug_table segments; /* struct debuggee_segment */
    struct debug_table sections; /* struct debuggee_section */
    struct debug_table entries;  /* struct debuggee_entry */
    struct debug_table actions;  /* struct debuggee_action */
    struct debug_table elf;      /* bytes: room for Elf64_Ehdr, and Elf64_Shdr of all sections; 0: none */
    struct debug_table strings;  /* bytes, each text NUL-terminated, the first empty; with `elf` the fixed
                                    names are the first */
    struct debug_table names;    /* more of these, right behind: the description does without them */
    struct debug_table symbols;  /* Elf64_Sym: absolute st_value, st_name in `strings` and on in `names`,
                                    st_shndx in an ELF file of this batch alone; with `elf` there is room for
                                    one more in front */
    struct debug_table references;
    struct debug_table dwarf[DEBUG_SECTION_COUNT];
    uint32_t elf_sections; /* as many of SECTIONS, the first ones, are sections of the ELF file */
    uint32_t spare;
};

/* Where an image is made, or kept, as a VEC(uint8_t): private memory, which core files have. */
struct image_memory {
    uint8_t *data;
    uint32_t count;
    uint32_t capacity;
};

/* The argument of deregister-debug-image. */
struct debug_image_name {
    uint64_t address; /* as registered */
    uint64_t extent;
    uint64_t link;
};

/* A checked image; borrows its bytes, which are aligned to 8. */
struct debug_image {
    struct bytes bytes;
    const struct debug_image_header *header;
};

/* NULL, or what is wrong with BYTES (a static text). */
const char *debug_image_open(struct bytes bytes, struct debug_image *image);

/* Bytes of all texts. */
static inline uint32_t debug_image_texts(const struct debug_image_header *header) {
    return header->strings.count + header->names.count;
}

static inline const void *debug_image_table(const struct debug_image *image, struct debug_table table) {
    return image->bytes.data + table.offset;
}

#endif
