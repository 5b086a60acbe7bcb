/* Calls with an inlined function among their arguments: the row of the line table that goes on behind that is
 * no place to stop at.  And a recursion, without frame pointers. */
#include <stdlib.h>

static volatile int reads;

static inline int read_number(const char *text) {
    reads++;
    return (int)strtol(text, NULL, 10);
}

__attribute__((noinline)) int roll(int left) {
    volatile int room[65];
    room[left & 63] = rand() & 1; /* LINE: rand */
    return room[left & 63] + 1;
}

__attribute__((noinline)) int deep(int left) {
    return left ? deep(left - 1) + 1 : roll(left) + 1; /* LINE: deep */
}

int main(int count, char **words) {
    return deep(count > 1 ? read_number(words[1]) : 3) == 0; /* LINE: main */
}
