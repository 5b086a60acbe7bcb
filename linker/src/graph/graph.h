/* graph: one batch of code and data as sections, blocks, symbols and edges.
 *
 * Everything lies in contiguous arrays and is named by a 32-bit id, the index in creation order; ids never
 * change and are what events carry.
 *
 *   section   a name with one protection and one lifetime; sections of the same name from all inputs of the
 * batch are one section here, so that __start_X and .init_array have one meaning block     a run of bytes (or
 * zero-fill) that moves as one; one input section, or one record of .eh_frame, or one table entry symbol    a
 * name for block + offset, an absolute value, or something external edge      "at this offset of this block
 * stands a value computed from that symbol" (16 bytes)
 *
 * The edges of a block are one run of graph->edges; adding to a block whose run is not the last moves the
 * run.
 *
 * Events are emitted by the functions here and nowhere else in the passes: change the graph through them.
 * Used under the session's lock. */
#ifndef GRAPH_GRAPH_H
#define GRAPH_GRAPH_H

#include "arch/arch.h"
#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/string_pool.h"
#include "base/vec.h"
#include "executor/bridge.h"
#include "trace/trace.h"

#define NO_BLOCK   UINT32_MAX
#define NO_SYMBOL  UINT32_MAX
#define NO_SECTION UINT32_MAX
#define NO_INPUT   UINT32_MAX

/* Sections that nothing need reach by 32 bits come last, so that they part no others. */
#define ORDER_LARGE UINT32_MAX

struct section {
    uint32_t name;
    uint8_t prot;         /* PROTECT_* bits */
    uint8_t lifetime;     /* LIFETIME_* */
    bool zero_fill;       /* holds only zero-fill: laid out behind the segment's content */
    bool dependent;       /* its blocks live only through what they are attached to (.eh_frame records) */
    uint32_t order;       /* rank in the layout among sections of its segment; ties by id */
    uint32_t blocks;      /* blocks that are not removed */
    uint32_t first, last; /* of those, in memory, from layout on */
    uint32_t next;        /* of its name, with another protection, lifetime or kind of content; NO_SECTION */
};

enum {
    BLOCK_LIVE = 1,
    BLOCK_ZERO_FILL = 2,
    BLOCK_REMOVED = 4,
    BLOCK_DEPENDENT = 8,  /* lives only through what it is attached to (SHF_LINK_ORDER) */
    BLOCK_CLAIMED = 16,   /* some of its edges lead to table entries */
    BLOCK_IN_MEMORY = 32, /* its section is, see section_in_memory(): saves looking that up */
};

struct block {
    const uint8_t *content; /* input bytes, borrowed; NULL for zero-fill */
    uint8_t *working;       /* where fixups write, from allocation to finalize */
    uint64_t address;       /* in the executor, from layout on */
    uint32_t size;
    uint32_t section;
    uint32_t input;         /* NO_INPUT: made by the linker */
    uint32_t input_section; /* section index in that input */
    uint32_t input_offset;  /* where in that input section the block starts */
    uint32_t first_edge;
    uint32_t edge_count;
    uint32_t attached;      /* first block that lives because this one does (FDEs of a function); NO_BLOCK */
    uint32_t next_attached; /* next in that chain */
    uint8_t alignment_log2;
    uint8_t flags; /* BLOCK_* */
};
_Static_assert(sizeof(struct block) == 64, "a block is one line of the processor's cache");

enum {
    SYMBOL_LIVE = 1,
    SYMBOL_EXTERNAL = 2,
    SYMBOL_RESOLVED = 4,
    SYMBOL_TABLE_ENTRY = 8,
    SYMBOL_LARGE = 16,  /* a common symbol that need not lie in reach of 32 bits */
    SYMBOL_LAZY = 32,   /* external, only called, and an input that waits defines it (pass/lazy_stubs.h); of a
                           stub or slot: it can come to lead elsewhere */
    SYMBOL_SWINGS = 64, /* a function that can be replaced: calls go through a slot */
    SYMBOL_HELD = 128,  /* besides, its address is taken */
};

