/* One function of many, as jitted.c, with a frame that only call frame information describes. */
#include <stdlib.h>

int jitted_000000(int x) {
    volatile int room[65];
    room[x & 63] = rand() & 1; /* LINE: rand */
    return 2 * x + 1 + 0 * room[x & 63];
}
