/* arch: what a target is.
 *
 * A target is one const struct: fill in every member and the linker works for it.  To add one: write its edge
 * table
 * (.def), a file with the functions below, a line in the object reader's relocation map; nothing else
 * changes. */
#ifndef ARCH_ARCH_H
#define ARCH_ARCH_H

#include <stdbool.h>
#include <stdint.h>

enum { EDGE_KEEP_ALIVE = 0, EDGE_KIND_LIMIT = 64 };

/* How a value must fit its field. */
enum edge_check { CHECK_NONE, CHECK_SIGNED, CHECK_UNSIGNED, CHECK_EITHER };

struct edge_kind_info {
    const char *name;
    const char *formula;
    const char *purpose;
    uint8_t width;          /* bytes written */
    uint8_t check;          /* enum edge_check */
    bool request;           /* a visitor must have replaced it before fixups */
    uint8_t becomes;        /* the kind that a request for a table entry is once the entry exists, else
                               EDGE_KEEP_ALIVE */
    uint8_t before, behind; /* bytes around the field that are written too, where the instruction changes */
};

/* Nearly all addends fit 32 bits.  Those that do not are kept by the graph, and this is which of them; only
 * the edge says which is meant, so that nobody takes it for a number: graph_addend() and graph_set_addend().
 */
struct edge_addend {
    int32_t bits;
};

/* "At this offset of this block stands a value computed from that symbol." */
struct edge {
    uint32_t offset; /* in the block */
    uint32_t target; /* symbol */
    struct edge_addend addend;
    uint16_t kind;  /* of the graph's arch */
    uint8_t origin; /* relocation type in the input, for messages; 0 when the linker made the edge */
    bool is_wide;   /* its addend is one that the graph keeps */
};
_Static_assert(sizeof(struct edge) == 16, "an edge is 16 bytes");

static inline bool edge_has_addend(const struct edge *edge, int32_t addend) {
    return edge->addend.bits == addend && !edge->is_wide;
}

static inline void edge_set_short_addend(struct edge *edge, int32_t addend) {
    edge->addend.bits = addend;
    edge->is_wide = false;
}

/* A block whose edges are to be applied, or relaxed. */
struct fixup_run {
    uint8_t *content; /* in working memory */
    uint64_t size;
    uint64_t address;          /* of the block */
    const uint64_t *addresses; /* of symbols, by number */
    uint64_t got, tp;          /* as below */
};

/* The same before anything has an address.  Edges of KINDS are to be looked at, and those to what has a place
 * in the batch only when they are of INSIDE too. */
struct relax_run {
    const uint8_t *content; /* of the input */
    uint64_t size;
    const uint64_t *placed; /* a bit for each symbol */
    uint64_t kinds, inside;
};

/* One fixup: in address terms what the formula needs, in bytes where to write. */
struct fixup {
    uint16_t kind;
    int64_t addend;
    uint64_t symbol;  /* S, or for one of arch.size_kinds Z */
    uint64_t place;   /* P */
    uint64_t got;     /* GOT */
    uint64_t tp;      /* TP */
    uint8_t *content; /* the place in working memory; width bytes are there, the caller has checked */
};

struct arch_plt_template {
    const uint8_t *code;
    uint8_t size;
    uint8_t alignment;
    uint8_t got_offset; /* where in CODE the reference to the GOT entry is */
    uint16_t got_edge;  /* kind of that edge */
    int8_t got_addend;
};

/* A stub that jumps through its slot too, and behind that jump has what an unbound slot leads to: it names
 * the slot to the resolver. */
struct arch_lazy_template {
    const uint8_t *code;
    uint8_t size;
    uint8_t alignment;
    uint8_t slot_offsets[2]; /* references to the slot */
    uint8_t resolver_offset; /* reference to a GOT entry that holds the resolver's address */
    uint8_t unbound;         /* where an unbound slot points */
};

/* What an edge to a function does with it. */
enum arch_use {
    USE_ADDRESS,       /* all but calls and jumps: its address may be kept */
    USE_CALL,          /* goes there */
    USE_CALL_INDIRECT, /* goes to where its GOT entry says */
};

