#define _GNU_SOURCE
/* jitscope-executor: the process that linked code runs in (executor/bridge.h).
 *
 * Started by the linker, with one end of a socket pair.  Or it starts the linker itself (--linker): then this
 * is the process that a shell waits for, a terminal's signals reach and a debugger or gdbserver starts, with
 * the program's own input, output and exit status; to whoever looks at it, it has no other process. */
#include "jitscope/executor.h"

#include "base/os.h"
#include "executor/bridge.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int usage(void) {
    fputs("usage: jitscope-executor --fd N\n"
          "       jitscope-executor --linker COMMAND [ARG]...\n"
          "\n"
          "Runs what a jitscope linker links, which is connected with descriptor N; `jitscope run` starts it "
          "by itself.\n"
          "With --linker it starts the linker, as in\n"
          "\n"
          "    gdbserver localhost:1234 jitscope-executor --linker jitscope run hello.o\n"
          "\n"
          "COMMAND is any program that asks the library for an executor (jitscope_executor_spawn).\n",
          stderr);
    return 2;
}

static int fail(struct jitscope_error *error) {
    fprintf(stderr, "jitscope-executor: %s\n", jitscope_error_message(error));
    jitscope_error_destroy(error);
    return 1;
}

/* --- its linker */

static int process, keeper; /* 0: it has none */

/* What it writes, recordings too, is whole when this process has ended. */
static void await_linker(int status, void *unused) {
    (void)status, (void)unused;
    if (keeper && process == os_process_id()) /* and not in a child of the program's */
        os_wait_apart(keeper);
}

static int start_linker(char **command, int *fd) {
    char given[40];
    int ends[2];
    if (os_on_exit(await_linker, NULL) || os_socket_pair(ends))
        return -1;
    snprintf(given, sizeof given, "JITSCOPE_EXECUTOR=" EXECUTOR_GIVEN "%d", ends[1]);
    int failure = os_spawn_apart(command, ends[1], ends[0], given, &keeper);
    os_close(ends[1]);
    *fd = ends[0];
    process = os_process_id();
    if (!failure)
        os_allow_tracing_by(keeper);
    return failure;
}

/* Nothing of the program has called exit(3): the linker knows why. */
static int end_as_linker(const char *command) {
    int status = keeper ? os_wait_apart(keeper) : 0;
    keeper = 0;
    if (status == OS_NOT_STARTED)
        fprintf(stderr, "jitscope-executor: cannot start '%s'\n", command);
    return status < 0 ? 1 : status;
}

/* --- */

static bool parse_descriptor(const char *text, int *fd) {
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    *fd = (int)number;
    return !errno && !*end && end != text && number >= 0 && number <= 1 << 20;
}

static int serve(int fd, const char *linker) {
    struct jitscope_target *target;
    struct jitscope_error *error = jitscope_target_create(fd, &target);
    if (!error)
        error = jitscope_target_serve(target);
    if (error)
        return fail(error);
    return linker ? end_as_linker(linker) : 0;
}

int main(int argc, char **argv) {
    int fd;
    if (argc == 3 && !strcmp(argv[1], "--fd") && parse_descriptor(argv[2], &fd))
        return serve(fd, NULL);
    if (argc < 3 || strcmp(argv[1], "--linker") != 0)
        return usage();
    if (!start_linker(argv + 2, &fd))
        return serve(fd, argv[2]);
    fprintf(stderr, "jitscope-executor: cannot start '%s': %s\n", argv[2], strerror(errno));
    return 1;
}
