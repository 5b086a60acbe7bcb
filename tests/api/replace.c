/* Code that is replaced while it runs: threads call in a loop while a thousand generations come and go. */
#include "check.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

enum { THREADS = 3, GENERATIONS = 1000 };

static struct jitscope_session *session;
static int (*caller)(void);
static atomic_bool done;
static atomic_ulong rounds[THREADS]; /* each thread's: between two of them it is in no linked code */
static atomic_int wrong;

/* Either answer, but nothing else; the two of one round may be of two generations. */
static void *work(void *context) {
    atomic_ulong *round = context;
    while (!done) {
        for (int i = 0; i < 100; i++) {
            int got = caller();
            wrong += got != 11 && got != 12 && got != 21 && got != 22;
        }
        (*round)++;
        sched_yield();
    }
    return NULL;
}

/* Until every thread has left the code that it was in. */
static void wait_for_threads(void) {
    for (int i = 0; i < THREADS; i++) {
        unsigned long before = rounds[i];
        while (rounds[i] < before + 2)
            sched_yield();
    }
}

static void print_refusal(struct jitscope_error *error) {
    printf("%s: %s\n", jitscope_error_code_name(jitscope_error_code(error)), jitscope_error_message(error));
    jitscope_error_destroy(error);
}

static struct jitscope_link *link_file(const char *path) {
    struct jitscope_link *link;
    check(jitscope_session_add_file(session, path));
    check(jitscope_session_link(session, &link));
    return link;
}

static struct jitscope_link *replace(struct jitscope_link *old, const char *path) {
    struct jitscope_link *link;
    check(jitscope_session_add_file(session, path));
    check(jitscope_session_replace(session, old, &link));
    return link;
}

static void run_generations(struct jitscope_link *link) {
    pthread_t threads[THREADS];
    unsigned differing = 0;
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, work, &rounds[i]);
    for (int i = 0; i < GENERATIONS; i++) {
        bool second = i % 2 == 0;
        struct jitscope_link *new = replace(link, second ? OBJECTS "answer_2.o" : OBJECTS "answer_1.o");
        differing += caller() != (second ? 22 : 11);
        wait_for_threads();
        check(jitscope_session_unload(session, link));
        link = new;
    }
    done = true;
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("generations: %d, calls that were not of the latest: %u, wrong answers: %d\n", GENERATIONS,
           differing, wrong);
}

static void create_lazy(void) {
    check(jitscope_session_create(NULL, &session));
    check(jitscope_session_set_lazy(session, true));
    check(jitscope_session_set_replaceable(session, true));
    check(jitscope_session_define(session, "called", 1));
}

static int call_with(const char *name, int argument) {
    uint64_t address;
    check(jitscope_session_lookup(session, name, &address));
    return ((int (*)(int))(uintptr_t)address)(argument);
}

/* In a lazy session the old function may have been linked later, on behalf of the link that is replaced, or
 * wait; and of the new objects none waits, not even beside one that defines a root. */
static void replace_lazily(bool is_linked) {
    uint64_t address;
    create_lazy();
    check(jitscope_session_add_root(session, "caller"));
    check(jitscope_session_add_file(session, OBJECTS "answer_1.o"));
    struct jitscope_link *first = link_file(OBJECTS "caller.o");
    check(jitscope_session_lookup(session, "caller", &address));
    caller = (int (*)(void))(uintptr_t)address;
    if (is_linked)
        printf("lazily: caller() = %d\n", caller());
    check(jitscope_session_add_root(session, "fib"));
    check(jitscope_session_add_file(session, OBJECTS "fib.o"));
    replace(first, OBJECTS "answer_2.o");
    printf("lazily: caller() = %d\n", caller());
    jitscope_session_destroy(session);
}

/* What waited for the link that is replaced was linked for another, which took its address: calls of both
 * lead to the new one. */
static void replace_what_others_took(void) {
    create_lazy();
    check(jitscope_session_add_root(session, "caller"));
    check(jitscope_session_add_file(session, OBJECTS "answer_1.o"));
    struct jitscope_link *first = link_file(OBJECTS "caller.o");
    check(jitscope_session_add_root(session, "taker"));
    link_file(OBJECTS "taker.o");
    printf("taken: caller() = %d, taker() = %d\n", call_with("caller", 0), call_with("taker", 0));
    replace(first, OBJECTS "answer_2.o");
    printf("taken: caller() = %d, taker() = %d\n", call_with("caller", 0), call_with("taker", 0));
    jitscope_session_destroy(session);
}

/* What waits for the link that is replaced, and is linked behind that, calls the new function, whether the
 * old one was ever linked or not. */
static void call_from_later(bool is_linked) {
    create_lazy();
    check(jitscope_session_add_root(session, "outer"));
    check(jitscope_session_add_file(session, OBJECTS "answer_1.o"));
    check(jitscope_session_add_file(session, OBJECTS "between.o"));
    struct jitscope_link *first = link_file(OBJECTS "outer.o");
    if (is_linked)
        printf("later: outer(0) = %d\n", call_with("outer", 0));
    struct jitscope_link *second = replace(first, OBJECTS "answer_begun.o");
    replace(second, OBJECTS "answer_2.o");
    check(jitscope_session_unload(session, second));
    printf("later: outer(0) = %d, outer(1) = %d\n", call_with("outer", 0), call_with("outer", 1));
    jitscope_session_destroy(session);
}

int main(void) {
    uint64_t address;
    replace_lazily(true);
    replace_lazily(false);
    replace_what_others_took();
    call_from_later(true);
    call_from_later(false);
    check(jitscope_session_create(NULL, &session));
    struct jitscope_link *fixed = link_file(OBJECTS "fib.o");
    check(jitscope_session_define(session, "called", 1));
    check(jitscope_session_set_replaceable(session, true));
    struct jitscope_link *first = link_file(OBJECTS "answer_1.o");
    link_file(OBJECTS "caller.o");
    check(jitscope_session_lookup(session, "caller", &address));
    caller = (int (*)(void))(uintptr_t)address;
    printf("caller() = %d\n", caller());

    /* Callers hold it; and what was not made to be replaced is not. */
    print_refusal(jitscope_session_unload(session, first));
    print_refusal(jitscope_session_replace(session, fixed, NULL));

    /* A variable stays with the old generation, which therefore stays too. */
    struct jitscope_link *second = replace(first, OBJECTS "answer_kept.o");
    printf("caller() = %d\n", caller());
    check(jitscope_session_lookup(session, "kept", &address));
    printf("kept is %d\n", *(int *)(uintptr_t)address);
    print_refusal(jitscope_session_unload(session, first));
    check(jitscope_session_add_file(session, OBJECTS "answer_wide.o"));
    struct jitscope_error *error = jitscope_session_replace(session, second, NULL);
    printf("%s\n", jitscope_error_code_name(jitscope_error_code(error)));
    jitscope_error_destroy(error);
    printf("caller() = %d\n", caller());

    struct jitscope_link *third = replace(second, OBJECTS "answer_2.o");
    check(jitscope_session_unload(session, second));
    check(jitscope_session_unload(session, first));
    printf("caller() = %d\n", caller());
    run_generations(third);
    jitscope_session_destroy(session);
    return 0;
}
