/* libdwarf_functions: libdwarf, loaded so that it calls its own functions.
 *
 * gdb is linked with elfutils' libdw, which has three dozen functions of the same names (dwarf_attr,
 * dwarf_child, dwarf_lineno, ...) and comes first in the order in which a library that gdb loads finds its
 * symbols, libdwarf included.  So it is opened with RTLD_DEEPBIND, and what is used of it is a table of
 * pointers. */
#ifndef DWARF_LIBDWARF_FUNCTIONS_H
#define DWARF_LIBDWARF_FUNCTIONS_H

#include <libdwarf/dwarf.h>
#include <libdwarf/libdwarf.h>
#include <stdbool.h>

struct libdwarf {
    void *library;
#define FUNCTION(name) __typeof__(dwarf_##name) *name;
#include "dwarf/libdwarf_functions.def"
#undef FUNCTION
};

/* False when there is no libdwarf of the interface this was built for; the first time, standard error says
 * so. */
bool libdwarf_open(struct libdwarf *libdwarf);
void libdwarf_close(struct libdwarf *libdwarf);

#endif
