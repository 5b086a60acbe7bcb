/* One ET_REL file into a graph, whose invariants must hold afterwards. */
#include "fuzz_common.h"

#include "object/elf_object.h"

static struct jitscope_error *count_definition(void *context, const char *name, size_t length,
                                               unsigned traits) {
    size_t *bytes = context;
    FUZZ_HOLDS(strlen(name) == length);
    *bytes += length + traits;
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct string_pool names;
    struct trace trace;
    struct graph graph;
    struct elf_scratch scratch = {0};
    struct elf_read_options options = {.keep_no_alloc = true};
    struct bytes file = {data, size};
    size_t bytes = 0;
    if (string_pool_create(&names))
        abort();
    trace_create(&trace, &names);
    if (graph_create(&graph, &arch_x86_64, &names, &trace, 1))
        abort();
    graph.relocation_name = elf_x86_64_relocation_name;
    /* Twice: the second copy meets the first one's groups and definitions. */
    for (uint32_t input = 0; input < 2; input++) {
        struct jitscope_error *error = elf_read_object(&graph, file, input, &options, &scratch);
        bool good = !error;
        fuzz_expect_message(error);
        if (!good)
            break;
        FUZZ_HOLDS(!graph_verify(&graph));
    }
    fuzz_expect_message(elf_each_definition(file, count_definition, &bytes));
    elf_section_name(file, 1);
    elf_outline(file);
    elf_scratch_destroy(&scratch);
    graph_destroy(&graph);
    trace_destroy(&trace);
    string_pool_destroy(&names);
    return 0;
}
