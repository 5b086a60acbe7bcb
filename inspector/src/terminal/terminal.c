#include "terminal/terminal.h"

#include "base/os.h"
#include "terminal/decoder.h"
#include "terminal/display.h"
#include "terminal/signals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* Sizes beyond these are lies: a pseudo terminal may be told any. */
enum { MOST_ROWS = 1000, MOST_COLUMNS = 2000, ESCAPE_MS = 25, MOST_ESCAPE_MS = 5000 };

struct terminal {
    struct display *display;
    struct decoder decoder;
    struct termios found; /* what the terminal is given back with */
    struct termios own;   /* what it has meanwhile */
    uint64_t received;    /* when the last bytes came, in nanoseconds */
    uint16_t rows, columns;
    int escape_ms;
    bool gone; /* hung up */
    struct signals_seen seen;
};

/* Somebody else who has the terminal open may have asked for writes that do not block. */
static bool wait_for_room(void) {
    struct pollfd entry = {.fd = STDOUT_FILENO, .events = POLLOUT};
    return os_poll(&entry, 1, -1) >= 0 || errno == EINTR;
}

static void give(struct terminal *terminal, struct display_bytes bytes) {
    while (bytes.length && !terminal->gone) {
        ssize_t written = os_write(STDOUT_FILENO, bytes.at, bytes.length);
        if (written < 0 && errno == EAGAIN && wait_for_room())
            continue;
        if (written <= 0) {
            terminal->gone = true;
            return;
        }
        bytes.at += written;
        bytes.length -= (size_t)written;
    }
}

/* --- modes --- */

/* Every byte comes as it is, at once, and no key makes a signal. */
static int make_raw(struct terminal *terminal) {
    struct termios raw = terminal->found;
    cfmakeraw(&raw);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    if (os_set_terminal_mode(STDIN_FILENO, &raw, false) < 0)
        return -1;
    if (os_terminal_mode(STDIN_FILENO, &terminal->own) == 0)
        return 0;
    int reason = errno;
    os_set_terminal_mode(STDIN_FILENO, &terminal->found, false);
    errno = reason;
    return -1;
}

static void ask_size(struct terminal *terminal) {
    uint16_t rows = 0, columns = 0, usual_rows, usual_columns;
    display_usual_size(&usual_rows, &usual_columns);
    if (os_terminal_size(STDOUT_FILENO, &rows, &columns) < 0)
        rows = columns = 0;
    rows = rows ? rows : usual_rows;
    columns = columns ? columns : usual_columns;
    terminal->rows = rows < MOST_ROWS ? rows : MOST_ROWS;
    terminal->columns = columns < MOST_COLUMNS ? columns : MOST_COLUMNS;
    display_resize(terminal->display, terminal->rows, terminal->columns);
}

static void prepare_rescue(struct terminal *terminal) {
    struct display_bytes bytes = display_rescue(terminal->display);
    signals_set_rescue(bytes.at, bytes.length, &terminal->found);
}

static void leave(struct terminal *terminal) {
    terminal->gone = false; /* a write that failed once is tried again for this */
    give(terminal, display_leave(terminal->display));
    os_set_terminal_mode(STDIN_FILENO, &terminal->found, true);
    signals_set_rescue(NULL, 0, NULL);
}

/* After a stop: the shell may have changed what it gives and gets back.  But what comes as it was taken here
 * was given back by a shell that keeps the modes of stopped programs, or there was no stop at all. */
static void enter_again(struct terminal *terminal) {
    struct termios now = {0};
    if (os_terminal_mode(STDIN_FILENO, &now) == 0 && memcmp(&now, &terminal->own, sizeof now) != 0)
        terminal->found = now;
    make_raw(terminal);
    ask_size(terminal);
    prepare_rescue(terminal);
}

/* --- life --- */

static int escape_time(void) {
    const char *text = os_environment("ESCDELAY");
    char *end;
    long value = text && *text ? strtol(text, &end, 10) : -1;
    return value >= 0 && value <= MOST_ESCAPE_MS && !*end ? (int)value : ESCAPE_MS;
}

