#define _GNU_SOURCE
#include "executor/inspect_server.h"

#include "base/os.h"
#include "executor/executor_debug.h"
#include "executor/inspect_protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { MOST_SESSIONS = 100000, PAUSE = 100 /* milliseconds */ };

struct inspect_server {
    struct inspect_header header;
    struct inspect_server *next;
    char *path; /* of the socket */
    int process;
    int listener;
    int reader;  /* -1: none */
    bool serves; /* under `life`: has a socket and, once it was shown something, a thread */
    bool has_thread;
    _Atomic bool ends;
    struct os_thread thread;
};

/* Two locks.  `life` is held while doors come and go, over the join of a thread too; `shown` for moments,
 * while what a door shows is looked at or changed: it is all that a door's thread takes. */
static pthread_mutex_t life = PTHREAD_MUTEX_INITIALIZER, shown = PTHREAD_MUTEX_INITIALIZER;
static struct inspect_server *servers; /* that serve */
static bool follows_exit, follows_forks;

/* --- serving */

static bool may_connect(int connection) {
    int process;
    uint32_t user;
    return !os_peer(connection, &process, &user) && (!user || user == os_effective_user());
}

/* The lock is not held over /proc: the file may lie on a disk that does not answer. */
static void answer(struct inspect_server *server, int connection) {
    pthread_mutex_lock(&shown);
    struct inspect_header header = server->header;
    int ours = server->reader < 0 ? -1 : os_duplicate(server->reader);
    pthread_mutex_unlock(&shown);
    int reader = ours < 0 ? -1 : os_reopen(ours, O_RDONLY);
    if (reader < 0)
        header.flags &= ~(uint32_t)INSPECT_HAS_RECORDING;
    os_send(connection, &header, sizeof header, reader); /* who has gone gets nothing */
    if (reader >= 0)
        os_close(reader);
    if (ours >= 0)
        os_close(ours);
}

/* Where the process has no descriptor left, accept(2) fails at once: a pause keeps the thread from turning.
 */
static void *serve(void *context) {
    struct inspect_server *server = context;
    for (;;) {
        int connection = os_accept(server->listener);
        if (atomic_load(&server->ends)) {
            if (connection >= 0)
                os_close(connection);
            return NULL;
        }
        if (connection < 0) {
            os_await_shutdown(server->listener, PAUSE);
            continue;
        }
        if (may_connect(connection))
            answer(server, connection);
        os_close(connection);
    }
}

/* --- closing, under `life` */

static void leave_list(struct inspect_server *server) {
    struct inspect_server **link = &servers;
    while (*link && *link != server)
        link = &(*link)->next;
    if (*link)
        *link = server->next;
}

static void close_descriptors(struct inspect_server *server) {
    if (server->listener >= 0)
        os_close(server->listener);
    if (server->reader >= 0)
        os_close(server->reader);
    server->listener = server->reader = -1;
}

static void stop(struct inspect_server *server) {
    bool is_ours = server->process == os_process_id(); /* not behind _Fork(3), which nobody hears of */
    leave_list(server);
    server->serves = false;
    atomic_store(&server->ends, true);
    if (is_ours && server->path)
        os_remove(server->path);
    if (is_ours && server->has_thread) {
        os_shut_down(server->listener);
        os_join_thread(server->thread);
    }
    close_descriptors(server);
}

static void stop_all(void) {
    pthread_mutex_lock(&life);
    while (servers)
        stop(servers);
    pthread_mutex_unlock(&life);
}

void inspect_server_close(struct inspect_server *server) {
    if (!server)
        return;
    pthread_mutex_lock(&life);
    if (server->serves)
        stop(server);
    pthread_mutex_unlock(&life);
    close_descriptors(server);
    os_release(server->path);
    os_release(server);
}

/* --- fork */

static void before_fork(void) {
    pthread_mutex_lock(&life);
    pthread_mutex_lock(&shown);
}

static void behind_fork(void) {
    pthread_mutex_unlock(&shown);
    pthread_mutex_unlock(&life);
}

/* The threads are not here; the sockets are the parent's. */
static void in_child(void) {
    for (struct inspect_server *server = servers; server; server = server->next) {
        server->serves = false;
        close_descriptors(server);
    }
    servers = NULL;
    behind_fork();
}

bool inspect_server_is_here(const struct inspect_server *server) {
    return server && server->process == os_process_id();
}

/* --- opening */

/* Under `life`. */
static struct jitscope_error *follow_process(void) {
    if (!follows_forks && os_at_fork(before_fork, behind_fork, in_child) < 0)
        return error_system("pthread_atfork", NULL);
    follows_forks = true;
    if (!follows_exit && os_at_exit(stop_all) < 0)
        return error_system("atexit", NULL);
    follows_exit = true;
    return NULL;
}

/* A runtime folder that is another user's came with the environment, through su(1) say. */
static bool is_own(const struct text *path, uint32_t user) {
    uint32_t owner, mode;
    struct text parent = {0};
    text_append_bytes(&parent, path->data ? path->data : "", path->length - strlen("/jitscope"));
    int fd = parent.failed || !parent.length ? -1 : os_open(parent.data, O_PATH | O_DIRECTORY, 0);
    bool own = fd >= 0 && !os_owner(fd, &owner, &mode) && owner == user;
    if (fd >= 0)
        os_close(fd);
    text_destroy(&parent);
    return own;
}

static struct jitscope_error *choose_folder(struct text *path) {
    uint32_t user = os_effective_user();
    bool chosen = inspect_folder_path(INSPECT_RUNTIME_FOLDER, user, path);
    if (chosen && !path->failed && !is_own(path, user)) {
        text_clear(path);
        chosen = false;
    }
    if (!chosen)
        inspect_folder_path(INSPECT_COMMON_FOLDER, user, path);
    return path->failed ? error_no_memory() : NULL;
}

