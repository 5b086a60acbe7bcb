/* A session that an inspector may attach to while it runs; and one for which there is no safe place. */
#include "check.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "inspectable-XXXXXX", path[4096];

static bool has_socket(void) {
    char name[4200];
    struct stat status;
    snprintf(name, sizeof name, "%s/jitscope/%d-1.sock", path, (int)getpid());
    return !lstat(name, &status) && S_ISSOCK(status.st_mode);
}

static struct jitscope_session *create(void) {
    struct jitscope_session_options options = {.size = sizeof options, .inspectable = true};
    struct jitscope_session *session;
    check(jitscope_session_create(&options, &session));
    check(jitscope_session_add_file(session, OBJECTS "fib.o"));
    check(jitscope_session_link(session, NULL));
    return session;
}

int main(void) {
    char place[4200], wanted[4300];
    if (!mkdtemp(folder) || !realpath(folder, path))
        return 1;
    setenv("XDG_RUNTIME_DIR", path, 1);
    snprintf(place, sizeof place, "%s/jitscope", path);

    struct jitscope_session *session = create();
    printf("an inspector can connect: %s\n", has_socket() ? "yes" : "no");
    printf("what is in the way: %s\n",
           jitscope_session_inspection_failure(session) ? "something" : "nothing");
    jitscope_session_destroy(session);
    printf("when the session is gone: %s\n", has_socket() ? "yes" : "no");

    chmod(place, 0755); /* others could look at who is there */
    session = create();
    const char *failure = jitscope_session_inspection_failure(session);
    snprintf(wanted, sizeof wanted, "the folder '%s' is open to other users", place);
    printf("in a folder that is open to others: %s\n",
           failure && !strncmp(failure, wanted, strlen(wanted)) ? "refused" : "made");
    jitscope_session_destroy(session);
    rmdir(place);
    rmdir(path);
    return 0;
}
