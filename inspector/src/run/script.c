/* Scripts: the same engine without a terminal, for tests, pipes and bug reports. */
#define _GNU_SOURCE
#include "run/run.h"

#include "base/os.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_SECONDS = 30 }; /* that `wait` waits */

/* All that follows from INPUT; false when some of it failed. */
static bool perform(struct run *run, const struct input *input) {
    bool is_done = update(run->state, input);
    bool is_finished = run_work(run);
    return run_effects(run) && is_done && is_finished;
}

static struct jitscope_error *press_keys(struct run *run, const char *names) {
    while (*names) {
        size_t length = strcspn(names, " \t");
        struct input input = {.kind = INPUT_KEY, .key = key_parse(names, length)};
        if (!input.key)
            return error_create(JITSCOPE_ERROR_USAGE, "no key is called '%.*s'", (int)length, names);
        bool good = perform(run, &input);
        if (!good)
            return error_create(JITSCOPE_ERROR_USAGE, "%s", run->state->message.data);
        names += length + strspn(names + length, " \t");
    }
    return NULL;
}

struct jitscope_error *run_resize(struct run *run, const char *size) {
    unsigned columns, rows;
    char end;
    if (sscanf(size, "%ux%u%c", &columns, &rows, &end) != 2 || !columns || !rows || columns > 1000 ||
        rows > 1000)
        return error_create(JITSCOPE_ERROR_USAGE, "'%s' is no size; as in 80x24", size);
    struct input input = {.kind = INPUT_RESIZE, .rows = (uint16_t)rows, .columns = (uint16_t)columns};
    update(run->state, &input);
    return NULL;
}

static struct jitscope_error *screen_has(struct run *run, const char *words, bool *found) {
    struct text text = {0};
    TRY(draw(&run->grid, run->state));
    grid_print_text(&text, &run->grid);
    *found = text.data && strstr(text.data, words);
    text_destroy(&text);
    return NULL;
}

static struct jitscope_error *expect(struct run *run, const char *words) {
    bool found;
    TRY(screen_has(run, words, &found));
    return found ? NULL : error_create(JITSCOPE_ERROR_NOT_FOUND, "'%s' is not on the screen", words);
}

static struct jitscope_error *wait_for(struct run *run, const char *words) {
    bool found = false;
    for (int i = 0; i < MOST_SECONDS * 100 && !found; i++) {
        run_work(run);
        TRY(screen_has(run, words, &found));
        if (!found)
            nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
    return found ? NULL : error_create(JITSCOPE_ERROR_NOT_FOUND, "'%s' did not come onto the screen", words);
}

static struct jitscope_error *run_command(struct run *run, const char *line) {
    struct input input = {.kind = INPUT_COMMAND, .command = line};
    bool good = perform(run, &input);
    return good ? NULL : error_create(JITSCOPE_ERROR_USAGE, "%s", run->state->message.data);
}

static const struct {
    const char *name;
    struct jitscope_error *(*run)(struct run *run, const char *argument);
} script_commands[] = {{"keys", press_keys}, {"resize", run_resize}, {"expect", expect}, {"wait", wait_for}};

static struct jitscope_error *run_line(struct run *run, char *line) {
    size_t length = strlen(line);
    while (length && (line[length - 1] == '\n' || line[length - 1] == ' ' || line[length - 1] == '\r'))
        line[--length] = 0;
    line += strspn(line, " \t");
    line += *line == ':';
    if (!*line || *line == '#')
        return NULL;
    size_t word = strcspn(line, " \t");
    const char *argument = line + word + strspn(line + word, " \t");
    for (size_t i = 0; i < sizeof script_commands / sizeof *script_commands; i++)
        if (strlen(script_commands[i].name) == word && !memcmp(script_commands[i].name, line, word))
            return script_commands[i].run(run, argument);
    return run_command(run, line);
}

static void complain(const char *path, unsigned number, struct jitscope_error *error) {
    struct text text = {0};
    const char *message = jitscope_error_message(error);
    text_append_escaped(&text, message, strlen(message));
    fprintf(stderr, "jitscope: %s, line %u: %s\n", path, number, text.data ? text.data : "");
    text_destroy(&text);
    jitscope_error_destroy(error);
}

struct jitscope_error *run_script(struct run *run, const char *path, bool *good) {
    bool is_input = !strcmp(path, "-");
    FILE *file = is_input ? stdin : fopen(path, "re");
    char *line = NULL;
    size_t room = 0;
    unsigned number = 0;
    if (!file)
        return error_system("cannot read", path);
    *good = true;
    run_work(run);
    while (!run->has_quit && getline(&line, &room, file) >= 0) {
        struct jitscope_error *error = run_line(run, line);
        number++;
        *good = *good && !error;
        if (error)
            complain(is_input ? "standard input" : path, number, error);
    }
    free(line);
    if (!is_input)
        fclose(file);
    return NULL;
}

struct jitscope_error *run_batch(struct run *run, const char *screen, const char *filter, bool json) {
    struct text text = {0};
    run_work(run);
    struct jitscope_error *error = run_command(run, screen);
    if (!error)
        error = table_set_filter(&run->state->table, filter);
    if (!error && !run_work(run))
        error = error_create(JITSCOPE_ERROR_RECORDING, "%s", run->state->message.data);
    if (!error)
        error = table_print(&text, &run->state->table, json);
    if (!error && (fwrite(text.data, 1, text.length, stdout) != text.length || fflush(stdout)))
        error = error_system("cannot write", "standard output");
    text_destroy(&text);
    return error;
}
