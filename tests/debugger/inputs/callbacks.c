/* Called back by the C library, compiled without frame pointers: only call frame information leads to its
 * callers. */
#include <stdlib.h>

static int numbers[] = {3, 1, 2};

__attribute__((noinline)) static int differ(int one, int other) {
    volatile int room[33]; /* moves the stack pointer by more than prologue analysis guesses */
    room[one & 31] = one;
    room[other & 31] = other;
    int shuffled = rand() & 1; /* LINE: rand */
    return room[one & 31] - room[other & 31] + 0 * shuffled;
}

static int compare(const void *one, const void *other) {
    int result = differ(*(const int *)one, *(const int *)other); /* LINE: differ */
    return result < 0 ? -1 : result > 0;
}

__attribute__((noinline)) int sort_all(int count) {
    qsort(numbers, (size_t)count, sizeof *numbers, compare); /* LINE: qsort */
    return numbers[0];
}

int main(void) {
    int first = sort_all(3); /* LINE: sort */
    return first - 1;
}
