/* fork() while another thread links: the child may exit, though nobody in it will ever give the session's
 * lock back. */
#include "check.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

/* In a child LeakSanitizer takes what a thread held that is not there for lost. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "detect_leaks=0";
}

enum { CHILDREN = 20, LIMIT_MS = 60000 };

static atomic_bool done;

static void *work(void *context) {
    struct jitscope_session *session = context;
    while (!done) {
        struct jitscope_link *link;
        check(jitscope_session_add_file(session, OBJECTS "counter.o"));
        check(jitscope_session_link(session, &link));
        check(jitscope_session_unload(session, link));
    }
    return NULL;
}

static int wait_for(pid_t child) {
    for (int i = 0; i < LIMIT_MS; i++) {
        if (waitpid(child, NULL, WNOHANG) == child)
            return 0;
        usleep(1000);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return 1;
}

int main(void) {
    struct jitscope_session *session;
    pthread_t thread;
    int hung = 0;
    check(jitscope_session_create(NULL, &session));
    pthread_create(&thread, NULL, work, session);
    usleep(20000);
    for (int i = 0; i < CHILDREN && !hung; i++) {
        pid_t child = fork();
        if (child == 0)
            exit(0);
        hung += wait_for(child);
    }
    done = true;
    pthread_join(thread, NULL);
    printf("children that did not end: %d\n", hung);
    jitscope_session_destroy(session);
    return 0;
}
