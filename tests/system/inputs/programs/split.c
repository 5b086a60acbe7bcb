/* Stacks in pieces: each function asks whether there is room, and libgcc makes some. */
#include <stdio.h>
#include <string.h>

static __attribute__((noinline)) long deep(int levels) {
    char room[200];
    memset(room, levels & 63, sizeof(room));
    long below = levels ? deep(levels - 1) : 0;
    return below + room[levels % 200];
}

int main(void) {
    /* Thirteen megabytes: more than the stack that most systems give. */
    printf("%ld\n", deep(60000));
    return 0;
}
