/* Makes a recording of several links of one session, as an embedding program would:
 *
 *     record_links RECORDING end|leave OBJECT... [- OBJECT]
 *
 * Each OBJECT is a link of its own, all in threads one after the other; the one behind "-" is unloaded before
 * the last of the others comes.  `end` ends the session in good order, `leave` exits without. */
#include "jitscope/jitscope.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct jitscope_session *session;

static void check(struct jitscope_error *error) {
    if (!error)
        return;
    fprintf(stderr, "%s\n", jitscope_error_message(error));
    exit(1);
}

static void *link_one(void *path) {
    struct jitscope_link *link;
    check(jitscope_session_add_file(session, path));
    check(jitscope_session_link(session, &link));
    return link;
}

static struct jitscope_link *link_in_thread(const char *path) {
    pthread_t thread;
    void *link;
    if (pthread_create(&thread, NULL, link_one, (void *)(uintptr_t)path) || pthread_join(thread, &link))
        exit(1);
    return link;
}

int main(int argc, char **argv) {
    if (argc < 4)
        return 2;
    struct jitscope_session_options options = {
        .size = sizeof options, .record_path = argv[1], .level = JITSCOPE_LEVEL_EDGES};
    bool unload = argc > 5 && !strcmp(argv[argc - 2], "-");
    int last = unload ? argc - 3 : argc - 1;
    check(jitscope_session_create(&options, &session));
    for (int i = 3; i < last; i++)
        link_in_thread(argv[i]);
    struct jitscope_link *gone = unload ? link_in_thread(argv[argc - 1]) : NULL;
    if (gone)
        check(jitscope_session_unload(session, gone));
    link_in_thread(argv[last]);
    if (!strcmp(argv[2], "leave"))
        _exit(0);
    jitscope_session_destroy(session);
    return 0;
}
