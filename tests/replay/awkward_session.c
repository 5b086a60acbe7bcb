/* Sessions of embedding programs that do awkward things, as their words say:
 *
 *     awkward_session RECORDING|- WORD...
 *
 *     PATH                 adds a file, which may fail          link, unload     the link added last
 *     begin=PATH, end      of a recording                       exit             exit(3)
 *     resolver             one that fails                       symbols          a pass that adds odd symbols
 *     definitions          very many of two names
 *     lookups              by two threads in turn
 *     roots                thousands of roots with one long name
 *     undone               many actions, the last of which fails, while undoing the first exits
 *     exit-at=EVENT        an event callback that exits         manager          a manager that exits when it
 * abandons
 */
#include "jitscope/jitscope.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct jitscope_link *latest;

static void tell(struct jitscope_error *error) {
    printf("%s\n", error ? jitscope_error_message(error) : "ok");
    fflush(stdout);
    jitscope_error_destroy(error);
}

static struct jitscope_error *fail(void *context, const char *const *names, size_t count, uint64_t *addresses,
                                   bool *found) {
    (void)context, (void)names, (void)count, (void)addresses, (void)found;
    return jitscope_error_create(JITSCOPE_ERROR_NO_MEMORY, "the arena of this program is full");
}

static struct jitscope_error *add_symbols(struct jitscope_graph *graph, void *context) {
    uint32_t section, block, symbol;
    (void)context;
    tell(jitscope_graph_add_section(graph, ".data.odd", JITSCOPE_READ | JITSCOPE_WRITE, &section));
    tell(jitscope_graph_add_block(graph, section, "12345678", 8, 8, &block));
    tell(jitscope_graph_add_symbol(graph, "", block, 0, 8, &symbol));
    tell(jitscope_graph_add_symbol(graph, "", block, 4, 0, &symbol));
    tell(jitscope_graph_add_symbol(graph, "odd", block, 0, 8, &symbol));
    tell(jitscope_graph_add_symbol(graph, "odd", block, 0, 8, &symbol));
    tell(jitscope_graph_add_block(graph, section, "", 0, 1, &block));
    tell(jitscope_graph_add_action(graph, NULL, NULL, 0, NULL, NULL, 0));
    return NULL;
}

static void leave_at(void *name, const struct jitscope_event *event) {
    static bool has_left;
    if (has_left || strcmp(jitscope_event_name(event), name) != 0)
        return;
    has_left = true;
    exit(9);
}

/* --- actions */

enum { ACTIONS = 40 };

static struct jitscope_error *add_actions(struct jitscope_graph *graph, void *context) {
    (void)context;
    for (uint32_t i = 0; i < ACTIONS; i++)
        tell(jitscope_graph_add_action(graph, i + 1 < ACTIONS ? "do" : "refuse", &i, sizeof i, "undo", &i,
                                       sizeof i));
    return NULL;
}

static const char *succeed(void *context, const uint8_t *arguments, size_t size) {
    (void)context, (void)arguments, (void)size;
    return NULL;
}

static const char *refuse(void *context, const uint8_t *arguments, size_t size) {
    (void)context, (void)arguments, (void)size;
    return "not this one";
}

static const char *undo(void *context, const uint8_t *arguments, size_t size) {
    uint32_t number;
    (void)context, (void)size;
    memcpy(&number, arguments, sizeof number);
    printf("undone %u\n", number);
    fflush(stdout);
    if (number == 1)
        exit(11);
    return NULL;
}

static void add_undone(struct jitscope_session *session) {
    tell(jitscope_session_register_action(session, "do", succeed, NULL));
    tell(jitscope_session_register_action(session, "refuse", refuse, NULL));
    tell(jitscope_session_register_action(session, "undo", undo, NULL));
    tell(jitscope_session_add_pass(session, JITSCOPE_PRE_PRUNE, "actions", add_actions, NULL));
}

/* --- a memory manager whose finalize fails */

static struct jitscope_error *allocate(void *context, const struct jitscope_graph *graph,
                                       struct jitscope_segment *segments, size_t count, void **allocation) {
    static uint8_t memory[1 << 20] __attribute__((aligned(4096)));
    uint8_t *next = memory;
    (void)context, (void)graph;
    for (size_t i = 0; i < count; i++) {
        segments[i].working = next;
        segments[i].address = (uint64_t)(uintptr_t)next;
        next += (segments[i].content_size + segments[i].zero_fill_size + 4095) / 4096 * 4096;
    }
    *allocation = memory;
    return NULL;
}

