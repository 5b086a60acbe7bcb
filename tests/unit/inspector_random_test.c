/* What must hold of the inspector whatever is pressed, typed and resized: on each golden recording, thousands
 * of random inputs, the same in each run (RANDOM_SEED=N: others; RANDOM_ROUNDS=N: more). */
#define _GNU_SOURCE
#include "driven_inspector.h"

#include <dirent.h>
#include <stdlib.h>

enum { INPUTS = 1500, USUAL_SEED = 20261 };

static uint64_t random_state;

static uint32_t any(uint32_t below) {
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((random_state >> 33) % below);
}

static uint64_t number_from(const char *name, uint64_t fallback) {
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 0) : fallback;
}

/* --- random inputs --- */

static const char *const arguments[] = {"",
                                        "1",
                                        "-1",
                                        "0",
                                        "7",
                                        "-30",
                                        "18446744073709551615",
                                        "-9223372036854775808",
                                        "all",
                                        "main",
                                        "got:main",
                                        "in",
                                        "out",
                                        "name",
                                        "-size",
                                        "name ~ a",
                                        "a",
                                        "é",
                                        "x\xff",
                                        "size > 4",
                                        "size >",
                                        "link",
                                        "9223372036854775807",
                                        "link = 1 or size < 9",
                                        "0x400000",
                                        "+1ms",
                                        "+1e300s",
                                        "0x400028",
                                        "4294967296",
                                        "Z",
                                        "%s%n",
                                        "symbol = main"};

static void any_command(char *line, size_t room) {
    uint32_t number = any(inspector_command_count + SCREEN_COUNT);
    const struct inspector_command *command =
        number < inspector_command_count ? &inspector_commands[number] : NULL;
    const char *name = command ? command->name : screens[number - inspector_command_count].name;
    bool alone = (!command || command->argument == ARGUMENT_NOTHING) && any(8);
    snprintf(line, room, "%s %s", name, alone ? "" : arguments[any(sizeof arguments / sizeof *arguments)]);
}

static uint32_t any_key(void) {
    static const uint32_t characters[] = {' ',  'a',    'z',    '0',     '_', '~',     '\\',
                                          0xe9, 0x20ac, 0x202e, 0x1f600, '"', 0x10ffff};
    switch (any(8)) {
    case 0:
        return KEY_BASE + any(32); /* and some that are none */
    case 1:
        return 1 + any(31);
    case 2:
        return characters[any(sizeof characters / sizeof *characters)];
    case 3:
        return any(4) ? KEY_RETURN : KEY_ESCAPE;
    default:
        return ' ' + any(95);
    }
}

static struct input any_input(char *line, size_t room) {
    static const uint16_t sizes[] = {0, 1, 2, 3, 4, 5, 6, 14, 20, 24, 60, 80, 120, 200, 1000};
    enum { SIZES = sizeof sizes / sizeof *sizes };
    switch (any(16)) {
    case 0:
        return (struct input){
            .kind = INPUT_RESIZE, .rows = sizes[any(SIZES - 3)], .columns = sizes[any(SIZES)]};
    case 1:
        return (struct input){
            .kind = INPUT_CLICK, .rows = (uint16_t)any(70), .columns = (uint16_t)any(70), .twice = any(2)};
    case 2:
        return (struct input){.kind = INPUT_WHEEL, .wheel = any(2) ? 3 : -3};
    case 3:
        return (struct input){.kind = any(2) ? INPUT_WORK : INPUT_NEWS};
    case 4:
    case 5:
    case 6:
    case 7:
        any_command(line, room);
        return (struct input){.kind = INPUT_COMMAND, .command = line};
    default:
        return (struct input){.kind = INPUT_KEY, .key = any_key()};
    }
}

static void print_input(const struct input *input) {
    static const char *const names[] = {"key", "command", "resize", "click", "wheel", "news", "work"};
    print_error("  %s %u '%s' %ux%u %d %d\n", names[input->kind], input->key,
                input->command ? input->command : "", input->rows, input->columns, input->twice,
                input->wheel);
}

/* --- what must hold --- */

