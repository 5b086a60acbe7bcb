/* Code compiled with -fno-pic that uses data of a shared library: a link says that it wants copies of it, and
 * an executor is started that holds them, for another session. */
#include "check.h"

static struct jitscope_session *begin(struct jitscope_executor_connection *connection) {
    struct jitscope_session *session;
    struct jitscope_session_options options = {.size = sizeof options, .executor = connection};
    check(jitscope_session_create(&options, &session));
    return session;
}

static void print_error(struct jitscope_error *error) {
    const char *symbol = jitscope_error_symbol(error);
    printf("  %s: %s\n", jitscope_error_code_name(jitscope_error_code(error)), symbol ? symbol : "-");
    jitscope_error_destroy(error);
}

static void try_to_link(struct jitscope_session *session, const char *object) {
    check(jitscope_session_add_file(session, object));
    print_error(jitscope_session_link(session, NULL));
    printf("  wants %u\n", jitscope_session_wants_copies(session));
}

static void run(struct jitscope_session *session) {
    uint64_t address;
    int status;
    check(jitscope_session_add_file(session, OBJECTS "copied.o"));
    check(jitscope_session_link(session, NULL));
    check(jitscope_session_lookup(session, "copied", &address));
    printf("  below 2 GiB: %d\n", address < UINT64_C(1) << 31);
    fflush(stdout);
    check(jitscope_session_run_main(session, address, &status));
    printf("  returned %d\n", status);
}

/* Position-independent code lies with the copies, which it may reach by 32-bit distances. */
static void link_others(struct jitscope_session *session) {
    struct jitscope_link *link;
    check(jitscope_session_add_file(session, OBJECTS "fib.o"));
    check(jitscope_session_link(session, &link));
    uint64_t address;
    check(jitscope_link_lookup(session, link, "fib", &address));
    printf("  below 2 GiB, too: %d\n", address < UINT64_C(1) << 31);
}

int main(void) {
    struct jitscope_executor_connection *connection;

    printf("an executor without copies\n");
    check(jitscope_executor_spawn(NULL, &connection));
    struct jitscope_session *first = begin(connection);
    print_error(jitscope_executor_spawn_for(first, NULL, &connection)); /* nothing was linked */
    try_to_link(first, OBJECTS "copied.o");

    printf("an executor that is made for the link\n");
    check(jitscope_executor_spawn_for(first, NULL, &connection));
    jitscope_session_destroy(first);
    struct jitscope_session *second = begin(connection);
    run(second);
    link_others(second);

    printf("what is wanted later\n");
    try_to_link(second, OBJECTS "copied_later.o");
    jitscope_session_destroy(second);
    return 0;
}
