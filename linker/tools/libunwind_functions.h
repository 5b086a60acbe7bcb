/* libunwind_functions: nongnu libunwind for other processes, loaded when it is needed.
 *
 * A program that were linked with it would get its _Unwind_RaiseException in front of libgcc's, and what
 * `jitscope run` runs could throw nothing. */
#ifndef TOOLS_LIBUNWIND_FUNCTIONS_H
#define TOOLS_LIBUNWIND_FUNCTIONS_H

#include "base/error.h"

#include <libunwind-ptrace.h>

/* Not in the headers, but part of the library's interface to its own siblings since its first versions. */
extern int UNW_OBJ(dwarf_search_unwind_table)(unw_addr_space_t, unw_word_t, unw_dyn_info_t *,
                                              unw_proc_info_t *, int, void *);

enum { LIBUNWIND_LIBRARIES = 3 };

/* Zero-initialised is closed. */
struct libunwind {
    void *libraries[LIBUNWIND_LIBRARIES];
    const unw_accessors_t *ptrace_accessors;
#define FUNCTION(name, symbol) __typeof__(symbol) *name;
#include "libunwind_functions.def"
#undef FUNCTION
};

/* Errors: NOT_FOUND, with the package that is missing. */
struct jitscope_error *libunwind_open(struct libunwind *libunwind);
void libunwind_close(struct libunwind *libunwind);

#endif
