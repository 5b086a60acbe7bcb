/* Thread-local storage in a program that links, beyond one batch and one thread: threads that were there
 * before each of many links, memory and module numbers after many, blocks that go in another order than they
 * came, two copies of the library in one process.  What the objects' functions must return is known:
 * tests/system/tls.py has them. */
#define _GNU_SOURCE
#include "jitscope/jitscope.h"
#include "tls_plugin.h"

#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* About half of what may grow is what libgcc is given ten seconds for to let go of. */
enum { THREADS = 3, ROUNDS = 40, BATCHES = 1000, MOST_GROWTH = 2 << 20 };

typedef int count_function(int);

static struct jitscope_session *session;
static count_function *volatile count;
static pthread_barrier_t gate;
static bool done;
static int results[THREADS];

static void check(struct jitscope_error *error) {
    if (!error)
        return;
    printf("%s\n", jitscope_error_message(error));
    exit(1);
}

static void expect(const char *what, long value, long expected) {
    if (value == expected)
        return;
    printf("%s: %ld, not %ld\n", what, value, expected);
    exit(1);
}

static struct jitscope_link *load(const char *path) {
    struct jitscope_link *link;
    check(jitscope_session_add_file(session, path));
    check(jitscope_session_link(session, &link));
    return link;
}

static void *find(const struct jitscope_link *link, const char *name) {
    uint64_t address;
    check(jitscope_link_lookup(session, link, name, &address));
    return (void *)(uintptr_t)address;
}

static count_function *find_count(const struct jitscope_link *link) {
    count_function *function;
    void *address = find(link, "count");
    memcpy(&function, &address, sizeof function);
    return function;
}

/* --- threads of before, each of which has touched the blocks of all batches so far */

static void *early(void *number) {
    for (;;) {
        pthread_barrier_wait(&gate);
        if (done)
            return NULL;
        int *result = &results[(uintptr_t)number];
        *result = count((int)(uintptr_t)number);
        *result = count((int)(uintptr_t)number);
        pthread_barrier_wait(&gate);
    }
}

static void *late(void *unused) {
    (void)unused;
    expect("a thread of later", count(9), 14);
    return NULL;
}

static void run_late(void) {
    pthread_t thread;
    pthread_create(&thread, NULL, late, NULL);
    pthread_join(thread, NULL);
}

static void let_all_count(void) {
    expect("this thread", count(100), 105);
    pthread_barrier_wait(&gate);
    pthread_barrier_wait(&gate);
    for (int i = 0; i < THREADS; i++)
        expect("a thread of before", results[i], 5 + 2 * i);
    run_late();
}

/* What a child has is what this thread had; it can link, and have threads. */
static void fork_once(const char *path) {
    fflush(stdout);
    pid_t child = fork();
    int status = 0;
    if (!child) {
        expect("a child", count(1), 106);
#ifndef __SANITIZE_THREAD__ /* which knows no threads of such children */
        run_late();
#endif
        struct jitscope_link *link = load(path);
        expect("a batch of the child's", find_count(link)(2), 7);
        check(jitscope_session_unload(session, link));
        _exit(0);
    }
    waitpid(child, &status, 0);
    expect("the child's status", status, 0);
}

/* LIBRARY, which has thread-local storage too, comes and goes in between. */
static void with_threads(const char *path, const char *library) {
    pthread_t threads[THREADS];
    pthread_barrier_init(&gate, NULL, THREADS + 1);
    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, early, (void *)i);
    for (int round = 0; round < ROUNDS; round++) {
        void *before = round % 2 ? dlopen(library, RTLD_NOW) : NULL;
        struct jitscope_link *link = load(path);
        count = find_count(link);
        let_all_count();
        void *between = round % 3 ? dlopen(library, RTLD_NOW) : NULL;
        if (before)
            dlclose(before);
        if (round == 5)
            fork_once(path);
        check(jitscope_session_unload(session, link));
        if (between)
            dlclose(between);
    }
    done = true;
    pthread_barrier_wait(&gate);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

