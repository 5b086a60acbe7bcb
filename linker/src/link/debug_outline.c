#include "link/debug_outline.h"

#include <string.h>

/* Each section costs debuggers time, and some of them time in the square of how many there are. */
enum { MANY_SECTIONS = 1024 };

void debug_outline_destroy(struct debug_outline *outline) {
    vec_destroy(&outline->shown);
    vec_destroy(&outline->numbers);
}

static bool is_taken(const struct section *section) {
    return section->blocks && section->lifetime == LIFETIME_STANDARD;
}

static uint32_t find_eh_frame(const struct graph *graph) {
    uint32_t name = string_pool_find(graph->names, ".eh_frame", sizeof ".eh_frame" - 1);
    uint32_t id = name == NO_NAME ? NO_SECTION : graph_find_section(graph, name);
    while (id != NO_SECTION && !(is_taken(&graph->sections.data[id]) && graph->sections.data[id].dependent))
        id = graph_next_section(graph, id);
    return id;
}

/* ".text" of ".text.main", as static linkers have it. */
static uint32_t short_length(const struct pooled_string *name) {
    const char *dot = name->length > 1 ? memchr(name->bytes + 1, '.', name->length - 1) : NULL;
    return dot ? (uint32_t)(dot - name->bytes) : name->length;
}

/* Section ID can be shown with those of LAST, behind which it lies: that one's short name is all of its name,
 * or what stands before its second dot. */
static bool continues(const struct graph *graph, const struct shown_section *last, uint32_t id) {
    const struct section *a = &graph->sections.data[last->first], *b = &graph->sections.data[id];
    const struct pooled_string *name = &graph->names->strings.data[b->name];
    return a->prot == b->prot && a->zero_fill == b->zero_fill && last->length <= name->length &&
           (last->length == name->length || name->bytes[last->length] == '.') &&
           !memcmp(string_pool_text(graph->names, a->name), name->bytes, last->length);
}

/* Section ID begins at ADDRESS; the result is what it belongs to. */
static struct shown_section *show(struct debug_outline *outline, const struct graph *graph, uint32_t id,
                                  uint64_t address) {
    const struct pooled_string *name = &graph->names->strings.data[graph->sections.data[id].name];
    uint32_t count = outline->shown.count;
    if (!outline->joins || !count || !continues(graph, &outline->shown.data[count - 1], id))
        vec_put(&outline->shown,
                (struct shown_section){.first = id,
                                       .length = outline->joins ? short_length(name) : name->length,
                                       .address = address});
    outline->numbers.data[id] = outline->shown.count;
    return &outline->shown.data[outline->shown.count - 1];
}

static struct jitscope_error *begin(struct debug_outline *outline, const struct graph *graph) {
    uint32_t taken = 0;
    for (uint32_t id = 0; id < graph->sections.count; id++)
        taken += is_taken(&graph->sections.data[id]);
    outline->joins = taken > MANY_SECTIONS;
    outline->frames = NULL;
    outline->shown.count = outline->numbers.count = 0;
    TRY(vec_reserve(&outline->shown, taken));
    TRY(vec_reserve(&outline->numbers, graph->sections.count));
    if (graph->sections.count)
        memset(outline->numbers.data, 0, graph->sections.count * sizeof *outline->numbers.data);
    return NULL;
}

struct jitscope_error *debug_outline_make(struct debug_outline *outline, const struct graph *graph,
                                          const struct layout *layout) {
    uint32_t eh_frame = find_eh_frame(graph);
    struct shown_section frames = {.first = eh_frame};
    TRY(begin(outline, graph));
    /* In the layout a section's blocks are one run, in order of address. */
    for (uint32_t i = 0; i < layout->block_count;) {
        const struct block *block = &graph->blocks.data[layout->blocks[i]];
        const struct section *section = &graph->sections.data[block->section];
        const struct block *last = &graph->blocks.data[section->last];
        struct shown_section *at = &frames;
        i += section->blocks;
        if (!is_taken(section))
            continue;
        if (block->section == eh_frame) {
            frames.address = block->address;
            outline->frames = block->working;
        } else {
            at = show(outline, graph, block->section, block->address);
        }
        at->size = last->address + last->size - at->address;
    }
    if (!outline->frames)
        return NULL;
    frames.length = graph->names->strings.data[graph->sections.data[eh_frame].name].length;
    vec_put(&outline->shown, frames);
    outline->numbers.data[eh_frame] = outline->shown.count;
    outline->records = graph->sections.data[eh_frame].blocks;
    return NULL;
}
