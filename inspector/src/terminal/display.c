#include "terminal/display.h"

#include "base/os.h"
#include "terminal/terminfo.h"

#include <curses.h>
#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

/* The modes that terminfo does not switch: bracketed paste; presses of buttons, told in decimal; and a frame
 * shown as a whole.  Terminals that have a mouse know these, or ignore them. */
#define PASTE_ON   "\033[?2004h"
#define PASTE_OFF  "\033[?2004l"
#define MOUSE_ON   "\033[?1000h\033[?1006h"
#define MOUSE_OFF  "\033[?1006l\033[?1000l"
#define FRAME      "\033[?2026h"
#define FRAME_DONE "\033[?2026l"

enum { OVERLAYS = 8, ASCII_END = 0x7f };

struct display {
    SCREEN *curses;
    FILE *output, *input; /* in memory; nothing at all */
    int fd;               /* of output */
    bool ascii, mouse, modern, own_colours, entered, stale;
    int depth;
    struct {
        attr_t attributes;
        short pair;
    } looks[STYLE_COUNT][OVERLAYS];
    cchar_t *row; /* of columns */
    uint16_t rows, columns;
    struct text bytes, rescue;
};

/* --- what the terminal can do --- */

static char *capability(const char *name) {
    char *value = tigetstr((char *)name);
    return value != (char *)-1 ? value : NULL;
}

/* NO_COLOR is no-color.org's. */
static int usable_depth(int wanted) {
    int colours = tigetnum("colors");
    int most = colours >= 256 ? 256 : colours >= 8 ? 16 : 0;
    const char *none = os_environment("NO_COLOR");
    if (wanted < 0)
        return none && *none ? 0 : most;
    return wanted >= most ? most : wanted >= 16 ? 16 : 0;
}

void display_usual_size(uint16_t *rows, uint16_t *columns) {
    int lines = tigetnum("lines"), width = tigetnum("cols");
    *rows = lines > 0 ? (uint16_t)lines : 24;
    *columns = width > 0 ? (uint16_t)width : 80;
}

void display_add_keys(struct decoder *decoder) {
    static const struct {
        const char *name;
        uint32_t key;
    } keys[] = {
#define KEY_FINAL(byte, key)
#define KEY_NUMBER(number, key)
#define KEY_TERMINFO(name, key) {name, key},
#include "terminal/input_keys.def"
#undef KEY_FINAL
#undef KEY_NUMBER
#undef KEY_TERMINFO
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *sequence = capability(keys[i].name);
        if (sequence)
            decoder_add_key(decoder, sequence, keys[i].key);
    }
}

/* --- looks --- */

/* USUAL stands for the terminal's own colour where that cannot be had. */
static int colour(const struct display *display, int16_t index, int usual, attr_t *attributes) {
    if (index == NONE)
        return display->own_colours ? -1 : usual;
    if (index >= 8 && tigetnum("colors") < 16) {
        *attributes |= A_BOLD;
        return index - 8;
    }
    return index;
}

static void prepare_look(struct display *display, struct look look, attr_t *attributes, short *pair) {
    attr_t unused = 0;
    *attributes = (look.attributes & BOLD ? A_BOLD : 0) | (look.attributes & DIM ? A_DIM : 0) |
                  (look.attributes & UNDERLINE ? A_UNDERLINE : 0) |
                  (look.attributes & REVERSE ? A_REVERSE : 0);
    if (!display->depth || (look.fore == NONE && look.back == NONE))
        return;
    int fore = colour(display, look.fore, COLOR_WHITE, attributes);
    int got = alloc_pair(fore, colour(display, look.back, COLOR_BLACK, &unused));
    *pair = got > 0 && got < INT16_MAX ? (short)got : 0;
}

static void prepare_looks(struct display *display, const struct theme *theme) {
    if (display->depth) {
        start_color();
        display->own_colours = use_default_colors() == OK;
    }
    for (uint8_t style = 0; style < STYLE_COUNT; style++)
        for (uint8_t overlay = 0; overlay < OVERLAYS; overlay++)
            prepare_look(display, theme_look(theme, display->depth, style, overlay),
                         &display->looks[style][overlay].attributes, &display->looks[style][overlay].pair);
}

/* --- bytes --- */

/* TEXT without what terminfo says about delays, "$<5>"; no terminal of today needs them. */
static void append_capability(struct text *out, const char *text) {
    for (const char *delay; text && *text; text = delay) {
        delay = strstr(text, "$<");
        const char *end = delay ? strchr(delay, '>') : NULL;
        text_append_bytes(out, text, end ? (size_t)(delay - text) : strlen(text));
        delay = end ? end + 1 : "";
    }
}

