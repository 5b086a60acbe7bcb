/* .eh_frame (LSB Core 5, "Exception Frames"; DWARF 5 section 6.4.1 for the instructions).
 *
 * A section is a row of records: length, then an id.  Id 0 is a CIE, which says how to read its FDEs; any
 * other id is an FDE, and the distance back from the id to its CIE.  An FDE describes one range of code:
 * where it starts stands in a field with a relocation, so that the function is found through the edge, not
 * through the bytes.  Length 0 ends the section, and 2^32-1 announces a 64-bit length.
 *
 * Linking wants records apart: an FDE must live and die with its function, and equal CIEs of all objects are
 * one.
 *
 * An input whose section is not sound loses all of its records, since one bad length makes the rest a guess;
 * the link goes on without them. */
#include "object/eh_frame.h"

#include "base/bytes.h"
#include "base/map64.h"
#include "object/cie.h"

#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

/* One CIE that is in the graph. */
struct cie {
    uint32_t block;
    uint32_t symbol;
    uint8_t pointer_size; /* of pc-begin and pc-range in its FDEs */
};

/* Where a CIE of the input at hand starts, and which it became. */
struct cie_place {
    uint64_t offset;
    uint32_t cie;
};

/* An FDE of the input at hand, and the block it is attached to. */
struct attached_fde {
    uint32_t block;
    uint32_t function;
};

struct splitter {
    struct graph *graph;
    uint32_t section;
    VEC(struct cie) cies;
    struct map64 by_digest; /* content -> last CIE with it */
    VEC(struct cie_place) places;

    /* the input block at hand */
    uint32_t block;
    struct bytes content;
    uint32_t next_edge, end_edge; /* those not given to a record yet */
    uint32_t settled_edges;       /* those of records that are done */
    VEC(struct attached_fde) attached;
};

struct record {
    uint64_t offset;    /* in the block, of its length field */
    uint64_t size;      /* with the length field */
    uint64_t id_offset; /* of its id field */
    uint32_t id;
    uint32_t first_edge, edge_count;
    bool is_end; /* length 0: a terminator, which the linker puts behind the whole instead */
};

static struct jitscope_error *bad_record(const struct splitter *splitter, enum jitscope_error_code code,
                                         uint64_t offset, const char *what) {
    struct coordinates where = graph_coordinates(splitter->graph, splitter->block, offset, NO_SYMBOL);
    return error_at(code, &where, "%s", what);
}

/* --- records
 * ------------------------------------------------------------------------------------------------------- */

/* RECORD's offset is set, the rest zero. */
static inline struct jitscope_error *read_record(const struct splitter *splitter, struct record *record) {
    struct bytes content = splitter->content;
    const uint64_t at = record->offset;
    uint64_t header = 4, length;
    if (!bytes_contain(content, at, 4))
        return bad_record(splitter, JITSCOPE_ERROR_TRUNCATED, at,
                          "the section ends inside a record's length");
    length = load_u32(content.data + at);
    if (length == UINT32_MAX) {
        if (!bytes_contain(content, at, 12))
            return bad_record(splitter, JITSCOPE_ERROR_TRUNCATED, at,
                              "the section ends inside a record's length");
        length = load_u64(content.data + at + 4);
        header = 12;
    }
    record->size = header + length;
    record->id_offset = at + header;
    record->is_end = !length;
    if (!length)
        return NULL;
    if (length < 4 || !bytes_contain(content, at + header, length))
        return bad_record(splitter, JITSCOPE_ERROR_TRUNCATED, at, "a record that is longer than its section");
    record->id = load_u32(content.data + record->id_offset);
    return NULL;
}

