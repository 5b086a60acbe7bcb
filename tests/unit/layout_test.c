/* The layout: which segments a graph makes, in which order its blocks lie, and what they are filled with. */
#include "batch_fixture.h"
#include "memory/layout.h"

#include <stdio.h>
#include <stdlib.h>

enum { PAGE = 4096 };

static int reset(void **state) {
    (void)state;
    os_fail_after(0, false);
    return 0;
}

/* One line per segment and block, to compare with what is wanted. */
static char *describe(const struct layout *layout, const struct graph *graph) {
    static char text[4096];
    size_t at = 0;
    for (uint32_t i = 0; i < layout->segments.count; i++) {
        const struct layout_segment *segment = &layout->segments.data[i];
        at += (size_t)snprintf(
            text + at, sizeof text - at, "%s%c%c%c life=%u content=%llx zero=%llx align=%llx:", i ? "\n" : "",
            segment->view.prot & 1 ? 'r' : '-', segment->view.prot & 2 ? 'w' : '-',
            segment->view.prot & 4 ? 'x' : '-', segment->lifetime,
            (unsigned long long)segment->view.content_size, (unsigned long long)segment->view.zero_fill_size,
            (unsigned long long)segment->view.alignment);
        for (uint32_t b = segment->first; b < segment->first + segment->count; b++)
            at += (size_t)snprintf(text + at, sizeof text - at, " %u@%llx", layout->blocks[b],
                                   (unsigned long long)graph->blocks.data[layout->blocks[b]].address);
        assert_true(at < sizeof text);
    }
    return text;
}

static void golden_layout(void **state) {
    (void)state;
    static const uint8_t bytes[256];
    struct batch batch;
    struct layout layout;
    batch_create(&batch);
    uint32_t bss = add_section(&batch, ".bss", RW, LIFETIME_STANDARD, true, 0);
    uint32_t data = add_section(&batch, ".data", RW, LIFETIME_STANDARD, false, 2);
    uint32_t got = add_section(&batch, ".got", RW, LIFETIME_STANDARD, false, 1);
    uint32_t text = add_section(&batch, ".text", RX, LIFETIME_STANDARD, false, 0);
    uint32_t rodata = add_section(&batch, ".rodata", R, LIFETIME_STANDARD, false, 0);
    uint32_t init = add_section(&batch, ".init_array", R, LIFETIME_FINALIZE, false, 0);
    uint32_t debug = add_section(&batch, ".debug_info", 0, LIFETIME_NO_ALLOC, false, 0);
    uint32_t plt = add_section(&batch, ".plt", RX, LIFETIME_STANDARD, false, 0);
    uint32_t line = add_section(&batch, ".debug_line", 0, LIFETIME_NO_ALLOC, false, 0);
    add_section(&batch, ".empty", RW, LIFETIME_FINALIZE, false, 0);
    add_block(&batch, bss, NULL, 0x30, 5);     /* 0 */
    add_block(&batch, text, bytes, 0x21, 4);   /* 1 */
    add_block(&batch, plt, bytes, 8, 3);       /* 2 */
    add_block(&batch, data, bytes, 3, 0);      /* 3 */
    add_block(&batch, got, bytes, 8, 3);       /* 4 */
    add_block(&batch, text, bytes, 5, 4);      /* 5 */
    add_block(&batch, debug, bytes, 0x17, 0);  /* 6 */
    add_block(&batch, line, bytes, 9, 0);      /* 7 */
    add_block(&batch, debug, bytes, 0x10, 2);  /* 8 */
    add_block(&batch, rodata, bytes, 0x11, 6); /* 9 */
    add_block(&batch, rodata, bytes, 0, 0);    /* 10 */
    add_block(&batch, init, bytes, 8, 3);      /* 11 */
    uint32_t removed = add_block(&batch, text, bytes, 0x40, 4);
    add_block(&batch, bss, NULL, 1, 0);   /* 13 */
    add_block(&batch, data, NULL, 16, 2); /* 14: zero-fill in a section with content */
    graph_remove_block(&batch.graph, removed, REASON_UNREACHABLE);
    assert_code(layout_create(&layout, &batch.graph, PAGE), JITSCOPE_SUCCESS);
    assert_string_equal(describe(&layout, &batch.graph),
                        "r-x life=0 content=40 zero=0 align=1000: 1@0 5@30 2@38\n"
                        "r-- life=0 content=11 zero=0 align=1000: 9@0 10@11\n"
                        "r-- life=1 content=8 zero=0 align=1000: 11@0\n"
                        "rw- life=0 content=1c zero=35 align=1000: 4@0 3@8 14@c 0@20 13@50\n"
                        "--- life=2 content=28 zero=0 align=4: 6@0 8@18\n"
                        "--- life=2 content=9 zero=0 align=1: 7@0");
    assert_int_equal(layout.alloc_count, 4);
    assert_int_equal(layout.block_count, 14);
    assert_int_equal(layout.segments.data[4].section, debug);
    assert_int_equal(layout.segments.data[0].section, NO_SECTION);
    layout_destroy(&layout);
    batch_destroy(&batch);
}

