#include "memory/layout.h"
#include "base/bytes.h"

#include <inttypes.h>
#include <string.h>

/* A section with live blocks and its place in the order of all. */
struct rank {
    uint64_t key; /* segment, then zero-fill, then section.order; equal keys stay in order of id */
    uint32_t section;
    uint32_t count; /* live blocks */
};

#define LARGEST_BATCH ((uint64_t)4 << 30)

enum { MOST_PADDING = 4096 };

enum {
    KEY_ORDER_BITS = 32,
    KEY_SEGMENT_SHIFT = KEY_ORDER_BITS + 1,
    KEY_THREAD = 62,
    KEY_NO_ALLOC = 63,
    FEW_SECTIONS = 32
};

/* What layout_create needs on the way: one piece of memory. */
struct scratch {
    uint32_t *next; /* by section: where its next block goes in layout->blocks */
    struct rank *ranks;
    struct rank *spare; /* the sorted ones may end up in either */
    void *memory;
    uint32_t rank_count;
    size_t size; /* of all of it, in bytes */
};

static struct jitscope_error *scratch_create(struct scratch *scratch, uint32_t sections) {
    size_t ranks = (size_t)sections * sizeof(struct rank);
    size_t next = (size_t)sections * sizeof(uint32_t);
    uint8_t *memory = os_resize_table(NULL, 0, 2 * ranks + next);
    scratch->size = 2 * ranks + next;
    if (!memory)
        return error_no_memory();
    scratch->memory = memory;
    scratch->ranks = (struct rank *)(void *)memory;
    scratch->spare = scratch->ranks + sections;
    scratch->next = (uint32_t *)(void *)(scratch->spare + sections);
    return NULL;
}

static void scratch_destroy(struct scratch *scratch) {
    os_release_table(scratch->memory, scratch->size);
}

/* r-x, r--, rw-, the unusual ones beside their like. */
static uint64_t section_key(const struct section *section) {
    static const uint8_t rank_of_prot[8] = {
        [PROTECT_READ | PROTECT_EXECUTE] = 0, [PROTECT_EXECUTE] = 1, [PROTECT_READ] = 2, [0] = 3,
        [PROTECT_READ | PROTECT_WRITE] = 4,   [PROTECT_WRITE] = 5};
    if (section->lifetime == LIFETIME_NO_ALLOC)
        return (uint64_t)KEY_NO_ALLOC << KEY_SEGMENT_SHIFT | section->order;
    uint64_t segment = section->lifetime == LIFETIME_THREAD
                           ? KEY_THREAD
                           : (uint64_t)rank_of_prot[section->prot & 7] * 2 + section->lifetime;
    return segment << KEY_SEGMENT_SHIFT | (uint64_t)section->zero_fill << KEY_ORDER_BITS | section->order;
}

static struct jitscope_error *check_prot(const struct graph *graph, uint32_t id) {
    const struct section *section = &graph->sections.data[id];
    const uint32_t both = PROTECT_WRITE | PROTECT_EXECUTE;
    if (section->lifetime == LIFETIME_NO_ALLOC || (section->prot & both) != both)
        return NULL;
    struct coordinates where = {.section = string_pool_text(graph->names, section->name),
                                .offset = NO_OFFSET};
    return error_with_help(error_at(JITSCOPE_ERROR_UNSUPPORTED, &where, "writable and executable memory"),
                           "give code and data sections of their own");
}

static void sort_few(struct rank *ranks, uint32_t count) {
    for (uint32_t i = 1; i < count; i++) {
        struct rank rank = ranks[i];
        uint32_t at = i;
        for (; at && ranks[at - 1].key > rank.key; at--)
            ranks[at] = ranks[at - 1];
        ranks[at] = rank;
    }
}

/* Least significant byte first, stable, bytes in which no two keys differ skipped: linear in sections, of
 * which -ffunction-sections makes very many. */
static void sort_ranks(struct scratch *scratch) {
    if (scratch->rank_count <= FEW_SECTIONS) {
        sort_few(scratch->ranks, scratch->rank_count);
        return;
    }
    uint64_t differ = 0;
    for (uint32_t i = 1; i < scratch->rank_count; i++)
        differ |= scratch->ranks[i].key ^ scratch->ranks[0].key;
    struct rank *from = scratch->ranks, *to = scratch->spare;
    for (unsigned shift = 0; shift < 64; shift += 8) {
        uint32_t starts[257] = {0};
        if (!(differ >> shift & 0xff))
            continue;
        for (uint32_t i = 0; i < scratch->rank_count; i++)
            starts[(from[i].key >> shift & 0xff) + 1]++;
        for (unsigned byte = 0; byte < 256; byte++)
            starts[byte + 1] += starts[byte];
        for (uint32_t i = 0; i < scratch->rank_count; i++)
            to[starts[from[i].key >> shift & 0xff]++] = from[i];
        struct rank *swap = from;
        from = to;
        to = swap;
    }
    scratch->ranks = from;
    scratch->spare = to;
}

