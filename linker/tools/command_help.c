/* jitscope help: a command's help, its manual page, or completion rules. */
#include "commands.h"
#include "help.h"

#include <stdio.h>
#include <string.h>

static const char *command_name(const void *context, size_t i) {
    (void)context;
    return commands[i].name;
}

struct jitscope_error *unknown_command(const char *name) {
    struct jitscope_error *error = error_create(JITSCOPE_ERROR_USAGE, "there is no command '%s'", name);
    const char *near = nearest_word(name, COMMAND_COUNT, command_name, NULL);
    return near ? error_with_help(error, "did you mean `jitscope %s`?", near)
                : error_with_help(error, "`jitscope --help` lists the commands");
}

static bool is_events_page(const struct options *options) {
    return options->items.count == 1 && !strcmp(options->items.data[0].text, "events");
}

static struct jitscope_error *find_page(const struct options *options, enum command_id *id) {
    *id = COMMAND_COUNT;
    if (is_events_page(options))
        return NULL;
    if (options->items.count > 1)
        return error_create(JITSCOPE_ERROR_USAGE, "`jitscope help` explains one command at a time");
    if (!options->items.count)
        return NULL;
    *id = command_find(options->items.data[0].text);
    return *id < COMMAND_COUNT ? NULL : unknown_command(options->items.data[0].text);
}

struct jitscope_error *command_help(const struct options *options) {
    enum command_id id;
    struct text out = {0};
    TRY(find_page(options, &id));
    struct jitscope_error *error = NULL;
    if (is_events_page(options))
        error = events_page_print(&out);
    else if (options->completion)
        completion_print(&out);
    else if (options->man)
        man_print(&out, id);
    else
        help_print(&out, id);
    if (!error && out.failed)
        error = error_no_memory();
    fputs(error ? "" : out.data, stdout);
    text_destroy(&out);
    return error;
}
