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

/* Unwinders that a batch can bring along: how each is recognised, and told of sections. */
static const struct {
    const char *sign, *add_function, *remove_function;
    bool each_fde;
} unwinders[] = {
    {"__unw_add_dynamic_fde", "__unw_add_dynamic_fde", "__unw_remove_dynamic_fde", true},
    {"_Unwind_Find_FDE", "__register_frame", "__deregister_frame", false},
};

/* Where the batch itself defines NAME; 0 when it does not. */
static uint64_t find_definition(const struct graph *graph, const char *name) {
    uint32_t id = string_pool_find(graph->names, name, strlen(name));
    uint32_t symbol = id == NO_NAME ? NO_SYMBOL : graph_find_symbol(graph, id);
    if (symbol == NO_SYMBOL || graph->symbols.data[symbol].block == NO_BLOCK ||
        graph->blocks.data[graph->symbols.data[symbol].block].flags & BLOCK_REMOVED)
        return 0;
    return graph_symbol_address(graph, symbol);
}

static struct jitscope_error *attach_unwinders(struct graph *graph) {
    for (size_t i = 0; i < sizeof unwinders / sizeof *unwinders; i++) {
        uint64_t words[] = {find_definition(graph, unwinders[i].add_function),
                            find_definition(graph, unwinders[i].remove_function), unwinders[i].each_fde};
        if (!words[0] || !words[1] || !find_definition(graph, unwinders[i].sign))
            continue;
        uint8_t arguments[sizeof words];
        for (size_t word = 0; word < sizeof words / sizeof *words; word++)
            store_u64(arguments + 8 * word, words[word]);
        TRY(graph_add_action(
            graph, (struct action_call){bridge_action_REGISTER_UNWINDER, arguments, sizeof arguments},
            (struct action_call){bridge_action_DEREGISTER_UNWINDER, arguments, sizeof arguments}));
    }
    return NULL;
}

struct jitscope_error *register_eh_frames(struct graph *graph, void *unused) {
    (void)unused;
    uint32_t section = find_eh_frames(graph);
    if (section == NO_SECTION)
        return NULL;
    TRY(add_section_action(graph, section, bridge_action_REGISTER_EH_FRAMES,
                           bridge_action_DEREGISTER_EH_FRAMES));
    return attach_unwinders(graph);
}