static struct jitscope_error *finalize(void *context, void *allocation,
                                       const struct jitscope_segment *segments, size_t count) {
    (void)context, (void)allocation, (void)segments, (void)count;
    return jitscope_error_create(JITSCOPE_ERROR_SYSTEM, "this memory stays as it is");
}

static void abandon(void *context, void *allocation) {
    (void)context, (void)allocation;
    exit(10);
}

static struct jitscope_error *deallocate(void *context, void *allocation) {
    (void)context, (void)allocation;
    return NULL;
}

static const struct jitscope_memory_ops stubborn = {.size = sizeof stubborn,
                                                    .name = "stubborn",
                                                    .allocate = allocate,
                                                    .finalize = finalize,
                                                    .abandon = abandon,
                                                    .deallocate = deallocate};

/* --- words */

static void add_roots(struct jitscope_session *session) {
    enum { LENGTH = 200000, TIMES = 2000 };
    static char name[LENGTH + 1];
    memset(name, 'x', LENGTH);
    for (int i = 0; i < TIMES; i++)
        if (jitscope_session_add_root(session, name))
            exit(1);
}

static void define_again(struct jitscope_session *session) {
    for (int i = 0; i < 150000; i++)
        if (jitscope_session_define(session, i % 7 ? "often" : "rare", 0x1000u + (unsigned)i))
            exit(1);
}

static pthread_barrier_t turn;

static void *look_up(void *session) {
    uint64_t address;
    for (int i = 0; i < 1000; i++) {
        jitscope_error_destroy(jitscope_session_lookup(session, "main", &address));
        pthread_barrier_wait(&turn);
    }
    return NULL;
}

static void take_turns(struct jitscope_session *session) {
    pthread_t other;
    pthread_barrier_init(&turn, NULL, 2);
    if (pthread_create(&other, NULL, look_up, session))
        exit(1);
    look_up(session);
    pthread_join(other, NULL);
    pthread_barrier_destroy(&turn);
}

static void one_word(struct jitscope_session *session, char *word) {
    if (!strcmp(word, "link"))
        tell(jitscope_session_link(session, &latest));
    else if (!strcmp(word, "unload"))
        tell(jitscope_session_unload(session, latest));
    else if (!strncmp(word, "begin=", 6))
        tell(jitscope_session_begin_recording(session, word + 6, JITSCOPE_LEVEL_DEFAULT));
    else if (!strcmp(word, "end"))
        tell(jitscope_session_end_recording(session));
    else if (!strcmp(word, "resolver"))
        tell(jitscope_session_set_resolver(session, fail, NULL));
    else if (!strcmp(word, "symbols"))
        tell(jitscope_session_add_pass(session, JITSCOPE_POST_PRUNE, "odd-symbols", add_symbols, NULL));
    else if (!strncmp(word, "exit-at=", 8))
        tell(jitscope_session_set_event_callback(session, JITSCOPE_LEVEL_EDGES, leave_at, word + 8));
    else if (!strcmp(word, "roots"))
        add_roots(session);
    else if (!strcmp(word, "definitions"))
        define_again(session);
    else if (!strcmp(word, "undone"))
        add_undone(session);
    else if (!strcmp(word, "lookups"))
        take_turns(session);
    else if (!strcmp(word, "exit"))
        exit(3);
    else
        tell(jitscope_session_add_file(session, word));
}

int main(int argc, char **argv) {
    struct jitscope_session *session;
    if (argc < 3)
        return 2;
    bool has_manager = !strcmp(argv[2], "manager");
    const struct jitscope_session_options options = {.size = sizeof options,
                                                     .record_path = strcmp(argv[1], "-") ? argv[1] : NULL,
                                                     .memory = has_manager ? &stubborn : NULL};
    struct jitscope_error *error = jitscope_session_create(&options, &session);
    if (error) {
        tell(error);
        return 1;
    }
    for (int i = has_manager ? 3 : 2; i < argc; i++)
        one_word(session, argv[i]);
    jitscope_session_destroy(session);
    return 0;
}