static void content_is_copied_and_gaps_are_filled(void **state) {
    (void)state;
    static const uint8_t code[] = {1, 2, 3}, value[] = {7, 8};
    struct batch batch;
    struct layout layout;
    uint8_t memory[2][64] = {{0}};
    batch_create(&batch);
    uint32_t text = add_section(&batch, ".text", RX, LIFETIME_STANDARD, false, 0);
    uint32_t data = add_section(&batch, ".data", RW, LIFETIME_STANDARD, false, 0);
    uint32_t zero_code = add_section(&batch, ".zero_text", RX, LIFETIME_STANDARD, true, 0);
    add_block(&batch, text, code, sizeof code, 0);
    uint32_t last = add_block(&batch, text, code, sizeof code, 3);
    add_block(&batch, zero_code, NULL, 2, 4);
    add_block(&batch, data, value, sizeof value, 0);
    add_block(&batch, data, value, sizeof value, 3);
    assert_code(layout_create(&layout, &batch.graph, PAGE), JITSCOPE_SUCCESS);
    for (uint32_t i = 0; i < 2; i++) {
        layout.segments.data[i].view.address = 0x10000 * (i + 1);
        layout.segments.data[i].view.working = memory[i];
    }
    layout_apply(&layout, &batch.graph);
    assert_memory_equal(memory[0], ((uint8_t[20]){1, 2, 3, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 1, 2, 3}), 20);
    assert_memory_equal(memory[1], ((uint8_t[12]){7, 8, 0, 0, 0, 0, 0, 0, 7, 8}), 12);
    assert_int_equal(block_at(&batch, last)->address, 0x10008);
    assert_ptr_equal(block_at(&batch, last)->working, memory[0] + 8);
    layout_destroy(&layout);
    batch_destroy(&batch);
}

/* Gaps of all lengths in front of what is shorter than they are, and longer, with content and without. */
static void gaps_leave_what_follows_alone(void **state) {
    (void)state;
    uint8_t code[64];
    static const uint32_t sizes[] = {1, 15, 16, 17, 40};
    uint8_t memory[4096], wanted[4096];
    memset(code, 7, sizeof code);
    for (uint32_t gap = 0; gap < 63; gap++) {
        struct batch batch;
        struct layout layout;
        uint32_t at = 0;
        batch_create(&batch);
        uint32_t text = add_section(&batch, ".text", RX, LIFETIME_STANDARD, false, 0);
        memset(memory, 0, sizeof memory);
        memset(wanted, 0xcc, sizeof wanted);
        for (uint32_t i = 0; i < 2 * sizeof sizes / sizeof *sizes; i++, at = (at + 63) & ~63u) {
            uint32_t size = sizes[i / 2], before = 64 - gap;
            add_block(&batch, text, code, before, 6);
            memset(wanted + at, 7, before);
            add_block(&batch, text, i % 2 ? NULL : code, size, 6);
            at += 64;
            memset(wanted + at, i % 2 ? 0 : 7, size);
            at += size;
        }
        add_block(&batch, text, code, 1, 6);
        wanted[at] = 7;
        assert_code(layout_create(&layout, &batch.graph, PAGE), JITSCOPE_SUCCESS);
        assert_int_equal(layout.segments.data[0].view.content_size, at + 1);
        layout.segments.data[0].view.working = memory;
        layout_apply(&layout, &batch.graph);
        assert_memory_equal(memory, wanted, at + 1);
        layout_destroy(&layout);
        batch_destroy(&batch);
    }
}

