/* Lazy and replaceable links of code in another process, which is this program, started with a descriptor. */
#include "check.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

enum { GENERATIONS = 200, BEGINNERS = 20 };

static struct jitscope_session *session;

static int serve(int fd) {
    struct jitscope_target *target;
    check(jitscope_target_create(fd, &target));
    check(jitscope_target_serve(target));
    return 0;
}

static void start_plain(bool inlines) {
    static char program[] = "/proc/self/exe";
    char *command[] = {program, NULL};
    struct jitscope_executor_connection *connection;
    struct jitscope_executor_options options = {
        .size = sizeof options, .command = command, .inline_content = inlines};
    check(jitscope_executor_spawn(&options, &connection));
    struct jitscope_session_options wanted = {.size = sizeof wanted, .executor = connection};
    check(jitscope_session_create(&wanted, &session));
}

static void start(bool lazy, bool inlines) {
    start_plain(inlines);
    check(lazy ? jitscope_session_set_lazy(session, true) : jitscope_session_set_replaceable(session, true));
}

static struct jitscope_link *link_files(const char *first, const char *second) {
    struct jitscope_link *link;
    check(jitscope_session_add_file(session, first));
    if (second)
        check(jitscope_session_add_file(session, second));
    check(jitscope_session_link(session, &link));
    return link;
}

static struct jitscope_error *run(const char *name, int *status) {
    uint64_t address;
    check(jitscope_session_lookup(session, name, &address));
    return jitscope_session_run_main(session, address, status);
}

static void print_call(const char *name) {
    int status;
    check(run(name, &status));
    printf("%s() = %d\n", name, status);
}

static const char *is_there(const char *name) {
    uint64_t address;
    struct jitscope_error *error = jitscope_session_lookup(session, name, &address);
    jitscope_error_destroy(error);
    return error ? "waits" : "is there";
}

/* --- calls */

/* A slot is bound by the first call, waits again when its function goes, and leads to the next one. */
static void bind(bool inlines) {
    start(true, inlines);
    check(jitscope_session_define(session, "called", 1));
    check(jitscope_session_add_root(session, "caller"));
    struct jitscope_link *caller = link_files(OBJECTS "caller.o", OBJECTS "answer_1.o");
    printf("answer %s; ", is_there("answer"));
    print_call("caller");
    printf("answer %s; ", is_there("answer"));
    print_call("caller");
    check(jitscope_session_unload(session, caller));
    printf("answer %s\n", is_there("answer"));
    check(jitscope_session_add_root(session, "eager"));
    link_files(OBJECTS "eager.o", OBJECTS "libanswer_begun.a");
    print_call("eager");
    jitscope_session_destroy(session);
}

static struct jitscope_link *replace(struct jitscope_link *old, const char *path) {
    struct jitscope_link *link;
    check(jitscope_session_add_file(session, path));
    check(jitscope_session_replace(session, old, &link));
    return link;
}

struct running {
    pthread_t thread;
    const char *name;
    int status;
};

static void *run_there(void *context) {
    struct running *running = context;
    check(run(running->name, &running->status));
    return NULL;
}

/* While main runs there, and calls what is linked for it, something else is linked, with an initialiser that
 * calls what waits.  Main runs until its answers are replaced. */
static void link_beside_main(void) {
    struct running running = {.name = "spin_alone"};
    start(false, false);
    struct jitscope_link *answers = link_files(OBJECTS "answer_1.o", OBJECTS "spin.o");
    check(jitscope_session_define(session, "called", 1));
    check(jitscope_session_set_lazy(session, true));
    check(jitscope_session_add_root(session, "at_once"));
    uint64_t before = jitscope_session_executor_messages(session);
    pthread_create(&running.thread, NULL, run_there, &running);
    while (jitscope_session_executor_messages(session) == before)
        sched_yield(); /* until it was told to run */
    link_files(OBJECTS "at_once.o", OBJECTS "caller.o");
    replace(answers, OBJECTS "answer_none.o");
    pthread_join(running.thread, NULL);
    printf("wrong answers: %d; ", running.status);
    print_call("at_once");
    jitscope_session_destroy(session);
}

/* An initialiser ends while the session is still making a link for a thread that it has started. */
static void link_behind_initialiser(void) {
    uint64_t address;
    int status, right = 0;
    start(true, false);
    check(jitscope_session_define(session, "called", 1));
    check(jitscope_session_add_root(session, "beginner"));
    for (int i = 0; i < BEGINNERS; i++) {
        check(jitscope_session_add_file(session, OBJECTS "answer_begun.o"));
        struct jitscope_link *link = link_files(OBJECTS "beginner.o", OBJECTS "caller.o");
        check(jitscope_link_lookup(session, link, "beginner", &address));
        check(jitscope_session_run_main(session, address, &status));
        right += status == 33;
        check(jitscope_session_unload(session, link));
    }
    printf("of %d initialisers' threads, %d were answered\n", BEGINNERS, right);
    jitscope_session_destroy(session);
}

