/* A program that links and unloads as its arguments say, and records it.
 *
 *     links RECORDING STEP...      STEP: FILE[,FILE...]   links these
 *                                        -N               unloads the Nth link
 *                                        ?NAME=N          prints N bytes of memory at NAME's definition in
 * the latest link
 *                                        @FILE            records to FILE from here on; @ ends that
 *                                        .NAME            calls NAME, of the latest link that has it
 *                                        +NAME            defines NAME as 0x1234
 *                                        :FILE            adds FILE, linked with the next
 *                                        !                adds a pass, an action and a resolver
 * RECORDING can be empty: nothing is recorded then until @FILE.
 */
#include "jitscope/jitscope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LINKS = 64 };

static struct jitscope_session *session;
static struct jitscope_link *links[MOST_LINKS];
static int count;

static void must(struct jitscope_error *error) {
    if (!error)
        return;
    fprintf(stderr, "%s\n", jitscope_error_message(error));
    jitscope_error_destroy(error);
    exit(1);
}

static void link_files(char *files) {
    for (char *file = strtok(files, ","); file; file = strtok(NULL, ","))
        must(jitscope_session_add_file(session, file));
    must(jitscope_session_link(session, &links[++count]));
}

static void print_memory(char *question) {
    char *size = strchr(question, '=');
    uint64_t address;
    *size++ = '\0';
    must(jitscope_link_lookup(session, links[count], question, &address));
    printf("%s 0x%llx", question, (unsigned long long)address);
    for (int i = 0; i < atoi(size); i++)
        printf(" %02x", ((const unsigned char *)address)[i]);
    printf("\n");
}

static void call(const char *name) {
    uint64_t address;
    must(jitscope_session_lookup(session, name, &address));
    printf("%s %d\n", name, ((int (*)(void))(uintptr_t)address)());
}

static void record(const char *path) {
    must(*path ? jitscope_session_begin_recording(session, path, JITSCOPE_LEVEL_DEFAULT)
               : jitscope_session_end_recording(session));
}

static const char *act(void *context, const uint8_t *arguments, size_t size) {
    (void)context, (void)arguments;
    return size == 3 ? NULL : "three bytes are expected";
}

static struct jitscope_error *pass(struct jitscope_graph *graph, void *context) {
    (void)context;
    return jitscope_graph_add_action(graph, "act", "one", 3, "act", "two", 3);
}

static struct jitscope_error *resolve(void *context, const char *const *names, size_t number,
                                      uint64_t *addresses, bool *found) {
    (void)context;
    for (size_t i = 0; i < number; i++)
        if ((found[i] = !strcmp(names[i], "answer")))
            addresses[i] = 42;
    return NULL;
}

static void add_hooks(void) {
    must(jitscope_session_register_action(session, "act", act, NULL));
    must(jitscope_session_add_pass(session, JITSCOPE_PRE_PRUNE, "attach", pass, NULL));
    must(jitscope_session_set_resolver(session, resolve, NULL));
}

static void step(char *word) {
    switch (word[0]) {
    case '-':
        must(jitscope_session_unload(session, links[atoi(word + 1)]));
        break;
    case '?':
        print_memory(word + 1);
        break;
    case '@':
        record(word + 1);
        break;
    case '.':
        call(word + 1);
        break;
    case '+':
        must(jitscope_session_define(session, word + 1, 0x1234));
        break;
    case ':':
        must(jitscope_session_add_file(session, word + 1));
        break;
    case '!':
        add_hooks();
        break;
    default:
        link_files(word);
    }
}

int main(int argc, char **argv) {
    struct jitscope_session_options options = {
        .size = sizeof options, .record_path = *argv[1] ? argv[1] : NULL, .level = JITSCOPE_LEVEL_EDGES};
    must(jitscope_session_create(&options, &session));
    for (int i = 2; i < argc && count < MOST_LINKS - 1; i++)
        step(argv[i]);
    jitscope_session_destroy(session);
    return 0;
}
