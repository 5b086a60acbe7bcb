#include "link/fixups.h"

#include "base/bytes.h"

#include <inttypes.h>

static uint64_t load_field(const uint8_t *at, unsigned width) {
    uint64_t value = 0;
    for (unsigned i = 0; i < width; i++)
        value |= (uint64_t)at[i] << (8 * i);
    return value;
}

static const char *limit_text(const struct edge_kind_info *kind) {
    static const char *const limits[3][3] = {
        {"-2^7 .. 2^7-1", "-2^15 .. 2^15-1", "-2^31 .. 2^31-1 (2 GiB)"},
        {"0 .. 2^8-1", "0 .. 2^16-1", "0 .. 2^32-1 (4 GiB)"},
        {"-2^7 .. 2^8-1", "-2^15 .. 2^16-1", "-2^31 .. 2^32-1"},
    };
    unsigned row = kind->check == CHECK_SIGNED ? 0 : kind->check == CHECK_UNSIGNED ? 1 : 2;
    return limits[row][kind->width == 1 ? 0 : kind->width == 2 ? 1 : 2];
}

/* Whether another relocation of the block writes where this one's instruction stands. */
static bool is_overlapped(const struct graph *graph, const struct block *block, const struct edge *edge) {
    const struct edge *edges = graph->edges.data + block->first_edge;
    const struct edge_kind_info *kinds = graph->arch->kinds, *kind = &kinds[edge->kind];
    uint64_t start = edge->offset - kind->before, end = (uint64_t)edge->offset + kind->width + kind->behind;
    for (uint32_t i = 0; i < block->edge_count; i++) {
        const struct edge_kind_info *other = &kinds[edges[i].kind];
        if (&edges[i] != edge && edges[i].origin && other->width && edges[i].offset < end + other->before &&
            (uint64_t)edges[i].offset + other->width + other->behind > start)
            return true;
    }
    return false;
}

/* EDGE rewrites an instruction, which is not there any more. */
static struct jitscope_error *other_instruction(const struct graph *graph, uint32_t id,
                                                const struct edge *edge) {
    struct coordinates where = graph_coordinates(graph, id, edge->offset, edge->target);
    if (is_overlapped(graph, &graph->blocks.data[id], edge))
        return error_at(
            JITSCOPE_ERROR_FORMAT, &where,
            "%s: another relocation changes the instruction that is to reach its target without a "
            "table entry",
            graph_edge_name(graph, edge));
    return error_with_help(error_at(JITSCOPE_ERROR_UNSUPPORTED, &where,
                                    "%s: a pass has changed the instruction that was to reach its target "
                                    "without a table entry",
                                    graph_edge_name(graph, edge)),
                           "have the pass change it in the post-fixup phase");
}

static struct jitscope_error *out_of_range(const struct graph *graph, uint32_t id, const struct edge *edge,
                                           uint64_t value) {
    const struct block *block = &graph->blocks.data[id];
    const struct edge_kind_info *kind = &graph->arch->kinds[edge->kind];
    const struct symbol *symbol = &graph->symbols.data[edge->target];
    uint64_t place = block->address + edge->offset, target = graph->addresses[edge->target];
    struct coordinates where = graph_coordinates(graph, id, edge->offset, edge->target);
    if (kind->before && graph->arch->reaches(edge->kind, place, target, graph_addend(graph, edge)))
        return other_instruction(graph, id, edge);
    if (kind->request)
        return error_at(JITSCOPE_ERROR_UNSUPPORTED, &where, "%s asks for a table entry that no pass has made",
                        graph_edge_name(graph, edge));
    bool negative = kind->check != CHECK_UNSIGNED && (int64_t)value < 0;
    struct jitscope_error *error =
        error_at(JITSCOPE_ERROR_OUT_OF_RANGE, &where,
                 "%s at 0x%" PRIx64 " to 0x%" PRIx64 "%+" PRId64 ", %s0x%" PRIx64
                 " bytes away: the value %s = %s0x%" PRIx64 " does not fit %s",
                 graph_edge_name(graph, edge), place, target, graph_addend(graph, edge),
                 target < place ? "-" : "", target < place ? place - target : target - place, kind->formula,
                 negative ? "-" : "", negative ? 0 - value : value, limit_text(kind));
    if (symbol->flags & SYMBOL_EXTERNAL && graph->wants_low_memory)
        return error_with_help(error, "the target lies outside the batch: compile with -fPIC so that it is "
                                      "reached through the GOT, link an archive that defines it, as "
                                      "-l:libstdc++.a instead of -lstdc++, or, when it is data of a shared "
                                      "library, have it run in a process that is started for it and holds a "
                                      "copy: `jitscope run` does so by itself without --in-process, "
                                      "--executor and a debugger, other programs with "
                                      "jitscope_executor_spawn_for()");
    if (symbol->flags & SYMBOL_EXTERNAL)
        return error_with_help(error, "the target lies outside the batch: compile with -fPIC so that it is "
                                      "reached through the GOT, or link an archive that defines it, as "
                                      "-l:libstdc++.a instead of -lstdc++");
    return error_with_help(error, "the target lies in the batch: compile with -mcmodel=medium or -fPIC, or "
                                  "link less at once");
}