static struct jitscope_error *open_folder(struct text *path, int *fd) {
    TRY(choose_folder(path));
    if (os_make_folder(path->data, 0700) < 0 && errno != EEXIST)
        return error_system("cannot make", path->data);
    return inspect_folder_open(path->data, os_effective_user(), fd);
}

/* What is there under a name of this process was left by one that had its number before, or that it was
 * before execve(2); or belongs to another copy of this library in it. */
static bool remove_stale(const char *path) {
    int fd = os_socket();
    bool stale = fd >= 0 && !os_limit_waiting(fd, PAUSE) && os_connect(fd, path) < 0 && errno == ECONNREFUSED;
    if (fd >= 0)
        os_close(fd);
    return stale && !os_remove(path);
}

/* A descriptor's mode is what the socket's file gets. */
static struct jitscope_error *bind_in(int folder, struct inspect_server *server) {
    static uint32_t sessions;
    char path[INSPECT_SOCKET_PATH];
    for (int tries = 0; tries < MOST_SESSIONS; tries++) {
        server->header.session = __atomic_add_fetch(&sessions, 1, __ATOMIC_RELAXED);
        inspect_socket_path(path, folder, (uint32_t)server->process, server->header.session);
        if (!os_bind(server->listener, path))
            return NULL;
        if (errno != EADDRINUSE)
            return error_system("bind", NULL);
        if (remove_stale(path) && !os_bind(server->listener, path))
            return NULL;
    }
    return error_create(JITSCOPE_ERROR_SYSTEM, "no name is left for a socket");
}

static struct jitscope_error *make_socket(struct inspect_server *server, struct text *folder_path,
                                          int folder) {
    server->listener = os_socket();
    if (server->listener < 0 || os_set_mode(server->listener, 0600) < 0)
        return error_system("socket", NULL);
    TRY(bind_in(folder, server));
    text_print(folder_path, "/%d-%u.sock", server->process, server->header.session);
    server->path = text_take(folder_path);
    if (!server->path) {
        char path[INSPECT_SOCKET_PATH];
        inspect_socket_path(path, folder, (uint32_t)server->process, server->header.session);
        os_remove(path);
        return error_no_memory();
    }
    return os_listen(server->listener) < 0 ? error_system("listen", NULL) : NULL;
}

static struct jitscope_error *describe(struct inspect_server *server, uint64_t session_began,
                                       int code_process) {
    struct inspect_header *header = &server->header;
    memcpy(header->magic, INSPECT_MAGIC, sizeof header->magic);
    header->version = INSPECT_VERSION;
    header->size = sizeof *header;
    header->process = (uint32_t)server->process;
    header->session_began = session_began;
    header->debuggee = code_process ? 0 : executor_debug_root();
    header->code_process = code_process ? (uint32_t)code_process : header->process;
    snprintf(header->program, sizeof header->program, "%s", os_program_name());
    snprintf(header->library, sizeof header->library, "%s", JITSCOPE_VERSION);
    if (os_process_started(server->process, &header->process_started) < 0)
        return error_system("cannot read", "/proc/self/stat");
    return os_process_started((int)header->code_process, &header->code_started) < 0
               ? error_system("cannot read", "the executor's /proc/PID/stat")
               : NULL;
}

/* Under `life`, so that no child of fork() is made with a socket that it does not know of. */
static struct jitscope_error *open_server(struct inspect_server *server, uint64_t session_began,
                                          int code_process) {
    struct text path = {0};
    int folder = -1;
    TRY(follow_process());
    TRY(describe(server, session_began, code_process));
    struct jitscope_error *error = open_folder(&path, &folder);
    if (!error)
        error = make_socket(server, &path, folder);
    if (folder >= 0)
        os_close(folder);
    text_destroy(&path);
    return error;
}

struct jitscope_error *inspect_server_open(uint64_t session_began, int code_process,
                                           struct inspect_server **out) {
    if (os_has_more_rights())
        return error_create(JITSCOPE_ERROR_USAGE, "the program runs with more rights than its caller");
    struct inspect_server *server = os_allocate_zeroed(sizeof *server);
    if (!server)
        return error_no_memory();
    server->listener = server->reader = -1;
    server->process = os_process_id();
    pthread_mutex_lock(&life);
    server->next = servers;
    servers = server;
    server->serves = true;
    struct jitscope_error *error = open_server(server, session_began, code_process);
    pthread_mutex_unlock(&life);
    if (error)
        inspect_server_close(server);
    else
        *out = server;
    return error;
}

/* --- showing */

static int exchange(struct inspect_server *server, int reader, bool in_memory, uint32_t executor) {
    uint32_t flags = reader < 0 ? 0 : INSPECT_HAS_RECORDING | (in_memory ? INSPECT_IN_MEMORY : 0);
    pthread_mutex_lock(&shown);
    int old = server->reader;
    server->reader = reader;
    server->header.flags = flags;
    server->header.executor = executor;
    pthread_mutex_unlock(&shown);
    return old;
}

static struct jitscope_error *start_thread(struct inspect_server *server) {
    struct jitscope_error *error = NULL;
    pthread_mutex_lock(&life);
    if (server->serves && !server->has_thread) {
        server->has_thread = !os_start_thread(serve, server, "jitscope-door", &server->thread);
        error = server->has_thread ? NULL : error_system("pthread_create", NULL);
    }
    pthread_mutex_unlock(&life);
    return error;
}

struct jitscope_error *inspect_server_show(struct inspect_server *server, int reader, bool in_memory,
                                           uint32_t executor) {
    int old = exchange(server, reader, in_memory, executor);
    if (old >= 0)
        os_close(old);
    return start_thread(server);
}
