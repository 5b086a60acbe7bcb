/* The loop on a terminal: input as long as there is some, then one drawing. */
#include "run/run.h"

#include "base/os.h"
#include "terminal/terminal.h"

#include <time.h>

enum { FRAME_MILLISECONDS = 16, WAIT_MILLISECONDS = 100, WORK_NANOSECONDS = 6000000 };

static uint64_t milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void take_size(struct run *run, const struct terminal *terminal) {
    struct input input = {.kind = INPUT_RESIZE};
    terminal_size(terminal, &input.rows, &input.columns);
    update(run->state, &input);
}

static struct input from_mouse(const struct terminal_event *event) {
    struct input input = {.kind = INPUT_CLICK, .rows = event->row, .columns = event->column};
    input.twice = event->button == BUTTON_DOUBLE;
    if (event->button == BUTTON_WHEEL_UP || event->button == BUTTON_WHEEL_DOWN) {
        input.kind = INPUT_WHEEL;
        input.wheel = event->button == BUTTON_WHEEL_UP ? -3 : 3;
    }
    return input;
}

static void take_event(struct run *run, const struct terminal *terminal, const struct terminal_event *event) {
    struct input input = {.kind = INPUT_KEY, .key = event->key};
    if (event->kind == TERMINAL_RESIZE) {
        take_size(run, terminal);
        return;
    }
    if (event->kind == TERMINAL_ENDED) {
        run->has_quit = true;
        run->signal = event->signal;
    }
    if (event->kind == TERMINAL_MOUSE)
        input = from_mouse(event);
    if (event->kind == TERMINAL_PASTE && !run->state->prompt.is_open)
        return; /* what is pasted is text, not commands */
    if (event->kind != TERMINAL_KEY && event->kind != TERMINAL_PASTE && event->kind != TERMINAL_MOUSE)
        return;
    update(run->state, &input);
    run_effects(run);
}

static int time_to_wait(const struct run *run, bool more) {
    const struct sheet *sheet = &run->state->table.sheet;
    if (sheet_descriptor(sheet) >= 0)
        return WAIT_MILLISECONDS;
    if (more || update_has_work(run->state))
        return 0;
    return run->state->inspected->is_live ? FRAME_MILLISECONDS : -1;
}

/* Input, for a frame at most. */
static void take_events(struct run *run, struct terminal *terminal, bool more) {
    uint64_t begin = milliseconds();
    const struct sheet *sheet = &run->state->table.sheet;
    int descriptor = sheet->is_waiting ? sheet_descriptor(sheet) : -1;
    struct terminal_event event = terminal_wait(terminal, time_to_wait(run, more), descriptor);
    while (event.kind != TERMINAL_NOTHING && !run->has_quit) {
        take_event(run, terminal, &event);
        if (milliseconds() - begin >= FRAME_MILLISECONDS)
            break;
        event = terminal_wait(terminal, 0, -1);
    }
}

static void work(struct run *run, bool *more) {
    const struct input news = {.kind = INPUT_NEWS}, scan = {.kind = INPUT_WORK};
    uint64_t version = run->state->inspected->version;
    state_complain(run->state, inspected_work(run->state->inspected, WORK_NANOSECONDS, more));
    if (run->state->inspected->version != version)
        update(run->state, &news);
    if (update_has_work(run->state))
        update(run->state, &scan);
}

static bool copy(void *context, const char *text, size_t length) {
    return terminal_copy(context, text, length);
}

static void suspend(void *context) {
    terminal_suspend(context);
}

static struct jitscope_error *loop(struct run *run, struct terminal *terminal) {
    bool more = true;
    take_size(run, terminal);
    while (!run->has_quit) {
        TRY(draw(&run->grid, run->state));
        if (run->is_stale)
            terminal_redraw(terminal);
        run->is_stale = false;
        terminal_draw(terminal, &run->grid);
        take_events(run, terminal, more);
        work(run, &more);
    }
    return NULL;
}

struct jitscope_error *run_terminal(struct run *run, bool mouse, int ascii) {
    struct terminal *terminal;
    struct terminal_options options = {
        .theme = run->theme, .depth = run->depth, .ascii = ascii, .mouse = mouse};
    TRY(terminal_open(&options, &terminal));
    run->grid.ascii = terminal_is_ascii(terminal);
    run->copy = copy;
    run->suspend = suspend;
    run->context = terminal;
    struct jitscope_error *error = loop(run, terminal);
    terminal_close(terminal);
    if (run->signal)
        os_raise(run->signal); /* the shell is told what ended the program */
    return error;
}
