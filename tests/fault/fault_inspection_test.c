/* Each call to the allocator or the system, of a process that lets itself be inspected and of its inspector,
 * fails once.  The session never notices; an attach works or says why not; nothing is left open. */
#define _GNU_SOURCE
#include "base/os.h"
#include "jitscope/jitscope.h"
#include "live/attach.h"
#include "live/list.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static unsigned count_descriptors(void) {
    unsigned count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* The other thread's are closed soon; some may come only after they were counted. */
static void expect_descriptors(unsigned wanted) {
    enum { TRIES = 60000, PAUSE_US = 1000 };
    unsigned count = count_descriptors();
    for (int i = 0; i < TRIES && count != wanted; i++) {
        usleep(PAUSE_US);
        count = count_descriptors();
    }
    assert_int_equal(count, wanted);
}

static struct jitscope_error *create(bool recorded, bool inspectable, struct jitscope_session **session) {
    struct jitscope_session_options options = {.size = sizeof options,
                                               .simulate = true,
                                               .record_path = recorded ? "/dev/full" : NULL,
                                               .inspectable = inspectable};
    return jitscope_session_create(&options, session);
}

static bool can_attach(uint32_t *failures) {
    struct live_attached attached;
    struct jitscope_error *error = live_attach((uint32_t)getpid(), 0, &attached);
    if (!error)
        live_detach(&attached);
    *failures += error != NULL;
    assert_true(!error || jitscope_error_message(error)[0]);
    jitscope_error_destroy(error);
    return !error;
}

/* Either it can be attached to, or it can tell what is in the way. */
static bool create_with_failure(uint64_t n, uint32_t *without) {
    struct jitscope_session *session = NULL;
    os_fail_after(n, false);
    struct jitscope_error *error = create(false, true, &session);
    bool failed = os_call_count() >= n;
    os_fail_after(0, false);
    if (error) {
        assert_int_equal(jitscope_error_code(error), JITSCOPE_ERROR_NO_MEMORY);
        jitscope_error_destroy(error);
        return failed;
    }
    uint32_t failures = 0;
    bool can = can_attach(&failures);
    const char *reason = jitscope_session_inspection_failure(session);
    if (reason)
        assert_false(can);
    *without += !can;
    jitscope_session_destroy(session);
    return failed;
}

/* How many calls there are whose failure is one of the session. */
static uint32_t count_fatal(bool inspectable) {
    uint32_t fatal = 0;
    bool failed = true;
    for (uint64_t n = 1; failed; n++) {
        struct jitscope_session *session = NULL;
        os_fail_after(n, false);
        struct jitscope_error *error = create(!inspectable, inspectable, &session);
        failed = os_call_count() >= n;
        os_fail_after(0, false);
        fatal += error != NULL;
        jitscope_error_destroy(error);
        jitscope_session_destroy(session);
    }
    return fatal;
}

static void test_creating(void **state) {
    (void)state;
    uint32_t without = 0;
    uint64_t n = 1;
    create_with_failure(UINT64_MAX, &without);
    assert_int_equal(without, 0);
    int64_t allocations = os_live_allocations();
    unsigned descriptors = count_descriptors();
    for (; create_with_failure(n, &without); n++) {
        assert_int_equal(os_live_allocations(), allocations);
        expect_descriptors(descriptors);
    }
    assert_true(n > 30 && without > 10); /* or it rehearsed nothing */
}

/* To be inspectable adds no way for a session to fail. */
static void test_sessions_never_notice(void **state) {
    (void)state;
    uint32_t recorded = count_fatal(false), inspectable = count_fatal(true);
    assert_true(recorded > 0);
    assert_true(inspectable <= recorded);
}

static bool attach_with_failure(uint64_t n, uint32_t *failures) {
    os_fail_after(n, false);
    can_attach(failures);
    bool failed = os_call_count() >= n;
    os_fail_after(0, false);
    return failed;
}

static bool list_with_failure(uint64_t n, uint32_t *failures) {
    struct live_sessions sessions;
    os_fail_after(n, false);
    struct jitscope_error *error = live_list(&sessions);
    bool failed = os_call_count() >= n;
    os_fail_after(0, false);
    *failures += error != NULL || !sessions.list.count;
    if (!error)
        live_sessions_destroy(&sessions);
    jitscope_error_destroy(error);
    return failed;
}

static void rehearse(bool (*function)(uint64_t n, uint32_t *failures)) {
    struct jitscope_session *session;
    uint32_t failures = 0;
    uint64_t n = 1;
    assert_null(create(false, true, &session));
    assert_null(jitscope_session_inspection_failure(session));
    unsigned descriptors = count_descriptors(); /* while the other thread surely has none of its own */
    function(UINT64_MAX, &failures);
    assert_int_equal(failures, 0);
    int64_t allocations = os_live_allocations();
    for (; function(n, &failures); n++) {
        expect_descriptors(descriptors);
        assert_int_equal(os_live_allocations(), allocations);
    }
    assert_true(n > 10 && failures > 5);
    failures = 0;
    assert_true(can_attach(&failures));
    jitscope_session_destroy(session);
}

static void test_attaching(void **state) {
    (void)state;
    rehearse(attach_with_failure);
}

static void test_listing(void **state) {
    (void)state;
    rehearse(list_with_failure);
}

int main(void) {
    char folder[] = "/tmp/jitscope-fault-XXXXXX", place[64];
    if (!mkdtemp(folder))
        return 1;
    setenv("XDG_RUNTIME_DIR", folder, 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_creating),
        cmocka_unit_test(test_sessions_never_notice),
        cmocka_unit_test(test_attaching),
        cmocka_unit_test(test_listing),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    snprintf(place, sizeof place, "%s/jitscope", folder);
    failed += rmdir(place) != 0; /* no socket was left behind */
    rmdir(folder);
    return failed;
}
