/* debuggee_view: what debuggee.h says of a process, seen from another one.
 *
 * For whoever can read the process's memory: the jit-reader inside gdb, `jitscope stack`.  Nothing that is
 * read is trusted: chains end after a bounded number of records, and whatever names bytes is held against the
 * size of what it names them in.  The process may run meanwhile; what is read may then be torn, never out of
 * bounds.
 *
 * Functions return NULL, or what is wrong (a static text). */
#ifndef EXECUTOR_DEBUGGEE_VIEW_H
#define EXECUTOR_DEBUGGEE_VIEW_H

#include "base/bytes.h"
#include "executor/debuggee.h"

#include <elf.h>

struct debuggee_memory {
    /* Copies SIZE bytes at ADDRESS of the process; false when not all of them can be read. */
    bool (*read)(void *context, uint64_t address, void *to, uint64_t size);
    void *context;
};

/* Images have their own sections first (debug_store.h) and all that is to be found is among these. */
enum { VIEWED_SECTIONS = 64, VIEWED_NAMES = 4096 };

/* The section table of an image. */
struct debuggee_elf {
    struct debuggee_image image;
    uint32_t count;
    Elf64_Shdr sections[VIEWED_SECTIONS];
    char names[VIEWED_NAMES + 1];
};

/* ADDRESS: of `jitscope_debuggee`, as it is in the process. */
const char *debuggee_view_root(const struct debuggee_memory *memory, uint64_t address, struct debuggee *root);

/* All images, newest first.  *images is the caller's, for os_release(); NULL when there are none. */
const char *debuggee_view_images(const struct debuggee_memory *memory, const struct debuggee *root,
                                 struct debuggee_image **images, uint32_t *count);

/* Needs IMAGE's address and size only, so that it serves for any ELF file in memory. */
const char *debuggee_view_elf(const struct debuggee_memory *memory, const struct debuggee_image *image,
                              struct debuggee_elf *elf);

/* A copy of the section's bytes, for os_release(); {NULL, 0} when there is none, or nothing in it. */
const char *debuggee_view_section(const struct debuggee_memory *memory, const struct debuggee_elf *elf,
                                  const char *name, struct bytes *section);

#endif