/* False, with what does not. */
static const char *what_does_not_hold(struct driven *driven) {
    const struct state *state = &driven->state;
    const struct table *table = &state->table;
    if (driven->inspected->now > inspected_last(driven->inspected))
        return "the moment is one of the recording";
    bool is_drawn = state->rows && state->columns && table->shown.count && !table_has_work(table);
    if (is_drawn && !table->is_scanning && !table->sheet.is_waiting &&
        !table_cursor_row(&driven->state.table))
        return "the cursor stands on a row";
    bool in_view = !is_drawn;
    for (uint32_t i = 0; i < table->shown.count; i++)
        in_view |= table->shown.data[i].place == table->cursor;
    if (!in_view)
        return "the cursor is in view";
    if (state->place.first_column && state->place.first_column >= table->sheet.column_count)
        return "there is a first column";
    if (state->prompt.at > state->prompt.line.length)
        return "the prompt's cursor is in its line";
    if (state->visit > state->visited.count)
        return "the next visited place is one";
    return NULL;
}

static const char *what_is_drawn_wrong(const struct driven *driven) {
    const struct grid *grid = &driven->grid;
    if (grid->rows != driven->state.rows || grid->columns != driven->state.columns)
        return "the grid has the screen's size";
    for (uint16_t row = 0; row < grid->rows; row++)
        for (uint16_t column = 0; column < grid->columns; column++) {
            uint32_t character = grid_cell(grid, row, column)->character;
            if (character && !character_columns(character))
                return "a cell holds what a terminal can show";
        }
    return NULL;
}

/* Draws now and then: the loop on a terminal takes several inputs between two drawings. */
static const char *step(struct driven *driven, const struct input *input) {
    bool good = update(&driven->state, input);
    forget_effects(driven);
    if (!good && (!driven->state.message.length || !driven->state.message_is_error))
        return "what fails says why";
    if (!any(3))
        return NULL;
    struct jitscope_error *error = draw(&driven->grid, &driven->state);
    jitscope_error_destroy(error);
    const char *wrong = error ? "it can be drawn" : what_is_drawn_wrong(driven);
    return wrong ? wrong : what_does_not_hold(driven);
}

/* However one came here, `back` leads to the first screen. */
static const char *go_back(struct driven *driven) {
    struct input escape = {.kind = INPUT_KEY, .key = KEY_ESCAPE};
    struct input back = {.kind = INPUT_COMMAND, .command = "back"};
    update(&driven->state, &escape);
    for (uint32_t left = driven->state.visit; left; left--) {
        uint32_t before = driven->state.visit;
        update(&driven->state, &back);
        if (driven->state.visit >= before && before)
            return "back goes back";
    }
    update(&driven->state, &back);
    return driven->state.message_is_error ? "at the beginning back does nothing" : NULL;
}

/* --- rounds --- */

enum { KEPT = 12 };

static void complain(const char *path, uint64_t seed, uint32_t number, const char *wrong,
                     const struct input *last) {
    print_error("%s, RANDOM_SEED=%llu, input %u: does not hold: %s; the last inputs:\n", path,
                (unsigned long long)seed, number, wrong);
    for (uint32_t i = number < KEPT ? 0 : number - KEPT + 1; i <= number; i++)
        print_input(&last[i % KEPT]);
    fail();
}

static void play(const char *path, uint64_t seed) {
    struct driven driven;
    static char lines[KEPT][96];
    struct input last[KEPT] = {0};
    const char *wrong = NULL;
    random_state = seed;
    drive(&driven, path);
    contents_wait(driven.inspected->contents, 1); /* when another process is done is nobody's choice */
    for (uint32_t i = 0; i < INPUTS && !wrong; i++) {
        last[i % KEPT] = any_input(lines[i % KEPT], sizeof lines[0]);
        wrong = step(&driven, &last[i % KEPT]);
        if (wrong)
            complain(path, seed, i, wrong, last);
    }
    wrong = go_back(&driven);
    if (wrong)
        complain(path, seed, INPUTS, wrong, last);
    stop_driving(&driven);
}

static int is_recording(const struct dirent *entry) {
    const char *end = strrchr(entry->d_name, '.');
    return end && !strcmp(end, ".jsr");
}

static void test_random(void **state) {
    (void)state;
    uint64_t seed = number_from("RANDOM_SEED", USUAL_SEED), rounds = number_from("RANDOM_ROUNDS", 1);
    struct dirent **entries;
    int count = scandir(GOLDEN_FOLDER, &entries, is_recording, alphasort);
    assert_true(count > 5);
    print_message("RANDOM_SEED=%llu\n", (unsigned long long)seed);
    int64_t allocations = os_live_allocations();
    for (int i = 0; i < count; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", GOLDEN_FOLDER, entries[i]->d_name);
        for (uint64_t round = 0; round < rounds; round++)
            play(path, seed + round);
        free(entries[i]);
    }
    free(entries);
    assert_int_equal(os_live_allocations(), allocations);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
