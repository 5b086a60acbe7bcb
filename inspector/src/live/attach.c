#include "live/attach.h"

#include "base/os.h"
#include "live/doors.h"
#include "live/list.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

/* --- finding the door */

struct wanted {
    uint32_t process, session; /* session 0: the lowest */
    uint32_t found;            /* session behind CONNECTION */
    int connection;
};

static struct jitscope_error *no_answer(const struct wanted *wanted) {
    return error_with_help(
        error_create(JITSCOPE_ERROR_SYSTEM, "process %" PRIu32 " does not answer", wanted->process),
        "it may have been stopped, by a signal or by a debugger: let it go on");
}

/* Of several doors only that one's answer is waited for. */
static struct jitscope_error *try_door(void *context, const struct live_door *door) {
    struct wanted *wanted = context;
    enum { PATIENCE = 2000 };
    enum live_answer answer;
    int connection;
    if (door->process != wanted->process || (wanted->session && door->session != wanted->session) ||
        (wanted->connection >= 0 && door->session > wanted->found))
        return NULL;
    TRY(live_knock(door, PATIENCE, &answer, &connection));
    if (answer == LIVE_BUSY)
        return no_answer(wanted);
    if (answer == LIVE_NOBODY)
        return NULL;
    if (wanted->connection >= 0)
        os_close(wanted->connection);
    wanted->connection = connection;
    wanted->found = door->session;
    return NULL;
}

static struct jitscope_error *find_user(uint32_t process, uint32_t *user) {
    uint32_t self = os_effective_user();
    bool there = process && process <= INT32_MAX && !os_process_user((int)process, user);
    if (!there && process && process <= INT32_MAX && errno != ENOENT)
        return error_system("cannot read what /proc says", NULL);
    if (!there)
        return error_with_help(
            error_create(JITSCOPE_ERROR_NOT_FOUND, "there is no process %" PRIu32, process),
            "`jitscope inspect --list` names those that can be inspected");
    if (*user == self || !self)
        return NULL;
    return error_with_help(error_create(JITSCOPE_ERROR_USAGE,
                                        "process %" PRIu32 " belongs to another user, number %" PRIu32,
                                        process, *user),
                           "inspect it as that user, or as root");
}

static struct jitscope_error *no_door(const struct wanted *wanted) {
    if (wanted->session)
        return error_with_help(error_create(JITSCOPE_ERROR_NOT_FOUND,
                                            "process %" PRIu32 " has no session %" PRIu32
                                            " that can be inspected",
                                            wanted->process, wanted->session),
                               "`jitscope inspect --list` names those that can be inspected");
    return error_with_help(
        error_create(JITSCOPE_ERROR_NOT_FOUND,
                     "process %" PRIu32 " does not use jitscope, or does not allow to be inspected",
                     wanted->process),
        "allow it when it is started: with `jitscope run --inspectable`, with `inspectable` in its session's "
        "options, or with JITSCOPE_INSPECT=1 in its environment; both sides must have the same "
        "XDG_RUNTIME_DIR");
}

static struct jitscope_error *find_door(struct wanted *wanted) {
    uint32_t user;
    TRY(find_user(wanted->process, &user));
    struct jitscope_error *error = live_each_door(user, try_door, wanted);
    if (!error && wanted->connection < 0)
        error = no_door(wanted);
    return error;
}

/* --- what is said there */

static struct jitscope_error *receive(const struct wanted *wanted, struct live_attached *attached,
                                      size_t *size) {
    *size = sizeof attached->header;
    if (os_receive(wanted->connection, &attached->header, size, &attached->recording) < 0)
        return errno == EAGAIN ? no_answer(wanted) : error_system("recvmsg", NULL);
    return *size ? NULL
                 : error_create(JITSCOPE_ERROR_SYSTEM,
                                "process %" PRIu32 " refuses to be inspected, or has just ended",
                                wanted->process);
}

static struct jitscope_error *check_version(const struct wanted *wanted, struct inspect_header *header,
                                            size_t size) {
    if (size < offsetof(struct inspect_header, program) ||
        memcmp(header->magic, INSPECT_MAGIC, sizeof header->magic) != 0)
        return error_create(JITSCOPE_ERROR_FORMAT, "process %" PRIu32 " does not answer as jitscope does",
                            wanted->process);
    header->library[sizeof header->library - 1] = '\0';
    if (header->version == INSPECT_VERSION)
        return NULL;
    struct text library = {0};
    text_append_escaped(&library, header->library, strlen(header->library));
    struct jitscope_error *error =
        error_create(JITSCOPE_ERROR_UNSUPPORTED,
                     "process %" PRIu32 " uses jitscope %s, which speaks version %" PRIu32
                     " of the inspection protocol; this is jitscope %s, which speaks version %u",
                     wanted->process, library.data ? library.data : "", header->version, JITSCOPE_VERSION,
                     INSPECT_VERSION);
    text_destroy(&library);
    return error_with_help(error, "use the inspector of that version");
}

