/* Shows every style on a terminal and says what the terminal tells: what tests of the terminal's room drive.
 *
 * terminal_probe [--depth N] [--ascii N] [--no-mouse] [--dump FILE] [--fail N]
 *
 * Keys: q quits, ^Z stops, c and C copy a short and a too long text, s, a, o and i crash (segmentation fault,
 * abort, end of the stack, illegal instruction), h hangs, f draws random frames until the next key.  Each
 * frame's text and looks go to FILE. */
#define _GNU_SOURCE
#include "base/os.h"
#include "grid/grid.h"
#include "grid/theme.h"
#include "keys/keys.h"
#include "terminal/terminal.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct probe {
    struct terminal *terminal;
    struct grid grid;
    struct theme theme;
    const char *dump;
    unsigned events;
    struct text last;
    bool storm;
};

static const char *const style_names[] = {
#define STYLE(NAME, name, fore256, back256, fore16, back16, coloured, mono, meaning) name,
#include "grid/styles.def"
#undef STYLE
};

static void write_dump(struct probe *probe) {
    struct text out = {0};
    char name[4096];
    if (!probe->dump)
        return;
    text_print(&out, "%u %u %d\n", probe->grid.rows, probe->grid.columns, terminal_depth(probe->terminal));
    grid_print_text(&out, &probe->grid);
    text_append(&out, "--- looks\n");
    grid_print_looks(&out, &probe->grid, &probe->theme, terminal_depth(probe->terminal));
    snprintf(name, sizeof name, "%s.new", probe->dump);
    if (out.failed) {
        text_destroy(&out);
        return;
    }
    FILE *file = fopen(name, "w");
    if (!file || fwrite(out.data, 1, out.length, file) != out.length || fclose(file) ||
        rename(name, probe->dump))
        abort();
    text_destroy(&out);
}

static void draw_styles(struct grid *grid) {
    static const char wide[] = "wide \346\274\242\345\255\227 \360\237\230\200 end";
    for (uint16_t i = 0; i < STYLE_COUNT; i++) {
        grid_string(grid, (uint16_t)(i + 1), 0, (enum style)i, style_names[i]);
        for (uint8_t overlay = 0; overlay < 8; overlay++) {
            uint16_t column = (uint16_t)(12 + 5 * overlay);
            grid_text(grid, (uint16_t)(i + 1), column, 4, (enum style)i, "cell", 4);
            grid_overlay(grid, (uint16_t)(i + 1), column, 4, (enum overlay)overlay);
        }
    }
    grid_text(grid, 1, 55, 20, STYLE_NAME, wide, sizeof wide - 1);
    grid_text(grid, 2, 55, 7, STYLE_NAME, wide, sizeof wide - 1);
    for (uint16_t i = 0; i < GLYPH_COUNT; i++)
        grid_glyph(grid, 3, (uint16_t)(55 + i), STYLE_DIM, (enum glyph)i);
    grid_string(grid, 4, 55, STYLE_ERROR, "\033[2J\007 hostile");
}

static void draw_noise(struct grid *grid) {
    for (uint16_t row = 1; row < grid->rows; row++)
        for (uint16_t column = 0; column < grid->columns; column++) {
            uint16_t at = (uint16_t)(rand() % grid->columns);
            grid_text(grid, row, at, 3, (enum style)(rand() % STYLE_COUNT), "\346\274\242x", 4);
            grid_overlay(grid, row, at, 2, (enum overlay)(rand() % 8));
            column = (uint16_t)(column + rand() % 9);
        }
}

static struct jitscope_error *draw(struct probe *probe) {
    uint16_t rows, columns;
    struct grid *grid = &probe->grid;
    struct text title = {0};
    terminal_size(probe->terminal, &rows, &columns);
    TRY(grid_reset(grid, rows, columns));
    grid->ascii = terminal_is_ascii(probe->terminal);
    text_print(&title, "probe %ux%u", rows, columns);
    grid_fill(grid, 0, 0, columns, STYLE_TITLE);
    grid_string(grid, 0, 0, STYLE_TITLE, title.data ? title.data : "");
    if (probe->storm)
        draw_noise(grid);
    else
        draw_styles(grid);
    uint16_t last = (uint16_t)(rows - 1);
    grid_fill(grid, last, 0, columns, STYLE_STATUS);
    grid_string(grid, last, 0, STYLE_STATUS, probe->last.data ? probe->last.data : "ready");
    grid_cursor(grid, probe->events % rows, probe->events % columns);
    write_dump(probe);
    terminal_draw(probe->terminal, grid);
    text_destroy(&title);
    return NULL;
}

