/* What the examples do with an error: say it and end. */
#ifndef CHECK_H
#define CHECK_H

#include <jitscope/jitscope.h>

#include <stdio.h>
#include <stdlib.h>

static inline void check(struct jitscope_error *error) {
    if (!error)
        return;
    fprintf(stderr, "%s\n", jitscope_error_message(error));
    jitscope_error_destroy(error);
    exit(1);
}

/* The one function of the host that the linked objects call. */
static inline int host_say(const char *text) {
    printf("  %s\n", text);
    return 7;
}

static inline uint64_t address_of(int (*function)(const char *)) {
    return (uint64_t)(uintptr_t)function;
}

static inline int call(uint64_t address) {
    return ((int (*)(void))(uintptr_t)address)();
}

#endif