/* --- replacing */

/* Threads there call in a loop meanwhile, and find out by the last one that it is over. */
static void replace_all(void) {
    static const char *const files[] = {OBJECTS "answer_1.o", OBJECTS "answer_2.o", OBJECTS "answer_begun.o"};
    static struct jitscope_link *links[GENERATIONS + 1];
    struct running running = {.name = "spin"};
    start(false, false);
    links[0] = link_files(files[0], NULL);
    link_files(OBJECTS "spin.o", NULL);
    pthread_create(&running.thread, NULL, run_there, &running);
    for (int i = 1; i <= GENERATIONS; i++)
        links[i] = replace(links[i - 1], i < GENERATIONS ? files[i % 2 + 1] : OBJECTS "answer_none.o");
    pthread_join(running.thread, NULL);
    printf("generations: %d, wrong answers: %d\n", GENERATIONS, running.status);
    for (int i = GENERATIONS; i-- > 1;) /* the first has a variable that the second may refer to */
        check(jitscope_session_unload(session, links[i]));
    print_call("answer");
    jitscope_session_destroy(session);
}

/* --- ends */

static void not_called(void *context, const char *function, const char *message) {
    printf("%s%s: %s\n", (const char *)context, function, message);
}

static const char *text_of(const struct jitscope_event *event, const char *field) {
    const char *text = jitscope_event_field_text(event, jitscope_event_find_field(event, field));
    return text ? text : "";
}

/* Why the process ends is known here, too. */
static void tell_failure(void *context, const struct jitscope_event *event) {
    (void)context;
    if (!strcmp(jitscope_event_name(event), "link_end") && !strcmp(text_of(event, "outcome"), "failed"))
        printf("%.*s\n", (int)strcspn(text_of(event, "error"), ":"), text_of(event, "error"));
}

/* The session stays as it is, and says of everything else what has become of its executor. */
static void end(const char *answers) {
    static char text[] = "called: ";
    int status;
    start(true, false);
    check(jitscope_session_set_lazy_failure(session, not_called, text));
    check(jitscope_session_set_event_callback(session, JITSCOPE_LEVEL_PHASE, tell_failure, NULL));
    check(jitscope_session_define(session, "called", 1));
    check(jitscope_session_add_root(session, "caller"));
    link_files(OBJECTS "caller.o", answers);
    struct jitscope_error *error = run("caller", &status);
    printf("%s\n", jitscope_error_message(error));
    jitscope_error_destroy(error);
    enum jitscope_executor_state state = jitscope_session_executor_state(session, &status);
    printf("  state %d, status %d; answer %s\n", (int)state, status, is_there("answer"));
    check(jitscope_session_add_file(session, OBJECTS "fib.o"));
    error = jitscope_session_link(session, NULL);
    printf("  %s\n", jitscope_error_code_name(jitscope_error_code(error)));
    jitscope_error_destroy(error);
    jitscope_session_destroy(session);
}

static void print_error(struct jitscope_error *error) {
    printf("  %s: %s\n", jitscope_error_code_name(jitscope_error_code(error)), jitscope_error_message(error));
    jitscope_error_destroy(error);
}

/* An action runs that kills the process, with the link and, when that goes well, with the link's end. */
static void end_in_action(bool lazy, const char *file) {
    struct jitscope_link *link = NULL;
    printf("%s\n", lazy ? "one half after the other" : "all at once");
    start_plain(false);
    if (lazy)
        check(jitscope_session_set_lazy(session, true));
    check(jitscope_session_add_file(session, file));
    print_error(jitscope_session_link(session, &link));
    if (link)
        print_error(jitscope_session_unload(session, link));
    jitscope_session_destroy(session);
}

int main(int argc, char **argv) {
    if (argc == 3 && !strcmp(argv[1], "--fd"))
        return serve(atoi(argv[2]));
    bind(false);
    bind(true);
    link_beside_main();
    link_behind_initialiser();
    replace_all();
    end(OBJECTS "libanswer_ends.a");
    end(OBJECTS "libanswer_kills.a");
    end(OBJECTS "answer_lacks.o");
    for (int lazy = 0; lazy < 2; lazy++) {
        end_in_action(lazy, OBJECTS "answer_kills.o");
        end_in_action(lazy, OBJECTS "killed_at_end.o");
    }
    return 0;
}
