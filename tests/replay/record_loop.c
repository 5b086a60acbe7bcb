/* Links and unloads in a loop, in several threads of one recorded session, and says on standard output, with
 * one write(2) each, what it has done: whoever kills it knows what must be in the recording.
 *
 *     record_loop RECORDING THREADS ROUNDS OBJECT... */
#include "jitscope/jitscope.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct jitscope_session *session;
/* Adding and linking are two calls that belong together; links are numbered in the order in which they begin.
 */
static pthread_mutex_t both = PTHREAD_MUTEX_INITIALIZER;
static int count, rounds;
static char **objects;

static void check(struct jitscope_error *error) {
    if (!error)
        return;
    fprintf(stderr, "%s\n", jitscope_error_message(error));
    exit(1);
}

static void say(const char *what, int number) {
    char line[64];
    int length = snprintf(line, sizeof line, "%s %d\n", what, number);
    if (write(STDOUT_FILENO, line, (size_t)length) != length)
        _exit(1);
}

static struct jitscope_link *link_one(const char *object, int *number) {
    struct jitscope_link *link;
    pthread_mutex_lock(&both);
    check(jitscope_session_add_file(session, object));
    *number = ++count;
    check(jitscope_session_link(session, &link));
    say("linked", *number);
    pthread_mutex_unlock(&both);
    return link;
}

static void *work(void *object) {
    for (int i = 0; i < rounds; i++) {
        int number;
        struct jitscope_link *link = link_one(object, &number);
        check(jitscope_session_unload(session, link));
        say("unloaded", number);
    }
    return NULL;
}

int main(int argc, char **argv) {
    enum { MOST_THREADS = 16 };
    pthread_t threads[MOST_THREADS];
    if (argc < 5)
        return 2;
    struct jitscope_session_options options = {
        .size = sizeof options, .record_path = argv[1], .level = JITSCOPE_LEVEL_BLOCK};
    int running = atoi(argv[2]);
    rounds = atoi(argv[3]);
    objects = argv + 4;
    check(jitscope_session_create(&options, &session));
    for (int i = 0; i < running && i < MOST_THREADS; i++)
        if (pthread_create(&threads[i], NULL, work, objects[i % (argc - 4)]))
            return 1;
    for (int i = 0; i < running && i < MOST_THREADS; i++)
        pthread_join(threads[i], NULL);
    const char *failure = jitscope_session_recording_failure(session);
    if (failure)
        fprintf(stderr, "warning: %s\n", failure);
    jitscope_session_destroy(session);
    return 0;
}
