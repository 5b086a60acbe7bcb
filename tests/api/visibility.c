/* Hidden names belong to their batch: other objects of it see them, later batches do not, and a hidden
 * reference is not answered by another batch.  What a batch registers with atexit runs when it is unloaded.
 */
#include "check.h"

static int call_named(struct jitscope_session *session, const char *name) {
    uint64_t address;
    check(jitscope_session_lookup(session, name, &address));
    return call(address);
}

static void print_refusal(struct jitscope_error *error) {
    printf("%s\n", jitscope_error_code_name(jitscope_error_code(error)));
    jitscope_error_destroy(error);
}

int main(void) {
    struct jitscope_session *session;
    struct jitscope_link *keeper, *seeker;
    uint64_t address;
    check(jitscope_session_create(NULL, &session));
    check(jitscope_session_define(session, "host_say", address_of(host_say)));

    check(jitscope_session_add_file(session, OBJECTS "keeper.o"));
    check(jitscope_session_link(session, &keeper));
    printf("open_door() = %d\n", call_named(session, "open_door"));
    printf("secret, asked of the session: ");
    print_refusal(jitscope_session_lookup(session, "secret", &address));
    check(jitscope_link_lookup(session, keeper, "secret", &address));
    printf("secret, asked of its link: %d\n", call(address));

    check(jitscope_session_add_file(session, OBJECTS "seeker.o"));
    check(jitscope_session_link(session, &seeker));
    printf("seek(), a batch later: %d\n", call_named(session, "seek"));
    check(jitscope_session_unload(session, seeker));

    printf("open_door, declared hidden a batch later: ");
    check(jitscope_session_add_file(session, OBJECTS "strict.o"));
    print_refusal(jitscope_session_link(session, NULL));
    check(jitscope_session_lookup(session, "open_door", &address));
    check(jitscope_session_define(session, "open_door", address));
    check(jitscope_session_add_file(session, OBJECTS "strict.o"));
    check(jitscope_session_link(session, NULL));
    printf("the same when the program says where it is: %d\n", call_named(session, "strict"));

    printf("unload\n");
    check(jitscope_session_unload(session, keeper));
    check(jitscope_session_add_file(session, OBJECTS "keeper.o"));
    check(jitscope_session_add_file(session, OBJECTS "seeker.o"));
    check(jitscope_session_link(session, NULL));
    printf("seek(), in one batch: %d\n", call_named(session, "seek"));
    jitscope_session_destroy(session);
    return 0;
}
