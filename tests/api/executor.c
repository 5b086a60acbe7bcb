/* Code in another process: a target with an action of its own, sessions that link into it, and what is left
 * of them when it ends.  This program is both: started with a descriptor it is the target. */
#include "check.h"

#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *note(void *context, const uint8_t *arguments, size_t size) {
    printf("  %s: %.*s\n", (const char *)context, (int)size, (const char *)arguments);
    fflush(stdout);
    return size && arguments[0] == '!' ? "the target does not want it" : NULL;
}

static int serve(int fd) {
    static char text[] = "in the target";
    struct jitscope_target *target;
    check(jitscope_target_create(fd, &target));
    check(jitscope_target_register_action(target, "note", note, text));
    check(jitscope_target_serve(target));
    return 0;
}

static struct jitscope_error *attach(struct jitscope_graph *graph, void *context) {
    const char *text = context;
    return jitscope_graph_add_action(graph, "note", text, strlen(text), "note", "gone again", 10);
}

static struct jitscope_session *start(struct jitscope_executor_options options) {
    static char program[] = "/proc/self/exe";
    char *command[] = {program, NULL};
    struct jitscope_executor_connection *connection;
    struct jitscope_session *session;
    options.size = sizeof options;
    options.command = command;
    check(jitscope_executor_spawn(&options, &connection));
    struct jitscope_session_options wanted = {
        .size = sizeof wanted, .inspectable = true, .executor = connection};
    check(jitscope_session_create(&wanted, &session));
    return session;
}

static void print_error(struct jitscope_error *error) {
    printf("%s: %s\n", jitscope_error_code_name(jitscope_error_code(error)), jitscope_error_message(error));
    jitscope_error_destroy(error);
}

/* Links, runs, reads, unloads. */
static void live(struct jitscope_session *session) {
    struct jitscope_link *link;
    uint64_t address;
    uint8_t bytes[4];
    int status;
    printf("link\n");
    fflush(stdout);
    static char text[] = "linked";
    check(jitscope_session_add_pass(session, JITSCOPE_POST_FIXUP, "attach", attach, text));
    check(jitscope_session_add_file(session, OBJECTS "fib.o"));
    check(jitscope_session_set_entry(session, "fib")); /* it is not this process's end: nothing runs yet */
    check(jitscope_session_link(session, &link));
    check(jitscope_session_lookup(session, "fib", &address));
    check(jitscope_session_read(session, address, bytes, sizeof bytes));
    static char word[] = "word", *arguments[21];
    for (int i = 0; i < 20; i++)
        arguments[i] = word;
    check(jitscope_session_set_arguments(session, 20, arguments, NULL));
    check(jitscope_session_run_main(session, address, &status));
    printf("fib(20) = %d\n", status);
    check(jitscope_session_set_arguments(session, 10, arguments,
                                         NULL)); /* which are kept there, with the first */
    check(jitscope_session_run_main(session, address, &status));
    printf("fib(10) = %d\n", status);
    printf("still %s\n", jitscope_session_executor_state(session, &status) == JITSCOPE_EXECUTOR_RUNNING
                             ? "running"
                             : "gone");
    fflush(stdout);
    printf("in another process: %d\n", jitscope_session_executor_process(session) != getpid());
    fflush(stdout);
    check(jitscope_session_unload(session, link));
    printf("messages: %d\n", (int)jitscope_session_executor_messages(session));
    print_error(jitscope_session_register_action(session, "mine", note, NULL));
}

static void fail(struct jitscope_session *session) {
    printf("a link that fails there\n");
    fflush(stdout);
    static char text[] = "!spoilt";
    check(jitscope_session_add_pass(session, JITSCOPE_POST_FIXUP, "spoil", attach, text));
    check(jitscope_session_add_file(session, OBJECTS "fib.o"));
    print_error(jitscope_session_link(session, NULL));
}

static void tell_crash(void *context, int process, int thread, int signal, uint64_t address) {
    printf("%s: main thread %d, SIGSEGV %d, address %d\n", (const char *)context, process == thread,
           signal == SIGSEGV, (int)address);
}

/* A target that dies takes nothing with it. */
static void lose(struct jitscope_session *session) {
    uint64_t address;
    int status;
    printf("a program that dies\n");
    fflush(stdout);
    check(jitscope_session_add_file(session, OBJECTS "fib.o"));
    check(jitscope_session_link(session, NULL));
    check(jitscope_session_lookup(session, "fib", &address));
    print_error(jitscope_session_run_main(session, 8, &status)); /* there is nothing at 8 */
    printf("killed: %d\n", jitscope_session_executor_state(session, &status) == JITSCOPE_EXECUTOR_KILLED);
    check(jitscope_session_add_file(session, OBJECTS "fib.o"));
    print_error(jitscope_session_link(session, NULL));
}

int main(int argc, char **argv) {
    struct jitscope_executor_connection *connection;
    struct jitscope_session *session;
    int ends[2];
    if (argc == 3 && !strcmp(argv[1], "--fd"))
        return serve(atoi(argv[2]));

    printf("memory is shared:\n");
    session = start((struct jitscope_executor_options){0});
    const char *failure = jitscope_session_inspection_failure(session);
    printf("inspectors: %s\n", failure ? failure : "they may come");
    live(session);
    fail(session);
    jitscope_session_destroy(session);

    printf("content comes with messages:\n");
    session = start((struct jitscope_executor_options){.inline_content = true});
    live(session);
    jitscope_session_destroy(session);

    static char text[] = "told";
    session = start((struct jitscope_executor_options){.crashed = tell_crash, .context = text});
    lose(session);
    jitscope_session_destroy(session);

    printf("somebody who is no executor\n");
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends))
        return 1;
    static const char other[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    if (write(ends[1], other, sizeof other) != sizeof other)
        return 1;
    print_error(jitscope_executor_connect(ends[0], NULL, &connection));
    close(ends[1]);
    jitscope_executor_disconnect(NULL);
    return 0;
}
