#define _GNU_SOURCE
#include "executor_choice.h"

#include "base/os.h"
#include "base/text.h"
#include "executor/bridge.h"
#include "stack_walk.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Programs that trace this process from its start, debuggers, look for the program in it. */
static bool is_traced(void) {
    char text[4096];
    const char *at =
        os_read_about(os_process_id(), "status", text, sizeof text) > 0 ? strstr(text, "\nTracerPid:") : NULL;
    return at && strtol(at + strlen("\nTracerPid:"), NULL, 10) != 0;
}

bool executor_started_this(const struct options *options) {
    const char *given = os_environment("JITSCOPE_EXECUTOR");
    bool other = options->in_process || options->executor || options->executor_command;
    return !other && given && !strncmp(given, EXECUTOR_GIVEN, strlen(EXECUTOR_GIVEN));
}

static bool is_asked_for(const struct options *options) {
    return options->out_of_process || options->executor || options->executor_command;
}

/* Decided once: a debugger may come later. */
bool executor_is_elsewhere(const struct options *options) {
    static int decided = -1;
    if (decided < 0)
        decided =
            is_asked_for(options) || executor_started_this(options) || !(options->in_process || is_traced());
    return decided;
}

static bool is_over_stream(const struct options *options) {
    return options->executor && !strcmp(options->executor, "stream");
}

bool executor_is_child(const struct options *options) {
    return executor_is_elsewhere(options) && !executor_started_this(options) && !options->executor_command &&
           (!options->executor || is_over_stream(options));
}

static struct jitscope_error *exclusive(const char *one, const char *other) {
    return error_create(JITSCOPE_ERROR_USAGE, "%s and %s exclude each other", one, other);
}

struct jitscope_error *executor_choice_check(const struct options *options) {
    if (options->in_process && options->out_of_process)
        return exclusive("--in-process", "--out-of-process");
    if (options->in_process && is_asked_for(options))
        return exclusive("--in-process", "--executor or --executor-command");
    if (options->executor && options->executor_command)
        return exclusive("--executor", "--executor-command");
    if (options->secret_file && options->secret_fd.given)
        return exclusive("--secret-file", "--secret-fd");
    if (options->secret_fd.given && options->secret_fd.value > INT_MAX)
        return error_create(JITSCOPE_ERROR_USAGE, "--secret-fd is no descriptor");
    bool over_tcp = options->executor && !strncmp(options->executor, "tcp:", 4);
    if ((options->secret_file || options->secret_fd.given) && !over_tcp)
        return error_create(JITSCOPE_ERROR_USAGE, "a secret is for --executor=tcp:PORT alone");
    return NULL;
}

static const char *file_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* As `jitscope stack` has them, but without lines: what knows those is not on this machine. */
static void print_frame(struct text *out, size_t number, const struct jitscope_crash_frame *frame) {
    text_print(out, "#%-3zu 0x%016" PRIx64 "  ", number, frame->address);
    if (frame->function)
        text_append_escaped(out, frame->function, strlen(frame->function));
    else
        text_append(out, "??");
    if (frame->function && frame->address != frame->start)
        text_print(out, "+0x%" PRIx64, frame->address - frame->start);
    if (frame->is_linked)
        text_append(out, "  [jit]");
    if (frame->library) {
        text_append(out, "  (");
        text_append_escaped(out, file_name(frame->library), strlen(file_name(frame->library)));
        if (!frame->function)
            text_print(out, "+0x%" PRIx64, frame->address - frame->start);
        text_append(out, ")");
    }
    text_append(out, "\n");
}

static void report_stack(void *unused, const struct jitscope_crash_frame *frames, size_t count) {
    struct text out = {0};
    (void)unused;
    for (size_t i = 0; i < count; i++)
        print_frame(&out, i, &frames[i]);
    if (count == BRIDGE_MOST_FRAMES)
        text_append(&out, "#... and more\n");
    if (!count)
        text_append(&out, "  no stack: its process is not known to be on this machine\n");
    fputs(out.failed ? "" : out.data, stderr);
    text_destroy(&out);
}

/* Its end is reported by command_run.c; this is where it was. */
static void report_crash(void *unused, int process, int thread, int signal, uint64_t address) {
    (void)unused;
    fprintf(stderr, "jitscope: the program gets signal %d (%s)", signal, strsignal(signal));
    if (address)
        fprintf(stderr, ", about address 0x%llx", (unsigned long long)address);
    fputs(":\n", stderr);
    struct jitscope_error *error = process ? print_crashed_stack(process, thread) : NULL;
    if (error)
        fprintf(stderr, "  no stack: %s\n", jitscope_error_message(error));
    jitscope_error_destroy(error);
}

/* Milliseconds, as struct jitscope_executor_options has them. */
static uint32_t patience(const struct optional_number *seconds) {
    if (!seconds->given)
        return 0;
    return seconds->value && seconds->value < UINT32_MAX / 1000 ? (uint32_t)seconds->value * 1000
                                                                : UINT32_MAX;
}

struct jitscope_error *executor_choice_connect(const struct options *options,
                                               struct jitscope_session *previous,
                                               struct jitscope_executor_connection **connection) {
    char *command[] = {(char[]){"/bin/sh"}, (char[]){"-c"}, (char *)(uintptr_t)options->executor_command,
                       NULL};
    const struct jitscope_executor_options wanted = {
        .size = sizeof wanted,
        .command = options->executor_command ? command : NULL,
        .on_standard_streams = options->executor_command != NULL,
        .inline_content = is_over_stream(options),
        .ends_with_program = true,
        .crashed = report_crash,
        .crashed_stack = report_stack,
        .patience = patience(&options->executor_timeout),
        .secret = {options->secret_file, options->secret_fd.given, (int)options->secret_fd.value}};
    if (previous)
        return jitscope_executor_spawn_for(previous, &wanted, connection);
    return options->executor && !is_over_stream(options)
               ? jitscope_executor_connect_to(options->executor, &wanted, connection)
               : jitscope_executor_spawn(&wanted, connection);
}
