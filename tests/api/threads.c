/* One session, many threads: each links, looks up, calls and unloads its own batches. */
#include "check.h"

#include <pthread.h>

enum { THREADS = 8, ROUNDS = 50 };

static void *work(void *context) {
    struct jitscope_session *session = context;
    intptr_t sum = 0;
    for (int i = 0; i < ROUNDS; i++) {
        struct jitscope_link *link;
        uint64_t address;
        /* Adding and linking are two calls: another thread's link may take what this one added.  Its own
         * session, or a lock of its own around the two, is what a program with many threads uses. */
        static pthread_mutex_t both = PTHREAD_MUTEX_INITIALIZER;
        pthread_mutex_lock(&both);
        check(jitscope_session_add_file(session, OBJECTS "counter.o"));
        check(jitscope_session_link(session, &link));
        pthread_mutex_unlock(&both);
        check(jitscope_link_lookup(session, link, "count", &address));
        sum += ((int (*)(int))(uintptr_t)address)(1);
        check(jitscope_session_unload(session, link));
    }
    return (void *)sum;
}

int main(void) {
    struct jitscope_session *session;
    pthread_t threads[THREADS];
    intptr_t sum = 0;
    check(jitscope_session_create(NULL, &session));
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, work, session);
    for (int i = 0; i < THREADS; i++) {
        void *one;
        pthread_join(threads[i], &one);
        sum += (intptr_t)one;
    }
    printf("%ld batches, each with a counter of its own\n", (long)sum);
    jitscope_session_destroy(session);
    return 0;
}
