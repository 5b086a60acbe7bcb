/* A host that needs a library which defines functions of the C library, as allocators and sanitizers do, and
 * names it before that one: everybody in the process calls these, code in memory, too.  (What the C library's
 * strdup returns comes from such an allocator, so that the C library's own free would end the program.) */
#include "check.h"

int main(void) {
    struct jitscope_session *session;
    uint64_t address;
    printf("rand() = %d\n", rand());
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
