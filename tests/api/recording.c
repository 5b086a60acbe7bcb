/* Recording on demand: begun in the middle of a session, ended before it.  `jitscope replay` links what is in
 * the file again, from what the session had when the recording began. */
#include "check.h"

#include <string.h>
#include <unistd.h>

static long size_of(const char *path) {
    FILE *file = fopen(path, "rb");
    long size = file && fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    if (file)
        fclose(file);
    return size;
}

int main(void) {
    char path[] = "recording-XXXXXX";
    struct jitscope_session_options options = {.size = sizeof options, .no_default_libraries = true};
    struct jitscope_session *session;
    uint64_t address;
    int file = mkstemp(path);
    check(jitscope_session_create(&options, &session));
    check(jitscope_session_add_file(session, OBJECTS "counter.o"));
    check(jitscope_session_link(session, NULL));

    check(jitscope_session_begin_recording(session, path, JITSCOPE_LEVEL_EDGES));
    struct jitscope_error *error =
        jitscope_session_begin_recording(session, "another", JITSCOPE_LEVEL_DEFAULT);
    printf("a second one: %s\n", jitscope_error_code_name(jitscope_error_code(error)));
    jitscope_error_destroy(error);
    check(jitscope_session_add_file(session, OBJECTS "fib.o"));
    check(jitscope_session_link(session, NULL));
    check(jitscope_session_end_recording(session));
    check(jitscope_session_end_recording(session)); /* there is none: nothing happens */

    long recorded = size_of(path);
    check(jitscope_session_add_file(session, OBJECTS "sum.o"));
    check(jitscope_session_link(session, NULL));
    check(jitscope_session_lookup(session, "sum", &address));
    printf("recorded: %s, and nothing after its end: %s\n", recorded > 4096 ? "yes" : "no",
           size_of(path) == recorded ? "yes" : "no");
    jitscope_session_destroy(session);
    unlink(path);
    close(file);
    return 0;
}
