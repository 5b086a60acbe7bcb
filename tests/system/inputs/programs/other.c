/* The other object: what the parts call, and what they find defined in two places. */
#include "parts.h"
#include <stdarg.h>
#include <string.h>

int sum_of(const char *kinds, ...) {
    va_list list, again;
    double sum = 0;
    const char *begin = kinds;
    va_start(list, kinds);
    va_copy(again, list);
    for (; *kinds; kinds++)
        switch (*kinds) {
        case 'i':
            sum += va_arg(list, int);
            break;
        case 'l':
            sum += (double)va_arg(list, long);
            break;
        case 'd':
            sum += va_arg(list, double);
            break;
        case 'L':
            sum += (double)va_arg(list, long double);
            break;
        case 's':
            sum += (double)strlen(va_arg(list, char *));
            break;
        case 'p':
            sum += va_arg(list, void *) ? 1000 : 0;
            break;
        }
    va_end(list);
    char text[100];
    vsnprintf(text, sizeof(text), *begin == 'i' ? "%d" : "%g", again);
    sum += text[0];
    va_end(again);
    return (int)sum;
}

int apply(int (*function)(void *, int), void *context, int argument) {
    return function(context, argument);
}

int depth(int levels, int (*end)(void *), void *context) {
    if (levels)
        return depth(levels - 1, end, context) + 1;
    return end ? end(context) : 0;
}

int weak_elsewhere(void) {
    return 2;
}

int weak_here(void) {
    return 3;
}

int common_numbers[10];

static int triangle(const struct shape *shape) {
    return (int)(shape->sides[0] * shape->sides[1] / 2);
}
static int square(const struct shape *shape) {
    return (int)(shape->sides[0] * shape->sides[0]);
}
static const struct shape first = {"triangle", {3, 4, 5}, triangle};
static const struct shape second = {"square", {3}, square};
const struct shape *const shapes[] = {&first, &second, NULL};
