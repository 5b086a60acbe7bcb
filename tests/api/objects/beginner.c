/* Its initialiser has another thread call what calls on to what waits, and is over before that is linked. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

int caller(void);
static pthread_t thread;
static int got;

static void *ask(void *context) {
    got = caller();
    return context;
}

/* The process's own, not the C library's: ThreadSanitizer knows no other threads. */
static void find(const char *name, void *function) {
    void *found = dlsym(RTLD_DEFAULT, name);
    memcpy(function, &found, sizeof found);
}

__attribute__((constructor)) static void begin(void) {
    int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    find("pthread_create", &create);
    create(&thread, NULL, ask, NULL);
}

int beginner(void) {
    int (*join)(pthread_t, void **);
    find("pthread_join", &join);
    join(thread, NULL);
    return got;
}
