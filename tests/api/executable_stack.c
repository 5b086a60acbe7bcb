/* Code that puts code on the stack, as gcc's nested functions do: refused, unless the program allows it. */
#include "check.h"

static int host_call(int (*function)(int), int argument) {
    return function(argument);
}

static struct jitscope_error *link_nested(struct jitscope_session *session) {
    check(jitscope_session_define(session, "host_call", (uint64_t)(uintptr_t)host_call));
    check(jitscope_session_add_file(session, OBJECTS "nested.o"));
    return jitscope_session_link(session, NULL);
}

int main(void) {
    struct jitscope_session *session;
    uint64_t address;
    check(jitscope_session_create(NULL, &session));
    struct jitscope_error *error = link_nested(session);
    printf("not allowed: %s, in section %s\n", jitscope_error_code_name(jitscope_error_code(error)),
           jitscope_error_section(error));
    jitscope_error_destroy(error);
    jitscope_session_destroy(session);

    check(jitscope_session_create(NULL, &session));
    check(jitscope_session_allow_executable_stack(session));
    check(link_nested(session));
    check(jitscope_session_lookup(session, "sum_to", &address));
    int (*sum_to)(int) = (int (*)(int))(uintptr_t)address;
    printf("allowed: %d\n", sum_to(10));
    jitscope_session_destroy(session);
    return 0;
}