/* --- many batches */

static long resident(void) {
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%*d %ld", &pages) != 1)
        exit(1);
    fclose(file);
    return pages * 4096;
}

/* Each with a block of its own; returns the largest module number. */
static long load_many(const char *path, bool backward) {
    static struct jitscope_link *links[BATCHES];
    long largest = 0;
    for (int i = 0; i < BATCHES; i++) {
        links[i] = load(path);
        expect("a batch of many", find_count(links[i])(i), 5 + i);
        long (*module)(void);
        void *address = find(links[i], "module");
        memcpy(&module, &address, sizeof module);
        largest = module() > largest ? module() : largest;
    }
    for (int i = 0; i < BATCHES; i++)
        check(jitscope_session_unload(session, links[backward ? BATCHES - 1 - i : i]));
    return largest;
}

static void with_many(const char *path) {
    load_many(path, false);
    long largest = load_many(path, true), memory = resident();
    for (int round = 0; round < 4; round++)
        expect("the largest module number", load_many(path, round & 1), largest);
    long growth = resident() - memory;
    if (growth > MOST_GROWTH)
        expect("growth in bytes", growth, 0);
}

/* Batches that only use the block of another leave nothing with the loader but that one. */
static int count_module(struct dl_phdr_info *info, size_t size, void *modules) {
    (void)size;
    *(long *)modules += info->dlpi_tls_modid != 0 || !*info->dlpi_name;
    return 0;
}

static long loaded_modules(void) {
    long modules = 0;
    dl_iterate_phdr(count_module, &modules);
    return modules;
}

static void with_users(const char *path, const char *user) {
    struct jitscope_link *link = load(path), *users[20];
    long modules = loaded_modules();
    for (int i = 0; i < 20; i++) {
        users[i] = load(user);
        int (*use)(void);
        void *address = find(users[i], "use");
        memcpy(&use, &address, sizeof use);
        expect("what a user sees", use(), 6 + i);
    }
    expect("modules", loaded_modules(), modules);
    for (int i = 0; i < 20; i++)
        check(jitscope_session_unload(session, users[i]));
    expect("the block", find_count(link)(1), 26);
}

/* --- static storage comes free whatever the order */

static void in_any_order(const char *small, const char *large) {
    for (int round = 0; round < 200; round++) {
        struct jitscope_link *links[] = {load(small), load(large), load(small)};
        for (int i = 0; i < 3; i++)
            expect("a batch of three", find_count(links[i])(round), 5 + round);
        for (int i = 0; i < 3; i++)
            check(jitscope_session_unload(session, links[(i + round) % 3]));
    }
}

/* --- another copy of the library */

static void with_copy(const char *path, const char *plugin) {
    void *handle = dlopen(plugin, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        printf("%s\n", dlerror());
    count_function *(*open)(const char *);
    void *address = dlsym(handle, "plugin_open");
    memcpy(&open, &address, sizeof open);
    count_function *mine = find_count(load(path)), *other = open(path);
    expect("one copy's", mine(1), 6);
    expect("the other copy's", other(10), 15);
    expect("one copy's again", mine(1), 7);
}

int main(int argc, char **argv) {
    if (argc < 4)
        return 2;
    if (!strcmp(argv[1], "many")) /* what a recording needs is not to be counted */
        unsetenv("JITSCOPE_RECORD");
    check(jitscope_session_create(NULL, &session));
    if (!strcmp(argv[1], "threads"))
        with_threads(argv[2], argv[3]);
    else if (!strcmp(argv[1], "many"))
        with_many(argv[2]);
    else if (!strcmp(argv[1], "users"))
        with_users(argv[2], argv[3]);
    else if (!strcmp(argv[1], "order"))
        in_any_order(argv[2], argv[3]);
    else
        with_copy(argv[2], argv[3]);
    jitscope_session_destroy(session);
    puts("as it should be");
    return 0;
}
