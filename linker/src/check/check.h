/* check: a small language for what must be true of linked memory, after LLVM's jitlink-check.
 *
 *     main != 0 && section(.text) <= main
 *     *{8}got(puts) == puts                        a GOT slot holds its target
 *     call + 5 + s{4}(call + 1) == plt(puts)       a call leads to the stub
 *     !defined(dropped)
 *
 * The whole language is check.def.  Operators and precedence are C's, but a comparison beside & ^ |
 * without parentheses is refused: C reads `a & 7 == 0` as `a & (7 == 0)`.
 *
 * Values have 64 bits and wrap around.  As in C, two signed operands are compared and shifted as signed, any
 * other pair as unsigned; addresses are unsigned.  Shifting by 64 or more leaves nothing but the sign.
 *
 * A file holds one expression a line, and comments from `#` on.  Where lines contain "jitscope-check:",
 * only what follows that mark counts: so checks can live in the comments of a source file. */
#ifndef CHECK_CHECK_H
#define CHECK_CHECK_H

#include "base/bytes.h"
#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum check_table { CHECK_GOT, CHECK_PLT };

struct check_symbol {
    uint64_t address; /* or value */
    uint64_t size;    /* bytes */
    bool defined;     /* false for a weak reference that stayed undefined: its address is 0 */
};

/* What expressions are about.  Each function gives NOT_FOUND, with a message that says what there is not,
 * when a name is unknown. */
struct check_world {
    void *context;
    struct jitscope_error *(*symbol)(void *context, const char *name, struct check_symbol *symbol);
    struct jitscope_error *(*entry)(void *context, enum check_table table, const char *symbol,
                                    uint64_t *address);
    struct jitscope_error *(*section)(void *context, const char *name, uint64_t *start, uint64_t *end);
    struct jitscope_error *(*read)(void *context, uint64_t address, void *buffer, size_t size);
};

/* NULL when TEXT holds.  Errors: CHECK_FAILED with both sides' values, or with what could not be evaluated;
 * FORMAT when TEXT is no expression. */
struct jitscope_error *check_expression(const char *text, size_t length, const struct check_world *world);

/* Every expression of a file's TEXT; NAME is what messages call it.  *count gets the number of expressions.
 * Errors: CHECK_FAILED listing each failure with its line; FORMAT when there is nothing to check, or
 * nonsense.
 */
struct jitscope_error *check_file(const char *name, struct bytes text, const struct check_world *world,
                                  uint32_t *count);

#endif
