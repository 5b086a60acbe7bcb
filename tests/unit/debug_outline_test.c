/* The sections that a debug image shows, by the rule as its header has it, name by name. */
#include "batch_fixture.h"
#include "link/debug_outline.h"

#include <stdio.h>

enum { PAGE = 4096, SEGMENT_ROOM = 1 << 16, MOST_SEGMENTS = 8 };

struct shown {
    const char *name; /* of which LENGTH bytes are shown */
    size_t length;
    const struct section *first;
    uint64_t address, end;
};

/* Names with dots at all places, of all lengths around those that are compared at once. */
static void name_section(char *name, size_t size, uint32_t number) {
    static const char *const stems[] = {"",           ".",        ".t",      ".text",    ".textual",
                                        ".data",      ".rodat",   ".rodata", ".rodata8", ".rodata89",
                                        "plain",      "plain.of", "..",      ".seven77", ".eight888",
                                        ".nine99999", ".a.b",     "x"};
    static const char *const ends[] = {"", ".f%u", ".%u.cold", "_%u", "."};
    char format[64];
    uint32_t count = sizeof stems / sizeof *stems;
    snprintf(format, sizeof format, "%s%s", stems[number / 7 % count], ends[number / 3 % 5]);
    snprintf(name, size, format, number);
}

static void fill(struct batch *batch, uint32_t sections) {
    static const uint8_t content[4];
    static const uint8_t prots[] = {R, RW, RX};
    for (uint32_t i = 0; i < sections; i++) {
        char name[64];
        bool zero_fill = i % 11 == 0;
        name_section(name, sizeof name, i);
        uint32_t id = add_section(batch, name, prots[i / 40 % 3], i % 97 == 5, zero_fill, 0);
        for (uint32_t block = 0; block < i % 3; block++)
            add_block(batch, id, zero_fill ? NULL : content, 1 + i % 4, i % 2);
        if (i == sections / 2) {
            uint32_t frames = add_section(batch, ".eh_frame", R, LIFETIME_STANDARD, false, 0);
            batch->graph.sections.data[frames].dependent = true;
            add_block(batch, frames, content, sizeof content, 3);
            add_block(batch, frames, content, sizeof content, 0);
        }
    }
}

static bool continues(const struct shown *last, const struct section *section, const char *name) {
    return last->first->prot == section->prot && last->first->zero_fill == section->zero_fill &&
           !strncmp(last->name, name, last->length) && (!name[last->length] || name[last->length] == '.');
}

/* ".eh_frame" comes last, and where there are few all have names of their own. */
static uint32_t expect(struct batch *batch, const struct layout *layout, bool joins, struct shown *shown,
                       uint32_t *numbers) {
    struct graph *graph = &batch->graph;
    uint32_t count = 0, eh_frame = NO_SECTION;
    for (uint32_t i = 0; i < layout->block_count; i++) {
        uint32_t id = block_at(batch, layout->blocks[i])->section;
        const struct section *section = &graph->sections.data[id];
        const char *name = string_pool_text(graph->names, section->name),
                   *dot = *name ? strchr(name + 1, '.') : NULL;
        struct shown this = {name, joins && dot ? (size_t)(dot - name) : strlen(name), section, 0, 0};
        bool is_first = section->first == layout->blocks[i];
        eh_frame = section->dependent ? id : eh_frame;
        if (section->lifetime != LIFETIME_STANDARD || section->dependent || !is_first)
            continue;
        graph_section_bounds(graph, id, &this.address, &this.end);
        if (!count || !joins || !continues(&shown[count - 1], section, name))
            shown[count++] = this;
        shown[count - 1].end = this.end;
        numbers[id] = count;
    }
    const struct section *frames = &graph->sections.data[eh_frame];
    shown[count] = (struct shown){".eh_frame", strlen(".eh_frame"), frames, 0, 0};
    graph_section_bounds(graph, eh_frame, &shown[count].address, &shown[count].end);
    numbers[eh_frame] = ++count;
    return count;
}

static void check(uint32_t sections, bool joins) {
    static uint8_t memory[MOST_SEGMENTS][SEGMENT_ROOM];
    static struct shown wanted[3000];
    static uint32_t numbers[3000];
    struct batch batch;
    struct layout layout;
    struct debug_outline outline = {0};
    batch_create(&batch);
    fill(&batch, sections);
    assert_code(layout_create(&layout, &batch.graph, PAGE), JITSCOPE_SUCCESS);
    assert_in_range(layout.segments.count, 2, MOST_SEGMENTS);
    for (uint32_t i = 0; i < layout.segments.count; i++) {
        layout.segments.data[i].view.address = (uint64_t)SEGMENT_ROOM * (i + 1);
        layout.segments.data[i].view.working = memory[i];
    }
    layout_apply(&layout, &batch.graph);
    memset(numbers, 0, sizeof numbers);
    uint32_t count = expect(&batch, &layout, joins, wanted, numbers);
    for (int again = 0; again < 2; again++) { /* its memory is used again */
        assert_code(debug_outline_make(&outline, &batch.graph, &layout), JITSCOPE_SUCCESS);
        assert_int_equal(outline.joins, joins);
        assert_int_equal(outline.shown.count, count);
        assert_non_null(outline.frames);
        assert_int_equal(outline.records, 2);
        for (uint32_t i = 0; i < count; i++) {
            const struct shown_section *shown = &outline.shown.data[i];
            assert_ptr_equal(&batch.graph.sections.data[shown->first], wanted[i].first);
            assert_int_equal(shown->length, wanted[i].length);
            assert_int_equal(shown->address, wanted[i].address);
            assert_int_equal(shown->size, wanted[i].end - wanted[i].address);
        }
        assert_memory_equal(outline.numbers.data, numbers, batch.graph.sections.count * sizeof *numbers);
    }
    debug_outline_destroy(&outline);
    layout_destroy(&layout);
    batch_destroy(&batch);
}

static void few_sections_are_shown_as_they_are(void **state) {
    (void)state;
    check(300, false);
}

static void of_many_those_of_like_names_are_one(void **state) {
    (void)state;
    check(2900, true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_sections_are_shown_as_they_are),
        cmocka_unit_test(of_many_those_of_like_names_are_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
