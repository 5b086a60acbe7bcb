/* loaded_file: shared libraries that this process makes in memory files, for the dynamic loader to open. */
#ifndef EXECUTOR_LOADED_FILE_H
#define EXECUTOR_LOADED_FILE_H

#include "base/error.h"

#include <elf.h>
#include <stdint.h>

/* A path, good for debuggers too that hear of the library at once, that no other library of this process has,
 * although descriptors' numbers come again: it says how many there were, and which copy of this code made it
 * (a plug-in may have one of its own).  To be released; NULL: no memory. */
char *loaded_file_path(int fd);
/* Writes the ELF header and, right behind it, COUNT program headers to FILE, where there is room.  One of
 * them must be PT_GNU_STACK: without it the loader would make stacks executable. */
void loaded_file_put_headers(uint8_t *file, const Elf64_Phdr *segments, uint16_t count);
struct jitscope_error *loaded_file_write(int fd, const void *bytes, uint64_t size, uint64_t offset);

#endif
