/* A resolver of one's own: asked once per link, for all names that neither the batch nor earlier ones define.
 */
#include "check.h"

#include <string.h>

static struct jitscope_error *resolve(void *context, const char *const *names, size_t count,
                                      uint64_t *addresses, bool *found) {
    const char *refused = context;
    for (size_t i = 0; i < count; i++) {
        printf("asked for %s\n", names[i]);
        if (!strcmp(names[i], refused))
            return jitscope_error_create(JITSCOPE_ERROR_UNRESOLVED, "the host refuses to give this away");
        if (!strcmp(names[i], "host_say")) {
            addresses[i] = address_of(host_say);
            found[i] = true;
        }
    }
    return NULL;
}

int main(void) {
    char nothing[] = "", say[] = "host_say";
    struct jitscope_session_options options = {.size = sizeof options, .no_default_libraries = true};
    struct jitscope_session *session;
    uint64_t address;
    check(jitscope_session_create(&options, &session));
    check(jitscope_session_set_resolver(session, resolve, nothing));
    check(jitscope_session_add_file(session, OBJECTS "greet.o"));
    check(jitscope_session_link(session, NULL));
    check(jitscope_session_lookup(session, "greet", &address));
    printf("greet() = %d\n", call(address));

    /* Its error ends the link. */
    check(jitscope_session_set_resolver(session, resolve, say));
    check(jitscope_session_add_file(session, OBJECTS "lifecycle.o"));
    struct jitscope_error *error = jitscope_session_link(session, NULL);
    printf("%s\n", jitscope_error_message(error));
    jitscope_error_destroy(error);
    jitscope_session_destroy(session);
    return 0;
}
