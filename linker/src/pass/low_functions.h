/* low_functions: functions of shared libraries whose address position-dependent code wants in 32 bits.
 *
 * Such a batch lies in the lowest 2 GiB, libraries do not.  A linker that makes an executable without
 * position independence has the same difficulty, and its way out serves here (psABI x86-64, section 5.2.4,
 * "Function Addresses"): the function's PLT stub, which lies low, becomes its address.  For whoever refers to
 * the name in this batch, in whatever way, so that pointers compare equal; the library itself, dlsym(3) and
 * other batches know the function by its own address. Data has no such way out: fixups say so. */
#ifndef PASS_LOW_FUNCTIONS_H
#define PASS_LOW_FUNCTIONS_H

#include "pass/tables.h"

struct low_functions {
    struct edge_visitor visitor; /* sees edges that only a near or low target suits; takes none */
    struct plt_table *plt;
};

void low_functions_create(struct low_functions *functions, const struct graph *graph, struct plt_table *plt);

#endif