/* Edges are sorted: those of this record follow those of the last. */
static struct jitscope_error *take_edges(struct splitter *splitter, struct record *record) {
    const struct edge *edges = splitter->graph->edges.data;
    const struct edge_kind_info *kinds = splitter->graph->arch->kinds;
    const uint64_t start = record->offset, end = record->offset + record->size;
    const uint64_t header_end = record->is_end ? 0 : record->id_offset + 4;
    uint32_t at = splitter->next_edge;
    record->first_edge = at;
    for (; at < splitter->end_edge && edges[at].offset < end; at++) {
        uint64_t offset = edges[at].offset, width = kinds[edges[at].kind].width;
        if (offset < start || offset + width > end)
            return bad_record(splitter, JITSCOPE_ERROR_FORMAT, offset, "a relocation across two records");
        if (offset < header_end && width)
            return bad_record(splitter, JITSCOPE_ERROR_FORMAT, offset,
                              "a relocation in a record's length or CIE pointer");
    }
    splitter->next_edge = at;
    record->edge_count = at - record->first_edge;
    return NULL;
}

/* The record becomes a block; its edges change hands without moving. */
static inline struct jitscope_error *add_record(struct splitter *splitter, const struct record *record,
                                                uint32_t *id) {
    struct graph *graph = splitter->graph;
    const struct block *from = &graph->blocks.data[splitter->block];
    struct block_source source = {from->input, from->input_section, from->input_offset + record->offset};
    /* Records must lie without gaps, since zeros between them would end the section; the first one is
     * aligned. */
    uint8_t alignment = splitter->cies.count ? 0 : 3;
    TRY(graph_add_block(graph, splitter->section, splitter->content.data + record->offset, record->size,
                        alignment, source, id));
    struct block *block = &graph->blocks.data[*id];
    struct edge *edges = graph->edges.data;
    block->first_edge = record->first_edge;
    block->edge_count = record->edge_count;
    for (uint32_t at = record->first_edge, end = at + record->edge_count; at < end; at++)
        edges[at].offset -= (uint32_t)record->offset;
    return NULL;
}

/* An FDE's edges move to the end of all, where there is room for the one to its CIE behind them. */
static inline struct jitscope_error *add_cie_edge(struct graph *graph, uint32_t id, struct edge to_cie) {
    struct block *block = &graph->blocks.data[id];
    uint32_t count = block->edge_count;
    TRY(vec_reserve(&graph->edges, (uint64_t)count + 1));
    if (block->first_edge + count != graph->edges.count) {
        const struct edge *from = graph->edges.data + block->first_edge;
        struct edge *to = graph->edges.data + graph->edges.count;
        block->first_edge = graph->edges.count;
        graph->edges.count += count;
        for (uint32_t i = 0; i < count; i++)
            to[i] = from[i];
    }
    graph_put_edge(graph, id, to_cie);
    return NULL;
}

/* --- CIEs
 * ----------------------------------------------------------------------------------------------------------
 */

static struct jitscope_error *read_pointer_size(const struct splitter *splitter, const struct record *record,
                                                uint8_t *size) {
    struct cie_view view;
    const char *failure = cie_parse(bytes_slice(splitter->content, record->offset, record->size),
                                    record->id_offset - record->offset, &view);
    *size = view.pointer_size;
    return failure ? bad_record(splitter, JITSCOPE_ERROR_UNSUPPORTED, record->offset, failure) : NULL;
}

static uint64_t digest_of(const struct splitter *splitter, const struct record *record) {
    const struct graph *graph = splitter->graph;
    uint64_t digest = XXH3_64bits(splitter->content.data + record->offset, record->size);
    for (uint32_t i = 0; i < record->edge_count; i++) {
        const struct edge *edge = &graph->edges.data[record->first_edge + i];
        uint64_t parts[4] = {digest, edge->target, (uint64_t)graph_addend(graph, edge), edge->kind};
        digest = XXH3_64bits(parts, sizeof parts);
    }
    return digest == MAP64_NO_KEY ? 0 : digest;
}

/* Digests can collide: equal bytes, equal edges decide. */
static bool is_same_cie(const struct splitter *splitter, const struct cie *cie, const struct record *record) {
    const struct graph *graph = splitter->graph;
    const struct block *block = &graph->blocks.data[cie->block];
    if (block->size != record->size || block->edge_count != record->edge_count ||
        memcmp(block->content, splitter->content.data + record->offset, record->size) != 0)
        return false;
    for (uint32_t i = 0; i < record->edge_count; i++) {
        const struct edge *a = &graph->edges.data[block->first_edge + i];
        const struct edge *b = &graph->edges.data[record->first_edge + i];
        if (a->target != b->target || graph_addend(graph, a) != graph_addend(graph, b) ||
            a->kind != b->kind || a->offset != b->offset - record->offset)
            return false;
    }
    return true;
}