static struct jitscope_error *take(struct terminal *terminal, const struct terminal_options *options) {
    if (os_terminal_mode(STDIN_FILENO, &terminal->found) < 0)
        return error_system("tcgetattr", "standard input");
    TRY(display_create(options, &terminal->display));
    TRY(signals_take(STDOUT_FILENO, &terminal->found));
    if (make_raw(terminal) == 0)
        return NULL;
    struct jitscope_error *error = error_system("tcsetattr", "standard input");
    os_set_terminal_mode(STDIN_FILENO, &terminal->found,
                         false); /* it may be raw, and what it is be unknown */
    signals_release();
    return error;
}

struct jitscope_error *terminal_open(const struct terminal_options *options, struct terminal **terminal) {
    if (!os_is_terminal(STDIN_FILENO) || !os_is_terminal(STDOUT_FILENO))
        return error_create(JITSCOPE_ERROR_SYSTEM, "standard %s is no terminal",
                            os_is_terminal(STDIN_FILENO) ? "output" : "input");
    struct terminal *made = os_allocate_zeroed(sizeof *made);
    if (!made)
        return error_no_memory();
    struct jitscope_error *error = take(made, options);
    if (error) {
        if (made->display)
            display_destroy(made->display);
        os_release(made);
        return error;
    }
    made->escape_ms = escape_time();
    display_add_keys(&made->decoder);
    ask_size(made);
    prepare_rescue(made);
    *terminal = made;
    return NULL;
}

void terminal_close(struct terminal *terminal) {
    if (!terminal)
        return;
    leave(terminal);
    signals_release();
    display_destroy(terminal->display);
    os_release(terminal);
}

void terminal_size(const struct terminal *terminal, uint16_t *rows, uint16_t *columns) {
    *rows = terminal->rows;
    *columns = terminal->columns;
}

bool terminal_is_ascii(const struct terminal *terminal) {
    return display_is_ascii(terminal->display);
}

int terminal_depth(const struct terminal *terminal) {
    return display_depth(terminal->display);
}

void terminal_draw(struct terminal *terminal, const struct grid *grid) {
    give(terminal, display_draw(terminal->display, grid));
}

void terminal_redraw(struct terminal *terminal) {
    make_raw(terminal);
    display_redraw(terminal->display);
}

/* --- events --- */

static void look_at_signals(struct terminal *terminal) {
    struct signals_seen now = signals_look(), *seen = &terminal->seen;
    seen->resized |= now.resized;
    seen->continued |= now.continued;
    seen->stop |= now.stop;
    seen->end = now.end ? now.end : seen->end;
}

static void stop(struct terminal *terminal, bool group) {
    leave(terminal);
    signals_stop(group);
    enter_again(terminal);
    look_at_signals(terminal);
    terminal->seen.continued = terminal->seen.stop = false;
    terminal->seen.resized = true;
}

void terminal_suspend(struct terminal *terminal) {
    stop(terminal, true);
}

/* What signals ask for comes before keys. */
static bool signal_event(struct terminal *terminal, struct terminal_event *event) {
    look_at_signals(terminal);
    struct signals_seen *seen = &terminal->seen;
    if (seen->end || terminal->gone) {
        *event = (struct terminal_event){.kind = TERMINAL_ENDED, .signal = seen->end ? seen->end : SIGHUP};
        seen->end = 0;
        return true;
    }
    if (seen->stop)
        stop(terminal, false);
    if (seen->continued) {
        give(terminal, display_leave(terminal->display));
        enter_again(terminal);
    } else if (seen->resized) {
        ask_size(terminal);
        prepare_rescue(terminal);
    } else {
        return false;
    }
    seen->continued = seen->resized = false;
    *event = (struct terminal_event){.kind = TERMINAL_RESIZE};
    return true;
}

static void receive(struct terminal *terminal) {
    size_t room;
    unsigned char *bytes = decoder_room(&terminal->decoder, &room);
    ssize_t got = os_read(STDIN_FILENO, bytes, room);
    terminal->received = os_time_ns();
    if (got > 0)
        decoder_received(&terminal->decoder, (size_t)got);
    else if (got == 0 || errno != EAGAIN)
        terminal->gone = true;
}

