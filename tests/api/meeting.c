/* Targets that no linker has started: one waits at a socket for whoever comes of the same user; one talks
 * with its standard streams.  This program is all of them. */
#include "check.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void tell(void *context, const char *text) {
    const int *waits = context;
    if (strncmp(text, "waits", 5) == 0)
        close(*waits);
}

static int serve(int in, int out) {
    struct jitscope_target *target;
    check(jitscope_target_create_on(in, out, &target));
    check(jitscope_target_serve(target));
    return 0;
}

static void wait_at(const char *where, int waits) {
    struct jitscope_listen_options options = {.size = sizeof options, .told = tell, .context = &waits};
    int fd;
    check(jitscope_target_listen(where, &options, &fd));
    exit(serve(fd, fd));
}

/* Code is linked, runs, and is gone. */
static void use(struct jitscope_executor_connection *connection) {
    struct jitscope_session_options options = {.size = sizeof options, .executor = connection};
    struct jitscope_session *session;
    static char word[] = "word", *arguments[] = {word, word, word, word, word, word, word, NULL};
    uint64_t address;
    int status;
    check(jitscope_session_create(&options, &session));
    check(jitscope_session_set_arguments(session, 7, arguments, NULL));
    check(jitscope_session_add_file(session, OBJECTS "fib.o"));
    check(jitscope_session_link(session, NULL));
    check(jitscope_session_lookup(session, "fib", &address));
    check(jitscope_session_run_main(session, address, &status));
    printf("fib(7) = %d\n", status);
    printf("known to be here: %s\n", jitscope_session_executor_process(session) ? "yes" : "no");
    jitscope_session_destroy(session);
}

static void print_error(struct jitscope_error *error) {
    printf("%s: %s\n", jitscope_error_code_name(jitscope_error_code(error)), jitscope_error_message(error));
    jitscope_error_destroy(error);
}

static void meet(const char *where) {
    struct jitscope_executor_connection *connection;
    int ends[2], status;
    char byte;
    fflush(stdout);
    if (pipe(ends))
        exit(1);
    pid_t child = fork();
    if (child == 0) {
        close(ends[0]);
        wait_at(where, ends[1]);
    }
    close(ends[1]);
    if (read(ends[0], &byte, 1) != 0) /* until it waits */
        exit(1);
    close(ends[0]);
    check(jitscope_executor_connect_to(where, NULL, &connection));
    use(connection);
    waitpid(child, &status, 0);
    printf("the target's exit status: %d\n", WEXITSTATUS(status));
}

int main(int argc, char **argv) {
    static char program[] = "/proc/self/exe", word[] = "--stdio";
    char *command[] = {program, word, NULL};
    char folder[] = "meeting-XXXXXX", where[64];
    struct jitscope_executor_options options = {
        .size = sizeof options, .command = command, .on_standard_streams = true};
    struct jitscope_executor_connection *connection;
    if (argc == 2 && !strcmp(argv[1], word))
        return serve(STDIN_FILENO, STDOUT_FILENO);
    if (!mkdtemp(folder))
        return 1;
    snprintf(where, sizeof where, "unix:%s/socket", folder);
    printf("at a socket\n");
    meet(where);
    rmdir(folder);
    printf("on standard streams\n");
    fflush(stdout);
    check(jitscope_executor_spawn(&options, &connection));
    use(connection);
    printf("without a secret\n");
    print_error(jitscope_executor_connect_to("tcp:127.0.0.1:1", NULL, &connection));
    return 0;
}
