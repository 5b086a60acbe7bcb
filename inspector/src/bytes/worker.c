#include "bytes/worker.h"

#include "base/os.h"

#include <signal.h>
#include <stdio.h>

struct jitscope_error *worker_start(struct worker *worker, void (*work)(void *context, int says),
                                    void *context) {
    int ends[2];
    *worker = (struct worker){.heard = -1};
    if (os_pipe(ends) < 0)
        return error_system("pipe2", NULL);
    fflush(NULL); /* what is buffered belongs to the parent */
    int child = os_fork();
    if (child == 0) {
        os_become_worker();
        os_close(ends[0]);
        work(context, ends[1]);
        os_exit_child(0);
    }
    os_close(ends[1]);
    worker->heard = ends[0];
    if (child < 0)
        return error_system("fork", NULL);
    worker->process = child;
    return NULL;
}

/* When the pipe is full the parent knows already. */
void worker_say(int says) {
    (void)!os_write(says, "", 1);
}

static void reap(struct worker *worker, bool block) {
    int found = os_wait_for_child(worker->process, block, &worker->status);
    worker->ended = worker->ended || found != 0; /* nobody to wait for: somebody else has */
}

void worker_listen(struct worker *worker) {
    char said[256];
    ssize_t count;
    if (!worker->process || worker->ended)
        return;
    do
        count = os_read(worker->heard, said, sizeof said);
    while (count > 0);
    if (count == 0)
        reap(worker, true); /* its end of the pipe is gone: it is ending */
}

void worker_wait(struct worker *worker, int timeout) {
    if (worker->process && !worker->ended && os_wait_readable(worker->heard, timeout))
        worker_listen(worker);
}

void worker_stop(struct worker *worker) {
    if (worker->process && !worker->ended) {
        os_kill(worker->process, SIGKILL);
        reap(worker, true);
    }
    if (worker->process || worker->heard > 0)
        os_close(worker->heard);
    *worker = (struct worker){.heard = -1};
}
