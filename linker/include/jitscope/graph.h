/* The link graph, as user passes see it.
 *
 * Sections hold blocks; symbols name places in blocks; edges say "at this offset of this block stands a value
 * computed from that symbol".  All are named by 32-bit ids, indices in creation order, and iterated by
 * counting.  Removed blocks keep their id: check LIVE.  A graph is valid only during the pass that gets it.
 */
#ifndef JITSCOPE_GRAPH_H
#define JITSCOPE_GRAPH_H

#include "jitscope/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct jitscope_graph;

#define JITSCOPE_NONE UINT32_MAX /* no block, no symbol, no section */

/* When a pass runs (DESIGN: JITLink's pass configuration). */
enum jitscope_phase {
    JITSCOPE_PRE_PRUNE,  /* everything read, nothing dropped: mark what must stay */
    JITSCOPE_POST_PRUNE, /* only live blocks are left: build tables, add blocks; the last chance to change
                            sizes */
    JITSCOPE_POST_ALLOCATION, /* addresses are known, externals not yet */
    JITSCOPE_PRE_FIXUP,       /* every address is known, nothing is written yet: change edges, not sizes */
    JITSCOPE_POST_FIXUP,      /* working memory is complete: read or patch it, attach actions */
};

/* A pass: changes GRAPH; an error ends the link. */
typedef struct jitscope_error *(*jitscope_pass)(struct jitscope_graph *graph, void *context);

struct jitscope_section_view {
    const char *name;
    uint32_t prot;   /* JITSCOPE_READ | ... */
    uint32_t blocks; /* live ones */
};

struct jitscope_block_view {
    uint32_t section;
    uint64_t size;
    uint64_t alignment;
    uint64_t address;       /* from POST_ALLOCATION on, else 0 */
    const uint8_t *content; /* input bytes, NULL for zero-fill */
    uint8_t *working;       /* from POST_ALLOCATION on: where fixups write; else NULL */
    const char *input;      /* name of the input it came from; NULL when the linker or a pass made it */
    uint32_t edges;
    bool live;
};

struct jitscope_symbol_view {
    const char *name; /* "" for an anonymous one */
    uint32_t block;   /* JITSCOPE_NONE: absolute or external */
    uint64_t offset;  /* in the block; the value of an absolute symbol */
    uint64_t size;
    uint64_t address; /* from POST_ALLOCATION on (externals from PRE_FIXUP on), else 0 */
    bool external;
    bool weak;
    bool local;
    bool hidden;
};

struct jitscope_edge_view {
    const char *kind; /* "delta32" */
    uint32_t offset;  /* in the block */
    uint32_t target;  /* symbol */
    int64_t addend;
};

uint32_t jitscope_graph_link_number(const struct jitscope_graph *graph);
uint32_t jitscope_graph_section_count(const struct jitscope_graph *graph);
uint32_t jitscope_graph_block_count(const struct jitscope_graph *graph);
uint32_t jitscope_graph_symbol_count(const struct jitscope_graph *graph);

/* Ids out of range give an all-zero view. Strings are owned by the session and outlive the pass. */
struct jitscope_section_view jitscope_graph_section(const struct jitscope_graph *graph, uint32_t section);
struct jitscope_block_view jitscope_graph_block(const struct jitscope_graph *graph, uint32_t block);
struct jitscope_symbol_view jitscope_graph_symbol(const struct jitscope_graph *graph, uint32_t symbol);
struct jitscope_edge_view jitscope_graph_edge(const struct jitscope_graph *graph, uint32_t block,
                                              uint32_t edge);

/* The global symbol, or section, of that name; JITSCOPE_NONE when there is none. */
uint32_t jitscope_graph_find_symbol(const struct jitscope_graph *graph, const char *name);
uint32_t jitscope_graph_find_section(const struct jitscope_graph *graph, const char *name);

/* True when the batch holds 32-bit absolute references: a memory manager must place it below 2 GiB. */
bool jitscope_graph_wants_low_memory(const struct jitscope_graph *graph);

/* Pre-prune only: the symbol's block, and what it reaches, stays.  Errors: USAGE. */
struct jitscope_error *jitscope_graph_keep(struct jitscope_graph *graph, uint32_t symbol);

/* Up to and including post-prune.  CONTENT is copied; NULL is zero-fill.  NAME NULL makes an anonymous
 * symbol. Errors: USAGE (bad id, alignment no power of two, too late), DUPLICATE, NO_MEMORY. */
struct jitscope_error *jitscope_graph_add_section(struct jitscope_graph *graph, const char *name,
                                                  uint32_t prot, uint32_t *section);
struct jitscope_error *jitscope_graph_add_block(struct jitscope_graph *graph, uint32_t section,
                                                const void *content, uint64_t size, uint64_t alignment,
                                                uint32_t *block);
struct jitscope_error *jitscope_graph_add_symbol(struct jitscope_graph *graph, const char *name,
                                                 uint32_t block, uint64_t offset, uint64_t size,
                                                 uint32_t *symbol);
/* KIND as in the edge table ("pointer64", "delta32", "branch32", ...). Up to pre-fixup. */
struct jitscope_error *jitscope_graph_add_edge(struct jitscope_graph *graph, uint32_t block, uint32_t offset,
                                               const char *kind, uint32_t target, int64_t addend);

/* Attaches an allocation action: functions by name (jitscope_session_register_action); either may be NULL.
 * Arguments are copied.  The finalize half runs when the memory is in place, in order of attachment; the
 * deallocate half before it goes, in reverse.  Errors: USAGE (unknown name), NO_MEMORY. */
struct jitscope_error *jitscope_graph_add_action(struct jitscope_graph *graph, const char *finalize,
                                                 const void *finalize_arguments, size_t finalize_size,
                                                 const char *deallocate, const void *deallocate_arguments,
                                                 size_t deallocate_size);

#ifdef __cplusplus
}
#endif
#endif