struct symbol {
    uint64_t value; /* offset in its block, or the absolute value, or an external's address once resolved */
    uint64_t size;  /* for a common symbol still to be allocated: its size; value is then its alignment */
    uint32_t name;
    uint32_t block; /* NO_BLOCK: absolute, external or (still) common */
    uint32_t input; /* that defines it, or first refers to it */
    uint8_t linkage;
    uint8_t scope;
    uint8_t kind; /* SYMBOL_KIND_* */
    uint8_t flags;
};

/* What is found by name: tables indexed by name id, 2^32-1 for "none".  As long as the session's name pool,
 * so that a graph that made its own would cost every link what all earlier ones have named: a session lends
 * its graphs one set, which each leaves as empty as it found it. */
struct name_tables {
    VEC(uint32_t) symbols;  /* non-local ones */
    VEC(uint32_t) groups;   /* COMDAT signatures: the input whose copy is in the graph */
    VEC(uint32_t) sections; /* the first of that name; more are chained by id */
};
void name_tables_destroy(struct name_tables *tables);

/* An indirect function that an input defines, once it has its table entries (pass/ifuncs.h): three symbols.
 */
struct ifunc {
    uint32_t resolver; /* where the input's definition is */
    uint32_t slot;     /* what the stub jumps through */
    uint32_t result;   /* external; resolved when the resolver has run */
};

struct elf_reader;

/* A word of a GOT entry, or two, that the executor is to say: see executor/tls_module.h. */
struct tls_gap {
    uint32_t block;
    uint32_t edge;   /* which of the block's edges puts it there */
    uint32_t symbol; /* thread-local; NO_SYMBOL: the batch's own block */
    uint8_t kind;    /* enum tls_word */
};

/* Where an external thread-local symbol is defined. */
struct tls_external {
    uint32_t symbol;
    uint32_t link; /* an earlier one; 0: a shared library */
};

/* Something that reaches SYMBOL from the thread pointer. */
struct tls_reach {
    uint32_t symbol;
    uint32_t block; /* NO_BLOCK: nothing does */
    uint64_t offset;
};

/* What is to be known of thread-local storage. */
struct graph_tls {
    VEC(struct tls_gap) gaps;
    VEC(struct tls_external) externals; /* those that are resolved */
    VEC(struct tls_reach) reached;      /* external symbols, each once */
    struct tls_reach own;               /* the first that reaches the batch's own block */
    uint64_t tp;                        /* TP of the formulas in arch/x86_64.def, once it is known */
};

/* An object whose debug sections stayed in its file; its blocks are first_block and the block_count - 1
 * behind. */
struct debug_input {
    uint32_t input;
    uint32_t first_block;
    uint32_t block_count;
    const struct elf_reader *reader; /* object/'s view of the file, in the graph's arena */
};

/* A slot that can come to lead elsewhere while code runs, and the stub that jumps through it. */
struct lazy_stub {
    uint32_t target; /* the function that is called */
    uint32_t slot, stub;
    uint32_t leads_to; /* symbol that the slot has at first: behind the stub's jump, or the target */
};

struct graph_lazy {
    uint64_t resolver; /* address of what unbound slots go to in the end */
    VEC(struct lazy_stub) stubs;
    bool wanted; /* some symbol is SYMBOL_LAZY or SYMBOL_SWINGS */
};

struct graph {
    const struct arch *arch;
    struct trace *trace;
    struct string_pool *names; /* the session's */
    struct arena arena;        /* lives as long as the graph */
    uint32_t link;             /* its number in the session */

    VEC(struct section) sections;
    VEC(struct block) blocks;
    VEC(struct symbol) symbols;
    VEC(struct edge) edges;
    VEC(int64_t) wide_addends;  /* of edges that are wide, once each */
    VEC(struct action) actions; /* see executor/bridge.h */

    VEC(struct ifunc) ifuncs; /* in the order in which they are resolved */

    /* Inputs with DWARF that did not become blocks, for the debug image. */
    VEC(struct debug_input) debug_inputs;

