#include "bytes/worker.h"

#include "base/os.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static void close_end(int *end) {
    if (*end >= 0)
        os_close(*end);
    *end = -1;
}

/* The parent keeps both ends of the pipe into which it writes: a child that has died is no signal for it. */
struct jitscope_error *worker_start(struct worker *worker,
                                    void (*work)(void *context, const struct worker_ends *ends),
                                    void *context) {
    int up[2], down[2];
    *worker = (struct worker){.heard = -1, .told = {-1, -1}};
    if (os_pipe(up) < 0)
        return error_system("pipe2", NULL);
    if (os_pipe(down) < 0) {
        close_end(&up[0]);
        close_end(&up[1]);
        return error_system("pipe2", NULL);
    }
    fflush(NULL); /* what is buffered belongs to the parent */
    int child = os_fork();
    if (child == 0) {
        os_become_worker();
        close_end(&up[0]);
        close_end(&down[1]);
        work(context, &(struct worker_ends){up[1], down[0]});
        os_exit_child(0);
    }
    close_end(&up[1]);
    worker->heard = up[0];
    memcpy(worker->told, down, sizeof worker->told);
    if (child < 0)
        return error_system("fork", NULL);
    worker->process = child;
    return NULL;
}

/* When the pipe is full the parent knows already. */
void worker_say(const struct worker_ends *ends) {
    (void)!os_write(ends->says, "", 1);
}

/* The last of several words counts. */
bool worker_hear(const struct worker_ends *ends, char *word) {
    char words[64];
    ssize_t count = -1;
    while (count < 0) {
        if (!os_wait_readable(ends->hears, -1))
            return false;
        count = os_read(ends->hears, words, sizeof words);
    }
    *word = count ? words[count - 1] : '\0';
    return count > 0;
}

void worker_tell(const struct worker *worker, char word) {
    if (worker->process && !worker->ended)
        (void)!os_write(worker->told[1], &word, 1);
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
    if (worker->process || worker->heard > 0) { /* zeroed, it has none */
        close_end(&worker->heard);
        close_end(&worker->told[0]);
        close_end(&worker->told[1]);
    }
    *worker = (struct worker){.heard = -1, .told = {-1, -1}};
}
