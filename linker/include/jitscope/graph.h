/* The link graph, as user passes see it.
 *
 * Sections hold blocks; symbols name places in blocks; edges say "at this offset of this block stands a value
 * computed from that symbol".  All are named by 32-bit ids, indices in creation order, and iterated by
 * counting.  Removed blocks keep their id: check LIVE.  Terms follow LLVM JITLink's LinkGraph.
 *
 * A graph is valid only during the pass, or the memory manager's allocate, that gets it, and only on that
 * thread; the session's lock is held (session.h says what may be called back).  Views are copies, with
 * pointers that stay valid for the time given with them; they do not follow later changes.  What a function
 * here refuses (USAGE) leaves the graph as it was: the pass may go on. */
#ifndef JITSCOPE_GRAPH_H
#define JITSCOPE_GRAPH_H

#include "jitscope/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One batch while it is linked. */
struct jitscope_graph;

#define JITSCOPE_NONE UINT32_MAX /* no block, no symbol, no section */

/* When a pass runs; the phases are those of LLVM JITLink's PassConfiguration. */
enum jitscope_phase {
    JITSCOPE_PRE_PRUNE,       /* everything read, nothing dropped: mark what must stay */
    JITSCOPE_POST_PRUNE,      /* only live blocks are left, tables have the entries that somebody needs: the
                                 last chance to add bytes */
    JITSCOPE_POST_ALLOCATION, /* addresses are known, externals not yet */
    JITSCOPE_PRE_FIXUP,       /* every address is known, no edge is written yet: add edges, not bytes */
    JITSCOPE_POST_FIXUP,      /* working memory is complete: read or patch it, attach actions */
};

/* A pass: changes GRAPH; an error, which the linker then owns, ends the link.  CONTEXT is what was given to
 * jitscope_session_add_pass(). */
typedef struct jitscope_error *(*jitscope_pass)(struct jitscope_graph *graph, void *context);

/* All sections of one name, protection and lifetime, of all inputs (gABI chapter 4, "Sections"). */
struct jitscope_section_view {
    const char *name; /* valid as long as the session */
    uint32_t prot;    /* JITSCOPE_READ | ... */
    uint32_t blocks;  /* live ones */
};

/* Bytes that move as one: an input section, a record of .eh_frame, a table entry, or what a pass added. */
struct jitscope_block_view {
    uint32_t section;
    uint64_t size;          /* bytes */
    uint64_t alignment;     /* bytes, a power of two */
    uint64_t address;       /* in the executor, from POST_ALLOCATION on, else 0 */
    const uint8_t *content; /* SIZE input bytes, valid during the link; NULL for zero-fill */
    uint8_t *working;  /* from POST_ALLOCATION on: SIZE bytes where fixups write, until finalize; else NULL */
    const char *input; /* name of the input it came from, valid as long as the session; NULL when the linker
                          or a pass made it */
    uint32_t edges;    /* how many */
    bool live;         /* false: pruned, or discarded with its COMDAT group */
};

/* A name for a place (gABI chapter 4, "Symbol Table"). */
struct jitscope_symbol_view {
    const char *name; /* valid as long as the session; "" for an anonymous one */
    uint32_t block;   /* JITSCOPE_NONE: absolute or external */
    uint64_t offset;  /* bytes, in the block; the value of an absolute symbol */
    uint64_t size;    /* bytes; 0 when not known */
    uint64_t address; /* in the executor, from POST_ALLOCATION on (externals from PRE_FIXUP on), else 0 */
    bool external;    /* the batch does not define it */
    bool weak;
    bool local;
    bool hidden; /* or internal: seen in its batch only */
};

/* A place whose value is computed from a symbol: a relocation of the input, or what became of it.  One of a
 * kind "near-..." rewrites the instruction around its field when it is written: until POST_FIXUP that has to
 * stay as it is, or the link ends with UNSUPPORTED. */
struct jitscope_edge_view {
    const char *kind; /* "delta32": listed in docs/EVENTS.md, "Edge kinds"; static */
    uint32_t offset;  /* bytes, in the block */
    uint32_t target;  /* symbol */
    int64_t addend;   /* bytes */
};

/* Number of the link in the session, as in events. */
uint32_t jitscope_graph_link_number(const struct jitscope_graph *graph);
/* How many sections there are; ids count from 0. */
uint32_t jitscope_graph_section_count(const struct jitscope_graph *graph);
/* How many blocks there are, those removed included; ids count from 0. */
uint32_t jitscope_graph_block_count(const struct jitscope_graph *graph);
/* How many symbols there are, local, anonymous and external ones included; ids count from 0. */
uint32_t jitscope_graph_symbol_count(const struct jitscope_graph *graph);

