#define _GNU_SOURCE
/* What a link defines is for shared libraries to find, from the export on until the link goes. */
#include "check.h"

#include <dlfcn.h>

static void look(const char *when) {
    int (*answer)(void);
    *(void **)&answer = dlsym(RTLD_DEFAULT, "answer");
    printf("%s: ", when);
    if (answer)
        printf("answer() = %d\n", answer());
    else
        printf("no answer\n");
}

static void refuse(void) {
    struct jitscope_session_options options = {.size = sizeof options, .simulate = true, .base = 0x400000};
    struct jitscope_session *session;
    struct jitscope_link *link;
    check(jitscope_session_create(&options, &session));
    check(jitscope_session_link(session, &link));
    struct jitscope_error *error = jitscope_session_export(session, link);
    printf("%s: %s\n", jitscope_error_code_name(jitscope_error_code(error)), jitscope_error_message(error));
    jitscope_error_destroy(error);
    jitscope_session_destroy(session);
}

/* What a finaliser finds of a link that is gone already. */
static int say_and_look(const char *text) {
    printf("  %s: %s\n", text, dlsym(RTLD_DEFAULT, "fib") ? "fib is there" : "no fib");
    return 0;
}

static void end_session(void) {
    struct jitscope_session *session;
    struct jitscope_link *early, *late;
    check(jitscope_session_create(NULL, &session));
    check(jitscope_session_define(session, "host_say", address_of(say_and_look)));
    check(jitscope_session_add_file(session, OBJECTS "lifecycle.o"));
    check(jitscope_session_link(session, &early));
    check(jitscope_session_add_file(session, OBJECTS "fib.o"));
    check(jitscope_session_link(session, &late));
    check(jitscope_session_export(session, late));
    say_and_look("exported");
    jitscope_session_destroy(session);
}

int main(void) {
    struct jitscope_session *session;
    struct jitscope_link *link;
    check(jitscope_session_create(NULL, &session));
    check(jitscope_session_define(session, "host_say", address_of(host_say)));
    check(jitscope_session_add_file(session, OBJECTS "lifecycle.o"));
    check(jitscope_session_link(session, &link));
    look("linked");
    check(jitscope_session_export(session, link));
    look("exported");
    check(jitscope_session_unload(session, link));
    look("unloaded");
    jitscope_session_destroy(session);
    end_session();
    refuse();
    return 0;
}
