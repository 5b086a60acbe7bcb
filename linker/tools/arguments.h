/* arguments: the command line as a list of words, with what stands for other words replaced.
 *
 *     @FILE              the words of FILE: separated by white space; '...' and "..." keep it; a backslash
 * takes the next byte as it is, in quotes too (gcc(1), "@file").  FILE may name further files
 *     -Wl,WORD,WORD...   these words
 *     --                 what follows is left alone */
#ifndef TOOLS_ARGUMENTS_H
#define TOOLS_ARGUMENTS_H

#include "base/arena.h"
#include "base/vec.h"

#include <stdbool.h>

struct word {
    const char *text;
    const char *origin; /* the response file it came from, or NULL */
};

struct words {
    struct arena arena;
    VEC(struct word) list;
    uint32_t options; /* words before "--" */
    bool dashes;      /* "--" was there; it is not in the list */
    uint32_t files;   /* response files read */
};

/* COUNT words from ARGUMENTS.  EXPAND: replace as described; otherwise only "--" is looked for.  Strings may
 * be borrowed.  Errors: USAGE, NOT_FOUND, SYSTEM, NO_MEMORY.  The list is to be destroyed in any case. */
struct jitscope_error *words_create(int count, char *const *arguments, bool expand, struct words *words);
void words_destroy(struct words *words);

/* The whole file.  Errors: NOT_FOUND, SYSTEM, UNSUPPORTED (over LIMIT bytes), NO_MEMORY. */
struct jitscope_error *file_read(const char *path, uint64_t limit, char **data, size_t *size);

#endif
