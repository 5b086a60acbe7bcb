/* A host that defines a function of the C library itself: that is the one which everybody in the process
 * calls, code in memory, too.  (With malloc it is a matter of life: what the library's strdup returns comes
 * from the host's, so that the library's own free would end the program.) */
#include "check.h"

__attribute__((visibility("default"))) int rand(void) {
    return 42;
}

int main(void) {
    struct jitscope_session *session;
    uint64_t address;
    check(jitscope_session_create(NULL, &session));
    check(jitscope_session_add_file(session, OBJECTS "rolls.o"));
    check(jitscope_session_link(session, NULL));
    check(jitscope_session_lookup(session, "roll", &address));
    printf("roll() = %d\n", call(address));
    check(jitscope_session_lookup(session, "is_rand", &address));
    printf("the same function: %d\n", ((int (*)(int (*)(void)))(uintptr_t)address)(rand));
    jitscope_session_destroy(session);
    return 0;
}
