/* Without --gc-sections a static linker keeps everything it has read, and so does this pass, in one walk that
 * follows no edges but those of dependent blocks: an FDE lives with its function, a CIE with its FDEs. */
#include "pass/prune.h"

#include <stdio.h>
#include <string.h>

struct marker {
    struct graph *graph;
    VEC(uint32_t) work;
    uint32_t live; /* at least so many blocks are */
};

/* Whether the block is live from now on, and was not before. */
static inline bool take(struct marker *marker, struct block *block) {
    if (block->flags & (BLOCK_LIVE | BLOCK_REMOVED))
        return false;
    block->flags |= BLOCK_LIVE;
    marker->live++;
    return true;
}

static struct jitscope_error *mark(struct marker *marker, uint32_t id) {
    return take(marker, &marker->graph->blocks.data[id]) ? vec_push(&marker->work, id) : NULL;
}

/* What a block leads to.  All in locals: a flag that is set could be anything, as far as the compiler knows.
 */
static inline struct jitscope_error *follow(struct marker *marker, uint32_t id) {
    struct block *const blocks = marker->graph->blocks.data;
    const struct symbol *const symbols = marker->graph->symbols.data;
    const struct edge *const edges = marker->graph->edges.data;
    for (uint32_t at = blocks[id].first_edge, end = at + blocks[id].edge_count; at < end; at++) {
        uint32_t target = symbols[edges[at].target].block;
        if (target != NO_BLOCK && take(marker, &blocks[target]))
            TRY(vec_push(&marker->work, target));
    }
    for (uint32_t at = blocks[id].attached; at != NO_BLOCK; at = blocks[at].next_attached)
        TRY(mark(marker, at));
    return NULL;
}

static struct jitscope_error *drain(struct marker *marker) {
    while (marker->work.count)
        TRY(follow(marker, marker->work.data[--marker->work.count]));
    return NULL;
}

static bool has_prefix(const char *text, const char *prefix) {
    return !strncmp(text, prefix, strlen(prefix));
}

/* Run by the system, not reached by an edge (ld's default script: KEEP), or reached by name only (__start_X).
 */
static bool is_kept_section(const struct graph *graph, uint32_t id) {
    static const char *const kept[] = {".init_array", ".fini_array", ".preinit_array", ".ctors", ".dtors"};
    const char *name = string_pool_text(graph->names, graph->sections.data[id].name);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (has_prefix(name, kept[i]))
            return true;
    return name[0] != '.' && !graph->sections.data[id].dependent;
}

/* Of a section that is kept; dependent blocks only when the program walks over it. */
enum { KEEP_NONE, KEEP_INDEPENDENT, KEEP_ALL };

static bool is_wanted(const struct graph *graph, const char *prefix, const char *name) {
    char text[256];
    int length = snprintf(text, sizeof text, "%s%s", prefix, name);
    if (length < 0 || (size_t)length >= sizeof text)
        return true; /* more is kept than need be */
    uint32_t id = string_pool_find(graph->names, text, (size_t)length);
    return id != NO_NAME && graph_find_symbol(graph, id) != NO_SYMBOL;
}

static bool are_bounds_wanted(const struct graph *graph, uint32_t id) {
    const char *name = string_pool_text(graph->names, graph->sections.data[id].name);
    return is_wanted(graph, "__start_", name) || is_wanted(graph, "__stop_", name);
}

static struct jitscope_error *mark_kept_sections(struct marker *marker) {
    const struct graph *graph = marker->graph;
    uint8_t *kept = os_allocate_zeroed(graph->sections.count);
    if (!kept)
        return error_no_memory();
    for (uint32_t id = 0; id < graph->sections.count; id++)
        kept[id] = (uint8_t)(!is_kept_section(graph, id)    ? KEEP_NONE
                             : are_bounds_wanted(graph, id) ? KEEP_ALL
                                                            : KEEP_INDEPENDENT);
    struct jitscope_error *error = NULL;
    for (uint32_t id = 0; id < graph->blocks.count && !error; id++) {
        struct block *block = &graph->blocks.data[id];
        if (graph->sections.data[block->section].lifetime == LIFETIME_NO_ALLOC)
            block->flags |= BLOCK_LIVE; /* debug sections stay, and keep nothing alive */
        else if (kept[block->section] == KEEP_ALL ||
                 (kept[block->section] == KEEP_INDEPENDENT && !(block->flags & BLOCK_DEPENDENT)))
            error = mark(marker, id);
    }
    os_release(kept);
    return error;
}

static struct jitscope_error *mark_roots(struct marker *marker, const struct prune_roots *roots) {
    struct graph *graph = marker->graph;
    /* Blocks that passes asked to keep are marked already, but not followed yet. */
    for (uint32_t id = 0; id < graph->blocks.count; id++)
        if (graph->blocks.data[id].flags & BLOCK_LIVE)
            TRY(vec_push(&marker->work, id));
    for (uint32_t i = 0; i < roots->count; i++) {
        uint32_t symbol = graph_find_symbol(graph, roots->names[i]);
        if (symbol != NO_SYMBOL && graph->symbols.data[symbol].block != NO_BLOCK)
            TRY(mark(marker, graph->symbols.data[symbol].block));
    }
    TRY(mark_kept_sections(marker));
    return drain(marker);
}

/* A dependent block's targets: its CIE is dependent too, everything else is a root anyway. */
static struct jitscope_error *mark_everything(struct marker *marker) {
    struct block *const blocks = marker->graph->blocks.data;
    const struct section *const sections = marker->graph->sections.data;
    for (uint32_t id = 0, count = marker->graph->blocks.count; id < count; id++) {
        struct block *block = &blocks[id];
        if (block->flags & (BLOCK_REMOVED | BLOCK_DEPENDENT) || sections[block->section].dependent)
            continue;
        marker->live += !(block->flags & BLOCK_LIVE);
        block->flags |= BLOCK_LIVE;
        /* One that is attached mostly has none of its own, nor leads to what is not live already. */
        for (uint32_t at = block->attached; at != NO_BLOCK; at = blocks[at].next_attached)
            if (take(marker, &blocks[at]))
                TRY(follow(marker, at));
        if (marker->work.count)
            TRY(drain(marker));
    }
    return NULL;
}

struct jitscope_error *prune(struct graph *graph, void *context) {
    const struct prune_roots *roots = context;
    struct marker marker = {.graph = graph};
    struct jitscope_error *error = roots->everything ? mark_everything(&marker) : mark_roots(&marker, roots);
    vec_destroy(&marker.work);
    bool all_live = marker.live == graph->live_blocks;
    for (uint32_t id = 0; id < graph->blocks.count && !all_live && !error; id++)
        if (!(graph->blocks.data[id].flags & (BLOCK_LIVE | BLOCK_REMOVED)))
            graph_remove_block(graph, id, REASON_UNREACHABLE);
    return error;
}
