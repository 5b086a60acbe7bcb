/* What fuzz targets share.  A target is LLVMFuzzerTestOneInput: under the fuzz preset libFuzzer calls it with
 * inputs of its own making, under the others fuzz_replay.c calls it with the files of a corpus. */
#ifndef FUZZ_FUZZ_COMMON_H
#define FUZZ_FUZZ_COMMON_H

#include "jitscope/jitscope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever goes wrong must be an error that says something. */
static inline void fuzz_expect_message(struct jitscope_error *error) {
    if (error && !jitscope_error_message(error)[0])
        abort();
    jitscope_error_destroy(error);
}

/* A property that no input may break. */
#define FUZZ_HOLDS(condition)                                                                                \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);                   \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

#endif
