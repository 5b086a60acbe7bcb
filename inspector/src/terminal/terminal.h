/* terminal: shows grids on a terminal through ncurses, and says what its user did.
 *
 * The terminal is given back as it was found: on close, on suspend (^Z), when the program is ended by a
 * signal, and when it crashes.  At most one is open in a process. */
#ifndef TERMINAL_TERMINAL_H
#define TERMINAL_TERMINAL_H

#include "grid/grid.h"
#include "grid/theme.h"
#include "keys/keys.h"

struct terminal;

enum terminal_event_kind {
    TERMINAL_NOTHING, /* the time is over, or a descriptor of the caller is readable */
    TERMINAL_KEY,
    TERMINAL_MOUSE,  /* button pressed at row, column; wheel */
    TERMINAL_RESIZE, /* also after a suspend: draw anew */
    TERMINAL_ENDED   /* hung up, or asked to end by SIGTERM, SIGHUP or SIGINT from outside */
};

enum terminal_button {
    BUTTON_LEFT,
    BUTTON_MIDDLE,
    BUTTON_RIGHT,
    BUTTON_WHEEL_UP,
    BUTTON_WHEEL_DOWN,
    BUTTON_DOUBLE
};

struct terminal_event {
    enum terminal_event_kind kind;
    uint32_t key;         /* keys.h */
    uint16_t row, column; /* of the mouse */
    enum terminal_button button;
};

struct terminal_options {
    const struct theme *theme; /* borrowed */
    int depth;                 /* colours: 256, 16, 0, or -1: what the terminal has and NO_COLOR allows */
    int ascii;                 /* 1, 0, or -1: as the locale says */
    bool mouse;
};

/* Errors: SYSTEM (standard input or output is no terminal, or TERM names none that can be used). */
struct jitscope_error *terminal_open(const struct terminal_options *options, struct terminal **terminal);
void terminal_close(struct terminal *terminal);
void terminal_size(const struct terminal *terminal, uint16_t *rows, uint16_t *columns);
bool terminal_is_ascii(const struct terminal *terminal);
/* What differs from the last one is written, in one go.  GRID is of the terminal's size, or is clipped. */
void terminal_draw(struct terminal *terminal, const struct grid *grid);
/* Waits up to TIMEOUT milliseconds (-1: for ever) for the next event, or until DESCRIPTOR (-1: none) is
 * readable. */
struct terminal_event terminal_wait(struct terminal *terminal, int timeout, int descriptor);
/* Stops the process, the shell in front, until it is continued. */
void terminal_suspend(struct terminal *terminal);
/* Hands TEXT to the terminal's clipboard (OSC 52), and to tmux's buffer when inside tmux. */
void terminal_copy(struct terminal *terminal, const char *text, size_t length);

#endif
