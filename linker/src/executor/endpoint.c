#define _GNU_SOURCE
#include "executor/endpoint.h"

#include "base/os.h"
#include "base/private_folder.h"
#include "base/text.h"
#include "executor/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNIX      "unix:"
#define TCP       "tcp:"
#define ADDRESS   "127.0.0.1"
#define NAME      "localhost"
#define PERMITTED "unix:PATH, or tcp:PORT on 127.0.0.1; other machines are reached through ssh"

/* --- names of places */

static bool skip(const char **text, const char *start) {
    size_t length = strlen(start);
    if (strncmp(*text, start, length) != 0)
        return false;
    *text += length;
    return true;
}

static struct jitscope_error *parse_port(const char *whole, const char *text, uint16_t *port) {
    char *end;
    errno = 0;
    unsigned long number = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || errno || *end || number > UINT16_MAX)
        return error_with_help(
            error_create(JITSCOPE_ERROR_USAGE, "'%s' is no place where linker and executor can meet", whole),
            PERMITTED);
    *port = (uint16_t)number;
    return NULL;
}

struct jitscope_error *endpoint_parse(const char *text, struct endpoint *endpoint) {
    const char *rest = text;
    *endpoint = (struct endpoint){0};
    if (skip(&rest, TCP)) {
        (void)(skip(&rest, ADDRESS ":") || skip(&rest, NAME ":"));
        return parse_port(text, rest, &endpoint->port);
    }
    if (!skip(&rest, UNIX) && !strchr(rest, '/'))
        return parse_port(text, "", &endpoint->port);
    endpoint->path = rest;
    return NULL;
}

/* --- Unix sockets */

/* Its folder, checked, and a name for the socket in it that holds whatever happens to the path. */
static struct jitscope_error *open_folder(const char *path, bool make, int *folder, struct text *name) {
    const char *slash = strrchr(path, '/');
    struct text parent = {0};
    if (slash)
        text_append_bytes(&parent, path, slash == path ? 1 : (size_t)(slash - path));
    else
        text_append(&parent, ".");
    struct jitscope_error *error = parent.failed ? error_no_memory() : NULL;
    if (!error && make && os_make_folder(parent.data, 0700) && errno != EEXIST)
        error = error_system("cannot make", parent.data);
    if (!error)
        error = private_folder_open(parent.data, os_effective_user(),
                                    "name a socket in a folder that is your own and has mode 0700", folder);
    if (!error) {
        text_print(name, "/proc/self/fd/%d/%s", *folder, slash ? slash + 1 : path);
        error = name->failed ? error_no_memory() : NULL;
    }
    text_destroy(&parent);
    return error;
}

static struct jitscope_error *check_socket(const char *path, const char *name) {
    uint32_t owner, mode;
    int fd = os_open(name, O_PATH | O_NOFOLLOW, 0);
    if (fd < 0)
        return error_with_help(error_system("cannot open", path), "jitscope-executor --listen makes it");
    struct jitscope_error *error = os_owner(fd, &owner, &mode) ? error_system("fstat", path) : NULL;
    os_close(fd);
    if (error)
        return error;
    if (owner != os_effective_user() || mode & 077)
        return error_in_input(
            error_create(JITSCOPE_ERROR_USAGE, "the socket is another user's, or open to others"), path);
    return NULL;
}

static struct jitscope_error *check_peer(int fd) {
    int process;
    uint32_t user;
    if (os_peer(fd, &process, &user))
        return error_system("getsockopt", "SO_PEERCRED");
    if (user == os_effective_user())
        return NULL;
    return error_create(JITSCOPE_ERROR_EXECUTOR_GONE, "who is at the other end is user %u, this is user %u",
                        user, os_effective_user());
}

static struct jitscope_error *connect_unix(const char *path, int fd) {
    struct text name = {0};
    int folder = -1;
    struct jitscope_error *error = open_folder(path, false, &folder, &name);
    if (!error)
        error = check_socket(path, name.data);
    if (!error && os_connect(fd, name.data))
        error = error_system("cannot connect", path);
    if (!error)
        error = check_peer(fd);
    if (folder >= 0)
        os_close(folder);
    text_destroy(&name);
    return error;
}

/* What an executor that was killed has left, is in the way; what another listens to, is not touched. */
static bool remove_stale(const char *name) {
    int fd = os_stream_socket();
    bool stale = fd >= 0 && os_connect(fd, name) && errno == ECONNREFUSED;
    if (fd >= 0)
        os_close(fd);
    return stale && !os_remove(name);
}

/* A descriptor's mode is what the socket's file gets. */
static struct jitscope_error *bind_unix(const char *path, const char *name, int listener) {
    if (os_set_mode(listener, 0600))
        return error_system("fchmod", path);
    if (os_bind(listener, name) && (errno != EADDRINUSE || !remove_stale(name) || os_bind(listener, name)))
        return error_system("cannot make", path);
    struct jitscope_error *error = check_socket(path, name);
    if (!error && os_listen(listener))
        error = error_system("listen", path);
    if (error)
        os_remove(name);
    return error;
}

