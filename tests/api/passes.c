/* Passes of one's own at every phase: keep a function, add code and data, look at addresses and edges, patch.
 */
#include "check.h"

#include <string.h>

/* Pre-prune: `unused` is reached by nothing and would go with --gc-sections. */
static struct jitscope_error *keep_unused(struct jitscope_graph *graph, void *context) {
    uint32_t symbol = jitscope_graph_find_symbol(graph, "unused");
    (void)context;
    return symbol == JITSCOPE_NONE ? NULL : jitscope_graph_keep(graph, symbol);
}

/* Pre-prune, so that it gets its entry in the GOT, which it must have: mov count@GOTPCREL(%rip), %rax; ret */
static struct jitscope_error *add_load(struct jitscope_graph *graph, void *context) {
    static const uint8_t code[] = {0x48, 0x8b, 0x05, 0, 0, 0, 0, 0xc3};
    uint32_t section, block, symbol;
    (void)context;
    struct jitscope_error *error =
        jitscope_graph_add_section(graph, ".text.load", JITSCOPE_READ | JITSCOPE_EXECUTE, &section);
    if (!error)
        error = jitscope_graph_add_block(graph, section, code, sizeof code, 16, &block);
    if (!error)
        error = jitscope_graph_add_symbol(graph, "load", block, 0, sizeof code, &symbol);
    return error ? error
                 : jitscope_graph_add_edge(graph, block, 3, "request-got-delta32",
                                           jitscope_graph_find_symbol(graph, "count"), -4);
}

/* Post-prune: a function of the host's own making.  mov $41, %eax; ret */
static struct jitscope_error *add_function(struct jitscope_graph *graph, void *context) {
    static const uint8_t code[] = {0xb8, 41, 0, 0, 0, 0xc3};
    uint32_t section, block, symbol;
    (void)context;
    struct jitscope_error *error =
        jitscope_graph_add_section(graph, ".text.added", JITSCOPE_READ | JITSCOPE_EXECUTE, &section);
    if (!error)
        error = jitscope_graph_add_block(graph, section, code, sizeof code, 16, &block);
    return error ? error : jitscope_graph_add_symbol(graph, "added", block, 0, sizeof code, &symbol);
}

/* Post-prune: a pointer to it, as data with an edge. */
static struct jitscope_error *add_pointer(struct jitscope_graph *graph, void *context) {
    static const uint8_t zero[8];
    uint32_t section, block, symbol;
    (void)context;
    struct jitscope_error *error = jitscope_graph_add_section(graph, ".data.added", JITSCOPE_READ, &section);
    if (!error)
        error = jitscope_graph_add_block(graph, section, zero, sizeof zero, 8, &block);
    if (!error)
        error = jitscope_graph_add_symbol(graph, "added_pointer", block, 0, sizeof zero, &symbol);
    return error ? error
                 : jitscope_graph_add_edge(graph, block, 0, "pointer64",
                                           jitscope_graph_find_symbol(graph, "added"), 0);
}

/* Post-prune: two tables whose entries come in turns, so that the edges of both move; some addends have more
 * than 32 bits. */
static const int64_t addends[] = {
    0, -4, INT32_MAX, INT32_MIN, INT32_MAX + INT64_C(1), INT32_MIN - INT64_C(1), INT64_MAX, INT64_MIN};
enum { ADDENDS = sizeof addends / sizeof *addends };

static struct jitscope_error *add_addends(struct jitscope_graph *graph, void *context) {
    static const uint64_t zeros[ADDENDS];
    uint32_t target = jitscope_graph_find_symbol(graph, "added"), section, symbol, *blocks = context;
    struct jitscope_error *error =
        jitscope_graph_add_section(graph, ".data.addends", JITSCOPE_READ, &section);
    for (int i = 0; !error && i < 2; i++) {
        error = jitscope_graph_add_block(graph, section, zeros, sizeof zeros, 8, &blocks[i]);
        if (!error)
            error =
                jitscope_graph_add_symbol(graph, i ? "second" : "first", blocks[i], 0, sizeof zeros, &symbol);
    }
    for (uint32_t i = 0; !error && i < 2 * ADDENDS; i++)
        error = jitscope_graph_add_edge(graph, blocks[i % 2], i / 2 * 8, "pointer64", target, addends[i / 2]);
    return error;
}

/* Pre-fixup: what edges tell is what they were given. */
static struct jitscope_error *read_addends(struct jitscope_graph *graph, void *context) {
    const uint32_t *blocks = context;
    for (uint32_t i = 0; i < 2 * ADDENDS; i++)
        if (jitscope_graph_edge(graph, blocks[i % 2], i / 2).addend != addends[i / 2])
            printf("edge %u of block %u has another addend\n", i / 2, i % 2);
    return NULL;
}