static void append_modes_off(const struct display *display, struct text *out) {
    if (display->modern)
        text_append(out, PASTE_OFF);
    if (display->mouse)
        text_append(out, MOUSE_OFF);
}

static void append_modes_on(const struct display *display, struct text *out) {
    if (display->modern)
        text_append(out, PASTE_ON);
    if (display->mouse)
        text_append(out, MOUSE_ON);
}

/* What ncurses takes for granted, and somebody else may have changed. */
static void append_usual_state(const struct display *display, struct text *out) {
    append_capability(out, capability("sgr0"));
    append_capability(out, capability("rmacs"));
    append_capability(out, capability("rmir"));
    if (capability("csr"))
        append_capability(out, tparm(capability("csr"), 0, display->rows - 1, 0, 0, 0, 0, 0, 0, 0));
}

/* Moves what ncurses has written to OUT.  Without memory the frame is lost, and the next one is written in
 * full. */
static bool collect(struct display *display, struct text *out) {
    char bytes[4096];
    ssize_t got;
    uint64_t offset = 0;
    while ((got = os_read_at(display->fd, bytes, sizeof bytes, offset)) > 0) {
        text_append_bytes(out, bytes, (size_t)got);
        offset += (uint64_t)got;
    }
    bool done = os_empty(display->fd) == 0 && got == 0 && !out->failed;
    if (!done)
        clearok(curscr, TRUE);
    return done;
}

static struct display_bytes result(const struct text *text) {
    return (struct display_bytes){text->data, text->failed ? 0 : text->length};
}

/* --- frames --- */

/* What ncurses would show two columns wide where grids say one, or not at all, is a question mark. */
static wchar_t shown(const struct display *display, const struct grid_cell *cell) {
    uint32_t character = cell->character;
    if (character < ASCII_END)
        return character ? (wchar_t)character : L' ';
    return display->ascii || wcwidth((wchar_t)character) != character_columns(character) ? L'?'
                                                                                         : (wchar_t)character;
}

static void draw_row(struct display *display, const struct grid *grid, uint16_t row) {
    uint16_t columns = grid->columns < display->columns ? grid->columns : display->columns;
    int count = 0;
    for (uint16_t i = 0; i < columns; i++) {
        const struct grid_cell *cell = grid_cell(grid, row, i);
        wchar_t text[2] = {shown(display, cell), 0};
        uint8_t overlay = cell->overlay % OVERLAYS;
        setcchar(&display->row[count++], text, display->looks[cell->style][overlay].attributes,
                 display->looks[cell->style][overlay].pair, NULL);
        if (text[0] >= ASCII_END && character_columns(cell->character) == 2)
            i++;
    }
    mvadd_wchnstr(row, 0, display->row, count);
}

static bool place_cursor(const struct display *display, const struct grid *grid) {
    bool seen =
        grid->has_cursor && grid->cursor_row < display->rows && grid->cursor_column < display->columns;
    curs_set(seen);
    move(seen ? grid->cursor_row : 0, seen ? grid->cursor_column : 0);
    return seen;
}

static void begin_whole_frame(struct display *display) {
    append_usual_state(display, &display->bytes);
    clearok(curscr, TRUE);
}

struct display_bytes display_draw(struct display *display, const struct grid *grid) {
    text_clear(&display->bytes);
    erase();
    for (uint16_t row = 0; row < grid->rows && row < display->rows; row++)
        draw_row(display, grid, row);
    bool seen = place_cursor(display, grid);
    if (display->modern)
        text_append(&display->bytes, FRAME);
    if (display->stale && display->entered)
        begin_whole_frame(display);
    size_t nothing = display->bytes.length;
    refresh();
    bool whole = collect(display, &display->bytes);
    if (!whole && !display->entered)
        endwin(); /* the next frame is to take the terminal over */
    if (!whole || (display->bytes.length == nothing && display->entered))
        return (struct display_bytes){"", 0};
    if (!display->entered || display->stale)
        append_modes_on(display, &display->bytes);
    if (display->stale)
        append_capability(&display->bytes, capability(seen ? "cnorm" : "civis"));
    if (display->modern)
        text_append(&display->bytes, FRAME_DONE);
    display->entered = true;
    display->stale = false;
    return result(&display->bytes);
}

void display_redraw(struct display *display) {
    display->stale = true;
}

