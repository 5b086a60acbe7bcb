/* screen: what ncurses is used for: the difference between two screens as bytes for the terminal at hand.
 *
 * ncurses writes into a file in memory, and never touches the terminal itself: what a frame takes is handed
 * to the caller as one string of bytes. */
#ifndef TERMINAL_SCREEN_H
#define TERMINAL_SCREEN_H

#include "terminal/input.h"
#include "terminal/terminal.h"

struct screen;

/* Errors: SYSTEM (TERM names nothing usable), NO_MEMORY. */
struct jitscope_error *screen_create(const struct terminal_options *options, struct screen **screen);
void screen_destroy(struct screen *screen);
bool screen_is_ascii(const struct screen *screen);
int screen_depth(const struct screen *screen);
/* What terminfo says; for terminals that do not know their size. */
void screen_usual_size(uint16_t *rows, uint16_t *columns);
/* The sequences of keys that are the terminal's own. */
void screen_add_keys(struct input *input);

/* The next frame is of this size, and written in full. */
void screen_resize(struct screen *screen, uint16_t rows, uint16_t columns);
/* The bytes below belong to SCREEN until it is called again. */
struct screen_bytes {
    const char *at;
    size_t length;
};
/* What makes the terminal show GRID; the first time, and after screen_leave(), also what takes it over. */
struct screen_bytes screen_draw(struct screen *screen, const struct grid *grid);
/* What gives it back; none when that was done. */
struct screen_bytes screen_leave(struct screen *screen);
/* The same for handlers of signals, that cannot ask: valid for the present size. */
struct screen_bytes screen_rescue(struct screen *screen);

#endif
