#define _GNU_SOURCE
#include "base/private_folder.h"

#include "base/os.h"

#include <errno.h>
#include <fcntl.h>

static struct jitscope_error *not_safe(const char *path, const char *what, const char *help) {
    return error_with_help(error_create(JITSCOPE_ERROR_USAGE, "the folder '%s' %s", path, what), "%s", help);
}

static struct jitscope_error *check(const char *path, int fd, uint32_t user, const char *help) {
    uint32_t owner, mode;
    if (os_owner(fd, &owner, &mode) < 0)
        return error_system("fstat", path);
    if (owner != user)
        return not_safe(path, "belongs to another user", help);
    return mode & 077 ? not_safe(path, "is open to other users: its mode is not 0700", help) : NULL;
}

struct jitscope_error *private_folder_open(const char *path, uint32_t user, const char *help, int *out) {
    int fd = os_open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
    if (fd < 0 && errno == ENOTDIR)
        return not_safe(path, "is a link, or no folder", help);
    if (fd < 0)
        return error_system("cannot open", path);
    struct jitscope_error *error = check(path, fd, user, help);
    if (error)
        os_close(fd);
    else
        *out = fd;
    return error;
}
