/* Lazy links: objects wait until they are called.  And what becomes of a call that cannot be served. */
#include "check.h"

#include <setjmp.h>
#include <string.h>

static jmp_buf out;

/* The stack unwinds to whoever called the linked code; the session is free again. */
static void give_up(void *context, const char *function, const char *message) {
    struct jitscope_session *session = context;
    const char *line = strchr(message, '\n');
    uint64_t address;
    check(jitscope_session_lookup(session, "caller", &address));
    printf("%s: %.*s\n", function, (int)(line ? (size_t)(line - message) : strlen(message)), message);
    longjmp(out, 1);
}

static const char *is_there(struct jitscope_session *session, const char *name) {
    uint64_t address;
    struct jitscope_error *error = jitscope_session_lookup(session, name, &address);
    bool found = !error;
    jitscope_error_destroy(error);
    return found ? "is there" : "waits";
}

static void print_refusal(struct jitscope_error *error) {
    printf("%s: %s\n", jitscope_error_code_name(jitscope_error_code(error)), jitscope_error_message(error));
    jitscope_error_destroy(error);
}

static void refuse(void) {
    struct jitscope_session_options options = {.size = sizeof options, .gc_sections = true};
    struct jitscope_session *session;
    check(jitscope_session_create(&options, &session));
    print_refusal(jitscope_session_set_lazy(session, true));
    jitscope_session_destroy(session);
}

static const char *fail_or_not(void *context, const uint8_t *arguments, size_t size) {
    const bool *fails = context;
    (void)arguments, (void)size;
    return *fails ? "not now" : NULL;
}

static struct jitscope_error *attach(struct jitscope_graph *graph, void *context) {
    (void)context;
    return jitscope_graph_find_symbol(graph, "eager") == JITSCOPE_NONE
               ? NULL
               : jitscope_graph_add_action(graph, "fail-or-not", NULL, 0, NULL, NULL, 0);
}

/* An initialiser has something linked, and then its own link fails: both are gone. */
static void fail_outside(void) {
    struct jitscope_session *session;
    bool fails = true;
    uint64_t address;
    check(jitscope_session_create(NULL, &session));
    check(jitscope_session_set_lazy(session, true));
    check(jitscope_session_register_action(session, "fail-or-not", fail_or_not, &fails));
    check(jitscope_session_add_pass(session, JITSCOPE_POST_FIXUP, "attach", attach, NULL));
    check(jitscope_session_add_root(session, "eager"));
    for (int i = 0; i < 2; i++, fails = false) {
        check(jitscope_session_add_file(session, OBJECTS "eager.o"));
        check(jitscope_session_add_file(session, OBJECTS "answer_1.o"));
        struct jitscope_error *error = jitscope_session_link(session, NULL);
        if (error)
            print_refusal(error);
        printf("answer %s\n", is_there(session, "answer"));
    }
    check(jitscope_session_lookup(session, "eager", &address));
    printf("eager() = %d\n", call(address));
    jitscope_session_destroy(session);
}

/* What waits of a batch that was prepared apart waits on behind it, and what is queued stays queued.  Other
 * links stay while families come, grow and go. */
static void link_apart(void) {
    enum { FAMILIES = 60 };
    struct jitscope_session *session;
    struct jitscope_batch *batch;
    struct jitscope_link *family;
    uint64_t address;
    int waited = 0, right = 0;
    check(jitscope_session_create(NULL, &session));
    check(jitscope_session_set_lazy(session, true));
    check(jitscope_session_define(session, "nowhere", 1));
    check(jitscope_session_add_file(session, OBJECTS "called.o"));
    check(jitscope_session_link(session, NULL));
    check(jitscope_session_add_root(session, "caller"));
    check(jitscope_session_add_file(session, OBJECTS "eager.o"));
    check(jitscope_session_add_file(session, OBJECTS "caller.o"));
    check(jitscope_session_add_file(session, OBJECTS "answer_1.o"));
    check(jitscope_batch_create(session, &batch));
    for (int i = 0; i < FAMILIES; i++) {
        check(jitscope_batch_add_file(batch, OBJECTS "caller.o"));
        check(jitscope_batch_add_file(batch, OBJECTS "answer_1.o"));
        check(jitscope_batch_link(batch, &family));
        waited += is_there(session, "answer")[0] == 'w';
        check(jitscope_session_lookup(session, "caller", &address));
        right += call(address) == 11;
        check(jitscope_batch_add_file(batch, OBJECTS "called.o"));
        check(jitscope_batch_link(batch, NULL));
        check(jitscope_session_unload(session, family));
    }
    jitscope_batch_destroy(batch);
    printf("%d waited, %d were right\n", waited, right);
    check(jitscope_session_link(session, NULL));
    check(jitscope_session_lookup(session, "eager", &address));
    printf("eager() = %d\n", call(address));
    jitscope_session_destroy(session);
}

static void link_files(struct jitscope_session *session, const char *first, const char *second) {
    check(jitscope_session_add_file(session, first));
    if (second)
        check(jitscope_session_add_file(session, second));
    check(jitscope_session_link(session, NULL));
}

/* Each calls its own answer(), whatever other links have of that name, and whether that waits. */
static void call_own(bool lazy) {
    struct jitscope_session *session;
    uint64_t caller, eager;
    check(jitscope_session_create(NULL, &session));
    check(jitscope_session_define(session, "called", 1));
    check(jitscope_session_set_lazy(session, lazy));
    link_files(session, OBJECTS "answer_2.o", NULL);
    check(jitscope_session_add_root(session, "caller"));
    link_files(session, OBJECTS "caller.o", OBJECTS "answer_1.o");
    check(jitscope_session_add_root(session, "eager"));
    link_files(session, OBJECTS "eager.o", OBJECTS "answer_2.o");
    check(jitscope_session_lookup(session, "eager", &eager));
    check(jitscope_session_lookup(session, "caller", &caller));
    printf("eager() = %d, caller() = %d\n", call(eager), call(caller));
    jitscope_session_destroy(session);
}

int main(void) {
    struct jitscope_session *session;
    struct jitscope_link *link;
    uint64_t address;
    check(jitscope_session_create(NULL, &session));
    check(jitscope_session_set_lazy(session, true));
    check(jitscope_session_set_lazy_failure(session, give_up, session));
    check(jitscope_session_add_root(session, "caller"));
    check(jitscope_session_add_file(session, OBJECTS "caller.o"));
    check(jitscope_session_add_file(session, OBJECTS "answer_1.o"));
    check(jitscope_session_add_file(session, OBJECTS "called.o"));
    check(jitscope_session_link(session, &link));
    printf("answer %s\n", is_there(session, "answer"));

    check(jitscope_session_lookup(session, "caller", &address));
    printf("caller() = %d\n", call(address));
    printf("answer %s, called %s\n", is_there(session, "answer"), is_there(session, "called"));

    check(jitscope_session_lookup(session, "failing", &address));
    if (!setjmp(out))
        call(address);
    check(jitscope_session_define(session, "nowhere", 1));
    if (!setjmp(out))
        printf("once that is there: %d\n", call(address));

    /* With the link goes what was linked on its behalf. */
    check(jitscope_session_unload(session, link));
    printf("answer %s\n", is_there(session, "answer"));
    jitscope_session_destroy(session);
    refuse();
    fail_outside();
    link_apart();
    call_own(false);
    call_own(true);
    return 0;
}
