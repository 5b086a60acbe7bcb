/* A program of several objects that uses what compilers make relocations for: calls and data across objects,
 * function pointers in tables, weak and common symbols, switch tables, callbacks from the C library,
 * constructors. */
#include "parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int common_counter; /* with -fcommon also in data.c, which makes it larger there */
extern int optional_feature(int) __attribute__((weak));
extern char **environ;

static int order[4], order_count;

__attribute__((constructor(101))) static void first(void) {
    order[order_count++] = 1;
}

__attribute__((constructor)) static void second(void) {
    order[order_count++] = 2;
}

__attribute__((destructor)) static void last(void) {
    printf("destructor %d\n", common_counter);
}

static void at_exit(void) {
    puts("atexit");
}

static int by_value(const void *left, const void *right) {
    const int *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

static void callbacks(void) {
    int values[] = {42, 7, 19, 3, 88, 1};
    qsort(values, 6, sizeof *values, by_value);
    for (int i = 0; i < 6; i++)
        printf("%d%s", values[i], i == 5 ? "\n" : " ");
    int key = 19;
    const int *found = bsearch(&key, values, 6, sizeof *values, by_value);
    printf("bsearch %td\n", found - values);
}

int main(int argc, char **argv) {
    atexit(at_exit);
    printf("constructors %d %d\n", order[0], order[1]);
    printf("arguments %d", argc - 1);
    for (int i = 1; i < argc; i++)
        printf(" [%s]", argv[i]);
    printf("\nvariable %s, environ %s\n", getenv("JITSCOPE_TEST") ? getenv("JITSCOPE_TEST") : "unset",
           environ && *environ ? "there" : "empty");
    char line[100];
    while (fgets(line, sizeof line, stdin))
        printf("line %zu %s", strlen(line), line);
    for (int i = 0; i < operation_count; i++)
        printf("%s %ld\n", operations[i].name, operations[i].apply(20, i));
    for (int day = -1; day < 8; day++)
        printf("%s ", weekday(day));
    printf("\n%s\n", optional_feature ? "feature" : "no feature");
    printf("sum %.3f, %d\n", sum(4, 1.5, 2.25, 3.0, 0.125), weak_choice());
    callbacks();
    common_counter += big_table[9] + *table_pointer + hidden_value();
    errno = 0;
    printf("strtol %ld, errno %d\n", strtol("99999999999999999999", NULL, 10), errno == ERANGE);
    fprintf(stderr, "diagnostics\n");
    return common_counter % 256;
}
