#include "memory/layout.h"
#include "base/bytes.h"
#include "base/map64.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Sections with live blocks that lie side by side in a segment, in the order of their ids. */
struct rank {
    uint64_t key; /* segment, then zero-fill, then section.order */
    uint32_t number;
    uint32_t blocks; /* live ones */
};

#define LARGEST_BATCH ((uint64_t)4 << 30)

enum { MOST_PADDING = 4096 };

enum {
    KEY_ORDER_BITS = 32,
    KEY_SEGMENT_SHIFT = KEY_ORDER_BITS + 1,
    KEY_THREAD = 62,
    KEY_NO_ALLOC = 63,
    KINDS = 64 /* of sections, as to protection, lifetime and zero-fill */
};

struct ranks {
    VEC(struct rank) list; /* by number, which is the order of first sight, until they are sorted */
    VEC(uint32_t) next;    /* by number: where the next block of that rank goes */
    struct map64 by_key;
    /* Of sections of order 0, which with -ffunction-sections are very many: number + 1, 0 for none yet. */
    uint32_t by_kind[KINDS];
};
_Static_assert(LIFETIME_THREAD == 3, "lifetimes have two bits in a kind");

static void ranks_destroy(struct ranks *ranks) {
    vec_destroy(&ranks->list);
    vec_destroy(&ranks->next);
    map64_destroy(&ranks->by_key);
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

static struct jitscope_error *add_rank(struct ranks *ranks, uint64_t key, uint32_t *number) {
    *number = ranks->list.count;
    return vec_push(&ranks->list, (struct rank){.key = key, .number = *number});
}

static struct jitscope_error *find_rank(struct ranks *ranks, uint64_t key, uint32_t *number) {
    *number = map64_find(&ranks->by_key, key);
    if (*number != MAP64_NO_VALUE)
        return NULL;
    TRY(add_rank(ranks, key, number));
    return map64_set(&ranks->by_key, key, *number);
}

/* No two no-alloc sections share a segment. */
static inline struct jitscope_error *rank_of(struct ranks *ranks, const struct graph *graph, uint32_t id,
                                             uint32_t *number) {
    const struct section *section = &graph->sections.data[id];
    uint32_t *known = &ranks->by_kind[(section->prot & 7u) | (section->lifetime & 3u) << 3 |
                                      (uint32_t)section->zero_fill << 5];
    *number = *known - 1;
    if (*known && !section->order)
        return NULL;
    TRY(check_prot(graph, id));
    if (section->lifetime == LIFETIME_NO_ALLOC)
        return add_rank(ranks, section_key(section), number);
    TRY(find_rank(ranks, section_key(section), number));
    if (!section->order)
        *known = *number + 1;
    return NULL;
}

/* Until its blocks are placed, a section's FIRST is the number of its rank, and LAST how many blocks of that
 * are in front of its next one. */
static struct jitscope_error *rank_sections(struct ranks *ranks, const struct graph *graph) {
    for (uint32_t id = 0, count = graph->sections.count; id < count; id++) {
        struct section *section = &graph->sections.data[id];
        uint32_t number;
        if (!section->blocks)
            continue;
        TRY(rank_of(ranks, graph, id, &number));
        struct rank *rank = &ranks->list.data[number];
        section->first = number;
        section->last = rank->blocks;
        rank->blocks += section->blocks;
    }
    return NULL;
}

static int by_key(const void *a, const void *b) {
    const struct rank *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}

static struct jitscope_error *sort_ranks(struct ranks *ranks, uint32_t *blocks) {
    uint32_t first = 0;
    TRY(vec_reserve(&ranks->next, ranks->list.count));
    if (ranks->list.count)
        qsort(ranks->list.data, ranks->list.count, sizeof *ranks->list.data, by_key);
    for (uint32_t i = 0; i < ranks->list.count; i++) {
        ranks->next.data[ranks->list.data[i].number] = first;
        first += ranks->list.data[i].blocks;
    }
    *blocks = first;
    return NULL;
}

static struct jitscope_error *order_blocks(struct layout *layout, struct ranks *ranks, struct graph *graph) {
    TRY(sort_ranks(ranks, &layout->block_count));
    uint32_t *ids = os_resize_table(NULL, 0, (size_t)layout->block_count * sizeof *ids);
    const uint32_t *next = ranks->next.data;
    struct section *sections = graph->sections.data;
    const struct block *blocks = graph->blocks.data;
    if (!ids)
        return error_no_memory();
    for (uint32_t id = 0, count = graph->blocks.count; id < count; id++) {
        struct section *section = &sections[blocks[id].section];
        if (!(blocks[id].flags & BLOCK_REMOVED))
            ids[next[section->first] + section->last++] = id;
    }
    layout->blocks = ids;
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
static struct jitscope_error *too_large(const struct graph *graph, uint32_t block) {
    struct coordinates where = graph_coordinates(graph, block, 0, NO_SYMBOL);
    return error_with_help(
        error_at(JITSCOPE_ERROR_OUT_OF_RANGE, &where,
                 "with this section the batch needs more than 4 GiB of memory (size 0x%" PRIx32
                 ", alignment 2^%u)",
                 graph->blocks.data[block].size, graph->blocks.data[block].alignment_log2),
        "link less at once, or ask for smaller arrays and alignments");
}

/* Where blocks come to lie in their segment. */
struct place {
    uint64_t cursor;  /* behind the last one */
    uint64_t content; /* behind the last that is not zero-fill at the end */
    uint8_t alignment_log2;
};

static inline bool place_block(struct place *place, struct block *block, uint8_t zero_fill) {
    uint8_t log2 = block->alignment_log2;
    uint64_t address;
    if (log2 > 62 || !align_up(place->cursor, (uint64_t)1 << log2, &address) ||
        __builtin_add_overflow(address, block->size, &place->cursor))
        return false;
    block->address = address;
    place->alignment_log2 = log2 > place->alignment_log2 ? log2 : place->alignment_log2;
    place->content = block->flags & zero_fill ? place->content : place->cursor;
    return true;
}

/* Gives the blocks of a rank, IDS, their offsets, and its sections theirs. */
static struct jitscope_error *place_blocks(const struct graph *graph, struct place *place,
                                           const uint32_t *ids, uint32_t count, uint64_t room) {
    struct block *blocks = graph->blocks.data;
    struct section *sections = graph->sections.data;
    uint8_t zero_fill = sections[blocks[*ids].section].zero_fill ? BLOCK_ZERO_FILL : 0;
    struct place at = *place;
    for (uint32_t i = 0; i < count;) {
        struct section *section = &sections[blocks[ids[i]].section];
        uint32_t end = i + section->blocks;
        section->first = ids[i];
        section->last = ids[end - 1];
        for (; i < end; i++)
            if (!place_block(&at, &blocks[ids[i]], zero_fill))
                return overflow(graph, ids[i]);
        if (at.cursor - place->cursor > room)
            return too_large(graph, section->last);
    }
    *place = at;
    return NULL;
}

/* The segment that the rank of this section begins. */
static struct jitscope_error *begin_segment(struct layout *layout, const struct section *section, uint32_t id,
                                            uint32_t first, uint64_t page_size) {
    bool in_memory = section_in_memory(section), no_alloc = section->lifetime == LIFETIME_NO_ALLOC;
    layout->alloc_count += in_memory;
    return vec_push(&layout->segments,
                    (struct layout_segment){.view = {.prot = section->prot,
                                                     .lifetime = section->lifetime,
                                                     .alignment = in_memory ? page_size : 1},
                                            .lifetime = section->lifetime,
                                            .first = first,
                                            .section = no_alloc ? id : NO_SECTION});
}

/* The blocks of a rank come behind what the last segment holds. */
static struct jitscope_error *place_rank(struct layout *layout, struct graph *graph, uint32_t first,
                                         uint32_t count) {
    struct layout_segment *segment = &layout->segments.data[layout->segments.count - 1];
    struct jitscope_segment *view = &segment->view;
    uint64_t size = view->content_size + view->zero_fill_size;
    struct place place = {size, view->content_size, 0};
    TRY(place_blocks(graph, &place, layout->blocks + first, count, LARGEST_BATCH - layout->size));
    uint64_t alignment = (uint64_t)1 << place.alignment_log2;
    view->alignment = alignment > view->alignment ? alignment : view->alignment;
    view->content_size = place.content;
    view->zero_fill_size = place.cursor - place.content;
    segment->count += count;
    layout->size += place.cursor - size;
    return NULL;
}

static struct jitscope_error *form_segments(struct layout *layout, const struct ranks *ranks,
                                            struct graph *graph, uint64_t page_size) {
    uint32_t first = 0;
    for (uint32_t i = 0; i < ranks->list.count; i++) {
        const struct rank *rank = &ranks->list.data[i];
        uint64_t segment = rank->key >> KEY_SEGMENT_SHIFT;
        uint32_t id = graph->blocks.data[layout->blocks[first]].section;
        if (i == 0 || segment == KEY_NO_ALLOC || segment != rank[-1].key >> KEY_SEGMENT_SHIFT)
            TRY(begin_segment(layout, &graph->sections.data[id], id, first, page_size));
        TRY(place_rank(layout, graph, first, rank->blocks));
        first += rank->blocks;
    }
    return NULL;
}

static struct jitscope_error *create(struct layout *layout, struct ranks *ranks, struct graph *graph,
                                     uint64_t page_size) {
    TRY(rank_sections(ranks, graph));
    TRY(order_blocks(layout, ranks, graph));
    return form_segments(layout, ranks, graph, page_size);
}

struct jitscope_error *layout_create(struct layout *layout, struct graph *graph, uint64_t page_size) {
    struct ranks ranks = {0};
    *layout = (struct layout){0};
    struct jitscope_error *error = create(layout, &ranks, graph, page_size);
    ranks_destroy(&ranks);
    if (error)
        layout_destroy(layout);
    return error;
}

void layout_destroy(struct layout *layout) {
    vec_destroy(&layout->segments);
    os_release_table(layout->blocks, (size_t)layout->block_count * sizeof *layout->blocks);
    *layout = (struct layout){0};
}

/* The gap in front of a block of code, whose SIZE bytes follow it: running into it must trap.  Whoever runs
 * off the end of a function meets its first bytes: the rest of a gap of many pages is not worth touching. */
static inline void fill_gap(uint8_t *gap, uint64_t size, uint8_t padding, const struct block *block) {
    enum { FEW = 16 };
    if (size <= FEW && block->content && block->size >= FEW)
        memset(gap, padding, FEW); /* what is too much becomes the block's content */
    else
        memset(gap, padding, size < MOST_PADDING ? size : MOST_PADDING);
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

/* Gaps read as zero elsewhere already. */
static uint8_t padding_of(const struct layout_segment *segment, const struct graph *graph) {
    return segment->view.prot & PROTECT_EXECUTE ? graph->arch->code_padding : 0;
}

static void apply_segment(const struct layout *layout, uint32_t number, struct graph *graph) {
    const struct layout_segment *segment = &layout->segments.data[number];
    const uint32_t *ids = layout->blocks + segment->first;
    struct block *blocks = graph->blocks.data;
    const uint8_t padding = padding_of(segment, graph);
    const uint64_t address = segment->view.address, content_size = segment->view.content_size;
    uint8_t *const working = segment->view.working;
    struct copy copy = {0};
    uint64_t cursor = 0;
    for (uint32_t i = 0, count = segment->count; i < count; i++) {
        struct block *block = &blocks[ids[i]];
        uint64_t offset = block->address;
        if (padding && offset > cursor && offset <= content_size)
            fill_gap(working + cursor, offset - cursor, padding, block);
        cursor = offset + block->size;
        block->address = address + offset;
        block->working = working + offset;
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
