/* An embedding program: links an object, calls it, unloads it, and links another version of it.
 *
 *     reload POLICY FIRST.o SECOND.o ... */
#include <jitscope/jitscope.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check(struct jitscope_error *error) {
    if (!error)
        return;
    fprintf(stderr, "%s\n", jitscope_error_message(error));
    exit(1);
}

/* Lies too far away from JIT'd code for a direct call: it is reached through a stub. */
__attribute__((noinline)) int host_twice(int value) {
    int twice = 2 * value; /* LINE: host-twice */
    return twice;
}

__attribute__((noinline)) void between(int round, uint64_t address) {
    printf("round %d at 0x%llx\n", round, (unsigned long long)address); /* LINE: between */
    fflush(stdout);
}

static enum jitscope_debug policy_of(const char *name) {
    static const char *const names[] = {"auto", "eager", "lazy", "off"};
    for (int i = 0; i < 4; i++)
        if (strcmp(name, names[i]) == 0)
            return (enum jitscope_debug)i;
    exit(2);
}

int main(int argc, char **argv) {
    struct jitscope_session_options options = {.size = sizeof options, .debug = policy_of(argv[1])};
    struct jitscope_session *session;
    check(jitscope_session_create(&options, &session));
    check(jitscope_session_define(session, "host_twice", (uint64_t)(uintptr_t)host_twice));
    for (int i = 2; i < argc; i++) {
        struct jitscope_link *link;
        uint64_t address;
        check(jitscope_session_add_file(session, argv[i]));
        check(jitscope_session_link(session, &link));
        check(jitscope_session_lookup(session, "changing", &address));
        int (*changing)(int) = (int (*)(int))(uintptr_t)address;
        int result = changing(i); /* LINE: call */
        printf("result %d\n", result);
        check(jitscope_session_unload(session, link));
        between(i, address);
    }
    jitscope_session_destroy(session);
    return 0;
}
