#include "memory/segment_digest.h"

#include "base/digest.h"
#include "trace/answers.h"

static uint64_t end_of(const struct layout_segment *segment, const struct block *block) {
    return block->address - segment->view.address + block->size;
}

/* Zero-fill has nothing to digest: it is neither copied nor fixed up. */
uint32_t segment_block_digest(const struct layout_segment *segment, const struct layout *layout,
                              const struct graph *graph, uint32_t index) {
    const uint32_t *ids = layout->blocks + segment->first;
    const struct block *block = &graph->blocks.data[ids[index]];
    uint64_t from = index ? end_of(segment, &graph->blocks.data[ids[index - 1]]) : 0;
    uint64_t to = end_of(segment, block);
    if (to > segment->view.content_size || from > to)
        return 0;
    return (uint32_t)digest_64(segment->view.working + from, to - from);
}

static void tell(const struct layout *layout, const struct graph *graph, uint32_t number) {
    const struct layout_segment *segment = &layout->segments.data[number];
    uint32_t digests[MOST_DIGESTS], count = 0;
    for (uint32_t i = 0; i < segment->count; i++) {
        digests[count++] = segment_block_digest(segment, layout, graph, i);
        if (count == MOST_DIGESTS || i + 1 == segment->count) {
            trace_segment_digest(graph->trace, number, i + 1 - count, digests, count);
            count = 0;
        }
    }
}

void segments_tell_digests(const struct layout *layout, const struct graph *graph) {
    for (uint32_t i = 0; i < layout->alloc_count && trace_keeps_answers(graph->trace); i++)
        tell(layout, graph, i);
}
