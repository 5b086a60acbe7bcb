/* An inspector without a terminal: inputs go in, what the screen shows comes out. */
#ifndef DRIVEN_INSPECTOR_H
#define DRIVEN_INSPECTOR_H

#include "base/os.h"
#include "draw/draw.h"
#include "model/commands.h"
#include "model/update.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define GOLDEN(name) GOLDEN_FOLDER "/" name ".jsr"

struct driven {
    struct inspected *inspected;
    struct state state;
    struct grid grid;
    struct text screen;
};

static inline void drive(struct driven *driven, const char *path) {
    *driven = (struct driven){0};
    bool more = true;
    assert_null(inspected_open(path, UINT64_MAX / 2, &driven->inspected));
    while (more)
        assert_null(inspected_work(driven->inspected, UINT64_MAX / 2, &more));
    assert_null(state_create(&driven->state, driven->inspected));
    assert_true(update(&driven->state, &(struct input){.kind = INPUT_NEWS}));
}

static inline void stop_driving(struct driven *driven) {
    state_destroy(&driven->state);
    inspected_close(driven->inspected);
    grid_destroy(&driven->grid);
    text_destroy(&driven->screen);
}

/* Scans, searches, and what other processes work out, to their ends: whether all went well. */
static inline bool finish_work(struct driven *driven) {
    const struct input work = {.kind = INPUT_WORK};
    bool good = true;
    while (update_has_work(&driven->state)) {
        int descriptor = sheet_descriptor(&driven->state.table.sheet);
        if (descriptor >= 0)
            os_wait_readable(descriptor, 100);
        good &= update(&driven->state, &work);
    }
    return good;
}

static inline const char *look(struct driven *driven) {
    assert_null(draw(&driven->grid, &driven->state));
    text_clear(&driven->screen);
    grid_print_text(&driven->screen, &driven->grid);
    return driven->screen.data;
}

static inline bool give(struct driven *driven, struct input input) {
    bool good = update(&driven->state, &input);
    good &= finish_work(driven);
    look(driven);
    return good;
}

/* Whether COMMAND could be done; what it says is the state's message. */
static inline bool can(struct driven *driven, const char *command) {
    return give(driven, (struct input){.kind = INPUT_COMMAND, .command = command});
}

static inline void run(struct driven *driven, const char *command) {
    if (!can(driven, command))
        fail_msg("%s: %s", command, driven->state.message.data);
}

static inline bool press(struct driven *driven, uint32_t key) {
    return give(driven, (struct input){.kind = INPUT_KEY, .key = key});
}

/* Names of keys, as in scripts: whether all worked. */
static inline bool keys(struct driven *driven, const char *names) {
    bool good = true;
    while (*names) {
        size_t length = strcspn(names, " ");
        uint32_t key = key_parse(names, length);
        if (!key)
            fail_msg("no key is called %s", names);
        good &= press(driven, key);
        names += length + strspn(names + length, " ");
    }
    return good;
}

/* Characters, as somebody types them. */
static inline void type(struct driven *driven, const char *text) {
    for (size_t length = strlen(text), step; length; text += step, length -= step) {
        uint32_t character;
        step = text_utf8_decode((const unsigned char *)text, length, &character);
        press(driven, character);
    }
}

static inline void resize(struct driven *driven, uint16_t rows, uint16_t columns) {
    give(driven, (struct input){.kind = INPUT_RESIZE, .rows = rows, .columns = columns});
}

static inline const char *message(const struct driven *driven) {
    return driven->state.message.data ? driven->state.message.data : "";
}

static inline const char *screen_name(const struct driven *driven) {
    return screens[driven->state.place.screen].name;
}

/* What stands under the cursor in COLUMN; valid until the next call. */
static inline const char *cell(struct driven *driven, const char *column) {
    static char printed[256];
    struct text text = {0};
    const struct sheet *sheet = &driven->state.table.sheet;
    const struct cell *row = table_cursor_row(&driven->state.table);
    int number = sheet_column(sheet, column);
    assert_non_null(row);
    assert_true(number >= 0);
    cell_print(&text, &sheet->columns[number], &row[number]);
    snprintf(printed, sizeof printed, "%s", text.data ? text.data : "");
    text_destroy(&text);
    return printed;
}

/* The effects that were asked for, as "quit copy:main write:f.txt=12 ..."; they are forgotten. */
static inline const char *take_effects(struct driven *driven) {
    static const char *const names[] = {
        [EFFECT_QUIT] = "quit",
        [EFFECT_COPY] = "copy",
        [EFFECT_WRITE] = "write",
        [EFFECT_WRITE_RECORDING] = "write-recording",
        [EFFECT_SAVE_SCREEN] = "save-screen",
        [EFFECT_SUSPEND] = "suspend",
        [EFFECT_REDRAW] = "redraw",
    };
    static char told[1024];
    size_t used = 0;
    told[0] = 0;
    for (uint32_t i = 0; i < driven->state.effects.count; i++) {
        struct effect *effect = &driven->state.effects.data[i];
        used +=
            (size_t)snprintf(told + used, sizeof told - used, "%s%s%s%s%s%.*s", i ? " " : "",
                             names[effect->kind], effect->path ? ":" : "", effect->path ? effect->path : "",
                             effect->text ? "=" : "", (int)effect->length, effect->text ? effect->text : "");
        assert_true(used < sizeof told);
        os_release(effect->text);
    }
    driven->state.effects.count = 0;
    return told;
}

static inline void forget_effects(struct driven *driven) {
    for (uint32_t i = 0; i < driven->state.effects.count; i++)
        os_release(driven->state.effects.data[i].text);
    driven->state.effects.count = 0;
}

#endif
