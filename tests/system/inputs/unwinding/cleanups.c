/* Clean-ups of C: threads that are cancelled, that exit, in the middle of JIT'd frames. */
#define _GNU_SOURCE
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static sem_t reached;
static __thread int depth;

static void leave(int *number) {
    printf("  frame %d is left\n", *number);
}

static void handler(void *name) {
    printf("  handler of %s\n", (const char *)name);
}

__attribute__((noinline)) static void descend(int levels, void (*function)(void)) {
    int number __attribute__((cleanup(leave))) = ++depth;
    if (levels)
        descend(levels - 1, function);
    else
        function();
    __asm__ volatile("" ::: "memory");
}

static void wait_for_ever(void) {
    sem_post(&reached);
    for (;;)
        pause();
}

static void spin(void) {
    int before;
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &before);
    sem_post(&reached);
    for (volatile unsigned i = 0;; i++)
        ;
}

static void finish(void) {
    sem_post(&reached);
    pthread_exit("finished");
}

static void test_cancel(void) {
    sem_post(&reached);
    for (;;) {
        usleep(1000);
        pthread_testcancel();
    }
}

static int compare(const void *one, const void *other) {
    (void)one, (void)other;
    finish();
    return 0;
}

static void sort(void) { /* frames of the C library between ours */
    int numbers[] = {2, 1};
    qsort(numbers, 2, sizeof numbers[0], compare);
}

struct job {
    const char *name;
    void (*function)(void);
    int cancelled;
};

static void *work(void *argument) {
    const struct job *job = argument;
    pthread_cleanup_push(handler, (void *)job->name);
    descend(3, job->function);
    pthread_cleanup_pop(0);
    return NULL;
}

static void jump(void) {
    static jmp_buf place;
    if (!setjmp(place))
        longjmp(place, 1);
    printf("jumped\n");
}

int main(void) {
    static struct job jobs[] = {{"wait", wait_for_ever, 1},
                                {"spin", spin, 1},
                                {"finish", finish, 0},
                                {"test", test_cancel, 1},
                                {"sort", sort, 0}};
    sem_init(&reached, 0, 0);
    for (unsigned i = 0; i < sizeof jobs / sizeof *jobs; i++) {
        pthread_t thread;
        void *result;
        pthread_create(&thread, NULL, work, &jobs[i]);
        sem_wait(&reached);
        if (jobs[i].cancelled)
            pthread_cancel(thread);
        pthread_join(thread, &result);
        printf("%s: %s\n", jobs[i].name, result == PTHREAD_CANCELED ? "cancelled" : (const char *)result);
    }
    jump();
    return 0;
}