/* Post-allocation: everything has a place. */
static struct jitscope_error *count_edges(struct jitscope_graph *graph, void *context) {
    uint32_t edges = 0, unplaced = 0;
    (void)context;
    for (uint32_t id = 0; id < jitscope_graph_block_count(graph); id++) {
        struct jitscope_block_view block = jitscope_graph_block(graph, id);
        if (!block.live)
            continue;
        edges += block.edges;
        unplaced += block.size && !block.address;
    }
    printf("link %u: %s, %u blocks without an address\n", jitscope_graph_link_number(graph),
           edges ? "has edges" : "has no edges", unplaced);
    return NULL;
}

/* Pre-fixup: who refers to whom, by name. */
static struct jitscope_error *print_pointers(struct jitscope_graph *graph, void *context) {
    (void)context;
    for (uint32_t id = 0; id < jitscope_graph_block_count(graph); id++) {
        struct jitscope_block_view block = jitscope_graph_block(graph, id);
        for (uint32_t i = 0; block.live && i < block.edges; i++) {
            struct jitscope_edge_view edge = jitscope_graph_edge(graph, id, i);
            struct jitscope_symbol_view target = jitscope_graph_symbol(graph, edge.target);
            if (!strcmp(edge.kind, "pointer64"))
                printf("%s + %u: %s to %s\n", jitscope_graph_section(graph, block.section).name, edge.offset,
                       edge.kind, target.name);
        }
    }
    return NULL;
}

/* Post-fixup: the code is complete and not yet protected.  The immediate becomes 42. */
static struct jitscope_error *patch(struct jitscope_graph *graph, void *context) {
    (void)context;
    struct jitscope_symbol_view added =
        jitscope_graph_symbol(graph, jitscope_graph_find_symbol(graph, "added"));
    jitscope_graph_block(graph, added.block).working[1]++;
    return NULL;
}

static const struct jitscope_session_options options = {
    .size = sizeof options, .gc_sections = true, .no_default_libraries = true};

static bool has_unused(struct jitscope_session *session) {
    uint64_t address;
    check(jitscope_session_add_root(session, "count"));
    check(jitscope_session_add_file(session, OBJECTS "counter.o"));
    check(jitscope_session_link(session, NULL));
    struct jitscope_error *error = jitscope_session_lookup(session, "unused", &address);
    bool found = !error;
    jitscope_error_destroy(error);
    return found;
}

static void check_addends(struct jitscope_session *session) {
    uint64_t added, tables[2];
    check(jitscope_session_lookup(session, "added", &added));
    check(jitscope_session_lookup(session, "first", &tables[0]));
    check(jitscope_session_lookup(session, "second", &tables[1]));
    unsigned right = 0;
    for (uint32_t i = 0; i < 2 * ADDENDS; i++)
        right += ((const uint64_t *)(uintptr_t)tables[i % 2])[i / 2] == added + (uint64_t)addends[i / 2];
    printf("%u of %u addends came through\n", right, 2 * ADDENDS);
}

int main(void) {
    struct jitscope_session *session;
    uint64_t address, pointer;
    uint32_t blocks[2];
    check(jitscope_session_create(&options, &session));
    printf("without passes, unused is %s\n", has_unused(session) ? "there" : "dropped");
    jitscope_session_destroy(session);

    check(jitscope_session_create(&options, &session));
    check(jitscope_session_add_pass(session, JITSCOPE_PRE_PRUNE, "keep-unused", keep_unused, NULL));
    check(jitscope_session_add_pass(session, JITSCOPE_PRE_PRUNE, "add-load", add_load, NULL));
    check(jitscope_session_add_pass(session, JITSCOPE_POST_PRUNE, "add-function", add_function, NULL));
    check(jitscope_session_add_pass(session, JITSCOPE_POST_PRUNE, "add-pointer", add_pointer, NULL));
    check(jitscope_session_add_pass(session, JITSCOPE_POST_PRUNE, "add-addends", add_addends, blocks));
    check(jitscope_session_add_pass(session, JITSCOPE_POST_ALLOCATION, "count-edges", count_edges, NULL));
    check(jitscope_session_add_pass(session, JITSCOPE_PRE_FIXUP, "print-pointers", print_pointers, NULL));
    check(jitscope_session_add_pass(session, JITSCOPE_PRE_FIXUP, "read-addends", read_addends, blocks));
    check(jitscope_session_add_pass(session, JITSCOPE_POST_FIXUP, "patch", patch, NULL));
    printf("with them it is %s\n", has_unused(session) ? "kept" : "dropped");
    check(jitscope_session_lookup(session, "added", &address));
    printf("added() = %d\n", call(address));
    check(jitscope_session_lookup(session, "added_pointer", &pointer));
    printf("the pointer leads to it: %s\n", *(uint64_t *)(uintptr_t)pointer == address ? "yes" : "no");
    check(jitscope_session_lookup(session, "count", &pointer));
    check(jitscope_session_lookup(session, "load", &address));
    printf("load() is count: %s\n", ((uint64_t(*)(void))(uintptr_t)address)() == pointer ? "yes" : "no");
    check_addends(session);
    jitscope_session_destroy(session);
    return 0;
}
