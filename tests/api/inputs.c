/* Every way in: archives and shared libraries by name and by path, borrowed bytes, an ld script from memory.
 */
#include "check.h"

#include <string.h>

static void say_whether_there(struct jitscope_session *session, const char *name) {
    uint64_t address;
    struct jitscope_error *error = jitscope_session_lookup(session, name, &address);
    printf("  %s is %s\n", name, error ? "not there" : "there");
    jitscope_error_destroy(error);
}

static int answer(const char *text) {
    (void)text;
    return 21;
}

static void add_bytes_of(struct jitscope_session *session, const char *path, char *room, size_t size) {
    FILE *file = fopen(path, "rb");
    if (!file)
        exit(1);
    size = fread(room, 1, size, file);
    fclose(file);
    check(jitscope_session_add_borrowed(session, path + strlen(OBJECTS), room, size));
}

int main(void) {
    static char room[1 << 16];
    struct jitscope_session *session;
    uint64_t address;
    check(jitscope_session_create(NULL, &session));

    printf("an archive by name: the members that are needed\n");
    check(jitscope_session_add_library_path(session, OBJECTS));
    check(jitscope_session_add_library(session, "calls"));
    check(jitscope_session_add_root(session, "count"));
    check(jitscope_session_link(session, NULL));
    say_whether_there(session, "count");
    say_whether_there(session, "twice");

    printf("a whole archive\n");
    check(jitscope_session_define(session, "answer", address_of(answer)));
    check(jitscope_session_set_whole_archive(session, true));
    check(jitscope_session_add_file(session, OBJECTS "libcalls.a"));
    check(jitscope_session_set_whole_archive(session, false));
    check(jitscope_session_link(session, NULL));
    say_whether_there(session, "twice");

    printf("bytes that stay the program's; a shared library, as needed\n");
    add_bytes_of(session, OBJECTS "sum.o", room, sizeof room);
    check(jitscope_session_set_as_needed(session, true));
    check(jitscope_session_add_file(session, OBJECTS "libfib.so"));
    check(jitscope_session_link(session, NULL));
    memset(room, 0, sizeof room); /* not needed any more */
    check(jitscope_session_lookup(session, "sum", &address));
    printf("  sum() = %d\n", call(address));

    printf("an ld script\n");
    const char *script = "INPUT(" OBJECTS "fib.o)";
    check(jitscope_session_add_memory(session, "script", script, strlen(script)));
    check(jitscope_session_link(session, NULL));
    say_whether_there(session, "fib");
    jitscope_session_destroy(session);
    return 0;
}