static struct jitscope_error *rank_sections(struct scratch *scratch, const struct graph *graph) {
    scratch->rank_count = 0;
    for (uint32_t i = 0; i < graph->sections.count; i++) {
        const struct section *section = &graph->sections.data[i];
        if (!section->blocks)
            continue;
        TRY(check_prot(graph, i));
        scratch->ranks[scratch->rank_count++] = (struct rank){section_key(section), i, section->blocks};
    }
    sort_ranks(scratch);
    return NULL;
}

static struct jitscope_error *order_blocks(struct layout *layout, struct scratch *scratch,
                                           const struct graph *graph) {
    for (uint32_t i = 0; i < scratch->rank_count; i++) {
        scratch->next[scratch->ranks[i].section] = layout->block_count;
        layout->block_count += scratch->ranks[i].count;
    }
    layout->blocks = os_resize_table(NULL, 0, (size_t)layout->block_count * sizeof *layout->blocks);
    if (!layout->blocks)
        return error_no_memory();
    for (uint32_t i = 0; i < graph->blocks.count; i++)
        if (!(graph->blocks.data[i].flags & BLOCK_REMOVED))
            layout->blocks[scratch->next[graph->blocks.data[i].section]++] = i;
    return NULL;
}

static struct jitscope_error *overflow(const struct graph *graph, uint32_t block) {
    struct coordinates where = graph_coordinates(graph, block, 0, NO_SYMBOL);
    return error_at(JITSCOPE_ERROR_OUT_OF_RANGE, &where,
                    "no address space holds this: size 0x%" PRIx32 ", alignment 2^%u",
                    graph->blocks.data[block].size, graph->blocks.data[block].alignment_log2);
}

/* Everything between the first and the last byte is allocated, and alignments and zero-fill cost a hostile
 * input nothing: no more than the code of any batch could address anyway (the small code model ends at 2
 * GiB). */
static struct jitscope_error *count_bytes(struct layout *layout, const struct graph *graph, uint64_t more,
                                          uint32_t block) {
    if (!__builtin_add_overflow(layout->size, more, &layout->size) && layout->size <= LARGEST_BATCH)
        return NULL;
    struct coordinates where = graph_coordinates(graph, block, 0, NO_SYMBOL);
    return error_with_help(
        error_at(JITSCOPE_ERROR_OUT_OF_RANGE, &where,
                 "with this section the batch needs more than 4 GiB of memory (size 0x%" PRIx32
                 ", alignment 2^%u)",
                 graph->blocks.data[block].size, graph->blocks.data[block].alignment_log2),
        "link less at once, or ask for smaller arrays and alignments");
}

/* Gives the COUNT blocks at FIRST, one section's, their offsets behind what SEGMENT holds. */
static struct jitscope_error *place_blocks(struct layout *layout, struct layout_segment *segment,
                                           struct graph *graph, bool zero_fill, uint32_t first,
                                           uint32_t count) {
    struct jitscope_segment *view = &segment->view;
    uint64_t cursor = view->content_size + view->zero_fill_size, start = cursor;
    for (uint32_t i = first; i < first + count; i++) {
        struct block *block = &graph->blocks.data[layout->blocks[i]];
        uint64_t alignment = (uint64_t)1 << (block->alignment_log2 & 63);
        if (block->alignment_log2 > 62 || !align_up(cursor, alignment, &block->address) ||
            __builtin_add_overflow(block->address, block->size, &cursor))
            return overflow(graph, layout->blocks[i]);
        if (alignment > view->alignment)
            view->alignment = alignment;
        if (!zero_fill || !(block->flags & BLOCK_ZERO_FILL))
            view->content_size = cursor;
    }
    view->zero_fill_size = cursor - view->content_size;
    segment->count += count;
    return count_bytes(layout, graph, cursor - start, layout->blocks[first + count - 1]);
}

