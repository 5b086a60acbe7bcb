/* tables: GOT, PLT and TLS table, built on demand by edge visitors.
 *
 * A GOT entry is an 8-byte block in .got with a pointer to its target; a PLT entry is a stub in .plt that
 * jumps through the target's GOT entry.  A TLS entry lies in .got too and holds what the access model of the
 * code that asks for it wants ("ELF Handling For Thread-Local Storage", section 4): a module's number and an
 * offset, a distance from the thread pointer, or a descriptor.  Each entry has an anonymous symbol: edges
 * point at that.  One entry per target and batch. */
#ifndef PASS_TABLES_H
#define PASS_TABLES_H

#include "executor/tls_module.h"
#include "pass/edge_visitor.h"

/* Target symbol -> symbol of its entry, or NO_SYMBOL. */
typedef VEC(uint32_t) entry_map;

/* Makes MAP long enough for all symbols that there are. */
struct jitscope_error *cover_targets(entry_map *map, const struct graph *graph);

struct got_table {
    struct edge_visitor visitor; /* takes edges that ask for a GOT entry */
    entry_map entry_of;
    VEC(uint64_t) placed; /* a bit for each symbol that there was at the first request: it has a place */
    uint32_t count;
    uint32_t section; /* NO_SECTION until there is an entry */
    bool needs_base;  /* something computes with the address of the table itself */
};

struct plt_table {
    struct edge_visitor visitor; /* takes branches to external symbols */
    entry_map entry_of;
    uint32_t count;
    struct got_table *got; /* where its stubs jump through */
};

/* What entries of the TLS table are. */
enum tls_entry {
    TLS_ENTRY_PAIR,       /* module and offset of a variable: general dynamic */
    TLS_ENTRY_BLOCK,      /* the batch's module and 0: local dynamic; one for all */
    TLS_ENTRY_TP_OFFSET,  /* distance of a variable from the thread pointer: initial exec */
    TLS_ENTRY_DESCRIPTOR, /* a function and its argument: TLSDESC */
    TLS_ENTRY_KINDS
};

struct tls_table {
    struct edge_visitor visitor; /* takes edges that ask for an entry, and sees all others about TLS */
    entry_map entry_of[TLS_ENTRY_KINDS];
    uint32_t block_entry;
    entry_map reached; /* external symbols that are in graph->tls.reached */
    uint32_t count;
};

void got_table_create(struct got_table *got, const struct graph *graph);
void got_table_destroy(struct got_table *got);
void plt_table_create(struct plt_table *plt, const struct graph *graph, struct got_table *got);
void plt_table_destroy(struct plt_table *plt);
/* The stub of TARGET, made when there is none yet: asked for at OFFSET in BLOCK. */
struct jitscope_error *plt_table_entry(struct plt_table *plt, struct graph *graph, uint32_t target,
                                       uint32_t block, uint64_t offset, uint32_t *symbol);

void tls_table_create(struct tls_table *table, const struct graph *graph);
void tls_table_destroy(struct tls_table *table);

/* For other tables' entries that hold TARGET's address: *symbol is the GOT entry, made when it is new. BLOCK
 * and OFFSET are what asks. */
struct jitscope_error *got_table_entry(struct got_table *got, struct graph *graph, uint32_t target,
                                       uint32_t block, uint64_t offset, uint32_t *symbol);

/* The pass (post-prune): all tables over all existing edges. */
struct jitscope_error *build_tables(struct graph *graph, void *unused);

#endif
