/* Terminals. */
#define _GNU_SOURCE
#include "base/os.h"
#include "base/os_failures.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <termios.h>

int os_terminal_mode(int fd, struct termios *mode) {
    return must_fail(EIO) ? -1 : tcgetattr(fd, mode);
}

int os_set_terminal_mode(int fd, const struct termios *mode, bool drop_input) {
    int result;
    do
        result = tcsetattr(fd, TCSANOW, mode);
    while (result < 0 && errno == EINTR);
    if (drop_input)
        tcflush(fd, TCIFLUSH);
    return result;
}

int os_terminal_size(int fd, uint16_t *rows, uint16_t *columns) {
    struct winsize size;
    if (must_fail(EIO) || ioctl(fd, TIOCGWINSZ, &size) < 0)
        return -1;
    *rows = size.ws_row;
    *columns = size.ws_col;
    return 0;
}
