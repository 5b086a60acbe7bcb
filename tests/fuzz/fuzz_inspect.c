/* A recording, looked at: the first byte says how many inputs follow, then come these and the recording. Each
 * can be drawn, and what is drawn steers no terminal.  Digests are made right first: behind them is what
 * wants testing. */
#define _GNU_SOURCE
#include "fuzz_mend.h"

#include "draw/draw.h"
#include "model/commands.h"
#include "model/update.h"

#include <sys/mman.h>
#include <unistd.h>

enum { FIRST_COMMAND = 0x80, MOST_WORK = 1000 };

static const char *const arguments[] = {"", "1", "-1", "main", "0x10000000", "name ~ a", "all", "in"};

/* Bytes below 0x80 are keys, the others commands, on which the next byte says what stands behind them. */
static struct input input_of(const uint8_t **at, const uint8_t *end, char *line, size_t room) {
    uint8_t byte = *(*at)++;
    if (byte == 0)
        return (struct input){.kind = INPUT_RESIZE, .rows = *at < end ? *(*at)++ : 24, .columns = 80};
    if (byte == 1)
        return (struct input){
            .kind = INPUT_CLICK, .rows = *at < end ? *(*at)++ : 3, .columns = 3, .twice = true};
    if (byte < FIRST_COMMAND)
        return (struct input){.kind = INPUT_KEY, .key = byte};
    uint32_t number = (byte - FIRST_COMMAND) % (inspector_command_count + SCREEN_COUNT);
    const char *name = number < inspector_command_count ? inspector_commands[number].name
                                                        : screens[number - inspector_command_count].name;
    uint8_t argument = *at < end ? *(*at)++ : 0;
    snprintf(line, room, "%s %s", name, arguments[argument % (sizeof arguments / sizeof *arguments)]);
    return (struct input){.kind = INPUT_COMMAND, .command = line};
}

static void check_grid(const struct grid *grid) {
    for (uint16_t row = 0; row < grid->rows; row++)
        for (uint16_t column = 0; column < grid->columns; column++) {
            uint32_t character = grid_cell(grid, row, column)->character;
            FUZZ_HOLDS(!character || character_columns(character));
        }
}

static void forget_effects(struct state *state) {
    for (uint32_t i = 0; i < state->effects.count; i++)
        os_release(state->effects.data[i].text);
    state->effects.count = 0;
}

static void work(struct state *state) {
    const struct input more = {.kind = INPUT_WORK};
    for (int i = 0; i < MOST_WORK && update_has_work(state); i++) {
        int descriptor = sheet_descriptor(&state->table.sheet);
        if (state->table.sheet.is_waiting && descriptor >= 0)
            os_wait_readable(descriptor, 10);
        update(state, &more);
    }
}

static void play(struct state *state, const uint8_t *script, size_t length) {
    struct grid grid = {0};
    const uint8_t *end = script + length;
    while (script < end) {
        char line[64];
        struct input input = input_of(&script, end, line, sizeof line);
        bool good = update(state, &input);
        FUZZ_HOLDS(good || state->message.length);
        forget_effects(state);
        work(state);
        fuzz_expect_message(draw(&grid, state));
        check_grid(&grid);
        FUZZ_HOLDS(state->inspected->now <= inspected_last(state->inspected));
    }
    grid_destroy(&grid);
}

static void inspect(const char *path, const uint8_t *script, size_t length) {
    struct inspected *inspected;
    struct state state;
    bool more = true;
    struct jitscope_error *error = inspected_open(path, UINT64_MAX / 2, &inspected);
    if (error) {
        fuzz_expect_message(error);
        return;
    }
    while (more && !error)
        error = inspected_work(inspected, UINT64_MAX / 2, &more);
    fuzz_expect_message(error);
    error = state_create(&state, inspected);
    if (!error) {
        const struct input news = {.kind = INPUT_NEWS};
        update(&state, &news);
        play(&state, script, length);
        state_destroy(&state);
    }
    fuzz_expect_message(error);
    inspected_close(inspected);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static int fd = -1;
    static char path[32];
    if (fd < 0) {
        fd = memfd_create("inspected", MFD_CLOEXEC);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    if (fd < 0)
        abort();
    size_t length = size ? data[0] : 0;
    if (size < 1 + length)
        return 0;
    uint8_t *copy = mended_copy(data + 1 + length, size - 1 - length);
    FUZZ_HOLDS(ftruncate(fd, 0) == 0);
    FUZZ_HOLDS(pwrite(fd, copy, size - 1 - length, 0) == (ssize_t)(size - 1 - length));
    free(copy);
    inspect(path, data + 1, length);
    return 0;
}
