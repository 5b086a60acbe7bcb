/* Replaces a function while a thread is in it: replaced GENERATION_1.o CALLER.o GENERATION_2.o */
#include <jitscope/jitscope.h>

#include <stdio.h>
#include <stdlib.h>

static struct jitscope_session *session;
static struct jitscope_link *old;
static const char *path;

static void check(struct jitscope_error *error) {
    if (!error)
        return;
    fprintf(stderr, "%s\n", jitscope_error_message(error));
    exit(1);
}

__attribute__((noinline)) void swapped(void) {
    __asm__ volatile("");
}

/* What the old generation calls. */
void host_swap(void) {
    check(jitscope_session_add_file(session, path));
    check(jitscope_session_replace(session, old, NULL));
    swapped();
}

int main(int argc, char **argv) {
    uint64_t address;
    if (argc != 4)
        return 2;
    path = argv[3];
    check(jitscope_session_create(NULL, &session));
    check(jitscope_session_define(session, "host_swap", (uint64_t)(uintptr_t)host_swap));
    check(jitscope_session_set_replaceable(session, true));
    check(jitscope_session_add_file(session, argv[1]));
    check(jitscope_session_link(session, &old));
    check(jitscope_session_add_file(session, argv[2]));
    check(jitscope_session_link(session, NULL));
    check(jitscope_session_lookup(session, "caller", &address));
    int (*caller)(void) = (int (*)(void))(uintptr_t)address;
    printf("first %d\n", caller());
    printf("second %d\n", caller());
    jitscope_session_destroy(session);
    return 0;
}