static void note(struct probe *probe, const struct terminal_event *event) {
    static const char *const buttons[] = {"left", "middle", "right", "wheel-up", "wheel-down", "double"};
    struct text *out = &probe->last;
    text_clear(out);
    text_print(out, "%u: ", ++probe->events);
    if (event->kind == TERMINAL_KEY || event->kind == TERMINAL_PASTE) {
        text_append(out, event->kind == TERMINAL_KEY ? "key " : "paste ");
        key_print(out, event->key);
    } else if (event->kind == TERMINAL_MOUSE) {
        text_print(out, "mouse %s %u %u", buttons[event->button], event->row, event->column);
    } else {
        text_append(out, event->kind == TERMINAL_RESIZE ? "resize" : "nothing");
    }
    text_append(out, ";");
}

static int dig(volatile char *above) {
    volatile char here[4096];
    here[0] = above ? above[0] : 1;
    if (here[0] == 2)
        return 2;
    return here[0] + dig(here) + here[1];
}

static void obey(struct probe *probe, uint32_t key) {
    volatile int *volatile nowhere = (volatile int *)8; /* which the compiler is not to look through */
    static char much[TERMINAL_MOST_COPIED + 1];
    switch (key) {
    case KEY_CONTROL('Z'):
        terminal_suspend(probe->terminal);
        break;
    case 'c':
        terminal_copy(probe->terminal, "copied \377text\n", 13);
        break;
    case 'C':
        text_append(&probe->last,
                    terminal_copy(probe->terminal, much, sizeof much) ? " copied" : " too long");
        break;
    case 's':
        *nowhere = 1;
        break;
    case 'a':
        abort();
    case 'o':
        dig(NULL);
        break;
    case 'i':
        __builtin_trap();
    case 'r':
        terminal_redraw(probe->terminal);
        break;
    case 'h':
        for (;;)
            pause();
    case 'f':
        probe->storm = true;
        break;
    }
}

static struct jitscope_error *run(struct probe *probe) {
    for (;;) {
        TRY(draw(probe));
        struct terminal_event event = terminal_wait(probe->terminal, probe->storm ? 2 : -1, -1);
        if (event.kind == TERMINAL_NOTHING)
            continue;
        if (event.kind == TERMINAL_ENDED) {
            terminal_close(probe->terminal);
            raise(event.signal);
        }
        probe->storm &= event.kind != TERMINAL_KEY;
        note(probe, &event);
        if (event.kind == TERMINAL_KEY && event.key == 'q')
            return NULL;
        if (event.kind == TERMINAL_KEY)
            obey(probe, event.key);
    }
}

int main(int argc, char **argv) {
    struct probe probe = {0};
    struct terminal_options options = {&probe.theme, -1, -1, true};
    uint64_t fail = 0;
    theme_built_in(&probe.theme);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--no-mouse") == 0)
            options.mouse = false;
        else if (strcmp(argv[i], "--depth") == 0)
            options.depth = atoi(argv[++i]);
        else if (strcmp(argv[i], "--ascii") == 0)
            options.ascii = atoi(argv[++i]);
        else if (strcmp(argv[i], "--dump") == 0)
            probe.dump = argv[++i];
        else if (strcmp(argv[i], "--fail") == 0)
            fail = strtoull(argv[++i], NULL, 10);
    }
    os_fail_after(fail, false);
    struct jitscope_error *error = terminal_open(&options, &probe.terminal);
    if (!error)
        error = run(&probe);
    terminal_close(probe.terminal);
    grid_destroy(&probe.grid);
    text_destroy(&probe.last);
    if (error)
        printf("error: %s\n", jitscope_error_message(error));
    jitscope_error_destroy(error);
    printf("left with %ld\n", (long)os_live_allocations());
    return 0;
}
