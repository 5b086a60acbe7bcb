/* launcher: a program that is made for one other: an executor with copies of shared libraries' data.
 *
 * Code compiled with -fno-pic knows addresses at link time and keeps them in 32 bits, so it lies in the
 * lowest 2 GiB, and what it names must lie there too.  Shared libraries do not.  For their functions a stub
 * does (pass/low_functions.h); for their data the psABI has executables keep a copy (R_X86_64_COPY,
 * table 4.10): when the process starts, the loader copies the object's first value out of the library and has
 * everybody, the library too, use the copy.  Only the loader can do that, only at the start, only for the
 * executable it starts.  So that executable is written here, in memory, when a link has said which objects it
 * wants:
 *
 *     0x400000  r--  headers, names and versions of the copies, relocations
 *               r-x  the first instructions: they call __libc_start_main(3) as those of any program do
 *               rw-  dynamic section; where the copies go, those that are constant in pages that the loader
 *                    protects (PT_GNU_RELRO)
 *
 * and needs, besides the libraries that are copied from, jitscope-executor.so: all of jitscope-executor as a
 * library, whose entry is LAUNCHER_ENTRY. */
#ifndef EXECUTOR_LAUNCHER_H
#define EXECUTOR_LAUNCHER_H

#include "base/vec.h"

#define LAUNCHER_ENTRY "jitscope_executor_main" /* as main(argc, argv) */

/* Copies have at most so many bytes: what is below 2 GiB is for code as well. */
#define LAUNCHER_MOST ((uint64_t)256 << 20)

/* The library is in each process that is started, before all others (LD_PRELOAD): it need not be named, and
 * would not be known for what it is if it were.  Names have no versions then. */
#define LAUNCHER_PRELOADED UINT32_MAX

struct launcher_object {
    uint32_t library; /* index; LAUNCHER_PRELOADED */
    uint32_t first_name;
    uint64_t size;
    uint64_t alignment; /* a power of two, at most a page */
    bool read_only;
};

struct launcher_name {
    uint32_t object;
    const char *name;
    const char *version; /* NULL: none */
    bool weak;
};

/* Zero-initialised is empty; texts are borrowed. */
struct launcher {
    VEC(const char *) libraries; /* paths with a slash, in the order in which names are looked for */
    VEC(struct launcher_object) objects;
    VEC(struct launcher_name) names; /* those of one object one after the other */
};
void launcher_destroy(struct launcher *launcher);

/* Writes the executable for the executor in the shared object at the path ENTRY_LIBRARY into *file, to be
 * released with os_release().  Errors: ADDRESS_SPACE (more than LAUNCHER_MOST). */
struct jitscope_error *launcher_write(const struct launcher *launcher, const char *entry_library,
                                      uint8_t **file, uint64_t *size);

#endif
