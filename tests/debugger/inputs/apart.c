/* An embedding program whose code runs in an executor: links an object, has it run, unloads it, and links
 * another version.
 *
 *     apart POLICY FIRST.o SECOND.o ... */
#include <jitscope/executor.h>
#include <jitscope/jitscope.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

static void check(struct jitscope_error *error) {
    if (!error)
        return;
    fprintf(stderr, "%s\n", jitscope_error_message(error));
    exit(1);
}

static void run_version(struct jitscope_session *session, int number, char **argv) {
    struct jitscope_link *link;
    uint64_t address;
    int status;
    check(jitscope_session_set_arguments(session, number, argv, environ));
    check(jitscope_session_add_file(session, argv[number]));
    check(jitscope_session_link(session, &link));
    check(jitscope_session_lookup(session, "changing", &address));
    check(jitscope_session_run_main(session, address, &status));
    printf("result %d\n", status);
    fflush(stdout);
    check(jitscope_session_unload(session, link));
}

int main(int argc, char **argv) {
    struct jitscope_session_options options = {.size = sizeof options,
                                               .debug = strcmp(argv[1], "eager") == 0 ? JITSCOPE_DEBUG_EAGER
                                                                                      : JITSCOPE_DEBUG_AUTO};
    struct jitscope_session *session;
    check(jitscope_executor_spawn(NULL, &options.executor));
    check(jitscope_session_create(&options, &session));
    for (int i = 2; i < argc; i++)
        run_version(session, i, argv);
    jitscope_session_destroy(session);
    return 7;
}
