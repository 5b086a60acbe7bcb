/* jitscope-inspector: what `jitscope inspect` becomes.  A program of its own, so that the tool, which runs
 * other people's code inside itself, never loads a terminal library. */
#include "grid/theme.h"
#include "run/run.h"

#include "options.h"

#include "base/os.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { FIRST_LOOK = 200000000 }; /* nanoseconds before the first screen */

static struct jitscope_error *read_whole(const char *path, struct text *out, bool *there) {
    char buffer[4096];
    ssize_t got = 0;
    int fd = os_open(path, O_RDONLY, 0);
    *there = fd >= 0;
    while (fd >= 0 && (got = os_read(fd, buffer, sizeof buffer)) > 0)
        text_append_bytes(out, buffer, (size_t)got);
    if (fd >= 0)
        os_close(fd);
    return got < 0 ? error_system("cannot read", path) : out->failed ? error_no_memory() : NULL;
}

/* The user's files are in $XDG_CONFIG_HOME/jitscope, or ~/.config/jitscope (XDG Base Directory
 * Specification). */
static void config_path(struct text *path, const char *name) {
    const char *folder = os_environment("XDG_CONFIG_HOME"), *home = os_environment("HOME");
    if (folder && *folder == '/')
        text_print(path, "%s/jitscope/%s", folder, name);
    else
        text_print(path, "%s/.config/jitscope/%s", home ? home : "", name);
}

static struct jitscope_error *read_config(struct theme *theme, struct keymap *keymap) {
    static const char *const names[] = {"theme", "keys"};
    struct jitscope_error *error = NULL;
    for (size_t i = 0; i < 2 && !error; i++) {
        struct text path = {0}, content = {0};
        bool there = false;
        config_path(&path, names[i]);
        error = path.failed ? error_no_memory() : read_whole(path.data, &content, &there);
        const char *text = content.data ? content.data : "";
        if (there && !error)
            error = i ? keymap_read(keymap, text, content.length, path.data)
                      : theme_read(theme, text, content.length, path.data);
        text_destroy(&path);
        text_destroy(&content);
    }
    return error;
}

static struct jitscope_error *set_up(struct run *run, const struct options *options) {
    unsigned columns, rows;
    char end;
    run->grid.ascii = options->ascii;
    run->depth = options->colors.given ? (int)options->colors.value : 256;
    if (options->colors.given && options->colors.value != 0 && options->colors.value != 16 &&
        options->colors.value != 256)
        return error_create(JITSCOPE_ERROR_USAGE, "--colors can be 256, 16 or 0");
    if (!options->size)
        return NULL;
    if (sscanf(options->size, "%ux%u%c", &columns, &rows, &end) != 2 || !columns || !rows || columns > 1000 ||
        rows > 1000)
        return error_create(JITSCOPE_ERROR_USAGE, "--size wants COLUMNSxROWS, as in 80x24");
    run->state->columns = (uint16_t)columns;
    run->state->rows = (uint16_t)rows;
    return NULL;
}

static struct jitscope_error *start_as_told(struct run *run, const struct options *options) {
    struct text line = {0};
    struct jitscope_error *error = NULL;
    if (options->at.given)
        text_print(&line, "goto %llu", (unsigned long long)options->at.value);
    if (line.length) {
        struct input input = {.kind = INPUT_COMMAND, .command = line.data};
        if (!update(run->state, &input))
            error = error_create(JITSCOPE_ERROR_USAGE, "%s", run->state->message.data);
    }
    text_destroy(&line);
    return error;
}

static struct jitscope_error *drive(struct run *run, const struct options *options) {
    bool good = true;
    TRY(set_up(run, options));
    TRY(start_as_told(run, options));
    if (options->batch)
        return run_batch(run, options->batch, options->filter, options->json);
    if (!options->script) {
        run->depth = options->colors.given ? run->depth : -1;
        return run_terminal(run, !options->no_mouse, options->ascii ? 1 : -1);
    }
    TRY(run_script(run, options->script, &good));
    return good ? NULL : error_create(JITSCOPE_ERROR_CHECK_FAILED, "a line of the script failed");
}

static struct jitscope_error *inspect(const struct options *options) {
    struct inspected *inspected;
    struct state state;
    struct theme theme;
    if (options->items.count != 1)
        return error_with_help(error_create(JITSCOPE_ERROR_USAGE, "one recording is to be named"),
                               "jitscope inspect FILE.jsr");
    TRY(inspected_open(options->items.data[0].text, FIRST_LOOK, &inspected));
    struct jitscope_error *error = state_create(&state, inspected);
    if (!error) {
        struct run run = {.state = &state, .theme = &theme};
        theme_built_in(&theme);
        error = read_config(&theme, &state.keymap);
        if (!error)
            error = drive(&run, options);
        grid_destroy(&run.grid);
        state_destroy(&state);
    }
    inspected_close(inspected);
    return error;
}

int main(int argc, char **argv) {
    struct options options;
    struct jitscope_error *error = options_parse(COMMAND_inspect, argc - 1, argv + 1, &options);
    if (!error)
        error = inspect(&options);
    options_destroy(&options);
    error = error_with_usual_help(error);
    int status = error ? jitscope_error_exit_status(jitscope_error_code(error)) : 0;
    if (error)
        fprintf(stderr, "jitscope: error: %s\n", jitscope_error_message(error));
    jitscope_error_destroy(error);
    return status;
}
