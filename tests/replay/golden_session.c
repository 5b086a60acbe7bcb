/* Sessions of an embedding program, for golden recordings: the objects of golden/inputs, in this process.
 *
 *     golden_session RECORDING unloads FILE...      links one after the other, unloads every other one
 *     golden_session RECORDING passes FILE          adds code and data, keeps, patches; an action; a resolver
 */
#include "jitscope/jitscope.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(struct jitscope_error *error) {
    if (!error)
        return;
    fprintf(stderr, "%s\n", jitscope_error_message(error));
    exit(1);
}

static void unloads(struct jitscope_session *session, int count, char **files) {
    struct jitscope_link *links[8];
    for (int i = 0; i < count && i < 8; i++) {
        check(jitscope_session_add_file(session, files[i]));
        check(jitscope_session_link(session, &links[i]));
        if (i % 2)
            check(jitscope_session_unload(session, links[i - 1]));
    }
}

/* Post-prune: mov $41, %eax; ret, and a pointer to it. */
static struct jitscope_error *add_code(struct jitscope_graph *graph, void *context) {
    static const uint8_t code[] = {0xb8, 41, 0, 0, 0, 0xc3}, zero[8];
    uint32_t section, block, symbol, data, pointer;
    (void)context;
    check(jitscope_graph_add_section(graph, ".text.added", JITSCOPE_READ | JITSCOPE_EXECUTE, &section));
    check(jitscope_graph_add_block(graph, section, code, sizeof code, 16, &block));
    check(jitscope_graph_add_symbol(graph, "added", block, 0, sizeof code, &symbol));
    check(jitscope_graph_add_section(graph, ".data.added", JITSCOPE_READ | JITSCOPE_WRITE, &section));
    check(jitscope_graph_add_block(graph, section, zero, sizeof zero, 8, &data));
    check(jitscope_graph_add_symbol(graph, "added_pointer", data, 0, sizeof zero, &pointer));
    check(jitscope_graph_add_edge(graph, data, 0, "pointer64", symbol, 0));
    return jitscope_graph_add_action(graph, "count", "one", 3, "count", "two", 3);
}

static struct jitscope_error *keep_twice(struct jitscope_graph *graph, void *context) {
    (void)context;
    return jitscope_graph_keep(graph, jitscope_graph_find_symbol(graph, "twice"));
}

/* Post-fixup: the immediate becomes 42. */
static struct jitscope_error *patch(struct jitscope_graph *graph, void *context) {
    uint32_t added = jitscope_graph_symbol(graph, jitscope_graph_find_symbol(graph, "added")).block;
    (void)context;
    jitscope_graph_block(graph, added).working[1]++;
    return NULL;
}

static const char *count(void *context, const uint8_t *arguments, size_t size) {
    (void)arguments;
    *(size_t *)context += size;
    return NULL;
}

static struct jitscope_error *resolve(void *context, const char *const *names, size_t wanted,
                                      uint64_t *addresses, bool *found) {
    (void)context;
    for (size_t i = 0; i < wanted; i++)
        if (!strcmp(names[i], "far")) {
            found[i] = true;
            addresses[i] = 0x1234;
        }
    return NULL;
}

static struct jitscope_error *leave(void *context, const char *const *names, size_t wanted,
                                    uint64_t *addresses, bool *found) {
    (void)context, (void)names, (void)wanted, (void)addresses, (void)found;
    exit(5);
}

static void exits(struct jitscope_session *session, char **files) {
    check(jitscope_session_add_file(session, files[0]));
    check(jitscope_session_link(session, NULL));
    check(jitscope_session_set_resolver(session, leave, NULL));
    check(jitscope_session_add_file(session, files[1]));
    check(jitscope_session_link(session, NULL));
}

static void passes(struct jitscope_session *session, char **files) {
    static size_t counted;
    check(jitscope_session_register_action(session, "count", count, &counted));
    check(jitscope_session_set_resolver(session, resolve, NULL));
    check(jitscope_session_add_pass(session, JITSCOPE_PRE_PRUNE, "keep-twice", keep_twice, NULL));
    check(jitscope_session_add_pass(session, JITSCOPE_POST_PRUNE, "add-code", add_code, NULL));
    check(jitscope_session_add_pass(session, JITSCOPE_POST_FIXUP, "patch", patch, NULL));
    check(jitscope_session_add_file(session, files[0]));
    check(jitscope_session_link(session, NULL));
}

static void middle(struct jitscope_session *session, const char *recording, int count, char **files) {
    struct jitscope_link *links[8];
    for (int i = 0; i < count && i < 8; i++) {
        if (i == 2)
            check(jitscope_session_begin_recording(session, recording, JITSCOPE_LEVEL_DEFAULT));
        check(jitscope_session_add_file(session, files[i]));
        check(jitscope_session_link(session, &links[i]));
    }
    check(jitscope_session_unload(session, links[1]));
    check(jitscope_session_end_recording(session));
}

int main(int argc, char **argv) {
    struct jitscope_session *session;
    if (argc < 4)
        return 2;
    bool from_the_middle = !strcmp(argv[2], "middle");
    const struct jitscope_session_options options = {.size = sizeof options,
                                                     .record_path = from_the_middle ? NULL : argv[1],
                                                     .no_default_libraries = true};
    check(jitscope_session_create(&options, &session));
    if (!strcmp(argv[2], "unloads"))
        unloads(session, argc - 3, argv + 3);
    else if (!strcmp(argv[2], "exits") && argc > 4)
        exits(session, argv + 3);
    else if (from_the_middle)
        middle(session, argv[1], argc - 3, argv + 3);
    else
        passes(session, argv + 3);
    jitscope_session_destroy(session);
    return 0;
}
