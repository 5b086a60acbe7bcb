#define _GNU_SOURCE
#include "executor/inspect_protocol.h"

#include "base/os.h"
#include "base/private_folder.h"

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

struct jitscope_error *inspect_folder_open(const char *path, uint32_t user, int *out) {
    return private_folder_open(path, user, "remove it, or have XDG_RUNTIME_DIR name another folder", out);
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