/* --- waiting */

static void tell(const struct jitscope_listen_options *options, const char *text) {
    if (options->told)
        options->told(options->context, text);
}

static void tell_place(const struct jitscope_listen_options *options, const struct endpoint *endpoint) {
    struct text text = {0};
    if (endpoint->path)
        text_print(&text, "waits for one linker at " UNIX "%s", endpoint->path);
    else
        text_print(&text, "waits for one linker at " TCP ADDRESS ":%u", endpoint->port);
    if (!text.failed)
        tell(options, text.data);
    text_destroy(&text);
}

static struct jitscope_error *accept_one(int listener, int *fd) {
    do
        *fd = os_accept(listener);
    while (*fd < 0 && (errno == EINTR || errno == ECONNABORTED));
    return *fd < 0 ? error_system("accept", NULL) : NULL;
}

/* Other users' processes are sent away, and waiting goes on: they could not have come in anyway, but for
 * root's. */
static struct jitscope_error *accept_own(int listener, const struct jitscope_listen_options *options,
                                         int *fd) {
    for (;;) {
        TRY(accept_one(listener, fd));
        struct jitscope_error *error = check_peer(*fd);
        if (!error)
            return NULL;
        os_close(*fd);
        *fd = -1;
        tell(options, error_text(error));
        jitscope_error_destroy(error);
    }
}

static struct jitscope_error *listen_unix(const struct endpoint *endpoint, int listener,
                                          const struct jitscope_listen_options *options, int *fd) {
    struct text name = {0};
    int folder = -1;
    struct jitscope_error *error = open_folder(endpoint->path, true, &folder, &name);
    if (!error)
        error = bind_unix(endpoint->path, name.data, listener);
    if (!error) {
        tell_place(options, endpoint);
        error = accept_own(listener, options, fd);
        os_remove(name.data);
    }
    if (folder >= 0)
        os_close(folder);
    text_destroy(&name);
    return error;
}

/* --- TCP */

static struct jitscope_error *connect_tcp(uint16_t port, const struct secret *secret, int fd) {
    if (os_tcp_connect(fd, port))
        return error_with_help(error_system("cannot connect", TCP ADDRESS),
                               "jitscope-executor --listen tcp:%u, with the same secret, must wait there",
                               port);
    if (os_tcp_at_once(fd))
        return error_system("setsockopt", NULL);
    TRY(secret_use_up(secret));
    return secret_show(secret, fd, port);
}

static struct jitscope_error *wait_for_tcp(struct endpoint *endpoint, int listener,
                                           const struct jitscope_listen_options *options, int *fd) {
    if (os_tcp_bind(listener, &endpoint->port) || os_listen(listener))
        return error_with_help(error_system("cannot listen", TCP ADDRESS), "another port may be free");
    tell_place(options, endpoint);
    TRY(accept_one(listener, fd));
    os_shut_down(listener); /* whoever else waits is sent away */
    return os_tcp_at_once(*fd) ? error_system("setsockopt", NULL) : NULL;
}

static struct jitscope_error *listen_tcp(const struct endpoint *wanted, int listener,
                                         const struct jitscope_listen_options *options, int *fd) {
    struct endpoint endpoint = *wanted;
    struct secret secret;
    struct jitscope_error *error = secret_read(&options->secret, &secret);
    if (!error)
        error = wait_for_tcp(&endpoint, listener, options, fd);
    if (!error)
        error = secret_use_up(&secret);
    if (!error)
        error = secret_ask(&secret, *fd, endpoint.port);
    secret_forget(&secret);
    return error;
}

/* --- both */

static struct jitscope_error *open_socket(const struct endpoint *endpoint, int *fd) {
    *fd = endpoint->path ? os_stream_socket() : os_tcp_socket();
    return *fd < 0 ? error_system("socket", NULL) : NULL;
}

struct jitscope_error *endpoint_connect(const struct endpoint *endpoint, const struct jitscope_secret *source,
                                        int *out) {
    struct secret secret = {0};
    int fd;
    struct jitscope_error *error = endpoint->path ? NULL : secret_read(source, &secret);
    if (!error)
        error = open_socket(endpoint, &fd);
    if (error) {
        secret_forget(&secret);
        return error;
    }
    error = endpoint->path ? connect_unix(endpoint->path, fd) : connect_tcp(endpoint->port, &secret, fd);
    secret_forget(&secret);
    if (error)
        os_close(fd);
    else
        *out = fd;
    return error;
}

struct jitscope_error *endpoint_listen(const struct endpoint *endpoint,
                                       const struct jitscope_listen_options *options, int *out) {
    int listener, fd = -1;
    TRY(open_socket(endpoint, &listener));
    struct jitscope_error *error = endpoint->path ? listen_unix(endpoint, listener, options, &fd)
                                                  : listen_tcp(endpoint, listener, options, &fd);
    os_close(listener);
    if (error && fd >= 0)
        os_close(fd);
    if (!error)
        *out = fd;
    return error;
}
