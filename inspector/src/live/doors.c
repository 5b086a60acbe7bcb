#include "live/doors.h"

#include "base/os.h"
#include "base/vec.h"
#include "executor/inspect_protocol.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct doors {
    VEC(struct live_door) list;
    struct live_door door; /* with folder and user */
    struct jitscope_error *error;
};

static void take_name(void *context, const char *name) {
    struct doors *doors = context;
    if (!doors->error && inspect_socket_parse(name, &doors->door.process, &doors->door.session))
        doors->error = vec_push(&doors->list, doors->door);
}

/* Names first: what FUNCTION does may change the folder. */
static struct jitscope_error *visit(struct doors *doors,
                                    struct jitscope_error *(*function)(void *, const struct live_door *),
                                    void *context) {
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", doors->door.folder);
    os_each_entry(path, take_name, doors);
    TRY(doors->error);
    for (uint32_t i = 0; i < doors->list.count; i++)
        TRY(function(context, &doors->list.data[i]));
    return NULL;
}

static struct jitscope_error *
visit_folder(const char *path, uint32_t user,
             struct jitscope_error *(*function)(void *, const struct live_door *), void *context) {
    struct doors doors = {.door = {.user = user}};
    struct jitscope_error *error = inspect_folder_open(path, user, &doors.door.folder);
    if (error) {
        bool out = jitscope_error_code(error) == JITSCOPE_ERROR_NO_MEMORY;
        if (!out)
            jitscope_error_destroy(error);
        return out ? error : NULL;
    }
    error = visit(&doors, function, context);
    os_close(doors.door.folder);
    vec_destroy(&doors.list);
    return error;
}

/* The runtime folder is usually the login's: once is enough. */
static bool was_visited(struct text *paths, enum inspect_place place) {
    for (enum inspect_place before = 0; before < place; before++)
        if (paths[before].data && !strcmp(paths[before].data, paths[place].data))
            return true;
    return false;
}

struct jitscope_error *live_each_door(uint32_t user,
                                      struct jitscope_error *(*function)(void *, const struct live_door *),
                                      void *context) {
    struct text paths[INSPECT_PLACES] = {0};
    struct jitscope_error *error = NULL;
    for (enum inspect_place place = 0; place < INSPECT_PLACES && !error; place++) {
        if (!inspect_folder_path(place, user, &paths[place]))
            continue;
        if (paths[place].failed)
            error = error_no_memory();
        else if (!was_visited(paths, place))
            error = visit_folder(paths[place].data, user, function, context);
    }
    for (enum inspect_place place = 0; place < INSPECT_PLACES; place++)
        text_destroy(&paths[place]);
    return error;
}

static bool is_whom_it_says(const struct live_door *door, int connection) {
    int process;
    uint32_t user;
    return !os_peer(connection, &process, &user) && process > 0 && (uint32_t)process == door->process &&
           user == door->user;
}

/* What is not a socket any more, or cannot be reached, is no door. */
static enum live_answer connect_to(const struct live_door *door, int connection) {
    char path[INSPECT_SOCKET_PATH];
    inspect_socket_path(path, door->folder, door->process, door->session);
    if (os_connect(connection, path) < 0)
        return errno == EAGAIN ? LIVE_BUSY : LIVE_NOBODY;
    return is_whom_it_says(door, connection) ? LIVE_OPEN : LIVE_NOBODY;
}

struct jitscope_error *live_knock(const struct live_door *door, uint32_t milliseconds,
                                  enum live_answer *answer, int *out) {
    int connection = os_socket();
    if (connection < 0)
        return error_system("socket", NULL);
    if (os_limit_waiting(connection, milliseconds) < 0) {
        os_close(connection);
        return error_system("setsockopt", NULL);
    }
    *answer = connect_to(door, connection);
    if (*answer == LIVE_OPEN)
        *out = connection;
    else
        os_close(connection);
    return NULL;
}

void live_remove_stale(const struct live_door *door) {
    char path[INSPECT_SOCKET_PATH];
    uint64_t started;
    if (!os_process_started((int)door->process, &started) || errno != ENOENT)
        return;
    inspect_socket_path(path, door->folder, door->process, door->session);
    os_remove(path);
}
