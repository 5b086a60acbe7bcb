/* run: drives the state from a terminal, or from a script without one, and carries out its effects. */
#ifndef RUN_RUN_H
#define RUN_RUN_H

#include "draw/draw.h"
#include "grid/theme.h"
#include "model/update.h"

struct run {
    struct state *state;
    struct grid grid;
    const struct theme *theme;
    int depth; /* colours of saved screens */
    bool has_quit;
    int signal;    /* that asked the program to end; 0: none */
    bool is_stale; /* the terminal's content is not to be trusted */
    /* What only a terminal can do; NULL without one. */
    bool (*copy)(void *context, const char *text, size_t length); /* false: the text is too long */
    void (*suspend)(void *context);
    void *context;
};

/* Does what the state asked for.  False when something failed: the state's message says what. */
bool run_effects(struct run *run);
/* All that can be done now is done: reading, scans, searches.  False when something failed: the state's
 * message says what. */
bool run_work(struct run *run);

/* SIZE is COLUMNSxROWS.  Errors: USAGE. */
struct jitscope_error *run_resize(struct run *run, const char *size);
/* Runs the lines of the file at PATH, "-" being standard input: commands, and `keys KEY...`, `resize
 * COLUMNSxROWS`, `wait TEXT`, `expect TEXT`.  Messages go to standard error, with the line.  *good is whether
 * all lines worked. Errors: SYSTEM. */
struct jitscope_error *run_script(struct run *run, const char *path, bool *good);
/* Prints all rows of a screen for which FILTER (NULL: everything) holds.  Errors: USAGE, SYSTEM. */
struct jitscope_error *run_batch(struct run *run, const char *screen, const char *filter, bool json);
/* Until the user quits, or the terminal is gone. */
struct jitscope_error *run_terminal(struct run *run, bool mouse, int ascii);

#endif