/* Another process whose memory is to be read: one of somebody else is none of the linker's.  It may have
 * ended. */
static bool may_be_its(const struct wanted *wanted, const struct inspect_header *header) {
    uint32_t owner, other;
    if (header->code_process == wanted->process)
        return header->code_started == header->process_started;
    if (!header->code_process || header->code_process > INT32_MAX || !header->code_started)
        return false;
    return os_process_user((int)header->code_process, &other) ||
           (!os_process_user((int)wanted->process, &owner) && owner == other);
}

static struct jitscope_error *check_header(const struct wanted *wanted, struct inspect_header *header,
                                           size_t size) {
    uint64_t started;
    TRY(check_version(wanted, header, size));
    header->program[sizeof header->program - 1] = '\0';
    bool good = size == sizeof *header && header->size == size && header->process == wanted->process &&
                header->session == wanted->found && !os_process_started((int)wanted->process, &started) &&
                started == header->process_started && may_be_its(wanted, header);
    return good ? NULL
                : error_create(JITSCOPE_ERROR_FORMAT, "process %" PRIu32 " says of itself what is not so",
                               wanted->process);
}

static struct jitscope_error *check_recording(const struct wanted *wanted,
                                              const struct live_attached *attached) {
    uint64_t size;
    bool regular;
    if (!(attached->header.flags & INSPECT_HAS_RECORDING) || attached->recording < 0)
        return error_with_help(error_create(JITSCOPE_ERROR_RECORDING,
                                            "session %" PRIu32 " of process %" PRIu32
                                            " has no recording that could be read",
                                            wanted->found, wanted->process),
                               "its file could not be made, or the process has no descriptor left");
    if (os_file_size(attached->recording, &size, &regular) < 0)
        return error_system("fstat", NULL);
    return regular ? NULL
                   : error_create(JITSCOPE_ERROR_FORMAT, "what process %" PRIu32 " hands over is no file",
                                  wanted->process);
}

static struct jitscope_error *take_over(const struct wanted *wanted, struct live_attached *attached) {
    size_t size;
    TRY(receive(wanted, attached, &size));
    TRY(check_header(wanted, &attached->header, size));
    return check_recording(wanted, attached);
}

static struct jitscope_error *attach(uint32_t process, uint32_t session, struct live_attached *out) {
    struct wanted wanted = {.process = process, .session = session, .connection = -1};
    struct live_attached attached = {.recording = -1};
    struct jitscope_error *error = find_door(&wanted);
    if (!error)
        error = take_over(&wanted, &attached);
    if (wanted.connection >= 0)
        os_close(wanted.connection);
    if (error)
        live_detach(&attached);
    else
        *out = attached;
    return error;
}

/* The session that says HEADER has its code in PROCESS, which is no other one with that number. */
static bool runs_in(const struct inspect_header *header, uint32_t process) {
    uint64_t started;
    return header->code_process == process &&
           (os_process_started((int)process, &started) < 0 || started == header->code_started);
}

/* To the session of another process whose code runs in PROCESS: each says of itself where its code does.
 * False: there is none. */
static bool attach_to_linker(uint32_t process, uint32_t session, struct live_attached *out) {
    struct live_sessions sessions = {0};
    struct live_attached attached;
    bool found = false;
    jitscope_error_destroy(live_list(&sessions));
    for (uint32_t i = 0; i < sessions.list.count && !found; i++) {
        const struct live_session *at = &sessions.list.data[i];
        if (at->process == process || (session && at->session != session))
            continue;
        struct jitscope_error *error = attach(at->process, at->session, &attached);
        found = !error && runs_in(&attached.header, process);
        if (found)
            *out = attached;
        else if (!error)
            live_detach(&attached);
        jitscope_error_destroy(error);
    }
    live_sessions_destroy(&sessions);
    return found;
}

struct jitscope_error *live_attach(uint32_t process, uint32_t session, struct live_attached *out) {
    struct jitscope_error *error = attach(process, session, out);
    if (jitscope_error_code(error) != JITSCOPE_ERROR_NOT_FOUND || !attach_to_linker(process, session, out))
        return error;
    jitscope_error_destroy(error);
    return NULL;
}

void live_detach(struct live_attached *attached) {
    if (attached->recording >= 0)
        os_close(attached->recording);
    attached->recording = -1;
}
