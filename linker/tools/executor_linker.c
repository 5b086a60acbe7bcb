#define _GNU_SOURCE
#include "executor_linker.h"

#include "base/os.h"
#include "executor/bridge.h"

#include <stdio.h>

static int process, keeper; /* 0: there is no linker */
static int connection;

static void await_linker(int status, void *unused) {
    (void)status, (void)unused;
    if (!keeper || process != os_process_id()) /* a child of the program's */
        return;
    int maker;
    uint32_t user;
    if (os_peer(connection, &maker, &user) || maker != process)
        return; /* the program has closed it: the linker hears of nothing before this process is gone */
    os_shut_down(connection); /* behind the last message: whoever still listens hears that it was the last */
    os_wait_apart(keeper);
}

int executor_linker_start(char **command, int *fd) {
    char given[40];
    int ends[2];
    if (os_on_exit(await_linker, NULL) || os_socket_pair(ends))
        return -1;
    snprintf(given, sizeof given, "JITSCOPE_EXECUTOR=" EXECUTOR_GIVEN "%d", ends[1]);
    int failure = os_spawn_apart(command, ends[1], ends[0], given, &keeper);
    os_close(ends[1]);
    *fd = connection = failure ? ends[0] : os_put_aside(ends[0]); /* where the target leaves it */
    process = os_process_id();
    if (failure)
        os_close(ends[0]);
    else
        os_allow_tracing_by(keeper);
    return failure;
}

int executor_linker_end(const char *command) {
    int status = keeper ? os_wait_apart(keeper) : 0;
    keeper = 0;
    if (status == OS_NOT_STARTED)
        fprintf(stderr, "jitscope-executor: cannot start '%s'\n", command);
    return status < 0 ? 1 : status;
}
