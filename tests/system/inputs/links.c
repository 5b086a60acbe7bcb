/* A program that links and unloads as its arguments say, and records it.
 *
 *     links RECORDING STEP...      STEP: FILE[,FILE...]   links these
 *                                        -N               unloads the Nth link
 *                                        ?NAME=N          prints N bytes of memory at NAME's definition in
 * the latest link
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

int main(int argc, char **argv) {
    struct jitscope_session_options options = {
        .size = sizeof options, .record_path = argv[1], .level = JITSCOPE_LEVEL_EDGES};
    must(jitscope_session_create(&options, &session));
    for (int i = 2; i < argc && count < MOST_LINKS - 1; i++) {
        if (argv[i][0] == '-')
            must(jitscope_session_unload(session, links[atoi(argv[i] + 1)]));
        else if (argv[i][0] == '?')
            print_memory(argv[i] + 1);
        else
            link_files(argv[i]);
    }
    jitscope_session_destroy(session);
    return 0;
}
