/* display: what ncurses is used for: the difference between two screens as bytes for the terminal at hand.
 *
 * ncurses writes into a file in memory, and never touches the terminal itself: what a frame takes is handed
 * to the caller as one string of bytes. */
#ifndef TERMINAL_DISPLAY_H
#define TERMINAL_DISPLAY_H

#include "terminal/decoder.h"
#include "terminal/terminal.h"

struct display;

/* Errors: SYSTEM (TERM names nothing usable), NO_MEMORY. */
struct jitscope_error *display_create(const struct terminal_options *options, struct display **display);
void display_destroy(struct display *display);
bool display_is_ascii(const struct display *display);
int display_depth(const struct display *display);
/* What terminfo says; for terminals that do not know their size. */
void display_usual_size(uint16_t *rows, uint16_t *columns);
/* The sequences of keys that are the terminal's own. */
void display_add_keys(struct decoder *decoder);

/* The next frame is of this size, and written in full. */
void display_resize(struct display *display, uint16_t rows, uint16_t columns);
/* The bytes below belong to DISPLAY until it is called again. */
struct display_bytes {
    const char *at;
    size_t length;
};
/* What makes the terminal show GRID; the first time, and after display_leave(), also what takes it over. */
struct display_bytes display_draw(struct display *display, const struct grid *grid);
/* What the terminal shows is not what was drawn: the next frame is written in full, whatever its looks, its
 * margins and its modes are now. */
void display_redraw(struct display *display);
/* What gives it back; none when that was done. */
struct display_bytes display_leave(struct display *display);
/* The same for handlers of signals, that cannot ask; for the present size.  Without memory, what it was
 * before. */
struct display_bytes display_rescue(struct display *display);

#endif
