/* Functions inside functions, a language extension of gcc: called, and by their address, which is that of
 * code on the stack. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static int call(int (*function)(int), int argument) {
    return function(argument);
}

static void *in_thread(void *argument) {
    int *sum = argument;
    int add(int value) {
        return *sum += value;
    }
    call(add, 3);
    return NULL;
}

int main(void) {
    int sum = 0, numbers[] = {4, 1, 3, 2};
    int add(int value) {
        sum += value;
        return sum;
    }
    int descending(const void *a, const void *b) {
        sum++;
        return *(const int *)b - *(const int *)a;
    }
    printf("%d %d\n", add(3), call(add, 4));
    qsort(numbers, 4, sizeof(int), descending);
    printf("%d%d%d%d %d\n", numbers[0], numbers[1], numbers[2], numbers[3], sum > 7);
    pthread_t thread;
    pthread_create(&thread, NULL, in_thread, &sum);
    pthread_join(thread, NULL);
    return call(add, 100) > 100;
}
