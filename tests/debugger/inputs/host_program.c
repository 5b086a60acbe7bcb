/* A small embedding program for debuggers: its words are commands, done from left to right.
 *
 *     auto | eager | lazy | off   what debuggers are told, before anything else
 *     add FILE, link              link N is the Nth one
 *     library NAME                -l NAME
 *     call NAME                   int NAME(int), with 5
 *     address NAME                prints where it is
 *     unload N
 *     threads NAME                three threads call it, with 0, 1 and 2
 *     fork NAME                   a child calls it, with 7, and then the parent, with 8
 *     wait                        prints "ready" and waits until host_go is set
 *     stop                        host_stop() is called: a place for a breakpoint */
#include <jitscope/jitscope.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static enum jitscope_debug policy_of(const char *word) {
    static const char *const names[] = {"auto", "eager", "lazy", "off"};
    for (int i = 0; i < 4; i++)
        if (!strcmp(word, names[i]))
            return (enum jitscope_debug)i;
    exit(2);
}

int main(int argc, char **argv) {
    struct jitscope_session *session;
    struct jitscope_session_options options = {.size = sizeof options};
    if (argc < 2)
        return 2;
    options.debug = policy_of(argv[1]);
    check(jitscope_session_create(&options, &session));
    check(jitscope_session_define(session, "host_twice", (uint64_t)(uintptr_t)host_twice));
    for (int i = 2; i < argc; i++)
        if (!strcmp(argv[i], "link"))
            add_link(session);
        else if (!strcmp(argv[i], "wait"))
            wait_for_debugger();
        else if (!strcmp(argv[i], "stop"))
            host_stop(i);
        else if (i + 1 < argc)
            act(session, argv[i], argv[i + 1]), i++;
        else
            exit(2);
    jitscope_session_destroy(session);
    return 0;
}
