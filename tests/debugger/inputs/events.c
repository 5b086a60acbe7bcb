/* Signals, threads and fork in JIT'd code; argv[1] says which. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static sigjmp_buf again;
static volatile int caught;

static void handler(int signal) {
    caught = signal; /* LINE: handler */
    siglongjmp(again, 1);
}

__attribute__((noinline)) static int put_value(volatile int *where, int value) {
    *where = value; /* LINE: store */
    return value;
}

static int signals(void) {
    signal(SIGSEGV, handler);
    if (sigsetjmp(again, 1) == 0)
        return put_value((volatile int *)8, 1);
    return caught;
}

static pthread_barrier_t barrier;

static void *work(void *argument) {
    int number = *(int *)argument;
    pthread_barrier_wait(&barrier);
    number *= 10; /* LINE: work */
    return argument;
}

static int threads(void) {
    enum { COUNT = 3 };
    pthread_t handles[COUNT];
    int numbers[COUNT];
    pthread_barrier_init(&barrier, NULL, COUNT);
    for (int i = 0; i < COUNT; i++) {
        numbers[i] = i + 1;
        pthread_create(&handles[i], NULL, work, &numbers[i]);
    }
    for (int i = 0; i < COUNT; i++)
        pthread_join(handles[i], NULL);
    return 0; /* LINE: joined */
}

__attribute__((noinline)) static int child_work(int value) {
    return value + 1; /* LINE: child */
}

static int forks(void) {
    pid_t child = fork();
    if (child == 0)
        _exit(child_work(41));
    int status;
    waitpid(child, &status, 0);
    return WEXITSTATUS(status); /* LINE: parent */
}

/* Somewhere to be found by whoever attaches. */
__attribute__((noinline)) static void wait_inside(volatile int *go) {
    printf("waiting\n");
    fflush(stdout);
    while (!*go)
        usleep(10000); /* LINE: waiting */
}

static int waits(void) {
    volatile int go = 0;
    wait_inside(&go);
    return 7;
}

__attribute__((noinline)) static void crash(int value) {
    if (value == 3)
        abort(); /* LINE: abort */
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    if (!strcmp(what, "signals"))
        return signals();
    if (!strcmp(what, "threads"))
        return threads();
    if (!strcmp(what, "forks"))
        return forks();
    if (!strcmp(what, "waits"))
        return waits();
    crash(argc + 1);
    return 1;
}