/* SECTION as it is now; all zero when there is none of that id. */
struct jitscope_section_view jitscope_graph_section(const struct jitscope_graph *graph, uint32_t section);
/* BLOCK as it is now; all zero when there is none of that id. */
struct jitscope_block_view jitscope_graph_block(const struct jitscope_graph *graph, uint32_t block);
/* SYMBOL as it is now; all zero when there is none of that id. */
struct jitscope_symbol_view jitscope_graph_symbol(const struct jitscope_graph *graph, uint32_t symbol);
/* Edge number EDGE, from 0, of BLOCK as it is now; all zero when there is none. */
struct jitscope_edge_view jitscope_graph_edge(const struct jitscope_graph *graph, uint32_t block,
                                              uint32_t edge);

/* The symbol of that name that is not local, defined or external; JITSCOPE_NONE when there is none. */
uint32_t jitscope_graph_find_symbol(const struct jitscope_graph *graph, const char *name);
/* The first section of that name; others of its name have another protection or lifetime, and a higher id.
 * JITSCOPE_NONE when there is none. */
uint32_t jitscope_graph_find_section(const struct jitscope_graph *graph, const char *name);

/* True when the batch holds 32-bit absolute references (R_X86_64_32, R_X86_64_32S): a memory manager must
 * place it below 2 GiB, or fixups end the link with OUT_OF_RANGE.  Final when allocate is called. */
bool jitscope_graph_wants_low_memory(const struct jitscope_graph *graph);

/* Pre-prune only: the symbol's block, and what it reaches, stays whatever gc_sections says.  Errors: USAGE
 * (no such symbol, an external or absolute one, another phase). */
struct jitscope_error *jitscope_graph_keep(struct jitscope_graph *graph, uint32_t symbol);

/* Adds a section, or finds the one of that NAME and PROT (never W and X).  NAME is copied.  Up to and
 * including post-prune.  Errors: USAGE. */
struct jitscope_error *jitscope_graph_add_section(struct jitscope_graph *graph, const char *name,
                                                  uint32_t prot, uint32_t *section);
/* Adds SIZE bytes, less than 4 GiB, to SECTION; CONTENT is copied, NULL is zero-fill.  ALIGNMENT is a power
 * of two, in bytes.  The block is live: it is not pruned.  Up to and including post-prune.  Errors: USAGE,
 * UNSUPPORTED (size). */
struct jitscope_error *jitscope_graph_add_block(struct jitscope_graph *graph, uint32_t section,
                                                const void *content, uint64_t size, uint64_t alignment,
                                                uint32_t *block);
/* Names OFFSET (up to the end of the block) of BLOCK.  NAME is copied: a strong, default-visibility
 * definition, which also answers references of the batch; NULL or "" makes an anonymous symbol.  SIZE in
 * bytes is what debuggers are told. Up to and including post-prune.  Errors: USAGE (no such block, a removed
 * one), DUPLICATE. */
struct jitscope_error *jitscope_graph_add_symbol(struct jitscope_graph *graph, const char *name,
                                                 uint32_t block, uint64_t offset, uint64_t size,
                                                 uint32_t *symbol);
/* Adds an edge.  KIND is one of docs/EVENTS.md, "Edge kinds" ("pointer64", "delta32", "branch32", ...);
 * OFFSET and ADDEND are in bytes, both as in a relocation of type RELA (gABI chapter 4, "Relocation").  Up to
 * and including pre-fixup; kinds that want the GOT or an entry in a table ("request-got-...", "got-offset64",
 * "got-base-delta32", and "branch32" to an external symbol) only before prune, 32-bit addresses before layout
 * if they are to bring the batch below 2 GiB. Errors: USAGE (no such block, symbol or kind, a removed one, a
 * field outside the block or in zero-fill, a kind that only the linker makes, "near-...", too late). */
struct jitscope_error *jitscope_graph_add_edge(struct jitscope_graph *graph, uint32_t block, uint32_t offset,
                                               const char *kind, uint32_t target, int64_t addend);

/* Attaches an allocation action: functions by name (jitscope_session_register_action); either may be NULL.
 * Names and arguments are copied; sizes are in bytes, less than 4 GiB.  The finalize half runs when the
 * memory is in place, in order of attachment; the deallocate half before it goes, in reverse: at unload, at
 * the session's end, or when the process exits.  When a finalize half fails, the deallocate halves of those
 * before it run in reverse and the link fails with ACTION_FAILED.  The linker attaches unwind tables and
 * initialisers before the passes of post-fixup: an action attached there runs after the batch's initialisers,
 * one of an earlier phase before both.  In any phase; a simulated session takes any name and runs none.
 * Source: LLVM JITLink's AllocActions.  Errors: USAGE. */
struct jitscope_error *jitscope_graph_add_action(struct jitscope_graph *graph, const char *finalize,
                                                 const void *finalize_arguments, size_t finalize_size,
                                                 const char *deallocate, const void *deallocate_arguments,
                                                 size_t deallocate_size);

#ifdef __cplusplus
}
#endif
#endif