static void an_empty_graph_has_no_segments(void **state) {
    (void)state;
    struct batch batch;
    struct layout layout;
    batch_create(&batch);
    assert_code(layout_create(&layout, &batch.graph, PAGE), JITSCOPE_SUCCESS);
    assert_int_equal(layout.segments.count, 0);
    layout_apply(&layout, &batch.graph);
    layout_destroy(&layout);
    batch_destroy(&batch);
}

static void writable_and_executable_is_refused(void **state) {
    (void)state;
    static const uint8_t byte[1];
    struct batch batch;
    struct layout layout;
    batch_create(&batch);
    uint32_t both = add_section(&batch, ".both", RX | RW, LIFETIME_STANDARD, false, 0);
    assert_code(layout_create(&layout, &batch.graph, PAGE), JITSCOPE_SUCCESS); /* nothing in it */
    layout_destroy(&layout);
    uint32_t block = add_block(&batch, both, byte, 1, 0);
    struct jitscope_error *error = layout_create(&layout, &batch.graph, PAGE);
    assert_string_equal(jitscope_error_section(error), ".both");
    assert_code(error, JITSCOPE_ERROR_UNSUPPORTED);
    graph_remove_block(&batch.graph, block, REASON_UNREACHABLE);
    assert_code(layout_create(&layout, &batch.graph, PAGE), JITSCOPE_SUCCESS);
    layout_destroy(&layout);
    batch_destroy(&batch);
}

static void alignments_reach_the_segment(void **state) {
    (void)state;
    static const uint8_t bytes[8];
    struct batch batch;
    struct layout layout;
    batch_create(&batch);
    uint32_t data = add_section(&batch, ".data", RW, LIFETIME_STANDARD, false, 0);
    add_block(&batch, data, bytes, 1, 0);
    add_block(&batch, data, bytes, 8, 20);
    uint32_t block = add_block(&batch, data, NULL, 8, 21);
    assert_code(layout_create(&layout, &batch.graph, PAGE), JITSCOPE_SUCCESS);
    assert_string_equal(describe(&layout, &batch.graph),
                        "rw- life=0 content=200008 zero=0 align=200000: 0@0 1@100000 2@200000");
    layout_destroy(&layout);
    for (unsigned log2 = 63; log2 <= 255; log2++) {
        block_at(&batch, block)->alignment_log2 = (uint8_t)log2;
        assert_code(layout_create(&layout, &batch.graph, PAGE), JITSCOPE_ERROR_OUT_OF_RANGE);
    }
    batch_destroy(&batch);
}