struct display_bytes display_leave(struct display *display) {
    text_clear(&display->bytes);
    if (!display->entered)
        return (struct display_bytes){"", 0};
    display->entered = false;
    append_modes_off(display, &display->bytes);
    endwin();
    if (!collect(display, &display->bytes))
        return result(&display->rescue);
    if (!capability("rmcup"))
        text_append(&display->bytes, "\r\n");
    return result(&display->bytes);
}

struct display_bytes display_rescue(struct display *display) {
    struct text out = {0};
    if (display->modern)
        text_append(&out, FRAME_DONE);
    append_modes_off(display, &out);
    append_capability(&out, capability("sgr0"));
    if (display->depth)
        append_capability(&out, capability("op"));
    append_capability(&out, capability("cnorm"));
    append_capability(&out, tparm(capability("cup"), display->rows - 1, 0, 0, 0, 0, 0, 0, 0, 0));
    append_capability(&out, capability("rmcup") ? capability("rmcup") : "\r\n");
    if (out.failed) {
        text_destroy(&out);
    } else {
        text_destroy(&display->rescue);
        display->rescue = out;
    }
    return result(&display->rescue);
}

/* --- life --- */

/* Without memory for a row of the new width the old width is kept. */
void display_resize(struct display *display, uint16_t rows, uint16_t columns) {
    cchar_t *row = os_reallocate(display->row, ((size_t)columns + 1) * sizeof *row);
    if (row)
        display->row = row;
    if (!row || resize_term(rows, columns) != OK)
        return;
    display->rows = rows;
    display->columns = columns;
    clearok(curscr, TRUE);
}

bool display_is_ascii(const struct display *display) {
    return display->ascii;
}

int display_depth(const struct display *display) {
    return display->depth;
}

void display_destroy(struct display *display) {
    if (display->curses)
        delscreen(display->curses);
    if (display->output)
        fclose(display->output);
    else if (display->fd >= 0)
        os_close(display->fd);
    if (display->input)
        fclose(display->input);
    os_release(display->row);
    text_destroy(&display->bytes);
    text_destroy(&display->rescue);
    os_release(display);
}

/* newterm() takes signals that nobody else has; they are not its business here. */
static SCREEN *new_terminal(const char *name, FILE *output, FILE *input) {
    static const int taken[] = {SIGINT, SIGTERM, SIGTSTP, SIGWINCH};
    enum { COUNT = sizeof taken / sizeof *taken };
    struct sigaction before[COUNT];
    for (int i = 0; i < COUNT; i++)
        os_signal_action(taken[i], NULL, &before[i]);
    SCREEN *made = newterm(name, output, input);
    for (int i = 0; i < COUNT; i++)
        os_signal_action(taken[i], &before[i], NULL);
    return made;
}

static struct jitscope_error *start_curses(struct display *display) {
    const char *name = os_environment("TERM");
    display->fd = os_memory_file("frame");
    display->output = display->fd >= 0 ? fdopen(display->fd, "w") : NULL;
    display->input = fopen("/dev/null", "r");
    if (!display->output || !display->input)
        return error_system("memfd_create", NULL);
    if (!name || !*name)
        return error_create(JITSCOPE_ERROR_SYSTEM, "TERM is not set: nothing says which terminal this is");
    if (!terminfo_knows(name))
        return error_create(JITSCOPE_ERROR_SYSTEM, "TERM: terminfo has no terminal '%s'", name);
    display->curses = new_terminal(name, display->output, display->input);
    if (!display->curses || !capability("cup") || !capability("clear") || tigetflag("hc") > 0)
        return error_create(JITSCOPE_ERROR_SYSTEM, "TERM: a terminal '%s' cannot show a screen", name);
    return NULL;
}

static struct jitscope_error *start(struct display *display, const struct terminal_options *options) {
    setlocale(LC_CTYPE, "");
    TRY(start_curses(display));
    display->ascii = options->ascii < 0 ? strcmp(nl_langinfo(CODESET), "UTF-8") != 0 : options->ascii;
    display->modern = capability("kmous") != NULL;
    display->mouse = display->modern && options->mouse;
    display->depth = usable_depth(options->depth);
    prepare_looks(display, options->theme);
    terminfo_forget_repetition();
    typeahead(-1);
    uint16_t rows, columns;
    display_usual_size(&rows, &columns);
    display_resize(display, rows, columns);
    return display->row && display_rescue(display).length ? NULL : error_no_memory();
}

struct jitscope_error *display_create(const struct terminal_options *options, struct display **display) {
    struct display *made = os_allocate_zeroed(sizeof *made);
    if (!made)
        return error_no_memory();
    made->fd = -1;
    struct jitscope_error *error = start(made, options);
    if (error)
        display_destroy(made);
    else
        *display = made;
    return error;
}
