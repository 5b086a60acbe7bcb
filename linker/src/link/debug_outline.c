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

/* The last section shown, to which the next one may belong. */
struct last_shown {
    const char *text; /* its name, of which LENGTH bytes count */
    uint32_t length;
    uint32_t block; /* the last of what it stands for */
    uint8_t prot;
    bool zero_fill;
    uint64_t start, mask; /* what is to be in which of the first eight bytes of ".text.main" after ".text" */
};

static struct last_shown last_shown(const struct section *section, const struct pooled_string *name,
                                    uint32_t length) {
    uint8_t start[8] = {1}, mask[8] = {0};
    if (length < sizeof start) {
        memcpy(start, name->bytes, length);
        start[length] = '.';
        memset(mask, 0xff, length + 1);
    }
    return (struct last_shown){.text = name->bytes,
                               .length = length,
                               .prot = section->prot,
                               .zero_fill = section->zero_fill,
                               .start = load_u64(start),
                               .mask = load_u64(mask)};
}

/* The last one's short name is all of this one, or what stands before its second dot: of most sections, when
 * they are many, eight bytes tell. */
static inline bool has_its_name(const struct last_shown *last, const struct pooled_string *name) {
    if (name->length >= sizeof last->start &&
        (load_u64((const uint8_t *)name->bytes) & last->mask) == last->start)
        return true;
    return last->length <= name->length && (name->bytes[last->length] == '.' || !name->bytes[last->length]) &&
           !memcmp(last->text, name->bytes, last->length);
}

static void end_last(struct debug_outline *outline, const struct graph *graph,
                     const struct last_shown *last) {
    const struct block *block = &graph->blocks.data[last->block];
    if (!outline->shown.count)
        return;
    struct shown_section *shown = &outline->shown.data[outline->shown.count - 1];
    shown->size = block->address + block->size - shown->address;
}

/* Section ID becomes the last one shown, if it cannot be shown as part of that, behind which it lies. */
static inline struct jitscope_error *show(struct debug_outline *outline, const struct graph *graph,
                                          uint32_t id, struct last_shown *last) {
    const struct section *section = &graph->sections.data[id];
    const struct pooled_string *name = &graph->names->strings.data[section->name];
    if (!outline->joins || !outline->shown.count || last->prot != section->prot ||
        last->zero_fill != section->zero_fill || !has_its_name(last, name)) {
        uint32_t length = outline->joins ? short_length(name) : name->length;
        end_last(outline, graph, last);
        *last = last_shown(section, name, length);
        TRY(vec_push(&outline->shown,
                     (struct shown_section){.first = id,
                                            .length = length,
                                            .address = graph->blocks.data[section->first].address}));
    }
    last->block = section->last;
    outline->numbers.data[id] = outline->shown.count;
    return NULL;
}

static bool are_many(const struct graph *graph) {
    uint32_t taken = 0;
    for (uint32_t id = 0; id < graph->sections.count && taken <= MANY_SECTIONS; id++)
        taken += is_taken(&graph->sections.data[id]);
    return taken > MANY_SECTIONS;
}

static struct jitscope_error *begin(struct debug_outline *outline, const struct graph *graph) {
    outline->joins = are_many(graph);
    outline->frames = NULL;
    outline->shown.count = outline->numbers.count = 0;
    TRY(vec_reserve(&outline->numbers, graph->sections.count));
    if (graph->sections.count)
        memset(outline->numbers.data, 0, graph->sections.count * sizeof *outline->numbers.data);
    return NULL;
}

static struct jitscope_error *show_frames(struct debug_outline *outline, const struct graph *graph,
                                          uint32_t eh_frame) {
    const struct section *section = &graph->sections.data[eh_frame];
    const struct block *first = &graph->blocks.data[section->first];
    const struct block *last = &graph->blocks.data[section->last];
    outline->frames = first->working;
    outline->records = section->blocks;
    if (!outline->frames)
        return NULL;
    TRY(vec_push(&outline->shown,
                 (struct shown_section){.first = eh_frame,
                                        .length = graph->names->strings.data[section->name].length,
                                        .address = first->address,
                                        .size = last->address + last->size - first->address}));
    outline->numbers.data[eh_frame] = outline->shown.count;
    return NULL;
}

struct jitscope_error *debug_outline_make(struct debug_outline *outline, const struct graph *graph,
                                          const struct layout *layout) {
    const struct block *blocks = graph->blocks.data;
    uint32_t eh_frame = find_eh_frame(graph);
    struct last_shown last = {0};
    TRY(begin(outline, graph));
    /* In the layout a section's blocks are one run, in order of address. */
    for (uint32_t i = 0; i < layout->block_count;) {
        uint32_t id = blocks[layout->blocks[i]].section;
        const struct section *section = &graph->sections.data[id];
        i += section->blocks;
        if (is_taken(section) && id != eh_frame)
            TRY(show(outline, graph, id, &last));
    }
    end_last(outline, graph, &last);
    return eh_frame == NO_SECTION ? NULL : show_frames(outline, graph, eh_frame);
}
