/* jitscope gdb: `jitscope run` under gdb, with the plug-in loaded.
 *
 * This process becomes gdb.  The plug-in is found by where this program lies: in the build tree beside it,
 * otherwise where the installation put it.
 *
 * With --out-of-process the program that gdb starts is the executor, which starts the linker: so gdb has one
 * process, in which the program's code runs and nothing else; `run` begins both anew. */
#include "commands.h"
#include "job.h"

#include "base/os.h"
#include "base/text.h"
#include "executor/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_WORDS = 8 };

static const char plug_in_name[] = "jitscope.py";

/* Folders with the plug-in, from this program's own; the second is made by the build from its install
 * folders. */
static const char *const plug_in_folders[] = {"gdb", JITSCOPE_PLUGIN_FROM_PROGRAM};

/* Paths, and the command that loads the plug-in. */
struct places {
    struct text program, source;
    const char *executor;
    char buffer[4096];
};

static struct jitscope_error *find_program(struct text *path) {
    char buffer[4096];
    ssize_t length = os_read_link("/proc/self/exe", buffer, sizeof buffer);
    if (length < 0)
        return error_system("cannot read", "/proc/self/exe");
    text_append_bytes(path, buffer, (size_t)length);
    return path->failed ? error_no_memory() : NULL;
}

static struct jitscope_error *find_plug_in(const char *program, struct text *path) {
    int folder = (int)(strrchr(program, '/') - program);
    for (size_t i = 0; i < sizeof plug_in_folders / sizeof *plug_in_folders; i++) {
        struct text candidate = {0};
        text_print(&candidate, "%.*s/%s/%s", folder, program, plug_in_folders[i], plug_in_name);
        if (candidate.failed) {
            text_destroy(&candidate);
            return error_no_memory();
        }
        int file = os_open(candidate.data, O_RDONLY, 0);
        if (file >= 0) {
            os_close(file);
            text_print(path, "source %s", candidate.data);
            text_destroy(&candidate);
            return path->failed ? error_no_memory() : NULL;
        }
        text_destroy(&candidate);
    }
    return error_with_help(error_create(JITSCOPE_ERROR_NOT_FOUND,
                                        "jitscope's plug-in for gdb, %s, is neither beside %s nor installed",
                                        plug_in_name, program),
                           "`cmake --install` puts it into share/jitscope/gdb");
}

static const char *debugger(void) {
    const char *name = getenv("GDB");
    return name && *name ? name : "gdb";
}

/* gdb's words, then those of `run` as they were given here, without what response files stood for them. */
static struct jitscope_error *build_words(const struct options *options, const struct places *places,
                                          char ***out) {
    const struct words *given = &options->words;
    size_t count = FIRST_WORDS + given->list.count + 2, at = 0;
    const char **words = os_allocate(count * sizeof *words);
    if (!words)
        return error_no_memory();
    words[at++] = debugger();
    words[at++] = "-ex";
    words[at++] = places->source.data;
    words[at++] = "--args";
    if (options->out_of_process) {
        words[at++] = places->executor;
        words[at++] = "--linker";
    }
    words[at++] = places->program.data;
    words[at++] = "run";
    for (uint32_t i = 0; i < given->list.count; i++) {
        if (given->dashes && i == options->first_program)
            words[at++] = "--";
        words[at++] = given->list.data[i].text;
    }
    if (given->dashes && options->first_program == given->list.count)
        words[at++] = "--";
    words[at] = NULL;
    *out = (char **)(uintptr_t)words;
    return NULL;
}

static struct jitscope_error *become(char *const *words) {
    os_execute(words);
    if (errno == ENOENT)
        return error_with_help(error_create(JITSCOPE_ERROR_NOT_FOUND, "there is no debugger '%s'", words[0]),
                               "install gdb, or name one in the environment variable GDB");
    return error_system("cannot start", words[0]);
}

static struct jitscope_error *start(const struct options *options, struct places *places) {
    char **words;
    TRY(find_program(&places->program));
    TRY(find_plug_in(places->program.data, &places->source));
    places->executor = connection_executor_program(places->buffer, sizeof places->buffer);
    TRY(build_words(options, places, &words));
    struct jitscope_error *error = become(words);
    os_release(words);
    return error;
}

struct jitscope_error *command_gdb(const struct options *options) {
    struct places places = {0};
    if (!job_first_input(options))
        return error_with_help(error_create(JITSCOPE_ERROR_USAGE, "there is no input to debug"),
                               "name an object: `jitscope gdb INPUT...`");
    if (options->executor || options->executor_command)
        return error_with_help(
            error_create(JITSCOPE_ERROR_USAGE, "gdb starts the executor that it debugs, and no other one"),
            "attach to one that waits: `gdb -p PID`, before `jitscope run --executor=WHERE`");
    struct jitscope_error *error = start(options, &places);
    text_destroy(&places.program);
    text_destroy(&places.source);
    return error;
}