    /* Symbols that are open, that is external, or common and without a place, and some that were: by id, but
     * while open_is_unsorted, when one may also be there twice.  What asks for open symbols walks over these,
     * not over all. */
    VEC(uint32_t) open;
    bool open_is_unsorted;

    struct name_tables by_name;
    struct name_tables *lender;   /* where by_name goes back to; NULL: it is the graph's own */
    VEC(uint32_t) claimed_groups; /* signatures in by_name.groups */

    uint32_t live_blocks;  /* blocks that are not removed */
    uint64_t live_edges;   /* edges of those */
    uint64_t most_bytes;   /* that its blocks can take, alignment and those that were removed included */
    uint32_t named;        /* symbols that are not local, or were not */
    uint32_t zero_symbol;  /* the absolute value 0, NO_SYMBOL until needed; in .eh_frame: discarded */
    uint64_t got_base;     /* address of _GLOBAL_OFFSET_TABLE_, from post-allocation on */
    uint8_t phase;         /* PHASE_*: of the pass that runs */
    bool has_ifuncs;       /* some input defines one */
    bool wants_low_memory; /* some edge needs 32-bit absolute addresses */
    bool lies_near;        /* wherever it comes to lie, 32 bits reach from each place of it to each other */
    uint32_t wants_executable_stack; /* the first input that does, or NO_INPUT */

    struct graph_tls tls;
    struct graph_lazy lazy;

    /* The addresses of symbols, index is the symbol's id; filled before fixups. */
    uint64_t *addresses;
    uint32_t address_count;

    /* Names an input for messages: "libx.a(y.o)".  Given by the session. */
    const char *(*input_name)(const void *context, uint32_t input);
    /* The format's name of a relocation ("R_X86_64_PC32"), or NULL. */
    const char *(*relocation_name)(uint32_t origin);
    /* Whether the executor knows an action of that name; NULL when nothing is executed. */
    bool (*knows_action)(const void *context, const char *name);
    /* Whether a shared library, and nothing else, will answer for NAME, and with a function; NULL: nobody
     * knows. */
    bool (*is_library_function)(const void *context, uint32_t name);
    const void *input_context;
};

struct jitscope_error *graph_create(struct graph *graph, const struct arch *arch, struct string_pool *names,
                                    struct trace *trace, uint32_t link);
/* Right after creation: TABLES, empty as ever, are GRAPH's until it is destroyed. */
void graph_borrow_tables(struct graph *graph, struct name_tables *tables);
void graph_destroy(struct graph *graph);

/* --- sections
 * ------------------------------------------------------------------------------------------------ */

/* The section of that name, protection and lifetime, made when it is new. */
struct jitscope_error *graph_add_section(struct graph *graph, uint32_t name, uint8_t prot, uint8_t lifetime,
                                         bool zero_fill, uint32_t *id);
/* Room for COUNT sections that are about to come, with names that are new. */
struct jitscope_error *graph_reserve_sections(struct graph *graph, uint32_t count);
/* First section of that name, or NO_SECTION; go on with graph_next_section. */
uint32_t graph_find_section(const struct graph *graph, uint32_t name);
uint32_t graph_next_section(const struct graph *graph, uint32_t section);

/* --- blocks
 * -------------------------------------------------------------------------------------------------- */

struct block_source {
    uint32_t input;
    uint32_t input_section;
    uint64_t input_offset;
};
#define MADE_BY_LINKER ((struct block_source){NO_INPUT, 0, 0})

/* CONTENT is borrowed and must live as long as the graph; NULL is zero-fill. */
struct jitscope_error *graph_add_block(struct graph *graph, uint32_t section, const uint8_t *content,
                                       uint64_t size, uint8_t alignment_log2, struct block_source source,
                                       uint32_t *id);
void graph_remove_block(struct graph *graph, uint32_t block, uint32_t reason);
/* BLOCK lives when OWNER lives. */
void graph_attach_block(struct graph *graph, uint32_t owner, uint32_t block);

