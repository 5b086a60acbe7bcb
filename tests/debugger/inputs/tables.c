/* What the plug-in's tables show: code, data of three protections, GOT entries with stubs, a callback through
 * libc. */
#include <stdio.h>
#include <stdlib.h>

static int calls;
int limit = 40;

int square(int x) {
    calls++;
    return x * x;
}

static int compare(const void *left, const void *right) {
    return *(const int *)left - *(const int *)right;
}

int main(void) {
    int values[] = {3, 1, 2};
    qsort(values, 3, sizeof values[0], compare);
    printf("%d %d %d\n", square(5), values[0], limit);
    return 0;
}
