/* Which socket is at the other end of one, and who has it open, of all processes of this machine.
 *
 * The kernel tells that of Unix sockets by a query to sock_diag(7), with the socket's inode as its name, and
 * of those of TCP in /proc/net/tcp, where both ends of a connection on this machine have a line: the one's
 * local address is the other's remote one.  Who has a socket open is seen in /proc/PROCESS/fd, by those who
 * may trace PROCESS or are its user. */
#define _GNU_SOURCE
#include "base/os.h"
#include "base/os_failures.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

uint64_t os_socket_inode(int fd) {
    struct stat status;
    return must_fail(EIO) || fstat(fd, &status) < 0 || !S_ISSOCK(status.st_mode) ? 0 : status.st_ino;
}

/* --- Unix */

struct query {
    struct nlmsghdr header;
    struct unix_diag_req request;
};

static uint64_t peer_in(struct nlmsghdr *header, ssize_t size) {
    if (size < 0 || !NLMSG_OK(header, (size_t)size) || header->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
        header->nlmsg_len < NLMSG_LENGTH(sizeof(struct unix_diag_msg)))
        return 0;
    const struct unix_diag_msg *told = NLMSG_DATA(header);
    const struct rtattr *at = (const void *)(told + 1);
    int left = (int)(header->nlmsg_len - NLMSG_LENGTH(sizeof *told));
    for (; RTA_OK(at, left); at = RTA_NEXT(at, left))
        if (at->rta_type == UNIX_DIAG_PEER && RTA_PAYLOAD(at) >= sizeof(uint32_t))
            return *(const uint32_t *)RTA_DATA(at);
    return 0;
}

/* Inodes of sockets have 32 bits there. */
static uint64_t unix_peer(uint64_t inode) {
    const struct query query = {
        {.nlmsg_len = sizeof query, .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = NLM_F_REQUEST},
        {.sdiag_family = AF_UNIX,
         .udiag_states = UINT32_MAX,
         .udiag_ino = (uint32_t)inode,
         .udiag_show = UDIAG_SHOW_PEER,
         .udiag_cookie = {UINT32_MAX, UINT32_MAX}}};
    union {
        struct nlmsghdr header;
        char bytes[1024];
    } answer;
    int fd = must_fail(EIO) ? -1 : socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (fd < 0)
        return 0;
    uint64_t peer = send(fd, &query, sizeof query, 0) == sizeof query
                        ? peer_in(&answer.header, recv(fd, &answer, sizeof answer, 0))
                        : 0;
    close(fd);
    return peer;
}

/* --- TCP */

/* A line of /proc/net/tcp: addresses as they lie in memory. */
struct line {
    uint32_t local, remote;
    unsigned local_port, remote_port;
    uint64_t inode;
};

static bool parse(const char *text, struct line *line) {
    return sscanf(text, " %*d: %" SCNx32 ":%x %" SCNx32 ":%x %*x %*x:%*x %*x:%*x %*x %*u %*u %" SCNu64,
                  &line->local, &line->local_port, &line->remote, &line->remote_port, &line->inode) == 5;
}

static bool is_wanted(const struct line *line, uint64_t inode, const struct line *other) {
    return other ? line->inode && line->local == other->remote && line->remote == other->local &&
                       line->local_port == other->remote_port && line->remote_port == other->local_port
                 : line->inode == inode;
}

/* The line of INODE; or, with OTHER, that of its other end.  Lines have 150 bytes. */
static bool find_line(uint64_t inode, const struct line *other, struct line *found) {
    char text[4096];
    size_t have = 0;
    bool is_found = false;
    int fd = os_open("/proc/net/tcp", O_RDONLY, 0);
    for (ssize_t got; fd >= 0 && !is_found && (got = os_read(fd, text + have, sizeof text - 1 - have)) > 0;) {
        char *line = text, *end;
        text[have + (size_t)got] = '\0';
        for (; !is_found && (end = strchr(line, '\n')); line = end + 1)
            is_found = parse(line, found) && is_wanted(found, inode, other);
        have = strlen(line);
        memmove(text, line, have + 1);
    }
    if (fd >= 0)
        os_close(fd);
    return is_found;
}

static uint64_t tcp_peer(uint64_t inode) {
    struct line line, other;
    return find_line(inode, NULL, &line) && find_line(0, &line, &other) ? other.inode : 0;
}

uint64_t os_socket_peer(uint64_t inode) {
    if (!inode || inode > UINT32_MAX)
        return 0;
    uint64_t peer = unix_peer(inode);
    return peer ? peer : tcp_peer(inode);
}

/* --- whose they are */

struct walk {
    int process;
    void (*function)(void *context, uint64_t inode);
    void *context;
};

static void look_at_descriptor(void *context, const char *name) {
    const struct walk *walk = context;
    char path[64], link[64];
    uint64_t inode;
    int needed = snprintf(path, sizeof path, "/proc/%d/fd/%s", walk->process, name);
    ssize_t size =
        needed > 0 && (size_t)needed < sizeof path ? os_read_link(path, link, sizeof link - 1) : -1;
    if (size < 0)
        return;
    link[size] = '\0';
    if (sscanf(link, "socket:[%" SCNu64 "]", &inode) == 1)
        walk->function(walk->context, inode);
}

void os_each_socket(int process, void (*function)(void *context, uint64_t inode), void *context) {
    struct walk walk = {process, function, context};
    char folder[32];
    snprintf(folder, sizeof folder, "/proc/%d/fd", process);
    (void)os_each_entry(folder, look_at_descriptor, &walk);
}

struct search {
    uint64_t inode;
    bool found;
};

static void compare(void *context, uint64_t inode) {
    struct search *search = context;
    search->found |= inode == search->inode;
}

bool os_has_socket(int process, uint64_t inode) {
    struct search search = {inode, false};
    if (inode)
        os_each_socket(process, compare, &search);
    return search.found;
}
