/* Thread-local variables: of threads that were there before the link and of later ones; a later link's use of
 * them; what a lookup gives; and what fork(2), unloading and linking again do to them. */
#include "check.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static struct jitscope_session *session;
static uint64_t raise_level, read_level;
static pthread_barrier_t gate;

static void show(const char *who) {
    int first = call(raise_level), second = call(raise_level), combined = call(read_level);
    uint64_t address;
    check(jitscope_session_lookup(session, "level", &address));
    printf("%s: %d %d %d, and by its address %d\n", who, first, second, combined, *(int *)(uintptr_t)address);
}

/* It waits twice: while the links are made, and until they are unloaded. */
static void *early(void *name) {
    pthread_barrier_wait(&gate);
    show(name);
    pthread_barrier_wait(&gate);
    pthread_barrier_wait(&gate);
    return NULL;
}

static void *late(void *name) {
    show(name);
    return NULL;
}

static void run_thread(void *(*function)(void *), const char *name) {
    pthread_t thread;
    pthread_create(&thread, NULL, function, (void *)(uintptr_t)name);
    pthread_join(thread, NULL);
}

static void link_both(struct jitscope_link *links[2]) {
    check(jitscope_session_add_file(session, OBJECTS "tls.o"));
    check(jitscope_session_link(session, &links[0]));
    check(jitscope_session_add_file(session, OBJECTS "tls_user.o"));
    check(jitscope_session_link(session, &links[1]));
    check(jitscope_session_lookup(session, "raise_level", &raise_level));
    check(jitscope_session_lookup(session, "read_level", &read_level));
}

/* --- objects with destructors */

static uint64_t make_object;

static void make(const char *text) {
    ((int (*)(const char *))(uintptr_t)make_object)(text);
}

static void *end_before(void *unused) {
    make("an object of a thread that ends before");
    return unused;
}

static void *end_behind(void *unused) {
    make("never destroyed: its thread ends when the code is gone");
    pthread_barrier_wait(&gate);
    pthread_barrier_wait(&gate);
    return unused;
}

static void run_destructors(void) {
    struct jitscope_link *link;
    pthread_t thread;
    check(jitscope_session_define(session, "host_say", address_of(host_say)));
    check(jitscope_session_add_file(session, OBJECTS "tls_exit.o"));
    check(jitscope_session_link(session, &link));
    check(jitscope_session_lookup(session, "make_object", &make_object));
    pthread_create(&thread, NULL, end_behind, NULL);
    pthread_barrier_wait(&gate);
    run_thread(end_before, NULL);
    make("the first object of the unloading thread");
    puts("unloading");
    check(jitscope_session_unload(session, link));
    pthread_barrier_wait(&gate);
    pthread_join(thread, NULL);
}

static void in_child(void) {
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        printf("a child's: %d\n", call(raise_level));
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

int main(void) {
    struct jitscope_link *links[2];
    pthread_t thread;
    pthread_barrier_init(&gate, NULL, 2);
    pthread_create(&thread, NULL, early, (void *)(uintptr_t) "a thread of before");
    check(jitscope_session_create(NULL, &session));
    link_both(links);
    show("the main thread");
    run_thread(late, "a thread of later");
    pthread_barrier_wait(&gate);
    pthread_barrier_wait(&gate);
    in_child();
    struct jitscope_error *error = jitscope_session_unload(session, links[0]);
    printf("unloading what is used: %s\n", jitscope_error_message(error));
    jitscope_error_destroy(error);
    for (int i = 0; i < 50; i++) {
        check(jitscope_session_unload(session, links[1]));
        check(jitscope_session_unload(session, links[0]));
        link_both(links);
    }
    show("the main thread, linked anew");
    pthread_barrier_wait(&gate);
    pthread_join(thread, NULL);
    run_destructors();
    jitscope_session_destroy(session);
    return 0;
}
