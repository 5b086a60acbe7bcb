/* demangle: names as C++ programmers wrote them, by the C++ runtime's own function (Itanium C++ ABI,
 * section 5.1). */
#ifndef MODEL_DEMANGLE_H
#define MODEL_DEMANGLE_H

#include "base/arena.h"
#include "mirror/rows.h"

/* CELL's text, when it is, or holds, a mangled name; the new text is ARENA's. */
void demangle_cell(struct cell *cell, struct arena *arena);

#endif
