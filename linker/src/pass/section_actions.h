/* section_actions: allocation actions about a whole section: (address, size) of it as arguments. */
#ifndef PASS_SECTION_ACTIONS_H
#define PASS_SECTION_ACTIONS_H

#include "graph/graph.h"

/* The pair with the section's address and size as two little-endian u64; either function may be NULL.  A
 * section without live blocks gets none. */
struct jitscope_error *add_section_action(struct graph *graph, uint32_t section, const char *finalize,
                                          const char *deallocate);

/* Pre-prune pass: .init_array.N, .fini_array.N, .ctors.N, .dtors.N come behind other sections, by priority.
 */
struct jitscope_error *order_initialisers(struct graph *graph, void *unused);
/* Post-fixup pass: resolvers of indirect functions, finalisers, __cxa_atexit handlers, then initialisers as
 * actions, in the order of ld's default script (SORT_BY_INIT_PRIORITY, .ctors among .init_array). */
struct jitscope_error *attach_initialisers(struct graph *graph, void *unused);

#endif
