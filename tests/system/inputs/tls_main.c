/* Thread-local variables of every kind, in the main thread and in others: prints what each of them sees. */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>

_Thread_local int global = 5;
static _Thread_local long zero;
extern _Thread_local int other;
extern _Thread_local char bytes[];
static _Thread_local struct { _Alignas(64) char values[64]; } aligned = {{1, 2}};
static _Thread_local char wide_zero[100];
static int target;
static _Thread_local int *pointer = &target;
static _Thread_local int (*function)(const char *, ...) = printf;
int *address_of_global(void);

static void *work(void *name) {
    for (int i = 0; i < 3; i++) {
        global++;
        zero += 2;
        other += 3;
        bytes[i]++;
        wide_zero[99 - i] += 4;
    }
    function("%s: %d %ld %d %d %d %d %d, %d %d\n", (char *)name, global, zero, other, bytes[2], wide_zero[97],
             pointer == &target, address_of_global() == &global, (int)((uintptr_t)&aligned % 64),
             aligned.values[1]);
    return NULL;
}

int main(void) {
    pthread_t thread;
    work("main");
    work("main again");
    for (int i = 0; i < 3; i++) {
        pthread_create(&thread, NULL, work, "thread");
        pthread_join(thread, NULL);
    }
    return zero == 12 ? 0 : 1;
}
