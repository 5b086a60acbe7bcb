/* What callbacks and linked code may do with the session they are called from: look up and read, not change.
 */
#include "check.h"

#include <string.h>

static struct jitscope_session *session;

static void print_refusal(const char *who, struct jitscope_error *error) {
    printf("%s: %s: %s\n", who, jitscope_error_code_name(jitscope_error_code(error)),
           jitscope_error_message(error));
    jitscope_error_destroy(error);
}

static struct jitscope_error *pass(struct jitscope_graph *graph, void *context) {
    (void)graph, (void)context;
    print_refusal("a pass that links", jitscope_session_link(session, NULL));
    return NULL;
}

static void see(void *context, const struct jitscope_event *event) {
    (void)context;
    if (!strcmp(jitscope_event_name(event), "link_begin"))
        print_refusal("an event callback that adds", jitscope_session_add_file(session, OBJECTS "fib.o"));
}

static struct jitscope_error *resolve(void *context, const char *const *names, size_t count,
                                      uint64_t *addresses, bool *found);

/* Called by the batch's initialiser and by its finaliser. */
static int look_around(const char *text) {
    uint64_t address;
    uint8_t first;
    check(jitscope_session_lookup(session, "fib", &address));
    check(jitscope_session_read(session, address, &first, 1));
    printf("%s: fib(10) = %d\n", text, ((int (*)(int))(uintptr_t)address)(10));
    print_refusal(text, jitscope_session_set_resolver(session, resolve, NULL));
    return 0;
}

static struct jitscope_error *resolve(void *context, const char *const *names, size_t count,
                                      uint64_t *addresses, bool *found) {
    (void)context;
    for (size_t i = 0; i < count; i++)
        if ((found[i] = !strcmp(names[i], "host_say")))
            addresses[i] = address_of(look_around);
    return NULL;
}

int main(void) {
    struct jitscope_session_options options = {.size = sizeof options, .no_default_libraries = true};
    struct jitscope_link *link;
    check(jitscope_session_create(&options, &session));
    check(jitscope_session_add_file(session, OBJECTS "fib.o"));
    check(jitscope_session_link(session, NULL));

    check(jitscope_session_set_resolver(session, resolve, NULL));
    check(jitscope_session_add_pass(session, JITSCOPE_PRE_PRUNE, "pass", pass, NULL));
    check(jitscope_session_set_event_callback(session, JITSCOPE_LEVEL_PHASE, see, NULL));
    check(jitscope_session_add_file(session, OBJECTS "lifecycle.o"));
    check(jitscope_session_link(session, &link));
    check(jitscope_session_unload(session, link));
    jitscope_session_destroy(session);
    return 0;
}
