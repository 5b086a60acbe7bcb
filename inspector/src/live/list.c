#include "live/list.h"

#include "executor/inspect_protocol.h"
#include "live/doors.h"

#include <stdlib.h>
#include <string.h>

static void name_process(struct live_session *session) {
    char *command = session->command;
    ssize_t length = os_read_about((int)session->process, "comm", session->program, sizeof session->program);
    session->program[length > 0 ? strcspn(session->program, "\n") : 0] = '\0';
    length = os_read_about((int)session->process, "cmdline", command, sizeof session->command);
    for (ssize_t i = 0; i < length - 1; i++)
        command[i] = command[i] ? command[i] : ' ';
    command[length > 0 ? length : 0] = '\0';
}

/* A socket is made when its session begins. */
static void date(const struct live_door *door, struct live_session *session) {
    char path[INSPECT_SOCKET_PATH];
    uint64_t now = os_wall_time_ns();
    inspect_socket_path(path, door->folder, door->process, door->session);
    if (os_time_written(path, &session->started) < 0)
        session->started = now; /* it has just ended */
    session->age = now > session->started ? now - session->started : 0;
}

static struct jitscope_error *add(void *sessions, const struct live_door *door) {
    enum { AT_ONCE = 1 };
    enum live_answer answer;
    int connection = -1;
    TRY(live_knock(door, AT_ONCE, &answer, &connection));
    if (answer == LIVE_NOBODY) {
        live_remove_stale(door);
        return NULL;
    }
    if (answer == LIVE_OPEN)
        os_close(connection);
    struct live_session session = {.process = door->process, .session = door->session};
    date(door, &session);
    name_process(&session);
    return vec_push(&((struct live_sessions *)sessions)->list, session);
}

static int by_number(const void *a, const void *b) {
    const struct live_session *x = a, *y = b;
    if (x->process != y->process)
        return x->process < y->process ? -1 : 1;
    return x->session < y->session ? -1 : x->session > y->session;
}

struct jitscope_error *live_list(struct live_sessions *out) {
    struct live_sessions sessions = {0};
    struct jitscope_error *error = live_each_door(os_effective_user(), add, &sessions);
    if (error) {
        live_sessions_destroy(&sessions);
        return error;
    }
    if (sessions.list.count)
        qsort(sessions.list.data, sessions.list.count, sizeof *sessions.list.data, by_number);
    *out = sessions;
    return NULL;
}

void live_sessions_destroy(struct live_sessions *sessions) {
    vec_destroy(&sessions->list);
}