static struct jitscope_error *new_cie(struct splitter *splitter, const struct record *record, uint64_t digest,
                                      uint32_t *index) {
    struct cie cie;
    struct graph *graph = splitter->graph;
    TRY(read_pointer_size(splitter, record, &cie.pointer_size));
    TRY(add_record(splitter, record, &cie.block));
    TRY(graph_add_symbol(
        graph,
        (struct symbol){.block = cie.block, .size = record->size, .input = NO_INPUT, .scope = SCOPE_LOCAL},
        &cie.symbol));
    TRACE(graph->trace, cfi_record, .block = cie.block, .kind = CFI_CIE, .cie = cie.block, .function = NO_ID);
    TRY(vec_push(&splitter->cies, cie));
    *index = splitter->cies.count - 1;
    return map64_set(&splitter->by_digest, digest, *index);
}

static struct jitscope_error *split_cie(struct splitter *splitter, const struct record *record) {
    uint64_t digest = digest_of(splitter, record);
    uint32_t index = map64_find(&splitter->by_digest, digest);
    if (index == MAP64_NO_VALUE || !is_same_cie(splitter, &splitter->cies.data[index], record))
        TRY(new_cie(splitter, record, digest, &index));
    else
        splitter->graph->live_edges -= record->edge_count;
    return vec_push(&splitter->places, (struct cie_place){record->offset, index});
}

/* --- FDEs
 * ----------------------------------------------------------------------------------------------------------
 */

