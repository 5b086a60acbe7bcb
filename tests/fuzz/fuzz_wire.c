/* What an executor says to a session: the first byte tells what the session does, the rest is the stream.  It
 * may be refused at any message; what it says is never believed beyond that. */
#include "fuzz_common.h"

#include "base/os.h"
#include "executor/wire.h"

#include <string.h>

enum { MOST = 60000 }; /* what a socket takes without a reader */

static void use(struct jitscope_session *session, unsigned steps) {
    struct jitscope_link *link = NULL;
    uint8_t bytes[64];
    uint64_t address;
    int status;
    for (int i = 0; i < 3; i++, steps >>= 2) {
        struct jitscope_error *error = NULL;
        if (steps & 1)
            error = jitscope_session_add_root(session, "main");
        fuzz_expect_message(error);
        error = jitscope_session_link(session, &link);
        if (!error && steps & 2)
            fuzz_expect_message(jitscope_session_unload(session, link));
        fuzz_expect_message(error);
    }
    fuzz_expect_message(jitscope_session_lookup(session, "main", &address));
    fuzz_expect_message(jitscope_session_read(session, 0x1000, bytes, sizeof bytes));
    if (steps & 1)
        fuzz_expect_message(jitscope_session_run_main(session, 0x1000, &status));
}

static void look_at(const char *text) {
    FUZZ_HOLDS(!text || (*text && strlen(text) < MOST));
}

static void crashed(void *unused, int process, int thread, int signal, uint64_t address) {
    (void)unused, (void)thread, (void)address;
    FUZZ_HOLDS(!process && signal > 0);
}

static void crashed_stack(void *unused, const struct jitscope_crash_frame *frames, size_t count) {
    (void)unused;
    FUZZ_HOLDS(count <= BRIDGE_MOST_FRAMES);
    for (size_t i = 0; i < count; i++) {
        look_at(frames[i].function);
        look_at(frames[i].library);
        FUZZ_HOLDS(!frames[i].is_linked || frames[i].function);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct jitscope_executor_connection *connection;
    struct jitscope_session *session;
    const struct jitscope_executor_options wanted = {
        .size = sizeof wanted, .crashed = crashed, .crashed_stack = crashed_stack};
    int ends[2];
    if (size < 1 || size > MOST || os_socket_pair(ends))
        return 0;
    FUZZ_HOLDS(os_write(ends[1], data + 1, size - 1) == (ssize_t)size - 1);
    os_shut_down_sending(ends[1]);
    struct jitscope_error *error = jitscope_executor_connect(ends[0], &wanted, &connection);
    if (!error) {
        struct jitscope_session_options options = {.size = sizeof options, .executor = connection};
        error = jitscope_session_create(&options, &session);
        if (!error) {
            use(session, data[0]);
            jitscope_session_destroy(session);
        }
    }
    fuzz_expect_message(error);
    os_close(ends[1]);
    return 0;
}
