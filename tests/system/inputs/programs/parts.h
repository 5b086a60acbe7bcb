/* Programs of the tests are made of parts: functions that say what they find, in lines that begin with the
 * part's name. */
#ifndef PARTS_H
#define PARTS_H

#include <stdio.h>

#define SAY(...) (printf("%s: ", __func__), printf(__VA_ARGS__), printf("\n"))

#ifdef __cplusplus
extern "C" {
#endif

/* What crosses from one object to the other. */
struct shape {
    const char *name;
    double sides[3];
    int (*area)(const struct shape *);
};
extern const struct shape *const shapes[];
int sum_of(const char *kinds, ...);
int apply(int (*function)(void *, int), void *context, int argument);
int depth(int levels, int (*end)(void *), void *context);
int alias_of_hidden(int);
int weak_elsewhere(void);
int weak_here(void) __attribute__((weak));
extern int common_numbers[];

#ifdef __cplusplus
}
#endif

#endif
