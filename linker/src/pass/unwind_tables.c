#include "pass/unwind_tables.h"

#include "base/bytes.h"
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

/* The functions by which unwinders that are part of a batch are told of sections, to add and to remove; the
 * kinds are those of actions.def.  Each static libgcc keeps a list of its own, hidden from everybody else.
 * LLVM's libunwind has functions of the same names that do something else: it is looked for first. */
static const char *const own_functions[][2] = {{"__register_frame", "__deregister_frame"},
                                               {"__unw_add_dynamic_fde", "__unw_remove_dynamic_fde"}};
enum { KINDS = sizeof own_functions / sizeof *own_functions };

/* The symbol that the batch itself defines; or NO_SYMBOL. */
static uint32_t own_function(const struct graph *graph, const char *name) {
    uint32_t id = string_pool_find(graph->names, name, strlen(name));
    uint32_t symbol = id == NO_NAME ? NO_SYMBOL : graph_find_symbol(graph, id);
    uint32_t block = symbol == NO_SYMBOL ? NO_BLOCK : graph->symbols.data[symbol].block;
    if (block == NO_BLOCK || graph->blocks.data[block].flags & BLOCK_REMOVED)
        return NO_SYMBOL;
    return symbol;
}

/* Nothing refers to them, but they are called. */
static void keep_own_unwinder(struct graph *graph) {
    for (uint32_t i = 0; i < 2 * KINDS; i++) {
        uint32_t symbol = own_function(graph, own_functions[i / 2][i % 2]);
        if (symbol != NO_SYMBOL)
            graph->blocks.data[graph->symbols.data[symbol].block].flags |= BLOCK_LIVE;
    }
}

struct jitscope_error *split_eh_frames(struct graph *graph, void *unused) {
    (void)unused;
    uint32_t section = find_eh_frames(graph);
    if (section == NO_SECTION)
        return NULL;
    graph->sections.data[section].dependent = true;
    keep_own_unwinder(graph);
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

struct jitscope_error *attach_unwinder(struct graph *graph) {
    for (uint32_t kind = KINDS; kind-- > 0;) {
        uint32_t add = own_function(graph, own_functions[kind][0]);
        uint32_t remove = own_function(graph, own_functions[kind][1]);
        uint8_t arguments[24];
        if (add == NO_SYMBOL || remove == NO_SYMBOL)
            continue;
        store_u64(arguments, graph_symbol_address(graph, add));
        store_u64(arguments + 8, graph_symbol_address(graph, remove));
        store_u64(arguments + 16, kind);
        return graph_add_action(
            graph, (struct action_call){bridge_action_ADOPT_UNWINDER, arguments, sizeof arguments},
            (struct action_call){bridge_action_DISMISS_UNWINDER, arguments, sizeof arguments});
    }
    return NULL;
}
