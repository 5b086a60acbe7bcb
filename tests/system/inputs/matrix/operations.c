#include "parts.h"

#include <math.h>
#include <stdarg.h>

static long add(long a, long b) {
    return a + b;
}

static long multiply(long a, long b) {
    return a * b;
}

static long power(long a, long b) {
    return (long)pow((double)a, (double)b);
}

const struct operation operations[] = {{"add", add}, {"multiply", multiply}, {"power", power}};
const int operation_count = sizeof operations / sizeof *operations;

const char *weekday(int day) {
    switch (day) {
    case 0:
        return "Sunday";
    case 1:
        return "Monday";
    case 2:
        return "Tuesday";
    case 3:
        return "Wednesday";
    case 4:
        return "Thursday";
    case 5:
        return "Friday";
    case 6:
        return "Saturday";
    default:
        return "never";
    }
}

double sum(int count, ...) {
    va_list list;
    double total = 0;
    va_start(list, count);
    while (count-- > 0)
        total += va_arg(list, double);
    va_end(list);
    return total;
}

/* data.c has the strong one. */
__attribute__((weak)) int weak_choice(void) {
    return -1;
}
