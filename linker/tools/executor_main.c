#define _GNU_SOURCE
/* jitscope-executor: the process that linked code runs in (executor/bridge.h).
 *
 * Started by the linker, with one end of a socket pair; or by whoever has a stream to a linker: --stdio is
 * for channels like ssh, whose other end talks with standard input and output; --listen waits for one linker
 * where both meet (executor/endpoint.h); or it starts the linker itself (executor_linker.h). */
#include "executor_linker.h"

#include "base/os.h"
#include "jitscope/executor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every option, once: OPTION(field, "name", "argument" or NULL, "what it does"). */
#define OPTIONS(OPTION)                                                                                      \
    OPTION(fd, "--fd", "N", "talk to the linker that is connected with descriptor N")                        \
    OPTION(stdio, "--stdio", NULL,                                                                           \
           "talk to it on standard input and output; the program's input is then /dev/null, its output "     \
           "standard error")                                                                                 \
    OPTION(listen, "--listen", "WHERE",                                                                      \
           "wait for one linker at unix:PATH, a socket in a folder of mode 0700, or at tcp:PORT of this "    \
           "machine alone (0: any), with a secret")                                                          \
    OPTION(secret_file, "--secret-file", "FILE",                                                             \
           "for tcp: at least 128 bits that the linker knows, too, and nobody else, as `openssl rand -hex "  \
           "32` prints; the file, of mode 0600, is removed when somebody connects")                          \
    OPTION(secret_fd, "--secret-fd", "N", "the same, read from descriptor N")                                \
    OPTION(linker, "--linker", "COMMAND [ARG]...",                                                           \
           "start the linker, any program that asks the library for an executor: for debuggers, which then " \
           "start the process they debug, as `gdbserver localhost:1234 jitscope-executor --linker jitscope " \
           "run hello.o` does")                                                                              \
    OPTION(version, "--version", NULL, "print the version")                                                  \
    OPTION(help, "--help", NULL, "print this help")

struct choice {
#define FIELD(field, name, argument, what) const char *field;
    OPTIONS(FIELD)
#undef FIELD
    char **command; /* of --linker */
};

static const struct option {
    const char *name, *argument, *what;
    size_t field;
} options[] = {
#define ROW(field, name, argument, what) {name, argument, what, offsetof(struct choice, field)},
    OPTIONS(ROW)
#undef ROW
};

static void print_help(FILE *file) {
    fputs(
        "usage: jitscope-executor --fd N | --stdio | --listen WHERE [--secret-file FILE | --secret-fd N] |\n"
        "                         --linker COMMAND [ARG]...\n"
        "\n"
        "Runs what a jitscope linker links. `jitscope run` starts it by itself; `jitscope run --executor "
        "WHERE` "
        "goes to one\nthat waits, and `--executor-command 'ssh HOST jitscope-executor --stdio'` to another "
        "machine.\n"
        "\n",
        file);
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        fprintf(file, "  %s%s%s\n        %s\n", options[i].name, options[i].argument ? " " : "",
                options[i].argument ? options[i].argument : "", options[i].what);
}

static int usage(void) {
    print_help(stderr);
    return 2;
}

static int fail(struct jitscope_error *error) {
    int status = jitscope_error_exit_status(jitscope_error_code(error));
    fprintf(stderr, "jitscope-executor: %s\n", jitscope_error_message(error));
    jitscope_error_destroy(error);
    return status;
}

static const struct option *find(const char *name) {
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (!strcmp(options[i].name, name))
            return &options[i];
    return NULL;
}

/* What is behind --linker is all the linker's. */
static bool choose(int argc, char **argv, struct choice *choice) {
    for (int i = 1; i < argc && !choice->linker; i++) {
        const struct option *option = find(argv[i]);
        if (!option || (option->argument && i + 1 == argc))
            return false;
        const char *value = option->argument ? argv[++i] : option->name;
        choice->command = argv + i;
        memcpy((char *)choice + option->field, &value, sizeof value);
    }
    return true;
}

static bool parse_descriptor(const char *text, int *fd) {
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    *fd = (int)number;
    return !errno && !*end && end != text && number >= 0 && number <= 1 << 20;
}

static void tell(void *unused, const char *text) {
    (void)unused;
    fprintf(stderr, "jitscope-executor: %s\n", text);
}

static struct jitscope_error *open_stream(const struct choice *choice, int descriptor, int secret, int *in,
                                          int *out) {
    struct jitscope_listen_options wanted = {.size = sizeof wanted, .told = tell};
    wanted.secret = (struct jitscope_secret){choice->secret_file, choice->secret_fd != NULL, secret};
    *in = *out = descriptor;
    if (choice->linker) {
        int failure = executor_linker_start(choice->command, in);
        *out = *in;
        return failure ? jitscope_error_create(JITSCOPE_ERROR_SYSTEM, strerror(errno)) : NULL;
    }
    if (choice->stdio && os_take_standard_streams(in, out))
        return jitscope_error_create(JITSCOPE_ERROR_SYSTEM, strerror(errno));
    if (choice->listen) {
        struct jitscope_error *error = jitscope_target_listen(choice->listen, &wanted, in);
        if (choice->secret_fd)
            os_close(secret); /* the program has nothing to do with it */
        *out = *in;
        return error;
    }
    return NULL;
}

/* By this name a program that is made for one link finds it in jitscope-executor.so (executor/launcher.h). */
__attribute__((visibility("default"))) int jitscope_executor_main(int argc, char **argv);

int jitscope_executor_main(int argc, char **argv) {
    struct choice choice = {0};
    struct jitscope_target *target;
    int descriptor = -1, secret = -1, in, out;
    if (!choose(argc, argv, &choice))
        return usage();
    if (choice.help || choice.version) {
        if (choice.help)
            print_help(stdout);
        else
            puts("jitscope-executor " JITSCOPE_VERSION);
        return 0;
    }
    if (!choice.fd + !choice.stdio + !choice.listen + !choice.linker != 3 ||
        (choice.fd && !parse_descriptor(choice.fd, &descriptor)) ||
        (choice.secret_fd && !parse_descriptor(choice.secret_fd, &secret)) ||
        (!choice.listen && (choice.secret_file || choice.secret_fd)))
        return usage();
    os_name_process("jitscope-executor"); /* a program in memory would go by its descriptor's number */
    struct jitscope_error *error = open_stream(&choice, descriptor, secret, &in, &out);
    if (!error)
        error = jitscope_target_create_on(in, out, &target);
    if (!error)
        error = jitscope_target_serve(target);
    int status = executor_linker_end(choice.linker);
    if (!error || status) {
        jitscope_error_destroy(error); /* the linker has said what was wrong first */
        return status;
    }
    return fail(error);
}

int main(int argc, char **argv) {
    return jitscope_executor_main(argc, argv);
}