static void sizes_that_overflow_are_out_of_range(void **state) {
    (void)state;
    struct batch batch;
    struct layout layout;
    batch_create(&batch);
    uint32_t bss = add_section(&batch, ".bss", RW, LIFETIME_STANDARD, true, 0);
    add_block(&batch, bss, NULL, 1, 0);
    uint32_t block = add_block(&batch, bss, NULL, 1, 4);
    /* A batch has 4 GiB at most: alignment and zero-fill cost an input nothing. */
    for (uint32_t size = UINT32_MAX; size > UINT32_MAX - 15; size--) {
        block_at(&batch, block)->size = size;
        assert_code(layout_create(&layout, &batch.graph, PAGE), JITSCOPE_ERROR_OUT_OF_RANGE);
    }
    const uint64_t most = (uint64_t)4 << 30;
    block_at(&batch, block)->size = (uint32_t)(most - 16);
    assert_code(layout_create(&layout, &batch.graph, PAGE), JITSCOPE_SUCCESS);
    assert_true(layout.segments.data[0].view.zero_fill_size == most);
    layout_destroy(&layout);
    uint32_t third = add_block(&batch, bss, NULL, 1, 0); /* the sum is too large, no part is */
    assert_code(layout_create(&layout, &batch.graph, PAGE), JITSCOPE_ERROR_OUT_OF_RANGE);
    block_at(&batch, third)->alignment_log2 = 12;
    assert_code(layout_create(&layout, &batch.graph, PAGE), JITSCOPE_ERROR_OUT_OF_RANGE);
    /* At 2^62, at 2^63, at 3 * 2^62: for the fourth there are no numbers. */
    for (int i = 0; i < 4; i++) {
        assert_code(layout_create(&layout, &batch.graph, PAGE), JITSCOPE_ERROR_OUT_OF_RANGE);
        add_block(&batch, bss, NULL, 1, 62);
    }
    assert_code(layout_create(&layout, &batch.graph, PAGE), JITSCOPE_ERROR_OUT_OF_RANGE);
    batch_destroy(&batch);
}

/* The order that layout.h promises, by comparison instead of counting. */
static const struct graph *compared;

static uint64_t segment_rank(const struct section *section) {
    static const int ranks[] = {[R] = 1, [RW] = 2, [RX] = 0};
    if (section->lifetime == LIFETIME_THREAD || section->lifetime == LIFETIME_NO_ALLOC)
        return section->lifetime == LIFETIME_THREAD ? 100 : 101;
    return (uint64_t)ranks[section->prot] * 2 + section->lifetime;
}

static bool zero_fill_rank(const struct section *section) {
    return section->zero_fill && section->lifetime != LIFETIME_NO_ALLOC;
}

