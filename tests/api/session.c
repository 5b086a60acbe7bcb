/* A session from beginning to end: inputs from a file and from memory, two batches, look-up, unload. */
#include "check.h"

#include <string.h>

static char *read_file(const char *path, size_t *size) {
    static char bytes[1 << 16];
    FILE *file = fopen(path, "rb");
    if (!file)
        exit(1);
    *size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    return bytes;
}

static void print_refusal(struct jitscope_error *error) {
    printf("%s: %s\n", jitscope_error_code_name(jitscope_error_code(error)), jitscope_error_message(error));
    jitscope_error_destroy(error);
}

int main(void) {
    struct jitscope_session *session;
    struct jitscope_link *first, *second;
    uint64_t address;
    size_t size;
    check(jitscope_session_create(NULL, &session));
    check(jitscope_session_define(session, "host_say", address_of(host_say)));

    check(jitscope_session_add_file(session, OBJECTS "lifecycle.o"));
    check(jitscope_session_link(session, &first));

    const char *bytes = read_file(OBJECTS "user.o", &size);
    check(jitscope_session_add_memory(session, "user.o, from memory", bytes, size));
    check(jitscope_session_link(session, &second));

    check(jitscope_session_lookup(session, "twice", &address));
    printf("twice() = %d\n", call(address));

    /* The second batch refers to the first: that one cannot go yet. */
    print_refusal(jitscope_session_unload(session, first));
    check(jitscope_session_unload(session, second));
    check(jitscope_session_unload(session, first));
    print_refusal(jitscope_session_lookup(session, "twice", &address));

    /* Once more: the same names are free again. */
    check(jitscope_session_add_file(session, OBJECTS "lifecycle.o"));
    check(jitscope_session_link(session, &first));
    check(jitscope_link_lookup(session, first, "answer", &address));
    printf("answer() = %d, link %u\n", call(address), jitscope_link_number(first));
    jitscope_session_destroy(session);
    return 0;
}
