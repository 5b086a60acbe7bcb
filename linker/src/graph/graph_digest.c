#include "graph/graph_digest.h"

#include "base/digest.h"

#include <string.h>

/* The shift brings high bits back to where the next multiplication can spread them. */
static inline uint64_t mix(uint64_t digest, uint64_t value) {
    digest = (digest ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return digest ^ digest >> 32;
}

/* Five values whose products do not wait for each other: of all multiplications only that of mix() does. */
static inline uint64_t fold(uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e) {
    return a * UINT64_C(0xbf58476d1ce4e5b9) + b * UINT64_C(0x94d049bb133111eb) +
           c * UINT64_C(0xd6e8feb86659fd93) + d * UINT64_C(0xa0761d6478bd642f) +
           e * UINT64_C(0xe7037ed1a0b428db);
}

static inline uint64_t pair(uint32_t low, uint32_t high) {
    return low | (uint64_t)high << 32;
}

static uint32_t name_hash(const struct graph *graph, uint32_t name) {
    return graph->names->strings.data[name].hash;
}

static uint64_t mix_sections(const struct graph *graph, uint64_t digest) {
    for (uint32_t i = 0; i < graph->sections.count; i++) {
        const struct section *section = &graph->sections.data[i];
        digest = mix(digest, pair(name_hash(graph, section->name), section->blocks));
        digest = mix(digest, pair(section->order, section->prot | (uint32_t)section->lifetime << 8 |
                                                      (uint32_t)section->zero_fill << 16 |
                                                      (uint32_t)section->dependent << 24));
    }
    return digest;
}

static uint64_t mix_blocks(const struct graph *graph, uint64_t digest) {
    for (uint32_t i = 0; i < graph->blocks.count; i++) {
        const struct block *block = &graph->blocks.data[i];
        digest = mix(digest,
                     fold(block->size, pair(block->section, block->input),
                          pair(block->input_section, block->input_offset),
                          pair(block->edge_count, block->attached),
                          pair(block->next_attached, block->alignment_log2 | (uint32_t)block->flags << 8)));
    }
    return digest;
}

static uint64_t mix_symbols(const struct graph *graph, uint64_t digest) {
    for (uint32_t i = 0; i < graph->symbols.count; i++) {
        const struct symbol *symbol = &graph->symbols.data[i];
        uint32_t kind = symbol->linkage | (uint32_t)symbol->scope << 8 | (uint32_t)symbol->kind << 16 |
                        (uint32_t)symbol->flags << 24;
        digest = mix(digest, fold(symbol->value, symbol->size, name_hash(graph, symbol->name),
                                  pair(symbol->block, symbol->input), kind));
    }
    return digest;
}

static uint64_t mix_addresses(const struct graph *graph, uint64_t digest) {
    for (uint32_t i = 0; i < graph->blocks.count; i++)
        digest = mix(digest, graph->blocks.data[i].address);
    return digest;
}

static uint64_t mix_call(uint64_t digest, const struct action_call *call) {
    if (!call->function)
        return mix(digest, 0);
    digest = mix(digest, digest_64(call->function, strlen(call->function)));
    return mix(digest, digest_64(call->arguments, call->size));
}

static uint64_t mix_actions(const struct graph *graph, uint64_t digest) {
    for (uint32_t i = 0; i < graph->actions.count; i++) {
        digest = mix_call(digest, &graph->actions.data[i].finalize);
        digest = mix_call(digest, &graph->actions.data[i].deallocate);
    }
    return digest;
}

/* What of an edge counts, as it has been from the first recordings on: in memory there is less. */
struct told_edge {
    int64_t addend;
    uint32_t offset;
    uint32_t target;
    uint16_t kind;
    uint16_t spare;
    uint32_t origin;
};
_Static_assert(sizeof(struct told_edge) == 24, "nothing in it goes without a value");

enum { TOLD_AT_ONCE = 128 };

struct edges_to_tell {
    const struct graph *graph;
    uint32_t next;
    struct told_edge told[TOLD_AT_ONCE];
};

static size_t tell_edges(void *context, const void **part) {
    struct edges_to_tell *edges = context;
    uint32_t count = 0;
    for (; count < TOLD_AT_ONCE && edges->next < edges->graph->edges.count; count++) {
        const struct edge *edge = &edges->graph->edges.data[edges->next++];
        edges->told[count] = (struct told_edge){.addend = graph_addend(edges->graph, edge),
                                                .offset = edge->offset,
                                                .target = edge->target,
                                                .kind = edge->kind,
                                                .origin = edge->origin};
    }
    *part = edges->told;
    return count * sizeof *edges->told;
}

static uint64_t mix_edges(const struct graph *graph, uint64_t digest) {
    struct edges_to_tell edges;
    edges.graph = graph;
    edges.next = 0;
    return mix(digest, digest_64_parts(tell_edges, &edges));
}

uint64_t graph_digest(const struct graph *graph, uint32_t parts) {
    uint64_t digest = mix(pair(graph->sections.count, graph->blocks.count),
                          pair(graph->symbols.count, graph->actions.count));
    if (parts & GRAPH_SECTIONS)
        digest = mix_sections(graph, digest);
    if (parts & GRAPH_BLOCKS)
        digest = mix_blocks(graph, digest);
    if (parts & GRAPH_SYMBOLS)
        digest = mix_symbols(graph, digest);
    if (parts & GRAPH_EDGES)
        digest = mix_edges(graph, digest);
    if (parts & GRAPH_ADDRESSES)
        digest = mix_addresses(graph, digest);
    return parts & GRAPH_ACTIONS ? mix_actions(graph, digest) : digest;
}

void graph_tell_digest(const struct graph *graph, uint32_t stage, uint32_t parts) {
    if (trace_keeps_answers(graph->trace))
        TRACE_ANSWER(graph->trace, digest, .stage = stage, .digest = graph_digest(graph, parts));
}
