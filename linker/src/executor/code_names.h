/* code_names: which function lies where in an executor that nobody can look at from outside: for its crashes.
 * Of an executor on this machine the debug images tell (debuggee.h). */
#ifndef EXECUTOR_CODE_NAMES_H
#define EXECUTOR_CODE_NAMES_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct code_function {
    uint64_t address, size; /* 0: not known */
    const char *name;
};

/* Zero-initialised is empty. */
struct code_names {
    struct code_batch *batches;
};

/* Those of LINK; names are copied. */
struct jitscope_error *code_names_add(struct code_names *names, uint32_t link,
                                      const struct code_function *functions, uint32_t count);
void code_names_drop(struct code_names *names, uint32_t link);
void code_names_destroy(struct code_names *names);

/* The function that ADDRESS is in; its name is good until the next call of another of these. */
bool code_names_find(const struct code_names *names, uint64_t address, struct code_function *function);

#endif
