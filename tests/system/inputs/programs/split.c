/* Stacks in pieces: each function asks whether there is room, and libgcc makes some. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

static __attribute__((noinline)) long deep(int levels) {
    char room[200];
    memset(room, levels & 63, sizeof(room));
    long below = levels ? deep(levels - 1) : 0;
    return below + room[levels % 200];
}

static void *in_thread(void *argument) {
    *(long *)argument = deep(10000);
    return NULL;
}

int main(void) {
    long result = 0;
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 65536);
    pthread_create(&thread, &attributes, in_thread, &result);
    pthread_join(thread, NULL);
    printf("%ld %ld\n", result, deep(1000));
    return 0;
}
