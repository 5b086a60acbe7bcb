/* state: all that the inspector knows besides what it looks at: where the user is, was, and what is being
 * typed.
 *
 * It changes by update() alone, which neither draws nor touches the world: what is to be done outside, as
 * writing a file, becomes an effect that the caller carries out.  The same keys at the same recording give
 * the same state. */
#ifndef MODEL_STATE_H
#define MODEL_STATE_H

#include "base/text.h"
#include "model/keymap.h"
#include "model/table.h"

/* What `back`, `forward`, `leave` and marks go to. */
struct place {
    uint32_t screen;
    struct question question;
    struct position cursor;
    uint64_t above; /* rows in view above the cursor */
    const char *filter;
    int sort_column; /* -1: none */
    bool descending;
    uint32_t first_column;
    uint64_t moment; /* of marks */
};

enum effect_kind {
    EFFECT_QUIT,
    EFFECT_COPY,
    EFFECT_WRITE,
    EFFECT_WRITE_RECORDING,
    EFFECT_SAVE_SCREEN,
    EFFECT_SUSPEND,
    EFFECT_REDRAW
};

struct effect {
    enum effect_kind kind;
    const char *path; /* of WRITE, WRITE_RECORDING and SAVE_SCREEN; the state's */
    char *text;       /* of COPY and WRITE; to be released by whoever carries it out */
    size_t length;
};

/* A line that is being typed. */
struct prompt {
    bool is_open;
    const char *label; /* command that the line completes; "" for any */
    struct text line;
    size_t at;           /* of the cursor, in bytes */
    uint32_t in_history; /* lines back */
};

enum { MARKS = 52 };

struct state {
    struct inspected *inspected; /* borrowed */
    struct keymap keymap;
    uint16_t rows, columns; /* of the screen */

    struct place place; /* where the user is; cursor and sort are the table's */
    struct table table;
    VEC(struct place) parents; /* left by Enter */
    VEC(struct place) visited; /* for back and forward */
    uint32_t visit;            /* index of the next one forward */
    struct place marks[MARKS];
    bool is_marked[MARKS];

    bool follows;                /* the newest event */
    bool knows_end, knows_death; /* of the session, of its process: the user was told */
    uint64_t previous;           /* moment before the last step */
    uint64_t awaited;            /* moment to go to when it has been read; 0: none */

    struct prompt prompt;
    VEC(const char *) history; /* of typed lines */
    struct text searched;
    struct text message;
    bool message_is_error;
    bool help; /* the help covers the screen */
    uint32_t help_top;
    VEC(struct effect) effects;
    struct arena texts; /* what places point to */
};

/* Errors: as table_open() of the first screen. */
struct jitscope_error *state_create(struct state *state, struct inspected *inspected);
void state_destroy(struct state *state);

/* The first line of rows, and how many the screen has room for; and the lines above the headings. */
uint32_t state_first_row(const struct state *state);
uint32_t state_header(const struct state *state);
uint32_t state_height(const struct state *state);
void state_say(struct state *state, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Takes ERROR over. */
void state_complain(struct state *state, struct jitscope_error *error);
const char *state_keep(struct state *state, const char *text, size_t length);

/* Goes to PLACE without remembering where the user was. */
struct jitscope_error *state_show(struct state *state, const struct place *place);
/* The same, and `back` comes back here. */
struct jitscope_error *state_visit(struct state *state, const struct place *place);
/* PLACE with the cursor as it is now. */
struct place state_here(const struct state *state);
/* A fresh place on a screen, about the same batch, or all. */
struct place state_place(const struct state *state, uint32_t screen);
/* Shows another moment. */
struct jitscope_error *state_seek(struct state *state, uint64_t sequence);
struct jitscope_error *state_effect(struct state *state, enum effect_kind kind, const char *path,
                                    struct text *text);

#endif