static struct jitscope_error *form_segments(struct layout *layout, const struct scratch *scratch,
                                            struct graph *graph, uint64_t page_size) {
    uint32_t first = 0;
    for (uint32_t i = 0; i < scratch->rank_count; i++) {
        const struct rank *rank = &scratch->ranks[i];
        struct section *section = &graph->sections.data[rank->section];
        bool no_alloc = section->lifetime == LIFETIME_NO_ALLOC, in_memory = section_in_memory(section);
        if (i == 0 || no_alloc || rank->key >> KEY_SEGMENT_SHIFT != rank[-1].key >> KEY_SEGMENT_SHIFT) {
            TRY(vec_push(&layout->segments,
                         (struct layout_segment){.view = {.prot = section->prot,
                                                          .lifetime = section->lifetime,
                                                          .alignment = in_memory ? page_size : 1},
                                                 .lifetime = section->lifetime,
                                                 .first = first,
                                                 .section = no_alloc ? rank->section : NO_SECTION}));
            layout->alloc_count += in_memory;
        }
        TRY(place_blocks(layout, &layout->segments.data[layout->segments.count - 1], graph,
                         section->zero_fill, first, rank->count));
        section->first = layout->blocks[first];
        section->last = layout->blocks[first + rank->count - 1];
        first += rank->count;
    }
    return NULL;
}

static struct jitscope_error *create(struct layout *layout, struct scratch *scratch, struct graph *graph,
                                     uint64_t page_size) {
    TRY(rank_sections(scratch, graph));
    TRY(order_blocks(layout, scratch, graph));
    return form_segments(layout, scratch, graph, page_size);
}

struct jitscope_error *layout_create(struct layout *layout, struct graph *graph, uint64_t page_size) {
    struct scratch scratch;
    *layout = (struct layout){0};
    TRY(scratch_create(&scratch, graph->sections.count));
    struct jitscope_error *error = create(layout, &scratch, graph, page_size);
    scratch_destroy(&scratch);
    if (error)
        layout_destroy(layout);
    return error;
}

void layout_destroy(struct layout *layout) {
    vec_destroy(&layout->segments);
    os_release_table(layout->blocks, (size_t)layout->block_count * sizeof *layout->blocks);
    *layout = (struct layout){0};
}

/* The gap in front of a block: running into it must trap in code, and reads as zero elsewhere already.
 * Whoever runs off the end of a function meets its first bytes: the rest of a gap of many pages is not worth
 * touching. */
static void fill_gap(const struct layout_segment *segment, uint64_t from, uint64_t to, uint8_t padding) {
    if (padding && segment->view.prot & PROTECT_EXECUTE && to <= segment->view.content_size && to > from)
        memset(segment->view.working + from, padding, to - from < MOST_PADDING ? to - from : MOST_PADDING);
}

/* Content on its way into working memory: what lies side by side there and in the input goes at once, as the
 * records of an .eh_frame do. */
struct copy {
    uint8_t *to;
    const uint8_t *from;
    size_t size;
};

static inline void copy_block(struct copy *copy, const struct block *block) {
    if (!block->content || !block->size)
        return;
    if (copy->size) {
        if (block->content == copy->from + copy->size && block->working == copy->to + copy->size) {
            copy->size += block->size;
            return;
        }
        memcpy(copy->to, copy->from, copy->size);
    }
    *copy = (struct copy){block->working, block->content, block->size};
}

static void apply_segment(const struct layout *layout, uint32_t number, struct graph *graph) {
    const struct layout_segment *segment = &layout->segments.data[number];
    const uint32_t *ids = layout->blocks + segment->first;
    struct copy copy = {0};
    uint64_t cursor = 0;
    for (uint32_t i = 0; i < segment->count; i++) {
        struct block *block = &graph->blocks.data[ids[i]];
        uint64_t offset = block->address;
        fill_gap(segment, cursor, offset, graph->arch->code_padding);
        cursor = offset + block->size;
        block->address = segment->view.address + offset;
        block->working = segment->view.working + offset;
        copy_block(&copy, block);
        TRACE(graph->trace, block_placed, .block = ids[i], .segment = number, .address = block->address);
    }
    if (copy.size)
        memcpy(copy.to, copy.from, copy.size);
}

void layout_apply(struct layout *layout, struct graph *graph) {
    for (uint32_t i = 0; i < layout->segments.count; i++) {
        const struct layout_segment *segment = &layout->segments.data[i];
        TRACE(graph->trace, segment, .segment = i, .prot = segment->view.prot, .lifetime = segment->lifetime,
              .address = segment->view.address, .content_size = segment->view.content_size,
              .zero_fill_size = segment->view.zero_fill_size, .alignment = segment->view.alignment,
              .blocks = segment->count);
        apply_segment(layout, i, graph);
    }
}
