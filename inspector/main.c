/* jitscope-inspector: what `jitscope inspect` becomes.  A program of its own, so that the tool, which runs
 * other people's code inside itself, never loads a terminal library. */
#include "grid/theme.h"
#include "run/choose.h"
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
    run->grid.ascii = options->ascii;
    run->depth = options->colors.given ? (int)options->colors.value : 256;
    if (options->colors.given && options->colors.value != 0 && options->colors.value != 16 &&
        options->colors.value != 256)
        return error_create(JITSCOPE_ERROR_USAGE, "--colors can be 256, 16 or 0");
    return options->size ? run_resize(run, options->size) : NULL;
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

/* --- what is to be looked at
 * ------------------------------------------------------------------------------------------------- */

static struct jitscope_error *list_sessions(void) {
    struct live_sessions sessions;
    struct text text = {0};
    TRY(live_list(&sessions));
    sessions_print(&text, &sessions);
    live_sessions_destroy(&sessions);
    fputs(text.failed || !text.data ? "" : text.data, stdout);
    text_destroy(&text);
    return fflush(stdout) ? error_system("cannot write", "standard output") : NULL;
}

/* The only process there is needs no choice. */
static struct jitscope_error *choose(struct inspected **inspected) {
    struct live_sessions sessions;
    TRY(live_list(&sessions));
    struct jitscope_error *error = NULL;
    if (sessions.list.count == 1)
        error = inspected_attach(sessions.list.data[0].process, sessions.list.data[0].session, FIRST_LOOK,
                                 inspected);
    else if (!sessions.list.count)
        error = error_with_help(
            error_create(JITSCOPE_ERROR_USAGE, "nothing to look at is named, and no process allows it"),
            "jitscope inspect FILE.jsr; `jitscope run --inspectable` lets its process be looked at");
    else
        error = choose_on_terminal(&sessions, FIRST_LOOK, inspected);
    live_sessions_destroy(&sessions);
    return error;
}

static struct jitscope_error *open_subject(const struct options *options, struct inspected **inspected) {
    bool live = options->pid.given;
    if (options->items.count + live > 1)
        return error_with_help(error_create(JITSCOPE_ERROR_USAGE, "one recording, or process, at a time"),
                               "jitscope inspect FILE.jsr, or jitscope inspect --pid PID");
    if (options->pid.value > UINT32_MAX || options->session.value > UINT32_MAX)
        return error_create(JITSCOPE_ERROR_USAGE,
                            "--pid and --session want numbers of a process and a session");
    if (live)
        return inspected_attach((uint32_t)options->pid.value, (uint32_t)options->session.value, FIRST_LOOK,
                                inspected);
    return options->items.count ? inspected_open(options->items.data[0].text, FIRST_LOOK, inspected)
                                : choose(inspected);
}

static struct jitscope_error *inspect(const struct options *options) {
    struct inspected *inspected;
    struct state state;
    struct theme theme;
    if (options->list)
        return list_sessions();
    TRY(open_subject(options, &inspected));
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