static int left(uint64_t start, int timeout) {
    if (timeout < 0)
        return -1;
    uint64_t passed = (os_time_ns() - start) / 1000000;
    return passed >= (uint64_t)timeout ? 0 : timeout - (int)passed;
}

/* How many milliseconds more something may follow the bytes that wait; -1: none wait. */
static int patience(const struct terminal *terminal) {
    if (!decoder_is_waiting(&terminal->decoder))
        return -1;
    return left(terminal->received, terminal->escape_ms);
}

/* Nothing has followed for so long that nothing will; what came while nobody looked has followed. */
static bool is_silent(const struct terminal *terminal) {
    struct pollfd entry = {.fd = STDIN_FILENO, .events = POLLIN};
    return patience(terminal) == 0 && os_poll(&entry, 1, 0) == 0;
}

/* Until something is there, at most TIMEOUT; whether DESCRIPTOR is readable, or the time over. */
static bool wait_for_any(struct terminal *terminal, int timeout, int descriptor) {
    struct pollfd entries[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                               {.fd = signals_descriptor(), .events = POLLIN},
                               {.fd = descriptor, .events = POLLIN}};
    int rest = patience(terminal);
    bool sooner = rest >= 0 && (timeout < 0 || timeout > rest);
    int ready = os_poll(entries, 3, sooner ? rest : timeout);
    if (ready <= 0)
        return ready == 0 && !sooner;
    if (entries[0].revents)
        receive(terminal);
    return entries[2].revents && !entries[0].revents && !entries[1].revents;
}

struct terminal_event terminal_wait(struct terminal *terminal, int timeout, int descriptor) {
    struct terminal_event event = {.kind = TERMINAL_NOTHING};
    uint64_t start = os_time_ns();
    for (;;) {
        bool silent = is_silent(terminal);
        if (signal_event(terminal, &event) || decoder_next(&terminal->decoder, silent, os_time_ns(), &event))
            break;
        if (wait_for_any(terminal, left(start, timeout), descriptor))
            break;
    }
    uint16_t last_row = (uint16_t)(terminal->rows - 1), last_column = (uint16_t)(terminal->columns - 1);
    event.row = event.row < last_row ? event.row : last_row;
    event.column = event.column < last_column ? event.column : last_column;
    return event;
}

/* --- clipboard --- */

static void append_base64(struct text *out, const unsigned char *bytes, size_t length) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < length; i += 3) {
        size_t count = length - i < 3 ? length - i : 3;
        uint32_t group = 0;
        for (size_t j = 0; j < 3; j++)
            group = group << 8 | (j < count ? bytes[i + j] : 0);
        char four[4];
        for (size_t j = 0; j < 4; j++)
            four[j] = j <= count ? digits[group >> (18 - 6 * j) & 63] : '=';
        text_append_bytes(out, four, 4);
    }
}

/* tmux takes no OSC 52 from programs inside it unless told to (set-clipboard on), but its own command, which
 * hands the text on to the outer terminal as well (-w). */
static bool give_to_tmux(const char *text, size_t length) {
    static char *const words[] = {"tmux", "load-buffer", "-w", "-", NULL};
    const char *inside = os_environment("TMUX");
    int file = inside && *inside ? os_memory_file("copied") : -1;
    if (file < 0)
        return false;
    bool done = os_write_at(file, text, length, 0) == (ssize_t)length && os_run(words, file) == 0;
    os_close(file);
    return done;
}

bool terminal_copy(struct terminal *terminal, const char *text, size_t length) {
    if (length > TERMINAL_MOST_COPIED)
        return false;
    if (give_to_tmux(text, length))
        return true;
    struct text out = {0};
    text_append(&out, "\033]52;c;");
    append_base64(&out, (const unsigned char *)text, length);
    text_append(&out, "\007");
    if (!out.failed)
        give(terminal, (struct display_bytes){out.data, out.length});
    text_destroy(&out);
    return true;
}
