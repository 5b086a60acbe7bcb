/* Whose rand() code in memory calls, and takes the address of: objects/rolls.c. */
#ifndef ROLLS_H
#define ROLLS_H

#include "check.h"

static inline void print_rolls(void) {
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
}

#endif
