/* An embedding program: links COUNT copies of one object, one by one, each under its own name, and calls
 * each.
 *
 *     many OBJECT COUNT auto|eager|lazy|off [wait]
 *
 * With `wait` it prints "ready", then reads a line before each link and prints "linked" after it.
 *
 * OBJECT defines the function jitted_000000; the copies differ in that number, wherever it stands. */
#include <jitscope/jitscope.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DIGITS = 6 };
static const char pattern[] = "jitted_000000";

static void check(struct jitscope_error *error) {
    if (!error)
        return;
    fprintf(stderr, "%s\n", jitscope_error_message(error));
    exit(1);
}

static char *read_whole(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    if (!file)
        exit(2);
    char *data = malloc(1 << 20);
    *size = fread(data, 1, 1 << 20, file);
    fclose(file);
    return data;
}

static void number_copy(char *data, size_t size, const char *name) {
    for (size_t at = 0; at + sizeof pattern <= size; at++)
        if (memcmp(data + at, pattern, sizeof pattern - 1 - DIGITS) == 0)
            memcpy(data + at, name, sizeof pattern - 1);
}

/* A place for a breakpoint: everything is linked. */
__attribute__((noinline)) void all_linked(long sum) {
    printf("sum %ld\n", sum);
    fflush(stdout);
    if (getenv("PAUSE"))
        pause();
}

/* A function at ADDRESS is in memory that was given back. */
__attribute__((noinline)) void all_unloaded(uint64_t address) {
    printf("stale 0x%llx\n", (unsigned long long)address);
    fflush(stdout);
}

static void say(bool waits, const char *what) {
    char line[16];
    if (!waits)
        return;
    puts(what);
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin))
        exit(3);
}

static enum jitscope_debug policy_of(const char *name) {
    static const char *const names[] = {"auto", "eager", "lazy", "off"};
    for (int i = 0; i < 4; i++)
        if (strcmp(name, names[i]) == 0)
            return (enum jitscope_debug)i;
    exit(2);
}

int main(int argc, char **argv) {
    size_t size;
    char *object = read_whole(argc > 3 ? argv[1] : "", &size), name[32];
    int count = atoi(argv[2]);
    struct jitscope_session_options options = {.size = sizeof options, .debug = policy_of(argv[3])};
    struct jitscope_session *session;
    struct jitscope_link *link = NULL;
    uint64_t address = 0;
    long sum = 0;
    bool waits = argc > 4;
    say(waits, "ready");
    check(jitscope_session_create(&options, &session));
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "jitted_%06d", i);
        number_copy(object, size, name);
        check(jitscope_session_add_borrowed(session, name, object, size));
        check(jitscope_session_link(session, &link));
        check(jitscope_session_lookup(session, name, &address));
        sum += ((int (*)(int))(uintptr_t)address)(i);
        say(waits, "linked");
    }
    all_linked(sum);
    check(jitscope_session_unload(session, link));
    all_unloaded(address);
    jitscope_session_destroy(session);
    free(object);
    return 0;
}
