#include "model/commands.h"

#include "base/spelling.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct inspector_command inspector_commands[] = {
#define COMMAND(name, function, ARGUMENT, synopsis, meaning)                                                 \
    {name, do_##function, ARGUMENT_##ARGUMENT, synopsis, meaning},
#include "model/commands.def"
#undef COMMAND
};
const uint32_t inspector_command_count = sizeof inspector_commands / sizeof *inspector_commands;

const struct inspector_command *inspector_command_find(const char *name, size_t length) {
    for (uint32_t i = 0; i < inspector_command_count; i++)
        if (strlen(inspector_commands[i].name) == length && !memcmp(inspector_commands[i].name, name, length))
            return &inspector_commands[i];
    return NULL;
}

static void consider(const char *word, const char *candidate, unsigned *least, const char **best) {
    unsigned steps = spelling_distance(word, strlen(word), candidate, strlen(candidate));
    if (steps <= *least && (steps < *least || !*best)) {
        *least = steps;
        *best = candidate;
    }
}

static struct jitscope_error *unknown(const char *line, size_t length) {
    char word[32];
    const char *best = NULL;
    snprintf(word, sizeof word, "%.*s", (int)length, line);
    unsigned least = spelling_tolerance(strlen(word));
    for (uint32_t i = 0; i < inspector_command_count; i++)
        consider(word, inspector_commands[i].name, &least, &best);
    for (uint32_t i = 0; i < SCREEN_COUNT; i++)
        consider(word, screens[i].name, &least, &best);
    struct jitscope_error *error = error_create(JITSCOPE_ERROR_USAGE, "no command is called '%s'", word);
    return best ? error_with_help(error, "did you mean %s?", best)
                : error_with_help(error, "? lists all commands");
}

bool command_is_known(const char *line, size_t length) {
    size_t word = 0;
    while (word < length && line[word] != ' ' && line[word] != '\t')
        word++;
    return inspector_command_find(line, word) || (word == length && screen_find(line, word) < SCREEN_COUNT);
}

static struct jitscope_error *run_trimmed(struct state *state, const char *line) {
    size_t length = strcspn(line, " \t");
    const char *argument = line + length + strspn(line + length, " \t");
    if (!length)
        return NULL;
    const struct inspector_command *command = inspector_command_find(line, length);
    if (command && command->argument == ARGUMENT_NOTHING && *argument)
        return error_create(JITSCOPE_ERROR_USAGE, "%s takes no argument", command->name);
    if (command)
        return command->run(state, argument);
    if (screen_find(line, length) < SCREEN_COUNT && !*argument)
        return do_screen(state, line);
    return unknown(line, length);
}

/* Blanks around LINE are nobody's: completion leaves one behind a word. */
struct jitscope_error *command_run(struct state *state, const char *line) {
    struct text trimmed = {0};
    while (isspace((unsigned char)*line))
        line++;
    size_t length = strlen(line);
    while (length && isspace((unsigned char)line[length - 1]))
        length--;
    text_append_bytes(&trimmed, line, length);
    struct jitscope_error *error = trimmed.failed ? error_no_memory() : run_trimmed(state, trimmed.data);
    text_destroy(&trimmed);
    return error;
}

struct jitscope_error *argument_number(const char *argument, int64_t fallback, int64_t *number) {
    char *end;
    *number = fallback;
    if (!*argument)
        return NULL;
    errno = 0;
    *number = strtoll(argument, &end, 0);
    if (errno || *end)
        return error_create(JITSCOPE_ERROR_USAGE, "'%s' is no number", argument);
    return NULL;
}
