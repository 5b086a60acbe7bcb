/* Threads that share one session whose code runs in another process: each links, has its code run, and
 * unloads what others link against meanwhile, or not.  Calls of main take turns there. */
#include "check.h"

#include <pthread.h>
#include <string.h>

enum { THREADS = 4, ROUNDS = 40 };

static struct jitscope_session *session;
static unsigned wrong, unloads;

static int run(struct jitscope_link *link, const char *name) {
    uint64_t address;
    int status;
    check(jitscope_link_lookup(session, link, name, &address));
    check(jitscope_session_run_main(session, address, &status));
    return status;
}

/* Three words are three arguments: fib(3). */
static void *live(void *context) {
    unsigned seed = *(unsigned *)context;
    struct jitscope_link *held = NULL;
    for (int i = 0; i < ROUNDS; i++) {
        struct jitscope_batch *batch;
        struct jitscope_link *link;
        check(jitscope_batch_create(session, &batch));
        check(jitscope_batch_add_file(batch, OBJECTS "fib.o"));
        check(jitscope_batch_link(batch, &link));
        jitscope_batch_destroy(batch);
        __atomic_fetch_add(&wrong, run(link, "fib") != 2, __ATOMIC_RELAXED);
        seed = seed * 1103515245 + 12345;
        if (held && seed >> 16 & 1) {
            check(jitscope_session_unload(session, held));
            held = NULL;
            __atomic_fetch_add(&unloads, 1, __ATOMIC_RELAXED);
        }
        if (held)
            check(jitscope_session_unload(session, link));
        else
            held = link;
    }
    return NULL;
}

static int serve(int fd) {
    struct jitscope_target *target;
    check(jitscope_target_create(fd, &target));
    check(jitscope_target_serve(target));
    return 0;
}

/* Started with a descriptor this program is the target. */
int main(int argc, char **argv) {
    static char program[] = "/proc/self/exe", *command[] = {program, NULL};
    static char word[] = "word", *arguments[] = {word, word, word, NULL};
    struct jitscope_executor_connection *connection;
    pthread_t threads[THREADS];
    unsigned seeds[THREADS];
    if (argc == 3 && !strcmp(argv[1], "--fd"))
        return serve(atoi(argv[2]));
    struct jitscope_executor_options wanted = {.size = sizeof wanted, .command = command};
    check(jitscope_executor_spawn(&wanted, &connection));
    struct jitscope_session_options options = {.size = sizeof options, .executor = connection};
    check(jitscope_session_create(&options, &session));
    check(jitscope_session_set_arguments(session, 3, arguments, NULL));
    for (int i = 0; i < THREADS; i++) {
        seeds[i] = (unsigned)i;
        if (pthread_create(&threads[i], NULL, live, &seeds[i]))
            return 1;
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("%d threads, %d rounds each: wrong answers: %u\n", THREADS, ROUNDS, wrong);
    printf("some were unloaded later: %d\n", unloads > 0);
    jitscope_session_destroy(session);
    return 0;
}
