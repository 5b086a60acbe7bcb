#include "pass/unwind_tables.h"

#include "object/eh_frame.h"
#include "pass/section_actions.h"

/* The first .eh_frame section with live blocks; inputs' sections of one protection are one section. */
static uint32_t find_eh_frames(const struct graph *graph) {
    uint32_t name = string_pool_find(graph->names, ".eh_frame", 9);
    uint32_t id = name == NO_NAME ? NO_SECTION : graph_find_section(graph, name);
    while (id != NO_SECTION &&
           (!graph->sections.data[id].blocks || graph->sections.data[id].lifetime != LIFETIME_STANDARD))
        id = graph_next_section(graph, id);
    return id;
}

struct jitscope_error *split_eh_frames(struct graph *graph, void *unused) {
    (void)unused;
    uint32_t section = find_eh_frames(graph);
    if (section == NO_SECTION)
        return NULL;
    graph->sections.data[section].dependent = true;
    return eh_frame_split(graph, section);
}

struct jitscope_error *terminate_eh_frames(struct graph *graph, void *unused) {
    (void)unused;
    static const uint8_t zero[4];
    uint32_t block, section = find_eh_frames(graph);
    if (section == NO_SECTION)
        return NULL;
    TRY(graph_add_block(graph, section, zero, sizeof zero, 0, MADE_BY_LINKER, &block));
    TRACE(graph->trace, cfi_record, .block = block, .kind = CFI_TERMINATOR, .cie = NO_ID, .function = NO_ID);
    return NULL;
}

struct jitscope_error *register_eh_frames(struct graph *graph, void *unused) {
    (void)unused;
    uint32_t section = find_eh_frames(graph);
    if (section == NO_SECTION)
        return NULL;
    return add_section_action(graph, section, bridge_action_REGISTER_EH_FRAMES,
                              bridge_action_DEREGISTER_EH_FRAMES);
}