/* From layout on: a section's blocks lie side by side in [*START, *END).  False when there are none. */
static inline bool graph_section_bounds(const struct graph *graph, uint32_t id, uint64_t *start,
                                        uint64_t *end) {
    const struct section *section = &graph->sections.data[id];
    if (!section->blocks)
        return false;
    const struct block *last = &graph->blocks.data[section->last];
    *start = graph->blocks.data[section->first].address;
    *end = last->address + last->size;
    return true;
}

/* --- symbols
 * ------------------------------------------------------------------------------------------------- */

/* Appends SYMBOL as it is: no resolution by name.  For locals and linker-made symbols. */
struct jitscope_error *graph_add_symbol(struct graph *graph, struct symbol symbol, uint32_t *id);
/* Room for COUNT symbols that are about to come, when they are more than there are: growing step by step
 * touches fresh pages several times over. */
struct jitscope_error *graph_reserve_symbols(struct graph *graph, uint32_t count);
/* The global symbol of that name, or NO_SYMBOL. */
uint32_t graph_find_symbol(const struct graph *graph, uint32_t name);

/* A definition of a non-local name meets what the batch already knows, as a static linker decides (gABI
 * chapter 4, "Symbol Table"): strong beats weak and common, a second strong is DUPLICATE, commons merge to
 * the larger, the first weak stays; the most constraining visibility wins.  *id is the name's symbol, *won
 * says whether the definition took. */
struct jitscope_error *graph_define(struct graph *graph, const struct symbol *definition, uint32_t *id,
                                    bool *won);
/* A reference to a non-local name: its symbol, external until somebody defines it. */
struct jitscope_error *graph_refer(struct graph *graph, uint32_t name, uint8_t linkage, uint8_t scope,
                                   uint8_t kind, uint32_t input, uint32_t *id);
/* A definition that loses to one of an earlier link's is external from now on. */
struct jitscope_error *graph_yield(struct graph *graph, uint32_t symbol);
/* Leaves those in graph->open that still are, sorted. */
void graph_tidy_open(struct graph *graph);
/* The outside world (or the linker) answers for an external symbol. */
void graph_resolve(struct graph *graph, uint32_t symbol, uint64_t address, uint32_t provider, uint32_t where);
/* The same for a thread-local symbol: OFFSET in the block of LINK, or of a shared library (0). */
struct jitscope_error *graph_resolve_thread_local(struct graph *graph, uint32_t symbol, uint64_t offset,
                                                  uint32_t provider, uint32_t where, uint32_t link);
/* The first input to come with a COMDAT group's signature keeps it: *holder is that input (INPUT itself when
 * it is). */
struct jitscope_error *graph_claim_group(struct graph *graph, uint32_t signature, uint32_t input,
                                         uint32_t *holder);
/* Turns an external or common symbol into a definition at BLOCK + OFFSET (or absolute with NO_BLOCK). */
void graph_define_at(struct graph *graph, uint32_t symbol, uint32_t block, uint64_t offset, uint64_t size);

/* Sections whose blocks have addresses in the executor; others are laid out from 0 on. */
static inline bool section_in_memory(const struct section *section) {
    return lifetime_in_memory(section->lifetime);
}

/* External, whether somebody has answered for it or not, or common and without a place. */
static inline bool symbol_is_open(const struct symbol *symbol) {
    return symbol->flags & SYMBOL_EXTERNAL || symbol->linkage == LINKAGE_COMMON;
}

static inline bool symbol_is_defined(const struct symbol *symbol) {
    return !symbol_is_open(symbol);
}

/* The link goes on without what ERROR says of INPUT's DWARF or .eh_frame: one event, one warning that ends
 * with the CONSEQUENCE.  Consumes ERROR, but gives it back when memory is what is missing. */
struct jitscope_error *graph_tell_discarded(struct graph *graph, uint32_t input, struct jitscope_error *error,
                                            const char *consequence);

