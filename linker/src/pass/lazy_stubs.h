/* lazy_stubs: calls that can come to lead elsewhere while the program runs.
 *
 *     call f      ──►  stub of f in .plt:  jmp *slot ──► f, once it is bound
 *                                          lea slot, %r11   ◄── slot of f in .got.lazy, at first
 *                                          jmp *resolver
 *
 * Two kinds of functions are called so.
 *
 * SYMBOL_LAZY: an input that waits defines it, and this batch does nothing with it but call it.  The slot
 * leads to the second half of the stub, which goes to the executor's resolver (executor/lazy_resolver.h) with
 * the slot's address: that has the function linked, stores its address into the slot, and goes there.
 *
 * SYMBOL_SWINGS: the session's code can be replaced, and the function is a global one that other links, or
 * later generations, may define: the slot leads to it from the start, and to its replacement later
 * (jitscope_session_replace()).
 *
 * Code is never written to, only slots are: each is eight aligned bytes, stored at once, and a thread that
 * jumps through it goes to the old place or to the new.  A call that the compiler made through the GOT
 * (-fno-plt) goes through the slot without the stub.
 *
 * What takes a function's address is not served here: C has one address for a function (C17 6.5.9), and a
 * stub's is known to one batch.  So a function whose address is taken is linked at once, with the batch that
 * takes it (session/lazy_read.c); and who keeps the address of a function that is replaced goes on to call
 * the old one. */
#ifndef PASS_LAZY_STUBS_H
#define PASS_LAZY_STUBS_H

#include "pass/tables.h"

struct lazy_table {
    struct edge_visitor visitor; /* takes calls of such functions; costs nothing when there are none */
    entry_map stub_of;           /* target symbol -> index in graph->lazy.stubs, or NO_SYMBOL */
    uint32_t resolver;           /* symbol; NO_SYMBOL until needed */
    struct got_table *got;
    struct plt_table *plt; /* whose numbers go on */
};

void lazy_table_create(struct lazy_table *table, const struct graph *graph, struct got_table *got,
                       struct plt_table *plt);
void lazy_table_destroy(struct lazy_table *table);

/* Post-fixup pass, when the batch has such stubs: tells the executor where their slots are. */
struct jitscope_error *register_lazy_slots(struct graph *graph, void *unused);

#endif
