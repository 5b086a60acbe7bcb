/* terminal: shows grids on a terminal through ncurses, and says what its user did.
 *
 * The terminal is given back as it was found: on close, on suspend (^Z), when the program is ended by a
 * signal, and when it crashes; what then kills the program is the signal itself, so that status and core are
 * what they would have been.  While one is open, handlers of signals are its own, and LC_CTYPE is the user's
 * locale.  At most one is open in a process, and one thread uses it. */
#ifndef TERMINAL_TERMINAL_H
#define TERMINAL_TERMINAL_H

#include "grid/grid.h"
#include "grid/theme.h"
#include "keys/keys.h"

struct terminal;

enum terminal_event_kind {
    TERMINAL_NOTHING, /* the time is over, or a descriptor of the caller is readable */
    TERMINAL_KEY,
    TERMINAL_PASTE,  /* a character that was pasted, not typed; line breaks and the like come as blanks */
    TERMINAL_MOUSE,  /* button pressed at row, column; wheel */
    TERMINAL_RESIZE, /* also after a suspend: ask for the size, draw anew */
    TERMINAL_ENDED   /* hung up, or asked to end from outside: close, and raise `signal` again */
};

enum terminal_button {
    BUTTON_LEFT,
    BUTTON_MIDDLE,
    BUTTON_RIGHT,
    BUTTON_WHEEL_UP,
    BUTTON_WHEEL_DOWN,
    BUTTON_DOUBLE /* the left one again, soon and in the same cell; follows its BUTTON_LEFT */
};

struct terminal_event {
    enum terminal_event_kind kind;
    uint32_t key;         /* keys.h; the character of a paste */
    uint16_t row, column; /* of the mouse */
    enum terminal_button button;
    int signal; /* SIGHUP, SIGTERM, SIGINT */
};

struct terminal_options {
    const struct theme *theme; /* borrowed */
    int depth;                 /* colours: 256, 16, 0, or -1: what the terminal has and NO_COLOR allows */
    int ascii;                 /* 1, 0, or -1: as the locale says */
    bool mouse;
};

/* Takes the terminal that is standard input and output.  Errors: SYSTEM (these are no terminal, or TERM names
 * none that can be used); the terminal is as it was. */
struct jitscope_error *terminal_open(const struct terminal_options *options, struct terminal **terminal);
void terminal_close(struct terminal *terminal);
/* At least 1 by 1. */
void terminal_size(const struct terminal *terminal, uint16_t *rows, uint16_t *columns);
bool terminal_is_ascii(const struct terminal *terminal);
/* Colours in use: 256, 16 or 0. */
int terminal_depth(const struct terminal *terminal);
/* What differs from the last one is written, in one go.  GRID is of the terminal's size, or is clipped. */
void terminal_draw(struct terminal *terminal, const struct grid *grid);
/* Somebody else may have written onto the terminal, or changed its modes: the next drawing is a whole one,
 * and switches on again what was switched off. */
void terminal_redraw(struct terminal *terminal);
/* Waits up to TIMEOUT milliseconds (-1: for ever) for the next event, or until DESCRIPTOR (-1: none) is
 * readable. */
struct terminal_event terminal_wait(struct terminal *terminal, int timeout, int descriptor);
/* Stops the process and those it was started with, the shell in front, until it is continued; a
 * TERMINAL_RESIZE follows. */
void terminal_suspend(struct terminal *terminal);
/* Hands TEXT to the terminal's clipboard (OSC 52), or to tmux when inside tmux, which keeps it in a buffer
 * and hands it on.  False when it is longer than TERMINAL_MOST_COPIED.  Whether the terminal took it nobody
 * says. */
bool terminal_copy(struct terminal *terminal, const char *text, size_t length);
enum {
    TERMINAL_MOST_COPIED = 74994
}; /* 100,000 bytes of base64 with the frame: what common terminals accept */

#endif
