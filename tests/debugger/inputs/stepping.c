/* A program to walk through in a debugger.  LINE comments are found by the tests; keep one statement a line.
 */
#include <stdio.h>
#include <stdlib.h>

struct point {
    int x, y;
    struct point *next;
};

enum colour { RED, GREEN = 5 };

static int comparisons;
int total = 100;

static int compare(const void *left, const void *right) {
    comparisons++; /* LINE: compare */
    return *(const int *)left - *(const int *)right;
}

static inline __attribute__((always_inline)) int scaled(int value) {
    int result = value * 3; /* LINE: inlined */
    return result + total;
}

__attribute__((noinline)) int area(const struct point *corner, enum colour colour) {
    static int calls;
    calls++;                          /* LINE: area */
    int size = corner->x * corner->y; /* LINE: size */
    int more = scaled(size);          /* LINE: call-inlined */
    total += more;                    /* LINE: total */
    return size + (colour == GREEN) * calls + (corner->next == corner);
}

__attribute__((noinline)) int depth(int left) {
    if (left == 0)
        return 1; /* LINE: bottom */
    return depth(left - 1) + 1;
}

__attribute__((noinline)) int loop(int count) {
    int sum = 0;
    for (int i = 0; i < count; i++)
        sum += i; /* LINE: body */
    return sum;   /* LINE: behind */
}

int main(int argc, char **argv) {
    struct point second = {5, 6, NULL}, first = {3, 4, &second};
    int numbers[] = {4, 3, 2, 1};
    qsort(numbers, 4, sizeof *numbers, compare); /* LINE: qsort */
    int one = area(&first, RED);                 /* LINE: first-area */
    int two = area(first.next, GREEN);           /* LINE: second-area */
    int deep = depth(3);
    int sum = loop(10);
    printf("%d %d %d %d %d %d %s\n", one, two, deep, sum, numbers[0], comparisons > 0,
           argc > 1 ? argv[1] : "-");
    return sum; /* LINE: end */
}
