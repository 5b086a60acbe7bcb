#include "run/choose.h"

#include "base/os.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_age(struct text *out, uint64_t nanoseconds) {
    uint64_t seconds = nanoseconds / 1000000000;
    if (seconds < 3600)
        text_print(out, "%3" PRIu64 ":%02" PRIu64 "  ", seconds / 60, seconds % 60);
    else
        text_print(out, "%3" PRIu64 "h%02" PRIu64 "  ", seconds / 3600, seconds / 60 % 60);
}

static void print_session(struct text *out, const struct live_session *session) {
    text_print(out, "%7u  %7u  ", session->process, session->session);
    print_age(out, session->age);
    const char *command = *session->command ? session->command : session->program;
    text_append_escaped(out, command, strlen(command));
    text_append(out, "\n");
}

void sessions_print(struct text *out, const struct live_sessions *sessions) {
    text_append(out, "process  session     age  command\n");
    for (uint32_t i = 0; i < sessions->list.count; i++)
        print_session(out, &sessions->list.data[i]);
}

struct jitscope_error *choose_on_terminal(const struct live_sessions *sessions, uint64_t nanoseconds,
                                          struct inspected **inspected) {
    char answer[32] = "";
    struct text text = {0};
    struct jitscope_error *none =
        error_with_help(error_create(JITSCOPE_ERROR_USAGE, "several processes can be looked at"),
                        "name one: jitscope inspect --pid PID");
    if (!os_is_terminal(0) || !os_is_terminal(1))
        return none;
    for (uint32_t i = 0; i < sessions->list.count; i++) {
        text_print(&text, "%3u  ", i + 1);
        print_session(&text, &sessions->list.data[i]);
    }
    printf("     process  session     age  command\n%swhich? ", text.data ? text.data : "");
    text_destroy(&text);
    fflush(stdout);
    unsigned long number = fgets(answer, sizeof answer, stdin) ? strtoul(answer, NULL, 10) : 0;
    if (!number || number > sessions->list.count)
        return none;
    jitscope_error_destroy(none);
    const struct live_session *session = &sessions->list.data[number - 1];
    return inspected_attach(session->process, session->session, nanoseconds, inspected);
}
