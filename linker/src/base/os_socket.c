/* Pipes, and sockets: between processes of this machine, and those of TCP that do not leave it. */
#define _GNU_SOURCE
#include "base/os.h"
#include "base/os_failures.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

int os_pipe(int ends[2]) {
    return must_fail(EIO) ? -1 : pipe2(ends, O_CLOEXEC | O_NONBLOCK);
}

bool os_wait_readable(int fd, int timeout) {
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    int found;
    do
        found = poll(&wanted, 1, timeout);
    while (found < 0 && errno == EINTR);
    return found > 0;
}

int os_poll(struct pollfd *entries, size_t count, int timeout) {
    return poll(entries, (nfds_t)count, timeout);
}

/* --- sockets --- */

int os_socket(void) {
    return must_fail(EMFILE) ? -1 : socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
}

static int name_socket(const char *path, struct sockaddr_un *name) {
    *name = (struct sockaddr_un){.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length >= sizeof name->sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(name->sun_path, path, length);
    return 0;
}

int os_bind(int fd, const char *path) {
    struct sockaddr_un name;
    return must_fail(EACCES) || name_socket(path, &name) < 0
               ? -1
               : bind(fd, (struct sockaddr *)&name, sizeof name);
}

int os_listen(int fd) {
    enum { WAITING = 16 };
    return must_fail(EIO) ? -1 : listen(fd, WAITING);
}

/* Counted when there is somebody: a thread that only waits does not change which call is number N. */
int os_accept(int fd) {
    int connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    if (connection >= 0 && must_fail(EMFILE)) {
        close(connection);
        return -1;
    }
    return connection;
}

int os_connect(int fd, const char *path) {
    struct sockaddr_un name;
    return must_fail(EIO) || name_socket(path, &name) < 0
               ? -1
               : connect(fd, (struct sockaddr *)&name, sizeof name);
}

int os_peer(int fd, int *process, uint32_t *user) {
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (must_fail(EIO) || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return -1;
    *process = peer.pid;
    *user = peer.uid;
    return 0;
}

int os_limit_waiting(int fd, uint32_t milliseconds) {
    struct timeval limit = {milliseconds / 1000, milliseconds % 1000 * 1000};
    if (must_fail(EIO) || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0)
        return -1;
    return setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

void os_shut_down(int fd) {
    (void)shutdown(fd, SHUT_RDWR);
}

void os_shut_down_sending(int fd) {
    (void)shutdown(fd, SHUT_WR);
}

void os_await_shutdown(int fd, uint32_t milliseconds) {
    struct pollfd wait = {.fd = fd}; /* POLLHUP alone */
    (void)poll(&wait, 1, (int)milliseconds);
}

/* Room for one descriptor beside a message, aligned as the kernel wants it. */
union ancillary {
    struct cmsghdr header;
    uint8_t bytes[CMSG_SPACE(sizeof(int))];
};

/* DESCRIPTOR, -1: none, goes with MESSAGE, by means of WITH, which is zero. */
static void attach(struct msghdr *message, union ancillary *with, int descriptor) {
    if (descriptor < 0)
        return;
    with->header = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&with->header), &descriptor, sizeof descriptor);
    message->msg_control = with->bytes;
    message->msg_controllen = sizeof with->bytes;
}

int os_send(int fd, const void *message, size_t size, int descriptor) {
    union ancillary with = {0};
    struct iovec content = {(void *)(uintptr_t)message, size};
    struct msghdr whole = {.msg_iov = &content, .msg_iovlen = 1};
    if (must_fail(EPIPE))
        return -1;
    attach(&whole, &with, descriptor);
    return sendmsg(fd, &whole, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -1 : 0;
}

/* The first one; there is room for two, and who sends more than is asked for leaves nothing open here. */
static int take_descriptor(struct msghdr *message) {
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    int first = -1, descriptor;
    if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
        return -1;
    for (size_t i = 0; CMSG_LEN((i + 1) * sizeof descriptor) <= header->cmsg_len; i++) {
        memcpy(&descriptor, CMSG_DATA(header) + i * sizeof descriptor, sizeof descriptor);
        if (i)
            close(descriptor);
        else
            first = descriptor;
    }
    return first;
}

int os_receive(int fd, void *buffer, size_t *size, int *descriptor) {
    union ancillary with = {0};
    struct iovec content = {buffer, *size};
    struct msghdr whole = {
        .msg_iov = &content, .msg_iovlen = 1, .msg_control = with.bytes, .msg_controllen = sizeof with.bytes};
    ssize_t got;
    *descriptor = -1;
    if (must_fail(EIO))
        return -1;
    do
        got = recvmsg(fd, &whole, MSG_CMSG_CLOEXEC | MSG_TRUNC);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -1;
    *descriptor = take_descriptor(&whole);
    *size = (size_t)got;
    return 0;
}

/* --- streams --- */

int os_socket_pair(int ends[2]) {
    return must_fail(EMFILE) ? -1 : socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
}

/* SIGPIPE of a pipe whose reader has gone comes to this thread, and is taken back. */
static ssize_t write_quietly(int fd, const struct iovec *pieces, size_t count) {
    const struct timespec at_once = {0};
    sigset_t pipe, before, waiting;
    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);
    sigpending(&waiting);
    pthread_sigmask(SIG_BLOCK, &pipe, &before);
    ssize_t put = writev(fd, pieces, (int)count);
    int failure = errno;
    if (put < 0 && failure == EPIPE && !sigismember(&waiting, SIGPIPE))
        sigtimedwait(&pipe, NULL, &at_once);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = failure;
    return put;
}

ssize_t os_stream_send(int fd, const struct iovec *pieces, size_t count, int descriptor) {
    union ancillary with = {0};
    struct msghdr whole = {.msg_iov = (struct iovec *)(uintptr_t)pieces, .msg_iovlen = count};
    ssize_t put;
    if (must_fail(EPIPE))
        return -1;
    attach(&whole, &with, descriptor);
    do
        put = sendmsg(fd, &whole, MSG_NOSIGNAL);
    while (put < 0 && errno == EINTR);
    while (put < 0 && (errno == ENOTSOCK || errno == EINTR))
        put = write_quietly(fd, pieces, count);
    return put;
}

ssize_t os_stream_receive(int fd, void *buffer, size_t size, int *descriptor) {
    union ancillary with = {0};
    struct iovec content = {buffer, size};
    struct msghdr whole = {
        .msg_iov = &content, .msg_iovlen = 1, .msg_control = with.bytes, .msg_controllen = sizeof with.bytes};
    ssize_t got;
    *descriptor = -1;
    if (must_fail(EIO))
        return -1;
    do
        got = recvmsg(fd, &whole, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got >= 0)
        *descriptor = take_descriptor(&whole);
    while (got < 0 && (errno == ENOTSOCK || errno == EINTR))
        got = read(fd, buffer, size);
    return got;
}

int os_stream_socket(void) {
    return must_fail(EMFILE) ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

/* --- TCP, on the loopback interface alone --- */

static struct sockaddr_in name_port(uint16_t port) {
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

int os_tcp_socket(void) {
    return must_fail(EMFILE) ? -1 : socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

/* A port that a process before has had can be had again at once. */
int os_tcp_bind(int fd, uint16_t *port) {
    struct sockaddr_in name = name_port(*port);
    socklen_t size = sizeof name;
    const int yes = 1;
    if (must_fail(EADDRINUSE) || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0 ||
        bind(fd, (struct sockaddr *)&name, sizeof name) < 0 ||
        getsockname(fd, (struct sockaddr *)&name, &size) < 0)
        return -1;
    *port = ntohs(name.sin_port);
    return 0;
}

int os_tcp_connect(int fd, uint16_t port) {
    struct sockaddr_in name = name_port(port);
    return must_fail(ECONNREFUSED) ? -1 : connect(fd, (struct sockaddr *)&name, sizeof name);
}

int os_tcp_at_once(int fd) {
    const int yes = 1;
    return must_fail(EIO) ? -1 : setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}
