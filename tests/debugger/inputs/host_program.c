/* A small embedding program for debuggers: its words are commands, done from left to right.
 *
 *     auto | eager | lazy | off   what debuggers are told, before anything else
 *     own                         the same as auto, with a memory manager that gives each batch the place of
 *                                 the one before
 *     add FILE, link              link N is the Nth one
 *     library NAME                -l NAME
 *     call NAME                   int NAME(int), with 5
 *     address NAME                prints where it is
 *     unload N
 *     threads NAME                three threads call it, with 0, 1 and 2
 *     fork NAME                   a child calls it, with 7, and then the parent, with 8
 *     events, pass                an event callback is set, a pass that comes after allocation is added
 *     wait                        prints "ready" and waits until host_go is set
 *     stop                        host_stop() is called: a place for a breakpoint
 *     end                         the session ends, and another one begins */
#define _GNU_SOURCE
#include <jitscope/jitscope.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_LINKS = 20000, THREADS = 3 };

typedef int function(int);

volatile int host_go;

int host_twice(int value) {
    int twice = 2 * value;
    return twice;
}

void host_stop(int command) {
    (void)command;
}

static void check(struct jitscope_error *error) {
    if (!error)
        return;
    fprintf(stderr, "host: %s\n", jitscope_error_message(error));
    jitscope_error_destroy(error);
    exit(1);
}

static function *find(struct jitscope_session *session, const char *name) {
    uint64_t address;
    check(jitscope_session_lookup(session, name, &address));
    return (function *)(uintptr_t)address;
}

static int call(function *callee, int value) {
    int result = 0;
    result = callee(value); /* host: call */
    result++;               /* host: back */
    return result - 1;
}

struct job {
    function *callee;
    int value;
};

static void *run_job(void *context) {
    struct job *job = context;
    call(job->callee, job->value);
    return NULL;
}

static void call_in_threads(function *callee) {
    pthread_t threads[THREADS];
    struct job jobs[THREADS];
    for (int i = 0; i < THREADS; i++) {
        jobs[i] = (struct job){callee, i};
        pthread_create(&threads[i], NULL, run_job, &jobs[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void call_in_child(function *callee) {
    pid_t child = fork();
    if (!child) {
        call(callee, 7);
        _exit(0);
    }
    waitpid(child, NULL, 0);
    call(callee, 8);
}

static void wait_for_debugger(void) {
    puts("ready");
    fflush(stdout);
    for (int i = 0; i < 6000 && !host_go; i++)
        usleep(10000);
}

static void ignore_event(void *context, const struct jitscope_event *event) {
    (void)context, (void)event;
}

static struct jitscope_error *ignore_graph(struct jitscope_graph *graph, void *context) {
    (void)graph, (void)context;
    return NULL;
}

static struct jitscope_link *links[MOST_LINKS + 1];
static int link_count;

static void add_link(struct jitscope_session *session) {
    if (link_count == MOST_LINKS)
        exit(2);
    check(jitscope_session_link(session, &links[++link_count]));
}

/* A command with an operand. */
static void act(struct jitscope_session *session, const char *word, const char *operand) {
    if (!strcmp(word, "add"))
        check(jitscope_session_add_file(session, operand));
    else if (!strcmp(word, "library"))
        check(jitscope_session_add_library(session, operand));
    else if (!strcmp(word, "call"))
        printf("%s: %d\n", operand, call(find(session, operand), 5));
    else if (!strcmp(word, "address"))
        printf("%s at %p\n", operand, (void *)(uintptr_t)find(session, operand));
    else if (!strcmp(word, "unload"))
        check(jitscope_session_unload(session, links[atoi(operand)]));
    else if (!strcmp(word, "threads"))
        call_in_threads(find(session, operand));
    else if (!strcmp(word, "fork"))
        call_in_child(find(session, operand));
    else
        exit(2);
    fflush(stdout);
}

/* --- one place for every batch */

enum { ARENA = 1 << 20, PAGE = 4096 };

static char *arena;

static uint64_t pages(const struct jitscope_segment *segment) {
    return (segment->content_size + segment->zero_fill_size + PAGE) & ~(uint64_t)(PAGE - 1);
}

static struct jitscope_error *allocate(void *context, const struct jitscope_graph *graph,
                                       struct jitscope_segment *segments, size_t count, void **allocation) {
    char *next = arena;
    (void)context, (void)graph;
    mprotect(arena, ARENA, PROT_READ | PROT_WRITE);
    memset(arena, 0, ARENA);
    for (size_t i = 0; i < count; i++) {
        segments[i].working = (uint8_t *)next;
        segments[i].address = (uint64_t)(uintptr_t)next;
        next += pages(&segments[i]);
    }
    *allocation = arena;
    return NULL;
}

static struct jitscope_error *finalize(void *context, void *allocation,
                                       const struct jitscope_segment *segments, size_t count) {
    (void)context, (void)allocation;
    for (size_t i = 0; i < count; i++)
        mprotect(segments[i].working, pages(&segments[i]), (int)segments[i].prot);
    return NULL;
}

static void abandon(void *context, void *allocation) {
    (void)context, (void)allocation;
}

static struct jitscope_error *deallocate(void *context, void *allocation) {
    (void)context, (void)allocation;
    return NULL;
}

static const struct jitscope_memory_ops one_place = {.size = sizeof one_place,
                                                     .name = "one place",
                                                     .allocate = allocate,
                                                     .finalize = finalize,
                                                     .abandon = abandon,
                                                     .deallocate = deallocate};

/* --- the whole */

static enum jitscope_debug policy_of(const char *word) {
    static const char *const names[] = {"auto", "eager", "lazy", "off"};
    for (int i = 0; i < 4; i++)
        if (!strcmp(word, names[i]))
            return (enum jitscope_debug)i;
    if (strcmp(word, "own") != 0)
        exit(2);
    arena = mmap(NULL, ARENA, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return JITSCOPE_DEBUG_AUTO;
}

static struct jitscope_session *begin(enum jitscope_debug policy) {
    struct jitscope_session *session;
    struct jitscope_session_options options = {
        .size = sizeof options, .debug = policy, .memory = arena ? &one_place : NULL};
    check(jitscope_session_create(&options, &session));
    check(jitscope_session_define(session, "host_twice", (uint64_t)(uintptr_t)host_twice));
    link_count = 0;
    return session;
}

int main(int argc, char **argv) {
    if (argc < 2)
        return 2;
    enum jitscope_debug policy = policy_of(argv[1]);
    struct jitscope_session *session = begin(policy);
    for (int i = 2; i < argc; i++)
        if (!strcmp(argv[i], "link"))
            add_link(session);
        else if (!strcmp(argv[i], "wait"))
            wait_for_debugger();
        else if (!strcmp(argv[i], "stop"))
            host_stop(i);
        else if (!strcmp(argv[i], "events"))
            check(jitscope_session_set_event_callback(session, JITSCOPE_LEVEL_PHASE, ignore_event, NULL));
        else if (!strcmp(argv[i], "pass"))
            check(jitscope_session_add_pass(session, JITSCOPE_POST_FIXUP, "nothing", ignore_graph, NULL));
        else if (!strcmp(argv[i], "end"))
            jitscope_session_destroy(session), session = begin(policy);
        else if (i + 1 < argc)
            act(session, argv[i], argv[i + 1]), i++;
        else
            exit(2);
    jitscope_session_destroy(session);
    return 0;
}
