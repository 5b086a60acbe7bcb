/* `why` and `diff` when memory runs out at any moment. */
#include "base/os.h"
#include "jitscope/jitscope.h"
#include "mirror/diff.h"
#include "mirror/why.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void make_recording(char *path, bool gc_sections) {
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    struct jitscope_session_options options = {.size = sizeof options,
                                               .simulate = true,
                                               .base = 0x10000000,
                                               .phony_externals = true,
                                               .gc_sections = gc_sections,
                                               .record_path = path,
                                               .level = JITSCOPE_LEVEL_EDGES};
    struct jitscope_session *session;
    assert_null(jitscope_session_create(&options, &session));
    assert_null(jitscope_session_add_file(session, SAMPLE_OBJECT));
    assert_null(jitscope_session_add_file(session, SAMPLE_ARCHIVE));
    assert_null(jitscope_session_link(session, NULL));
    jitscope_session_destroy(session);
}

static bool on_demand; /* how mirrors are made */

static struct jitscope_error *make_mirror(struct mirror *mirror, const struct recording_file *file) {
    if (!on_demand)
        return mirror_load(mirror, file, UINT64_MAX);
    TRY(mirror_open_on_demand(mirror, file));
    for (bool done = false; !done;) {
        struct jitscope_error *error = mirror_index_step(mirror, 1000, &done);
        if (error) {
            mirror_destroy(mirror);
            return error;
        }
    }
    return NULL;
}

static struct jitscope_error *
with_mirror(const char *path, struct jitscope_error *(*use)(const struct mirror *, void *), void *context) {
    struct recording_file file;
    TRY(recording_open(path, &file));
    struct mirror *mirror = os_allocate_zeroed(sizeof *mirror);
    struct jitscope_error *error = mirror ? make_mirror(mirror, &file) : error_no_memory();
    if (!error) {
        error = use(mirror, context);
        mirror_destroy(mirror);
    }
    os_release(mirror);
    recording_close(&file);
    return error;
}

/* --- questions */

/* A name that is there, by the recording's own word.  Without memory the link may not be. */
static struct jitscope_error *some_name(const struct mirror *mirror, char *buffer, size_t size) {
    const struct mirror_link *link = mirror_link(mirror, 1);
    for (uint32_t i = 0; i < link->symbols.count; i++) {
        struct recorded_string name = recording_string(mirror->file, link->symbols.data[i].name);
        if (link->symbols.data[i].kind == SYMBOL_KIND_FUNCTION && name.length && name.length < size) {
            memcpy(buffer, name.bytes, name.length);
            buffer[name.length] = 0;
            return NULL;
        }
    }
    struct jitscope_error *error = mirror_failure(mirror);
    assert_non_null(error);
    return error;
}

static struct jitscope_error *ask(const struct mirror *mirror, const char *question) {
    struct why_answer answer;
    struct text out = {0};
    TRY(why_ask(mirror, question, NULL, &answer));
    why_print_text(&out, &answer);
    why_print_json(&out, &answer);
    bool failed = out.failed;
    text_destroy(&out);
    why_destroy(&answer);
    return failed ? error_no_memory() : NULL;
}

static struct jitscope_error *ask_all(const struct mirror *mirror, void *context) {
    static const char *const forms[][2] = {
        {"", ""}, {"", "+1"}, {"got:", ""}, {"plt:", ""}, {"discard:", ""}};
    char name[100], question[120];
    (void)context;
    TRY(some_name(mirror, name, sizeof name));
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        snprintf(question, sizeof question, "%s%s%s", forms[i][0], name, forms[i][1]);
        TRY(ask(mirror, question));
    }
    return NULL;
}

/* --- comparing */

static struct jitscope_error *compare(const struct mirror *mirror, void *context) {
    const struct mirror *other = context;
    struct diff diff;
    struct text out = {0};
    TRY(diff_mirrors(other, mirror, &diff));
    diff_print_text(&out, &diff);
    diff_print_json(&out, &diff);
    bool failed = out.failed;
    assert_true(diff.differences > 0);
    text_destroy(&out);
    diff_destroy(&diff);
    return failed ? error_no_memory() : NULL;
}

static struct jitscope_error *compare_with(const struct mirror *mirror, void *path) {
    return with_mirror(path, compare, (void *)(uintptr_t)mirror);
}

/* --- each allocation fails once */

static void rehearse(const char *path, struct jitscope_error *(*use)(const struct mirror *, void *),
                     void *context, bool sticky) {
    os_fail_after(0, false);
    jitscope_error_destroy(with_mirror(path, use, context)); /* what stays allocated, is */
    int64_t before = os_live_allocations();
    bool done = false;
    uint64_t n = 1;
    for (; !done; n++) {
        os_fail_after(n, sticky);
        struct jitscope_error *error = with_mirror(path, use, context);
        done = os_call_count() < n;
        os_fail_after(0, false);
        assert_true(!done || !error);
        assert_true(!error || strlen(jitscope_error_message(error)) > 0);
        jitscope_error_destroy(error);
        assert_int_equal(os_live_allocations(), before);
    }
    assert_true(n > 20); /* or it rehearsed nothing */
}

static void test_failing_questions(void **state) {
    char path[] = "/tmp/jitscope-queries-XXXXXX";
    (void)state;
    make_recording(path, false);
    for (int i = 0; i < 2; i++) {
        on_demand = i;
        rehearse(path, ask_all, NULL, false);
        rehearse(path, ask_all, NULL, true);
    }
    unlink(path);
}

static void test_failing_comparisons(void **state) {
    char a[] = "/tmp/jitscope-queries-XXXXXX", b[] = "/tmp/jitscope-queries-XXXXXX";
    (void)state;
    make_recording(a, false);
    make_recording(b, true);
    for (int i = 0; i < 2; i++) {
        on_demand = i;
        rehearse(a, compare_with, b, false);
        rehearse(a, compare_with, b, true);
    }
    unlink(a);
    unlink(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_failing_questions),
                                       cmocka_unit_test(test_failing_comparisons)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
