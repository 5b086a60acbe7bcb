/* Counts real-time signals, of which none gets lost: a child sends COUNT of them. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t got;

static void count(int number) {
    (void)number;
    got++;
}

static void send(pid_t to, int wanted) {
    for (int sent = 0; sent < wanted;) {
        if (sigqueue(to, SIGRTMIN, (union sigval){.sival_int = sent}) == 0)
            sent++;
        else
            usleep(100); /* the queue is full */
    }
    _exit(0);
}

int main(int argc, char **argv) {
    int wanted = argc > 1 ? atoi(argv[1]) : 0;
    signal(SIGRTMIN, count);
    pid_t self = getpid(), child = fork();
    if (child == 0)
        send(self, wanted);
    puts("ready");
    fflush(stdout);
    while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
    }
    printf("%d\n", (int)got);
    return 0;
}
