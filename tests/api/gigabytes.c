/* A pass that adds gigabytes between code and data: what the linker had made direct, since all was to lie
 * near, goes through the GOT again.  Nothing runs: the memory is simulated. */
#include "check.h"

#include <string.h>

enum { PARTS = 2 };
static const uint64_t part_size = UINT64_C(0x60000000); /* 1.5 GiB */

/* Of constants, which lie between code and variables. */
static struct jitscope_error *add_parts(struct jitscope_graph *graph, void *context) {
    uint32_t section, block;
    const bool *wanted = context;
    struct jitscope_error *error =
        *wanted ? jitscope_graph_add_section(graph, ".rodata.far", JITSCOPE_READ, &section) : NULL;
    for (int i = 0; i < PARTS && !error && *wanted; i++)
        error = jitscope_graph_add_block(graph, section, NULL, part_size, 16, &block);
    return error;
}

static struct jitscope_symbol_view symbol_of(struct jitscope_graph *graph, const char *name) {
    return jitscope_graph_symbol(graph, jitscope_graph_find_symbol(graph, name));
}

/* Where the code would come to, by the bytes that it and the GOT have, which is only read. */
static uint64_t follow(struct jitscope_graph *graph, struct jitscope_block_view block,
                       struct jitscope_edge_view edge) {
    int32_t distance;
    memcpy(&distance, block.working + edge.offset, sizeof distance);
    uint64_t place = block.address + edge.offset + sizeof distance + (uint64_t)(int64_t)distance, value;
    struct jitscope_symbol_view target = jitscope_graph_symbol(graph, edge.target);
    if (strcmp(edge.kind, "got-delta32") != 0)
        return place;
    if (place != target.address)
        return 0;
    struct jitscope_block_view entry = jitscope_graph_block(graph, target.block);
    memcpy(&value, entry.working, sizeof value);
    return jitscope_graph_section(graph, entry.section).prot == JITSCOPE_READ ? value : 0;
}

static void print_edges(struct jitscope_graph *graph, uint32_t number, uint64_t count, uint64_t step) {
    struct jitscope_block_view block = jitscope_graph_block(graph, number);
    for (uint32_t i = 0; i < block.edges; i++) {
        struct jitscope_edge_view edge = jitscope_graph_edge(graph, number, i);
        uint64_t place = follow(graph, block, edge);
        if (strcmp(edge.kind, "keep-alive") != 0)
            printf("  %s to %s\n", edge.kind, place == count ? "count" : place == step ? "step" : "nowhere");
    }
}

static struct jitscope_error *print_references(struct jitscope_graph *graph, void *context) {
    uint64_t count = symbol_of(graph, "count").address, step = symbol_of(graph, "step").address;
    uint32_t bump = symbol_of(graph, "bump").block, leap = symbol_of(graph, "leap").block;
    (void)context;
    printf("variables lie 2 GiB and more behind code: %s\n",
           count - symbol_of(graph, "bump").address > UINT64_C(0x80000000) ? "yes" : "no");
    print_edges(graph, bump, count, step);
    if (leap != bump)
        print_edges(graph, leap, count, step);
    return NULL;
}

static void link_with(bool parts) {
    static const struct jitscope_session_options options = {
        .size = sizeof options, .simulate = true, .base = 0x10000000, .no_default_libraries = true};
    struct jitscope_session *session;
    check(jitscope_session_create(&options, &session));
    check(jitscope_session_add_pass(session, JITSCOPE_POST_PRUNE, "add-parts", add_parts, &parts));
    check(
        jitscope_session_add_pass(session, JITSCOPE_POST_FIXUP, "print-references", print_references, NULL));
    check(jitscope_session_add_file(session, OBJECTS "gigabytes.o"));
    check(jitscope_session_link(session, NULL));
    jitscope_session_destroy(session);
}

int main(void) {
    link_with(false);
    link_with(true);
    return 0;
}
