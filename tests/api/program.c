/* A program with arguments, recorded.  While its main runs the session is free: the program has more linked.
 */
#include "check.h"

#include <string.h>
#include <unistd.h>

static struct jitscope_session *session;

static int (*load(const char *path))(int n) {
    uint64_t address;
    check(jitscope_session_add_file(session, path));
    check(jitscope_session_link(session, NULL));
    check(jitscope_session_lookup(session, "fib", &address));
    return (int (*)(int))(uintptr_t)address;
}

static bool is_recording(const char *path) {
    char magic[4] = "";
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    bool read = fread(magic, 1, sizeof magic, file) == sizeof magic;
    fclose(file);
    return read && memchr(magic, 'J', sizeof magic);
}

int main(void) {
    char record[] = "program-XXXXXX", *words[] = {"program", "one", "two", "three", "four", NULL},
         *environment[] = {OBJECTS "fib.o", NULL};
    int file = mkstemp(record), status;
    struct jitscope_session_options options = {
        .size = sizeof options, .record_path = record, .level = JITSCOPE_LEVEL_PHASE};
    uint64_t address;
    check(jitscope_session_create(&options, &session));
    check(jitscope_session_set_arguments(session, 5, words, environment));
    check(jitscope_session_define(session, "host_say", address_of(host_say)));
    check(jitscope_session_define(session, "host_load", (uint64_t)(uintptr_t)load));
    check(jitscope_session_add_file(session, OBJECTS "program.o"));
    check(jitscope_session_link(session, NULL));
    check(jitscope_session_lookup(session, "main", &address));
    check(jitscope_session_run_main(session, address, &status));
    printf("its status is %d\n", status);

    const char *failure = jitscope_session_recording_failure(session);
    printf("the recording: %s\n", failure ? failure : "whole");
    jitscope_session_destroy(session);
    printf("left behind: %s\n", is_recording(record) ? "a recording" : "nothing");
    unlink(record);
    close(file);
    return 0;
}
