/* ifuncs: indirect functions (STT_GNU_IFUNC) that inputs define: a resolver says at run time which function
 * it is.
 *
 * The name becomes a PLT stub, for whoever refers to it in whatever way: called, address taken, in data, by
 * later links. So it has one address everywhere, which is known before any resolver has run.  The stub jumps
 * through a slot in .got.plt, which stays writable; an action runs the resolvers in the executor and fills
 * the slots before the first initialiser.  What a slot leads to is an external symbol that is resolved when
 * its resolver has run. */
#ifndef PASS_IFUNCS_H
#define PASS_IFUNCS_H

#include "pass/tables.h"

/* Before tables are built: stub, slot and the external symbol of each indirect function.  Fills
 * graph->ifuncs. */
struct jitscope_error *add_ifunc_entries(struct graph *graph, struct got_table *got, struct plt_table *plt);
/* Post-fixup: the action that fills the slots; nothing where no code is run. */
struct jitscope_error *attach_ifunc_resolvers(struct graph *graph);

#endif
