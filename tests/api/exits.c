/* Linked code and the program have things to be done at the end, of the program and of a thread: they take
 * turns, the latest first, as if the system's linker had linked it all.  What belongs to a batch is done when
 * that is unloaded. */
#include "check.h"

#include <pthread.h>

extern int __cxa_thread_atexit_impl(void (*function)(void *), void *argument, void *dso);

enum { MANY = 300, WINDOW = 3 };

static struct jitscope_session *session;
typedef int register_function(const char *text);

static struct jitscope_link *link_one(const char *path, const char *name, register_function **function) {
    struct jitscope_link *link;
    uint64_t address;
    check(jitscope_session_add_file(session, path));
    check(jitscope_session_link(session, &link));
    check(jitscope_link_lookup(session, link, name, &address));
    *function = (register_function *)(uintptr_t)address;
    return link;
}

static void say(void *text) {
    host_say(text);
}

static void say_host(void) {
    host_say("the program's, registered before the last batch");
}

static register_function *first_object, *second_object;

/* The object's text is the latest that it was given: one text for each variable. */
static void *in_thread(void *unused) {
    (void)unused;
    if (first_object("a batch's object, made first") ||
        __cxa_thread_atexit_impl(say, "the program's object, made second", &session) ||
        second_object("another batch's object, made last"))
        exit(1);
    return NULL;
}

static void end_thread(void) {
    pthread_t thread;
    struct jitscope_link *first = link_one(OBJECTS "tls_exit.o", "make_object", &first_object);
    struct jitscope_link *second = link_one(OBJECTS "tls_exit.o", "make_object", &second_object);
    printf("a thread ends\n");
    if (pthread_create(&thread, NULL, in_thread, NULL) || pthread_join(thread, NULL))
        exit(1);
    check(jitscope_session_unload(session, first));
    check(jitscope_session_unload(session, second));
}

static uint32_t told;

static int count_only(const char *text) {
    (void)text;
    return (int)++told;
}

/* Batches come and go, and never is there none: what is done for each is done once. */
static void come_and_go(void) {
    struct jitscope_link *window[WINDOW] = {NULL};
    for (int i = 0; i < MANY + WINDOW; i++) {
        register_function *function;
        if (window[i % WINDOW])
            check(jitscope_session_unload(session, window[i % WINDOW]));
        window[i % WINDOW] = i < MANY ? link_one(OBJECTS "at_end.o", "say_at_end", &function) : NULL;
        for (int k = 0; i < MANY && k <= i % 4; k++)
            function("");
    }
    printf("%u of %d were called\n", told, MANY / 4 * (1 + 2 + 3 + 4));
}

int main(void) {
    register_function *function;
    setvbuf(stdout, NULL, _IONBF, 0);
    check(jitscope_session_create(NULL, &session));
    check(jitscope_session_define(session, "host_say", (uint64_t)(uintptr_t)count_only));
    come_and_go();
    check(jitscope_session_define(session, "host_say", address_of(host_say)));
    end_thread();

    struct jitscope_link *gone = link_one(OBJECTS "at_end.o", "say_at_end", &function);
    function("at unload, second");
    function("at unload, first");
    link_one(OBJECTS "at_end.o", "say_at_end", &function);
    function("a batch's, registered first");
    atexit(say_host);
    link_one(OBJECTS "at_end.o", "say_at_end", &function);
    function("the last batch's");
    function("the last batch's, registered last");
    printf("one is unloaded\n");
    check(jitscope_session_unload(session, gone));
    printf("the program ends\n");
    return 0;
}
