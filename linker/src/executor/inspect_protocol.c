#define _GNU_SOURCE
#include "executor/inspect_protocol.h"

#include "base/os.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

bool inspect_folder_path(enum inspect_place place, uint32_t user, struct text *path) {
    const char *runtime = os_environment("XDG_RUNTIME_DIR");
    switch (place) {
    case INSPECT_RUNTIME_FOLDER:
        if (!runtime ||
            *runtime != '/') /* relative ones are to be ignored: XDG Base Directory Specification */
            return false;
        text_print(path, "%s/jitscope", runtime);
        return true;
    case INSPECT_LOGIN_FOLDER:
        text_print(path, "/run/user/%" PRIu32 "/jitscope", user);
        return true;
    default:
        text_print(path, "/tmp/jitscope-%" PRIu32, user);
        return true;
    }
}

static struct jitscope_error *no_safe_folder(const char *path, const char *what) {
    return error_with_help(error_create(JITSCOPE_ERROR_USAGE, "the folder '%s' %s", path, what),
                           "remove it, or have XDG_RUNTIME_DIR name another folder");
}

static struct jitscope_error *check_folder(const char *path, int fd, uint32_t user) {
    uint32_t owner, mode;
    if (os_owner(fd, &owner, &mode) < 0)
        return error_system("fstat", path);
    if (owner != user)
        return no_safe_folder(path, "belongs to another user");
    return mode & 077 ? no_safe_folder(path, "is open to other users: its mode is not 0700") : NULL;
}

struct jitscope_error *inspect_folder_open(const char *path, uint32_t user, int *out) {
    int fd = os_open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
    if (fd < 0 && errno == ENOTDIR)
        return no_safe_folder(path, "is a link, or no folder");
    if (fd < 0)
        return error_system("cannot open", path);
    struct jitscope_error *error = check_folder(path, fd, user);
    if (error)
        os_close(fd);
    else
        *out = fd;
    return error;
}

void inspect_socket_path(char path[INSPECT_SOCKET_PATH], int folder, uint32_t process, uint32_t session) {
    snprintf(path, INSPECT_SOCKET_PATH, "/proc/self/fd/%d/%" PRIu32 "-%" PRIu32 ".sock", folder, process,
             session);
}

bool inspect_socket_parse(const char *name, uint32_t *process, uint32_t *session) {
    char again[32];
    if (sscanf(name, "%9" SCNu32 "-%9" SCNu32 ".sock", process, session) != 2)
        return false;
    snprintf(again, sizeof again, "%" PRIu32 "-%" PRIu32 ".sock", *process, *session);
    return *process && *session && !strcmp(name, again);
}
