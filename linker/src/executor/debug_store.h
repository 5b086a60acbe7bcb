/* debug_store: ELF images in memory, each the debug information of one or many batches.
 *
 * A debug image that is large becomes an ELF image where it lies.  Others are copied, many into one:
 *
 * Such an image is one mapping with a fixed place for the header, the section table and each section;
 * sections grow inside their places, last the ones that make others visible, so that a debugger that stops
 * the process at any moment finds a whole image.  What it is made of:
 *
 *     .text, .plt, ...   NOBITS, with the addresses of the code and data themselves (sh_addr)
 *     .symtab, .strtab   absolute values
 *     .debug_*           fixed up; CFI as .debug_frame
 *
 * The table has the sections of batches last, so that the others are always among its first
 * (debuggee_view.h). That form (ET_EXEC, addresses in sh_addr, no relocations) is read by gdb, lldb, elfutils
 * and add-symbol-file alike.  A batch that leaves an image is blotted out in place: its units become empty,
 * its symbols and frames describe nothing.  Anonymous private memory, so that cores include it. */
#ifndef EXECUTOR_DEBUG_STORE_H
#define EXECUTOR_DEBUG_STORE_H

#include "base/vec.h"
#include "executor/debug_elf.h"
#include "executor/debuggee.h"

#include <stdbool.h>

enum store_part {
    PART_SECTIONS,
    PART_SYMBOLS,
    PART_STRINGS,
    PART_DWARF,
    PART_COUNT = PART_DWARF + DEBUG_SECTION_COUNT
};

/* What a batch has in an image: to be blotted out. */
struct store_share {
    uint32_t first[PART_COUNT]; /* offset in each part, in bytes */
    uint32_t size[PART_COUNT];
    uint32_t present; /* the parts it has something in, a bit each: mostly few of DWARF's many sections */
};

struct store_image {
    struct debuggee_image public; /* what plug-ins see; linked by the owner */
    uint64_t place[PART_COUNT];   /* offset of each part in the image */
    uint64_t room[PART_COUNT];    /* bytes reserved there */
    uint64_t used[PART_COUNT];
    uint64_t populated[PART_COUNT];      /* bytes that are in memory already */
    bool is_table;                       /* memory as os.h has it for tables: comes in huge pages */
    bool borrowed;                       /* the memory is somebody else's */
    uint32_t names[DEBUG_SECTION_COUNT]; /* offsets of the DWARF sections' names */
};

/* Room for COPIES times what IMAGE holds.  Errors: NO_MEMORY. */
struct jitscope_error *store_image_create(const struct debug_image *image, uint32_t copies, uint32_t number,
                                          struct store_image **out);
/* The same for a list of images, once each. */
struct jitscope_error *store_image_create_for(const struct debug_image *images, uint32_t count,
                                              uint32_t number, struct store_image **out);
/* IMAGE, which has room for it, becomes an ELF image of its own, and is in it: SHARE is filled in.  Its
 * memory is the caller's, and to stay as long as STORE.  Errors: NO_MEMORY. */
struct jitscope_error *store_image_adopt(const struct debug_image *image, uint32_t number,
                                         struct store_share *share, struct store_image **out);
void store_image_destroy(struct store_image *store);

/* The sizes of what IMAGE will have in an image. */
void store_share_measure(const struct debug_image *image, struct store_share *share);
static inline uint32_t store_share_sections(const struct store_share *share) {
    return share->size[PART_SECTIONS] / (uint32_t)sizeof(Elf64_Shdr);
}
bool store_image_fits(const struct store_image *store, const struct store_share *share);
/* IMAGE joins; SHARE is measured, and must fit. */
void store_image_add(struct store_image *store, const struct debug_image *image, struct store_share *share);
/* What SHARE names describes nothing any more. */
void store_image_blot(struct store_image *store, const struct store_share *share);

/* The symbols of a share, and where their names are. */
const Elf64_Sym *store_image_symbols(const struct store_image *store, const struct store_share *share,
                                     uint32_t *count, const char **strings);

#endif
