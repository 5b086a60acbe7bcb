/* exports: definitions of JIT'd code, for shared libraries to find.
 *
 * A plug-in that a program opens takes names from the program when that was linked with -rdynamic: extension
 * modules of interpreters do.  The dynamic loader looks in libraries it knows, so a link's definitions become
 * one: a library made in memory that has nothing but a dynamic symbol table, whose symbols are absolute
 * (SHN_ABS, which the loader of glibc 2.28 and later does not move), opened for all to see (RTLD_GLOBAL).
 * The loader asks it behind the program and the libraries that were there before, so a name that one of these
 * has too is theirs; and what was bound before stays bound.  Thread-local variables are left out: their
 * symbols would have to be in the module that has their block. */
#ifndef EXECUTOR_EXPORTS_H
#define EXECUTOR_EXPORTS_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct exported_symbol {
    const char *name;
    uint64_t address;
};

struct exports {
    void *library;
    char *path;
    uint8_t *buckets; /* of its hash table, where the loader reads them */
    size_t buckets_size;
    uint32_t link;
};

/* Errors: ADDRESS_SPACE (names of more than 2 GiB), UNSUPPORTED (the loader refuses it), SYSTEM, NO_MEMORY.
 */
struct jitscope_error *exports_open(struct exports *exports, uint32_t link,
                                    const struct exported_symbol *symbols, uint32_t count);
/* The names are not found any more; what was found stays bound.  A library that somebody took something from
 * may not go when it is closed (a dlsym(3) by the program itself keeps it for ever), so its hash table is
 * emptied. */
void exports_close(struct exports *exports);

#endif