/* The kinds that speak of thread-local storage: see x86_64.def for what each is. */
struct arch_tls_kinds {
    uint16_t request_pair, request_block, request_tp_offset, request_descriptor, entry_reference;
    uint16_t offset32, offset64, tp_offset32, tp_offset64, word64;
};

struct arch {
    const char *name;
    const struct edge_kind_info *kinds;
    uint16_t kind_count;
    uint8_t pointer_size;
    uint8_t code_padding; /* fills gaps between blocks of code: a run of it traps when executed */

    /* Kinds, as a bit mask, whose formula names GOT: with one of them a batch has a _GLOBAL_OFFSET_TABLE_. */
    uint64_t got_base_kinds;
    /* Kinds that a visitor must have replaced, and those relax_got_load may rewrite. */
    uint64_t got_request_kinds, got_load_kinds;
    /* Kinds that only thread-local symbols have, and no others than those have. */
    uint64_t tls_kinds;
    /* Kinds whose formula names the symbol's size. */
    uint64_t size_kinds;
    /* Kinds that hold an address in 32 bits: a batch with one to a place of its own lies low. */
    uint64_t low_kinds;

    /* Kinds the generic passes speak of. */
    struct arch_tls_kinds tls;
    uint16_t pointer64, delta64, delta32, negative_delta32, branch, branch_to_stub;

    struct arch_plt_template plt;
    struct arch_lazy_template lazy;

    /* How a function's frame looks at its first instruction, for code without CFI of its own (stubs): DWARF 5
     * section 6.4.2 instructions, and the numbers of a CIE. */
    const uint8_t *entry_cfi;
    uint8_t entry_cfi_size;
    uint8_t return_address_register;
    int8_t data_alignment;

    /* Writes the value; false when it does not fit, with *value what was meant to be written. */
    bool (*apply)(const struct fixup *fixup, uint64_t *value);

    /* The same for the edges from EDGE up to END, of which it gives back the first that needs a closer look:
     * its value does not fit, its field lies behind the block's end, its formula names the symbol's size, or
     * its addend is wide.  All before it are done. */
    const struct edge *(*apply_run)(const struct fixup_run *run, const struct edge *edge,
                                    const struct edge *end);

    /* A load through the GOT whose target is known and near becomes direct (psABI x86-64, section B.2).  EDGE
     * is the load's, of a kind in got_load_kinds, in the block that RUN tells of (its content and address);
     * TARGET is the final address.  True when the instruction was rewritten; then EDGE has the kind, addend
     * and offset of the new one, but still the target that it had. */
    bool (*relax_got_load)(const struct fixup_run *run, struct edge *edge, uint64_t target);

    /* The same before anything has an address, for a target that will be near.  EDGE, of a kind in
     * got_request_kinds, is in a block with these SIZE bytes of CONTENT.  True when the instruction can be
     * rewritten whatever the address turns out to be: then EDGE has a kind that does so when it is applied.
     */
    bool (*relax_early)(const uint8_t *content, uint64_t size, struct edge *edge);
    /* The same for the edges from EDGE up to END, of which it gives back the first that has to be looked at,
     * as RUN says, and stays what it is. */
    struct edge *(*relax_early_run)(const struct relax_run *run, struct edge *edge, struct edge *end);
    /* Rewrites the instruction around FIELD as an edge of KIND does; false when it is none that the kind is
     * for. */
    bool (*rewrite)(uint16_t kind, uint8_t *field);

    /* What an edge of KIND at OFFSET of CONTENT, unrelaxed bytes of code, does with a function.  Kinds that
     * can call are in call_kinds. */
    enum arch_use (*use_of)(uint16_t kind, const uint8_t *content, uint64_t offset, int64_t addend);
    uint64_t call_kinds;

    /* Whether an edge of this kind with this addend at PLACE reaches TARGET. */
    bool (*reaches)(uint16_t kind, uint64_t place, uint64_t target, int64_t addend);
};

extern const struct arch arch_x86_64;

#endif
