/* Threads that stand still at known places in JIT'd code: in a callback of qsort, deep in a recursion, in a
 * loop. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static volatile int arrived;

__attribute__((noinline)) static void stay(void) {
    __atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST);
    for (;;)
        pause(); /* LINE: stay */
}

static int compare(const void *left, const void *right) {
    stay();
    return *(const int *)left - *(const int *)right; /* LINE: compare */
}

__attribute__((noinline)) int sorting(int *numbers) {
    qsort(numbers, 2, sizeof *numbers, compare);
    return numbers[0]; /* LINE: sorting */
}

__attribute__((noinline)) int deep(int left) {
    if (left == 0)
        stay();
    return deep(left - 1) + 1; /* LINE: deep */
}

static void *sorter(void *unused) {
    int numbers[2] = {2, 1};
    (void)unused;
    return (void *)(long)sorting(numbers);
}

static void *diver(void *unused) {
    (void)unused;
    return (void *)(long)deep(20);
}

int main(void) {
    pthread_t threads[2];
    pthread_create(&threads[0], NULL, sorter, NULL);
    pthread_create(&threads[1], NULL, diver, NULL);
    while (arrived < 2)
        usleep(1000);
    printf("blocked\n");
    fflush(stdout);
    stay();
    return 0;
}
