/* Allocation actions of one's own: pairs that run when the memory is in place, and in reverse before it goes.
 * When one fails, what was done is undone and the link fails. */
#include "check.h"

#include <string.h>

struct host {
    const char *failing; /* arguments of the action that is to fail */
};

static const char *enter(void *context, const uint8_t *arguments, size_t size) {
    const struct host *host = context;
    printf("  enter %.*s\n", (int)size, (const char *)arguments);
    return host->failing && strlen(host->failing) == size && !memcmp(host->failing, arguments, size)
               ? "the host does not want it"
               : NULL;
}

static const char *leave(void *context, const uint8_t *arguments, size_t size) {
    (void)context;
    printf("  leave %.*s\n", (int)size, (const char *)arguments);
    return NULL;
}

static struct jitscope_error *attach(struct jitscope_graph *graph, void *context) {
    (void)context;
    struct jitscope_error *error = NULL;
    for (int i = 0; i < 3 && !error; i++) {
        const char *name = (const char *[]){"one", "two", "three"}[i];
        error = jitscope_graph_add_action(graph, "enter", name, strlen(name), "leave", name, strlen(name));
    }
    return error;
}

int main(void) {
    struct host host = {NULL};
    struct jitscope_session *session;
    struct jitscope_link *link;
    check(jitscope_session_create(NULL, &session));
    check(jitscope_session_define(session, "host_say", address_of(host_say)));
    check(jitscope_session_register_action(session, "enter", enter, &host));
    check(jitscope_session_register_action(session, "leave", leave, &host));
    check(jitscope_session_add_pass(session, JITSCOPE_POST_FIXUP, "attach", attach, NULL));

    printf("link\n");
    check(jitscope_session_add_file(session, OBJECTS "lifecycle.o"));
    check(jitscope_session_link(session, &link));
    printf("unload\n");
    check(jitscope_session_unload(session, link));

    printf("a link that fails\n");
    host.failing = "three";
    check(jitscope_session_add_file(session, OBJECTS "lifecycle.o"));
    struct jitscope_error *error = jitscope_session_link(session, &link);
    printf("%s: %s\n", jitscope_error_code_name(jitscope_error_code(error)), jitscope_error_message(error));
    jitscope_error_destroy(error);
    jitscope_session_destroy(session);
    return 0;
}