static struct jitscope_error *find_cie(const struct splitter *splitter, const struct record *record,
                                       const struct cie **cie) {
    uint64_t wanted = record->id_offset - record->id;
    uint32_t low = 0, high = splitter->places.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (splitter->places.data[middle].offset < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    if (record->id > record->id_offset || low == splitter->places.count ||
        splitter->places.data[low].offset != wanted)
        return bad_record(splitter, JITSCOPE_ERROR_FORMAT, record->offset, "an FDE whose CIE does not exist");
    *cie = &splitter->cies.data[splitter->places.data[low].cie];
    return NULL;
}

static inline const struct edge *find_edge(const struct splitter *splitter, const struct record *record,
                                           uint64_t offset) {
    const struct edge *edges = splitter->graph->edges.data;
    uint32_t at = record->first_edge, end = at + record->edge_count;
    while (at < end && edges[at].offset != offset)
        at++;
    return at < end ? &edges[at] : NULL;
}

static struct jitscope_error *split_fde(struct splitter *splitter, const struct record *record) {
    struct graph *graph = splitter->graph;
    const struct cie *cie = NULL;
    uint32_t block;
    TRY(find_cie(splitter, record, &cie));
    uint64_t range_offset = record->id_offset + 4 + cie->pointer_size;
    if (range_offset + cie->pointer_size > record->offset + record->size)
        return bad_record(splitter, JITSCOPE_ERROR_TRUNCATED, record->offset,
                          "an FDE that ends before its range");
    const struct edge *begin = find_edge(splitter, record, record->id_offset + 4);
    if (!begin)
        return bad_record(splitter, JITSCOPE_ERROR_FORMAT, record->offset,
                          "an FDE that names no function (no relocation at pc-begin)");
    uint32_t function = graph->symbols.data[begin->target].block;
    if (begin->target == graph->zero_symbol || function == NO_BLOCK) {
        graph->live_edges -= record->edge_count; /* its function is not in the batch */
        return NULL;
    }
    uint64_t function_offset =
        graph->symbols.data[begin->target].value + (uint64_t)graph_addend(graph, begin);
    uint64_t range = cie->pointer_size == 4 ? load_u32(splitter->content.data + range_offset)
                                            : load_u64(splitter->content.data + range_offset);
    struct edge to_cie = {.offset = (uint32_t)(record->id_offset - record->offset),
                          .kind = graph->arch->negative_delta32,
                          .target = cie->symbol};
    uint32_t cie_block = cie->block;
    TRY(add_record(splitter, record, &block));
    TRY(add_cie_edge(graph, block, to_cie));
    TRY(vec_push(&splitter->attached, (struct attached_fde){block, function}));
    graph_attach_block(graph, function, block);
    TRACE(graph->trace, cfi_record, .block = block, .kind = CFI_FDE, .cie = cie_block, .function = function,
          .function_offset = function_offset, .function_size = range);
    return NULL;
}

/* --- the section
 * --------------------------------------------------------------------------------------------------- */

static int by_offset(const void *a, const void *b) {
    const struct edge *x = a, *y = b;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static void sort_edges(struct graph *graph, const struct block *block) {
    if (block->edge_count < 2)
        return;
    struct edge *edges = graph->edges.data + block->first_edge;
    for (uint32_t i = 1; i < block->edge_count; i++)
        if (edges[i].offset < edges[i - 1].offset) {
            qsort(edges, block->edge_count, sizeof *edges, by_offset);
            return;
        }
}

static struct jitscope_error *split_records(struct splitter *splitter) {
    for (uint64_t at = 0; at < splitter->content.size;) {
        struct record record = {.offset = at};
        TRY(read_record(splitter, &record));
        TRY(take_edges(splitter, &record));
        if (!record.is_end)
            TRY(record.id ? split_fde(splitter, &record) : split_cie(splitter, &record));
        splitter->settled_edges += record.edge_count;
        at += record.size;
    }
    return NULL;
}

/* The FDEs made of the block go again, last first.  Its CIEs may stay: without an FDE they are not live. */
static void take_back(struct splitter *splitter) {
    struct graph *graph = splitter->graph;
    while (splitter->attached.count) {
        const struct attached_fde *fde = &splitter->attached.data[--splitter->attached.count];
        graph->blocks.data[fde->function].attached = graph->blocks.data[fde->block].next_attached;
        graph_remove_block(graph, fde->block, REASON_UNSOUND);
    }
}

/* Each FDE has an edge to its function, gets one to its CIE, and takes along those it has. */
static struct jitscope_error *reserve_records(struct splitter *splitter, const struct block *block) {
    uint32_t count = block->edge_count;
    /* Large ones first, while nothing lies behind them. */
    TRY(vec_reserve(&splitter->graph->edges, (uint64_t)count * 2));
    TRY(vec_reserve(&splitter->graph->blocks, count));
    return vec_reserve(&splitter->attached, count);
}

static struct jitscope_error *split_block(struct splitter *splitter, uint32_t id) {
    struct graph *graph = splitter->graph;
    struct block *block = &graph->blocks.data[id];
    uint32_t input = block->input, edges = block->edge_count;
    sort_edges(graph, block);
    TRY(reserve_records(splitter, block));
    block = &graph->blocks.data[id];
    splitter->block = id;
    splitter->content = (struct bytes){block->content, block->size};
    splitter->next_edge = block->first_edge;
    splitter->end_edge = block->first_edge + block->edge_count;
    splitter->places.count = splitter->attached.count = splitter->settled_edges = 0;
    struct jitscope_error *error = split_records(splitter);
    if (error)
        TRY(graph_tell_discarded(graph, input, error, "its functions have no unwind information"));
    if (error)
        take_back(splitter);
    /* The records own the edges now, or have given them up. */
    graph->blocks.data[id].edge_count = edges - splitter->settled_edges;
    graph_remove_block(graph, id, error ? REASON_UNSOUND : REASON_SPLIT);
    return NULL;
}

struct jitscope_error *eh_frame_split(struct graph *graph, uint32_t section) {
    struct splitter splitter = {.graph = graph, .section = section};
    struct jitscope_error *error = NULL;
    uint32_t count = graph->blocks.count;
    for (uint32_t id = 0; id < count && !error; id++) {
        const struct block *block = &graph->blocks.data[id];
        if (block->section == section && !(block->flags & (BLOCK_REMOVED | BLOCK_ZERO_FILL)))
            error = split_block(&splitter, id);
    }
    vec_destroy(&splitter.cies);
    vec_destroy(&splitter.places);
    vec_destroy(&splitter.attached);
    map64_destroy(&splitter.by_digest);
    return error;
}
