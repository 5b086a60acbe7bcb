/* Starting an executor: the program that comes with jitscope, or a command; or one that is made for a link.
 */
#include "executor/connection.h"
#include "executor/loaded_file.h"

#include "base/os.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef JITSCOPE_EXECUTOR_INSTALLED
#define JITSCOPE_EXECUTOR_INSTALLED "jitscope-executor"
#endif

#ifndef JITSCOPE_EXECUTOR_FROM_PROGRAM
#define JITSCOPE_EXECUTOR_FROM_PROGRAM ""
#endif

enum { PATH_SIZE = 4096, MOST_WORDS = 64 };

static const char variable[] = "JITSCOPE_EXECUTOR";

/* Beside this program; where programs of programs are installed beside it; where it was installed. */
static const char *find_program(const char *name, const char *installed, char *buffer, size_t size) {
    static const char *const folders[] = {"", JITSCOPE_EXECUTOR_FROM_PROGRAM};
    ssize_t length = os_read_link("/proc/self/exe", buffer, size);
    while (length > 0 && buffer[length - 1] != '/')
        length--;
    for (size_t i = 0; length > 0 && i < sizeof folders / sizeof *folders; i++) {
        size_t room = size - (size_t)length;
        int needed = snprintf(buffer + length, room, "%s%s", folders[i], name);
        if (needed > 0 && (size_t)needed < room && os_is_plain_file(buffer))
            return buffer;
    }
    return installed;
}

static bool is_given(const char *named) {
    return named && !strncmp(named, EXECUTOR_GIVEN, strlen(EXECUTOR_GIVEN));
}

const char *connection_executor_program(char *buffer, size_t size) {
    const char *named = os_environment(variable);
    return named && *named && !is_given(named)
               ? named
               : find_program("jitscope-executor", JITSCOPE_EXECUTOR_INSTALLED, buffer, size);
}

/* The descriptor that leads to an executor which has started this process; once, -1 for who comes later. */
static int take_given(void) {
    static atomic_bool is_taken;
    const char *given = os_environment(variable);
    char *end;
    if (!is_given(given) || atomic_exchange(&is_taken, true))
        return -1;
    long fd = strtol(given + strlen(EXECUTOR_GIVEN), &end, 10);
    return *end || fd < 3 || fd > INT_MAX ? -1 : (int)fd;
}

static struct jitscope_error *connect_to_starter(int fd, const struct jitscope_executor_options *options,
                                                 struct jitscope_executor_connection **connection) {
    int process;
    uint32_t user;
    if (os_peer(fd, &process, &user))
        return error_system("the executor's descriptor", variable);
    if (user != os_effective_user()) {
        os_close(fd);
        return error_create(JITSCOPE_ERROR_EXECUTOR_GONE, "the executor is process %d of another user",
                            process);
    }
    os_close_on_exec(fd);
    return connection_begin(fd, 0, STARTER_EXECUTOR, options, connection);
}

static size_t copy_words(char *const *from, char **to) {
    size_t count = 0;
    for (; from[count] && count < MOST_WORDS; count++)
        to[count] = from[count];
    return count;
}

/* PROGRAM gets WORDS, and then which descriptor is its end. */
static struct jitscope_error *start(const char *program, char *const *words, int fd, int *child) {
    char number[16], *all[MOST_WORDS + 3] = {NULL};
    size_t count = copy_words(words, all);
    snprintf(number, sizeof number, "%d", fd);
    all[count++] = (char[]){"--fd"};
    all[count++] = number;
    if (!os_spawn(program, all, fd, child))
        return NULL;
    return error_with_help(
        error_system("posix_spawn", words[0]),
        "jitscope-executor is looked for beside this program, then at " JITSCOPE_EXECUTOR_INSTALLED
        "; the variable JITSCOPE_EXECUTOR can name it, and "
        "`jitscope run --in-process` does without it");
}

static struct jitscope_error *start_on_streams(char *const *words, int fd, int *child) {
    if (!words || !words[0])
        return error_create(JITSCOPE_ERROR_USAGE, "there is no command whose standard streams to use");
    return os_spawn_on(words, fd, child) ? error_system("posix_spawn", words[0]) : NULL;
}

static struct jitscope_error *spawn(const char *program, char *const *words,
                                    const struct jitscope_executor_options *options,
                                    struct jitscope_executor_connection **connection) {
    int ends[2], child;
    if (os_socket_pair(ends))
        return error_system("socketpair", NULL);
    struct jitscope_error *error = options->on_standard_streams ? start_on_streams(words, ends[1], &child)
                                                                : start(program, words, ends[1], &child);
    os_close(ends[1]);
    if (!error)
        return connection_begin(ends[0], child, STARTER_LINKER, options, connection);
    os_close(ends[0]);
    return error;
}

struct jitscope_error *jitscope_executor_spawn(const struct jitscope_executor_options *given,
                                               struct jitscope_executor_connection **connection) {
    struct jitscope_executor_options options = connection_options(given);
    char path[PATH_SIZE], *alone[] = {NULL, NULL};
    if (options.command || options.on_standard_streams)
        return spawn(options.command ? options.command[0] : NULL, options.command, &options, connection);
    int starter = take_given();
    alone[0] = (char *)(uintptr_t)connection_executor_program(path, sizeof path);
    TRY(starter >= 0 ? connect_to_starter(starter, &options, connection)
                     : spawn(alone[0], alone, &options, connection));
    (*connection)->copies = COPIES_NONE;
    return NULL;
}

/* --- one that is made for what it runs */

/* The executor as a library: it has the program's name with ".so" behind it. */
static struct jitscope_error *find_library(char *buffer, size_t size, const char **library) {
    const char *named = os_environment(variable);
    if (named && strchr(named, '/') && snprintf(buffer, size, "%s.so", named) < (int)size &&
        os_is_plain_file(buffer)) {
        *library = buffer;
        return NULL;
    }
    *library = find_program("jitscope-executor.so", JITSCOPE_EXECUTOR_INSTALLED ".so", buffer, size);
    if (os_is_plain_file(*library))
        return NULL;
    return error_with_help(
        error_create(JITSCOPE_ERROR_NOT_FOUND,
                     "there is no %s, which code needs that uses data of libraries below 2 GiB", *library),
        "it comes with jitscope, beside jitscope-executor");
}

static struct jitscope_error *write_program(const struct launcher *launcher, const char *library, int fd) {
    uint8_t *file;
    uint64_t size;
    TRY(launcher_write(launcher, library, &file, &size));
    struct jitscope_error *error = loaded_file_write(fd, file, size, 0);
    os_release(file);
    return error;
}

struct jitscope_error *connection_launch(const struct launcher *launcher,
                                         const struct jitscope_executor_options *given,
                                         struct jitscope_executor_connection **connection) {
    struct jitscope_executor_options options = connection_options(given);
    char path[PATH_SIZE], program[32], *alone[] = {NULL, NULL};
    const char *library;
    if (options.command || options.on_standard_streams)
        return error_create(JITSCOPE_ERROR_USAGE,
                            "an executor that is made for a link is no program of one's own");
    TRY(find_library(path, sizeof path, &library));
    int fd = os_memory_file("jitscope-executor");
    if (fd < 0)
        return error_system("memfd_create", "the executor's program");
    struct jitscope_error *error = write_program(launcher, library, fd);
    snprintf(program, sizeof program, "/proc/self/fd/%d", fd);
    alone[0] = (char *)(uintptr_t)library;
    if (!error)
        error = spawn(program, alone, &options, connection);
    os_close(fd);
    TRY(error);
    (*connection)->copies = COPIES_HELD;
    return NULL;
}