const char *graph_symbol_name(const struct graph *graph, uint32_t symbol);
static inline uint64_t graph_symbol_address(const struct graph *graph, uint32_t id) {
    const struct symbol *symbol = &graph->symbols.data[id];
    return symbol->block == NO_BLOCK ? symbol->value
                                     : graph->blocks.data[symbol->block].address + symbol->value;
}
/* Computes graph->addresses for all symbols. */
struct jitscope_error *graph_compute_addresses(struct graph *graph);
void graph_forget_addresses(struct graph *graph);

/* --- edges
 * --------------------------------------------------------------------------------------------------- */

/* EDGE is one of GRAPH's, or a copy, or about to come in. */
static inline int64_t graph_addend(const struct graph *graph, const struct edge *edge) {
    uint32_t number = (uint32_t)edge->addend.bits;
    return __builtin_expect(edge->is_wide, 0) ? graph->wide_addends.data[number] : edge->addend.bits;
}
/* Copies of EDGE keep the one that they have. */
struct jitscope_error *graph_set_addend(struct graph *graph, struct edge *edge, int64_t addend);

struct jitscope_error *graph_add_edge(struct graph *graph, uint32_t block, struct edge edge);
/* Readers that know the count beforehand: reserve, then put each without check; all go to BLOCK, whose run
 * must be the last or empty. */
struct jitscope_error *graph_reserve_edges(struct graph *graph, uint32_t block, uint64_t count);
/* The same, and hardly anything to do for a block without edges when there is room. */
static inline struct jitscope_error *graph_reserve_first_edges(struct graph *graph, uint32_t block,
                                                               uint64_t count) {
    if (__builtin_expect(
            graph->blocks.data[block].edge_count || graph->edges.capacity - graph->edges.count < count, 0))
        return graph_reserve_edges(graph, block, count);
    graph->blocks.data[block].first_edge = graph->edges.count;
    return NULL;
}
static inline void graph_put_edge(struct graph *graph, uint32_t block, struct edge edge) {
    TRACE(graph->trace, edge, .block = block, .offset = edge.offset, .kind = edge.kind, .target = edge.target,
          .addend = graph_addend(graph, &edge));
    vec_put(&graph->edges, edge);
    graph->blocks.data[block].edge_count++;
    graph->live_edges++;
}
/* COUNT were written behind the last one, as by graph_put_edge, and nobody wants to see each. */
static inline void graph_count_edges(struct graph *graph, uint32_t block, uint32_t count) {
    graph->edges.count += count;
    graph->blocks.data[block].edge_count += count;
    graph->live_edges += count;
}
/* A visitor took EDGE: new kind, new target. */
static inline void graph_claim_edge(struct graph *graph, uint32_t block, struct edge *edge, uint16_t kind,
                                    uint32_t entry, uint32_t table) {
    TRACE(graph->trace, edge_claimed, .block = block, .offset = edge->offset, .before = edge->kind,
          .after = kind, .table = table, .entry = entry);
    graph->blocks.data[block].flags |= BLOCK_CLAIMED;
    edge->kind = kind;
    edge->target = entry;
}

/* --- actions
 * ------------------------------------------------------------------------------------------------- */

/* Attaches a pair; argument bytes are copied.  FINALIZE or DEALLOCATE may have a NULL function. */
struct jitscope_error *graph_add_action(struct graph *graph, struct action_call finalize,
                                        struct action_call deallocate);
/* The same, in front of all others; arguments are borrowed for the graph's life. */
struct jitscope_error *graph_add_first_action(struct graph *graph, struct action_call finalize,
                                              struct action_call deallocate);

/* --- messages
 * ------------------------------------------------------------------------------------------------ */

/* Where BLOCK + OFFSET lies in the inputs. */
struct coordinates graph_coordinates(const struct graph *graph, uint32_t block, uint64_t offset,
                                     uint32_t symbol);
/* "R_X86_64_PC32" or, for an edge the linker made, its kind's name. */
const char *graph_edge_name(const struct graph *graph, const struct edge *edge);

/* Checks every invariant of the graph (ids in range, runs inside the array, offsets inside blocks, ...); for
 * tests and debug builds, after each pass.  The error names the first that does not hold. */
struct jitscope_error *graph_verify(const struct graph *graph);

#endif
