/* jitscope: the command-line tool.  Data go to standard output, diagnostics to standard error; the exit
 * status is 0 for done, 1 for failed, 2 for wrong usage. */
#include "commands.h"
#include "help.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct jitscope_error *(*const functions[COMMAND_COUNT])(const struct options *options) = {
#define COMMAND(name, synopsis, summary, description, examples) [COMMAND_##name] = command_##name,
#include "commands.def"
#undef COMMAND
};

static int report(struct jitscope_error *error) {
    int status = error ? jitscope_error_exit_status(jitscope_error_code(error)) : 0;
    if (error)
        fprintf(stderr, "jitscope: error: %s\n", jitscope_error_message(error));
    jitscope_error_destroy(error);
    return status;
}

static struct jitscope_error *print_help(enum command_id id) {
    struct text out = {0};
    help_print(&out, id);
    bool failed = out.failed;
    fputs(failed ? "" : out.data, stdout);
    text_destroy(&out);
    return failed ? error_no_memory() : NULL;
}

static struct jitscope_error *run_command(enum command_id id, int count, char **arguments) {
    struct options options;
    struct jitscope_error *error = options_parse(id, count, arguments, &options);
    if (!error)
        error = options.help ? print_help(id) : functions[id](&options);
    options_destroy(&options);
    error = error_with_usual_help(error);
    return jitscope_error_code(error) == JITSCOPE_ERROR_USAGE
               ? error_with_default_help(error, "`jitscope help COMMAND` says what is possible")
               : error;
}

static struct jitscope_error *dispatch(int argc, char **argv) {
    if (argc < 2)
        return error_with_help(error_create(JITSCOPE_ERROR_USAGE, "a command is missing"),
                               "`jitscope --help` lists the commands");
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return print_help(COMMAND_COUNT);
    if (strcmp(argv[1], "--version") == 0) {
        puts("jitscope " JITSCOPE_VERSION);
        return NULL;
    }
    enum command_id id = command_find(argv[1]);
    return id < COMMAND_COUNT ? run_command(id, argc - 2, argv + 2) : unknown_command(argv[1]);
}

/* Data that did not arrive are a failure, even when everything before went well. */
static struct jitscope_error *flush(void) {
    if (fflush(stdout) == 0 && !ferror(stdout))
        return NULL;
    return error_system("cannot write", "standard output");
}

int main(int argc, char **argv) {
    struct jitscope_error *error = dispatch(argc, argv);
    return report(error ? error : flush());
}
