/* One session, many threads: some link, call and unload batches of their own, others look up, read and call
 * what an earlier batch has.  And many sessions at once, each with a thread of its own. */
#include "check.h"

#include <pthread.h>

enum { WRITERS = 4, READERS = 4, ROUNDS = 100 };

/* Adding and linking are two calls: what another thread adds in between would be in this thread's batch.  A
 * lock of the program's own around the two keeps them together. */
static pthread_mutex_t both = PTHREAD_MUTEX_INITIALIZER;

static struct jitscope_link *add_and_link(struct jitscope_session *session, const char *path) {
    struct jitscope_link *link;
    pthread_mutex_lock(&both);
    check(jitscope_session_add_file(session, path));
    check(jitscope_session_link(session, &link));
    pthread_mutex_unlock(&both);
    return link;
}

static void *write(void *session) {
    intptr_t sum = 0;
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t address;
        struct jitscope_link *link = add_and_link(session, OBJECTS "counter.o");
        check(jitscope_link_lookup(session, link, "count", &address));
        sum += ((int (*)(int))(uintptr_t)address)(1);
        check(jitscope_session_unload(session, link));
    }
    return (void *)sum;
}

static void *read(void *session) {
    intptr_t sum = 0;
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t address;
        uint8_t first;
        check(jitscope_session_lookup(session, "fib", &address));
        check(jitscope_session_read(session, address, &first, sizeof first));
        sum += ((int (*)(int))(uintptr_t)address)(2);
    }
    return (void *)sum;
}

static void *own_session(void *unused) {
    struct jitscope_session *session;
    uint64_t address;
    (void)unused;
    check(jitscope_session_create(NULL, &session));
    check(jitscope_session_add_file(session, OBJECTS "counter.o"));
    check(jitscope_session_link(session, NULL));
    check(jitscope_session_lookup(session, "count", &address));
    intptr_t count = ((int (*)(int))(uintptr_t)address)(1);
    jitscope_session_destroy(session);
    return (void *)count;
}

static intptr_t run(size_t count, void *(*const functions[])(void *), void *context) {
    pthread_t threads[WRITERS + READERS];
    intptr_t sum = 0;
    for (size_t i = 0; i < count; i++)
        if (pthread_create(&threads[i], NULL, functions[i], context))
            exit(1);
    for (size_t i = 0; i < count; i++) {
        void *one;
        pthread_join(threads[i], &one);
        sum += (intptr_t)one;
    }
    return sum;
}

int main(void) {
    static void *(*const mixed[])(void *) = {write, read, write, read, write, read, write, read};
    static void *(*const own[])(void *) = {own_session, own_session, own_session, own_session};
    struct jitscope_session *session;
    check(jitscope_session_create(NULL, &session));
    add_and_link(session, OBJECTS "fib.o");
    printf("%ld calls, each right\n", (long)run(WRITERS + READERS, mixed, session));
    jitscope_session_destroy(session);

    intptr_t sum = 0;
    for (int i = 0; i < 10; i++)
        sum += run(sizeof own / sizeof *own, own, NULL);
    printf("%ld sessions, each with a counter of its own\n", (long)sum);
    return 0;
}