static int compare(const void *left, const void *right) {
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    const struct section *one = &compared->sections.data[compared->blocks.data[a].section];
    const struct section *other = &compared->sections.data[compared->blocks.data[b].section];
    uint64_t keys[][2] = {{segment_rank(one), segment_rank(other)},
                          {zero_fill_rank(one), zero_fill_rank(other)},
                          {one->order, other->order},
                          {(uint64_t)(one - other > 0), (uint64_t)(other - one > 0)},
                          {a, b}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (keys[i][0] != keys[i][1])
            return keys[i][0] < keys[i][1] ? -1 : 1;
    return 0;
}

/* All blocks of the section, one by one, lie in its bounds, and reach them. */
static void check_bounds(const struct graph *graph, uint32_t section) {
    uint64_t start = UINT64_MAX, end = 0, first = 0, last = 0;
    for (uint32_t id = 0; id < graph->blocks.count; id++) {
        const struct block *block = &graph->blocks.data[id];
        if (block->section != section)
            continue;
        start = block->address < start ? block->address : start;
        end = block->address + block->size > end ? block->address + block->size : end;
    }
    assert_int_equal(graph_section_bounds(graph, section, &first, &last), start < end);
    if (start < end) {
        assert_int_equal(first, start);
        assert_int_equal(last, end);
    }
}

/* Each no-alloc section has a segment, and all of a kind that is in memory share one. */
static void check_segments(const struct layout *layout, const struct graph *graph) {
    uint32_t alone = 0, wanted = 0, blocks = 0;
    for (uint32_t i = 0; i < graph->sections.count; i++)
        wanted += graph->sections.data[i].lifetime == LIFETIME_NO_ALLOC && graph->sections.data[i].blocks;
    for (uint32_t i = 0; i < layout->segments.count; i++) {
        const struct layout_segment *segment = &layout->segments.data[i];
        assert_int_equal(segment->first, blocks);
        blocks += segment->count;
        if (segment->lifetime != LIFETIME_NO_ALLOC)
            continue;
        alone++;
        assert_int_equal(segment->count, graph->sections.data[segment->section].blocks);
    }
    assert_int_equal(blocks, layout->block_count);
    assert_int_equal(alone, wanted);
    assert_int_equal(layout->alloc_count, 6); /* three protections, two lifetimes */
    assert_int_equal(layout->segments.count, 6 + 1 + alone);
}

static void many_sections_come_in_order(void **state) {
    (void)state;
    enum { SECTIONS = 700, BLOCKS = 9000 };
    static const uint8_t prots[] = {R, RW, RX};
    static const uint8_t content[1];
    static uint32_t wanted[BLOCKS];
    struct batch batch;
    struct layout layout;
    uint32_t seed = 1;
    batch_create(&batch);
    for (uint32_t i = 0; i < SECTIONS; i++) {
        char name[16];
        snprintf(name, sizeof name, ".s%u", i);
        seed = seed * 1664525 + 1013904223;
        uint32_t order = seed >> 28 > 12 ? seed : seed >> 30; /* a few small ranks, some big ones */
        uint8_t lifetime = seed >> 16 & 7 ? seed >> 20 & 1 : LIFETIME_NO_ALLOC + (seed >> 20 & 1);
        add_section(&batch, name, prots[seed >> 8 & 0xff ? (seed >> 8) % 3 : 0], lifetime, seed >> 21 & 1,
                    order);
    }
    for (uint32_t i = 0; i < BLOCKS; i++) {
        seed = seed * 1664525 + 1013904223;
        uint32_t section = (seed >> 8) % SECTIONS;
        bool zero = batch.graph.sections.data[section].zero_fill;
        wanted[i] = add_block(&batch, section, zero ? NULL : content, 1, seed >> 30);
    }
    assert_code(layout_create(&layout, &batch.graph, PAGE), JITSCOPE_SUCCESS);
    compared = &batch.graph;
    qsort(wanted, BLOCKS, sizeof *wanted, compare);
    assert_int_equal(layout.block_count, BLOCKS);
    assert_memory_equal(layout.blocks, wanted, sizeof wanted);
    for (uint32_t i = 0; i < SECTIONS; i++)
        check_bounds(&batch.graph, i);
    check_segments(&layout, &batch.graph);
    layout_destroy(&layout);
    batch_destroy(&batch);
}

static void every_failing_allocation_leaves_nothing_behind(void **state) {
    (void)state;
    static const uint8_t bytes[8];
    struct batch batch;
    bool done = false;
    batch_create(&batch);
    add_block(&batch, add_section(&batch, ".text", RX, 0, false, 0), bytes, 8, 4);
    add_block(&batch, add_section(&batch, ".bss", RW, 0, true, 0), NULL, 8, 4);
    int64_t before = os_live_allocations();
    for (uint64_t n = 1; !done; n++) {
        struct layout layout;
        os_fail_after(n, false);
        struct jitscope_error *error = layout_create(&layout, &batch.graph, PAGE);
        done = os_call_count() < n;
        os_fail_after(0, false);
        assert_true(done == !error);
        assert_code(error, done ? JITSCOPE_SUCCESS : JITSCOPE_ERROR_NO_MEMORY);
        if (done)
            layout_destroy(&layout);
        assert_int_equal(os_live_allocations(), before);
    }
    batch_destroy(&batch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(golden_layout, reset),
        cmocka_unit_test_setup(content_is_copied_and_gaps_are_filled, reset),
        cmocka_unit_test_setup(gaps_leave_what_follows_alone, reset),
        cmocka_unit_test_setup(an_empty_graph_has_no_segments, reset),
        cmocka_unit_test_setup(writable_and_executable_is_refused, reset),
        cmocka_unit_test_setup(alignments_reach_the_segment, reset),
        cmocka_unit_test_setup(sizes_that_overflow_are_out_of_range, reset),
        cmocka_unit_test_setup(many_sections_come_in_order, reset),
        cmocka_unit_test_setup(every_failing_allocation_leaves_nothing_behind, reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