/* Only when somebody wants to see each edge: the same, with the bytes before and after. */
static bool apply_traced(const struct graph *graph, uint32_t id, const struct edge *edge, struct fixup *fixup,
                         uint64_t *value) {
    unsigned width = graph->arch->kinds[edge->kind].width;
    uint64_t before = load_field(fixup->content, width);
    if (!graph->arch->apply(fixup, value))
        return false;
    TRACE(graph->trace, fixup, .block = id, .offset = edge->offset, .kind = edge->kind,
          .target = edge->target, .addend = fixup->addend, .address = fixup->symbol, .before = before,
          .after = load_field(fixup->content, width));
    return true;
}

/* What stands for the address in a formula with Z.  Of what lies outside only shared libraries tell the size;
 * what nobody defines has none; a stub that is a name's address has its own. */
static struct jitscope_error *find_size(const struct graph *graph, uint32_t id, const struct edge *edge,
                                        uint64_t *size) {
    const struct symbol *symbol = &graph->symbols.data[edge->target];
    *size = symbol->size;
    bool outside = symbol->flags & SYMBOL_EXTERNAL;
    if (outside ? symbol->size || !graph->addresses[edge->target] : !(symbol->flags & SYMBOL_TABLE_ENTRY))
        return NULL;
    struct coordinates where = graph_coordinates(graph, id, edge->offset, edge->target);
    return error_with_help(error_at(JITSCOPE_ERROR_UNSUPPORTED, &where,
                                    "%s: the size of what %s is not known", graph_edge_name(graph, edge),
                                    outside ? "lies outside the batch" : "a stub stands for"),
                           "link the object that defines it in the same batch");
}

static struct jitscope_error *behind_the_end(const struct graph *graph, uint32_t id,
                                             const struct edge *edge) {
    struct coordinates where = graph_coordinates(graph, id, edge->offset, edge->target);
    return error_at(JITSCOPE_ERROR_OUT_OF_RANGE, &where, "%s reaches behind the end of its block",
                    graph_edge_name(graph, edge));
}

static struct jitscope_error *fix_edge(const struct graph *graph, uint32_t id, const struct edge *edge,
                                       const struct fixup_run *run, bool traced) {
    struct fixup fixup = {.kind = edge->kind,
                          .addend = graph_addend(graph, edge),
                          .symbol = run->addresses[edge->target],
                          .place = run->address + edge->offset,
                          .got = run->got,
                          .tp = run->tp,
                          .content = run->content + edge->offset};
    uint64_t value;
    if ((uint64_t)edge->offset + graph->arch->kinds[edge->kind].width > run->size)
        return behind_the_end(graph, id, edge);
    if (graph->arch->size_kinds >> edge->kind & 1)
        TRY(find_size(graph, id, edge, &fixup.symbol));
    bool done = traced ? apply_traced(graph, id, edge, &fixup, &value) : graph->arch->apply(&fixup, &value);
    return done ? NULL : out_of_range(graph, id, edge, value);
}

/* What is the same for all blocks. */
static struct fixup_run run_of(const struct graph *graph) {
    return (struct fixup_run){.addresses = graph->addresses, .got = graph->got_base, .tp = graph->tls.tp};
}

static inline struct jitscope_error *fix_block(const struct graph *graph, uint32_t id, uint8_t *content,
                                               struct fixup_run *run, bool traced) {
    const struct block *block = &graph->blocks.data[id];
    const struct edge *edge = graph->edges.data + block->first_edge, *end = edge + block->edge_count;
    run->content = content;
    run->size = block->size;
    run->address = block->address;
    while (edge < end) {
        if (!traced)
            edge = graph->arch->apply_run(run, edge, end);
        if (edge < end)
            TRY(fix_edge(graph, id, edge++, run, traced));
    }
    return NULL;
}

struct jitscope_error *fix_copy(const struct graph *graph, uint32_t block, uint8_t *content) {
    struct fixup_run run = run_of(graph);
    return fix_block(graph, block, content, &run, false);
}

struct jitscope_error *apply_fixups(struct graph *graph, void *unused) {
    (void)unused;
    bool traced = trace_wants(graph->trace, LEVEL_EDGES);
    struct fixup_run run = run_of(graph);
    for (uint32_t id = 0; id < graph->blocks.count; id++) {
        const struct block *block = &graph->blocks.data[id];
        if (block->edge_count && !(block->flags & BLOCK_REMOVED))
            TRY(fix_block(graph, id, block->working, &run, traced));
    }
    return NULL;
}
