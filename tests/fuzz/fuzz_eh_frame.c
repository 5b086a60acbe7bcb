/* .eh_frame records.  The input is a count of relocations, three bytes for each (offset, then which symbol),
 * and the section's content; two blocks of code are there to be described. */
#include "fuzz_common.h"

#include "object/eh_frame.h"

#include "arch/x86_64.h"
#include "base/bytes.h"

enum { CODE_BLOCKS = 2, CODE_SIZE = 64 };

static void must(struct jitscope_error *error) {
    if (error)
        abort();
}

static uint32_t add_block(struct graph *graph, const char *name, uint8_t prot, struct bytes content,
                          uint32_t *section) {
    uint32_t text, block;
    must(string_pool_intern(graph->names, name, strlen(name), &text));
    must(graph_add_section(graph, text, prot, LIFETIME_STANDARD, false, section));
    must(graph_add_block(graph, *section, content.data, content.size, 3, MADE_BY_LINKER, &block));
    return block;
}

static void add_edges(struct graph *graph, uint32_t block, struct bytes content, const uint8_t *at,
                      unsigned count) {
    for (; count; count--, at += 3) {
        uint32_t offset = load_u16(at);
        uint16_t kind = at[2] & 0x80 ? EDGE_X86_64_POINTER64 : EDGE_X86_64_DELTA32;
        uint8_t width = arch_x86_64.kinds[kind].width;
        if (content.size >= width && offset <= content.size - width)
            must(graph_add_edge(
                graph, block,
                (struct edge){.offset = offset, .kind = kind, .target = at[2] % graph->symbols.count}));
    }
}

static void split(struct graph *graph, struct bytes content, const uint8_t *edges, unsigned count) {
    static const uint8_t code[CODE_SIZE];
    uint32_t section, symbol;
    for (unsigned i = 0; i < CODE_BLOCKS; i++) {
        uint32_t block = add_block(graph, ".text", PROTECT_READ | PROTECT_EXECUTE,
                                   (struct bytes){code, sizeof code}, &section);
        must(graph_add_symbol(graph, (struct symbol){.block = block, .scope = SCOPE_LOCAL}, &symbol));
    }
    must(graph_add_symbol(graph, (struct symbol){.block = NO_BLOCK, .scope = SCOPE_LOCAL}, &symbol));
    graph->zero_symbol = symbol;
    uint32_t block = add_block(graph, ".eh_frame", PROTECT_READ, content, &section);
    must(graph_add_symbol(graph, (struct symbol){.block = block, .scope = SCOPE_LOCAL}, &symbol));
    add_edges(graph, block, content, edges, count);
    struct jitscope_error *error = eh_frame_split(graph, section);
    if (!error)
        FUZZ_HOLDS(!graph_verify(graph));
    fuzz_expect_message(error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct string_pool names;
    struct trace trace;
    struct graph graph;
    size_t edges = size ? data[0] : 0, head = 1 + edges * 3;
    if (size <= head)
        return 0;
    must(string_pool_create(&names));
    trace_create(&trace, &names);
    must(graph_create(&graph, &arch_x86_64, &names, &trace, 1));
    split(&graph, (struct bytes){data + head, size - head}, data + 1, (unsigned)edges);
    graph_destroy(&graph);
    trace_destroy(&trace);
    string_pool_destroy(&names);
    return 0;
}
