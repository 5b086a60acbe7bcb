/* tables: GOT and PLT, built on demand by edge visitors.
 *
 * A GOT entry is an 8-byte block in .got with a pointer to its target; a PLT entry is a stub in .plt that
 * jumps through the target's GOT entry.  Each entry has an anonymous symbol: edges point at that.  One entry
 * per target and batch. */
#ifndef PASS_TABLES_H
#define PASS_TABLES_H

#include "pass/edge_visitor.h"

struct got_table {
    struct edge_visitor visitor; /* takes edges that ask for a GOT entry */
    VEC(uint32_t) entry_of;      /* target symbol -> entry symbol, NO_SYMBOL */
    uint32_t count;
    bool needs_base; /* something computes with the address of the table itself */
};

struct plt_table {
    struct edge_visitor visitor; /* takes branches to external symbols */
    VEC(uint32_t) entry_of;
    uint32_t count;
    struct got_table *got; /* where its stubs jump through */
};

void got_table_create(struct got_table *got, const struct graph *graph);
void got_table_destroy(struct got_table *got);
void plt_table_create(struct plt_table *plt, const struct graph *graph, struct got_table *got);
void plt_table_destroy(struct plt_table *plt);

/* The pass (post-prune): both tables over all existing edges. */
struct jitscope_error *build_tables(struct graph *graph, void *unused);

#endif
