/* What a pass may not do, and what it is told: each refusal ends the link unless the pass goes on. */
#include "check.h"

#include <string.h>

static const uint8_t zero[8];

static void print_refusal(const char *what, struct jitscope_error *error) {
    printf("%s: %s: %s\n", what, jitscope_error_code_name(jitscope_error_code(error)),
           jitscope_error_message(error));
    jitscope_error_destroy(error);
}

/* A block of one's own, which later passes try to change. */
static struct jitscope_error *prepare(struct jitscope_graph *graph, void *context) {
    uint32_t section, *block = context, symbol, unused;
    check(jitscope_graph_add_section(graph, ".data.own", JITSCOPE_READ | JITSCOPE_WRITE, &section));
    check(jitscope_graph_add_block(graph, section, zero, sizeof zero, 8, block));
    check(jitscope_graph_add_symbol(graph, "own", *block, 0, sizeof zero, &symbol));
    printf("sections %s, symbols %s\n", jitscope_graph_section_count(graph) > section ? "counted" : "missed",
           jitscope_graph_symbol_count(graph) > symbol ? "counted" : "missed");

    print_refusal("writable code", jitscope_graph_add_section(graph, ".wx", 7, &section));
    print_refusal("an odd alignment", jitscope_graph_add_block(graph, section, zero, 8, 3, &unused));
    print_refusal("outside", jitscope_graph_add_symbol(graph, "outside", *block, 9, 0, &symbol));
    print_refusal("once more", jitscope_graph_add_symbol(graph, "own", *block, 0, 8, &unused));
    print_refusal("no such kind", jitscope_graph_add_edge(graph, *block, 0, "delta33", symbol, 0));
    print_refusal("the linker's own kind",
                  jitscope_graph_add_edge(graph, *block, 2, "near-load32", symbol, -4));
    print_refusal("too wide", jitscope_graph_add_edge(graph, *block, 4, "pointer64", symbol, 0));
    print_refusal("no such symbol", jitscope_graph_add_edge(graph, *block, 0, "pointer64", JITSCOPE_NONE, 0));
    print_refusal("no such action", jitscope_graph_add_action(graph, "dance", NULL, 0, NULL, NULL, 0));

    section = jitscope_graph_find_section(graph, ".data.own");
    check(jitscope_graph_add_block(graph, section, NULL, 8, 8, &unused));
    print_refusal("zero-fill", jitscope_graph_add_edge(graph, unused, 0, "pointer64", symbol, 0));
    return NULL;
}

/* With gc_sections `unused` is gone now. */
static struct jitscope_error *after_prune(struct jitscope_graph *graph, void *context) {
    uint32_t unused = jitscope_graph_find_symbol(graph, "unused"), *block = context, id;
    print_refusal("keep, after prune", jitscope_graph_keep(graph, unused));
    print_refusal("to what was pruned", jitscope_graph_add_edge(graph, *block, 0, "pointer64", unused, 0));
    print_refusal(
        "in what was pruned",
        jitscope_graph_add_symbol(graph, "again", jitscope_graph_symbol(graph, unused).block, 0, 0, &id));
    print_refusal("the table's address",
                  jitscope_graph_add_edge(graph, *block, 0, "got-base-delta32",
                                          jitscope_graph_find_symbol(graph, "count"), 0));
    print_refusal("a table entry", jitscope_graph_add_edge(graph, *block, 0, "request-got-delta32",
                                                           jitscope_graph_find_symbol(graph, "count"), 0));
    return NULL;
}

static struct jitscope_error *after_fixups(struct jitscope_graph *graph, void *context) {
    uint32_t own = jitscope_graph_find_symbol(graph, "own"), *block = context, id;
    print_refusal("a section, laid out", jitscope_graph_add_section(graph, ".late", JITSCOPE_READ, &id));
    print_refusal("an edge, fixed up", jitscope_graph_add_edge(graph, *block, 0, "pointer64", own, 0));
    return jitscope_error_create(JITSCOPE_ERROR_CHECK_FAILED, "the pass has seen enough");
}

/* Post-allocation: `mov kept@GOTPCREL(%rip), %rdx` becomes an addition, when it has been decided that it will
 * be a lea. */
static struct jitscope_error *change_load(struct jitscope_graph *graph, void *context) {
    struct jitscope_symbol_view function =
        jitscope_graph_symbol(graph, jitscope_graph_find_symbol(graph, "answer"));
    (void)context;
    jitscope_graph_block(graph, function.block).working[1] = 0x03;
    return NULL;
}

static void link_changed_load(void) {
    struct jitscope_session_options options = {.size = sizeof options, .no_default_libraries = true};
    struct jitscope_session *session;
    check(jitscope_session_create(&options, &session));
    check(jitscope_session_add_pass(session, JITSCOPE_POST_ALLOCATION, "change-load", change_load, NULL));
    check(jitscope_session_add_file(session, OBJECTS "answer_kept.o"));
    struct jitscope_error *error = jitscope_session_link(session, NULL);
    const char *where =
        strstr(jitscope_error_message(error), "answer_kept.o"); /* whatever folder that is in */
    printf("another instruction: %s\n", where ? where : "done");
    jitscope_error_destroy(error);
    jitscope_session_destroy(session);
}

int main(void) {
    struct jitscope_session_options options = {
        .size = sizeof options, .gc_sections = true, .no_default_libraries = true};
    struct jitscope_session *session;
    uint32_t block;
    check(jitscope_session_create(&options, &session));
    check(jitscope_session_add_pass(session, JITSCOPE_PRE_PRUNE, "prepare", prepare, &block));
    check(jitscope_session_add_pass(session, JITSCOPE_POST_PRUNE, "after-prune", after_prune, &block));
    check(jitscope_session_add_pass(session, JITSCOPE_POST_FIXUP, "after-fixups", after_fixups, &block));
    check(jitscope_session_add_root(session, "count"));
    check(jitscope_session_add_file(session, OBJECTS "counter.o"));
    print_refusal("the link", jitscope_session_link(session, NULL));
    jitscope_session_destroy(session);
    link_changed_load();
    return 0;
}
