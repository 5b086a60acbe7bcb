/* Other processes' memory, read and watched: against children that change their own when they are told to. */
#define _GNU_SOURCE
#include "live/process_memory.h"
#include "live/watch.h"

#include "base/os.h"

#include <errno.h>
#include <linux/sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { PAGE = 4096, PLACES = 3000, GROUP = PAGE / 8 };

static void expect_good(struct jitscope_error *error) {
    if (error)
        fail_msg("%s", jitscope_error_message(error));
}

static void expect_error(struct jitscope_error *error, enum jitscope_error_code code, const char *why) {
    assert_non_null(error);
    assert_int_equal(jitscope_error_code(error), code);
    assert_non_null(strstr(jitscope_error_message(error), why));
    jitscope_error_destroy(error);
}

/* --- a child, whose memory lies where the parent's does */

struct order {
    uint64_t *place; /* NULL: unmap the page at VALUE */
    uint64_t value;
};

struct child {
    pid_t process;
    int orders, done;
    struct live_process live;
};

/* Its own, private to each process: what the child writes the parent does not see. */
static uint64_t *places;

static void obey(int orders, int done) {
    struct order order;
    while (read(orders, &order, sizeof order) == sizeof order) {
        if (order.place)
            *order.place = order.value;
        else
            munmap((void *)(uintptr_t)order.value, PAGE);
        if (write(done, "d", 1) != 1)
            break;
    }
    _exit(0);
}

static void start(struct child *child) {
    int to[2], from[2];
    assert_int_equal(pipe(to), 0);
    assert_int_equal(pipe(from), 0);
    child->process = fork();
    assert_true(child->process >= 0);
    if (!child->process) {
        close(to[1]);
        obey(to[0], from[1]);
    }
    close(to[0]);
    close(from[1]);
    child->orders = to[1];
    child->done = from[0];
    expect_good(live_process_open((uint32_t)child->process, 0, &child->live));
}

static void tell(const struct child *child, uint64_t *place, uint64_t value) {
    const struct order order = {place, value};
    char byte;
    assert_int_equal(write(child->orders, &order, sizeof order), sizeof order);
    assert_int_equal(read(child->done, &byte, 1), 1);
}

static void end(struct child *child) {
    close(child->orders);
    close(child->done);
    assert_int_equal(waitpid(child->process, NULL, 0), child->process);
}

static void stop(struct child *child) {
    end(child);
    live_process_close(&child->live);
}

static uint64_t address_of(uint32_t place) {
    return (uint64_t)(uintptr_t)&places[place];
}

static int make_places(void **state) {
    (void)state;
    size_t size = (PLACES / GROUP + 1) * PAGE;
    places = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (uint32_t i = 0; i < PLACES; i++)
        places[i] = 1000 + i;
    return places == MAP_FAILED;
}

/* --- reading */

static void ask_for_all(struct memory_range *ranges, uint64_t *values) {
    memset(values, 0, PLACES * sizeof *values);
    for (uint32_t i = 0; i < PLACES; i++)
        ranges[i] = (struct memory_range){.address = address_of(i), .bytes = &values[i], .size = 8};
}

static void test_many_ranges(void **state) {
    static struct memory_range ranges[PLACES];
    static uint64_t values[PLACES];
    struct child child;
    (void)state;
    start(&child);
    tell(&child, &places[2999], 7);
    ask_for_all(ranges, values);
    os_fail_after(0, false);
    expect_good(live_read(&child.live, ranges, PLACES));
    for (uint32_t i = 0; i < PLACES; i++) {
        assert_true(ranges[i].is_read);
        assert_int_equal(values[i], i == 2999 ? 7 : 1000 + i);
    }
    assert_int_equal(places[2999], 3999);
    assert_true(os_call_count() < 8); /* 1024 by one */
    stop(&child);
}

static void test_what_cannot_be_read(void **state) {
    static struct memory_range ranges[PLACES + 5];
    static uint64_t values[PLACES];
    struct child child;
    (void)state;
    start(&child);
    tell(&child, NULL, address_of(GROUP)); /* the second page, and the fourth */
    tell(&child, NULL, address_of(3 * GROUP));
    ask_for_all(ranges, values);
    char wide[24];
    ranges[PLACES] = (struct memory_range){.address = address_of(GROUP) - 12, .bytes = wide, .size = 24};
    ranges[PLACES + 1] = (struct memory_range){.address = address_of(GROUP - 1), .bytes = wide, .size = 8};
    ranges[PLACES + 2] = (struct memory_range){.address = 8, .bytes = wide, .size = 8};
    ranges[PLACES + 3] = (struct memory_range){.address = UINT64_MAX - 3, .bytes = wide, .size = 8};
    ranges[PLACES + 4] = (struct memory_range){.address = 8};
    expect_good(live_read(&child.live, ranges, PLACES + 5));
    for (uint32_t i = 0; i < PLACES; i++) {
        assert_int_equal(ranges[i].is_read, i / GROUP != 1 && i / GROUP != 3);
        if (ranges[i].is_read)
            assert_int_equal(values[i], 1000 + i);
    }
    for (uint32_t i = 0; i < 5; i++) /* the page before is there, and nothing is read everywhere */
        assert_int_equal(ranges[PLACES + i].is_read, i == 1 || i == 4);
    stop(&child);
}

/* --- which process */

static void expect_ended(const struct live_process *process) {
    uint64_t value;
    struct memory_range range = {.address = address_of(0), .bytes = &value, .size = 8};
    assert_false(live_process_is_alive(process));
    expect_error(live_read(process, &range, 1), JITSCOPE_ERROR_NOT_FOUND, "has ended");
    assert_false(range.is_read);
}

static void watch_end(bool with_descriptor) {
    struct child child;
    start(&child);
    if (!with_descriptor)
        live_process_close(&child.live);
    assert_true(live_process_is_alive(&child.live));
    kill(child.process, SIGKILL);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)child.process, &info, WEXITED | WNOWAIT), 0);
    expect_ended(&child.live); /* its parent has not asked yet */
    end(&child);
    expect_ended(&child.live);
    struct live_process other;
    expect_error(live_process_open((uint32_t)child.process, 0, &other), JITSCOPE_ERROR_NOT_FOUND,
                 "has ended");
    live_process_close(&child.live);
}

static void test_end(void **state) {
    (void)state;
    watch_end(true);
    watch_end(false);
}

/* A process with the number of one that has ended; 0 where that takes rights that are not there. */
static pid_t start_with_number(pid_t number) {
    struct clone_args arguments = {
        .exit_signal = SIGCHLD, .set_tid = (uint64_t)(uintptr_t)&number, .set_tid_size = 1};
    pid_t process = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
    if (!process)
        for (;;)
            pause();
    return process < 0 ? 0 : process;
}

static void reuse(bool with_descriptor) {
    struct child child;
    start(&child);
    if (!with_descriptor)
        live_process_close(&child.live);
    end(&child);
    usleep(20000); /* clock ticks are 10 ms */
    pid_t again = start_with_number(child.process);
    if (again) {
        struct live_process other;
        assert_int_equal(again, child.process);
        expect_ended(&child.live);
        expect_error(live_process_open((uint32_t)again, child.live.started, &other), JITSCOPE_ERROR_NOT_FOUND,
                     "has ended");
        expect_good(live_process_open((uint32_t)again, 0, &other));
        assert_true(live_process_is_alive(&other));
        live_process_close(&other);
        kill(again, SIGKILL);
        waitpid(again, NULL, 0);
    } else
        assert_true(errno == EPERM || errno == ENOSYS || errno == EEXIST); /* another has taken the number */
    live_process_close(&child.live);
}

static void test_number_reused(void **state) {
    (void)state;
    reuse(true);
    reuse(false);
}

/* Who may not read another user's process hears what would help. */
static void test_not_allowed(void **state) {
    struct child child;
    (void)state;
    if (geteuid() != 0)
        return;
    start(&child);
    pid_t reader = fork();
    if (!reader) {
        uint64_t value;
        struct memory_range range = {.address = address_of(0), .bytes = &value, .size = 8};
        if (setuid(65534) != 0)
            _exit(2);
        struct jitscope_error *error = live_read(&child.live, &range, 1);
        bool good = error && jitscope_error_code(error) == JITSCOPE_ERROR_USAGE && !range.is_read &&
                    strstr(jitscope_error_message(error), "another user's");
        _exit(good ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(reader, &status, 0), reader);
    assert_int_equal(status, 0);
    stop(&child);
}

/* --- watching */

static void watch_all(struct live_watches *watches) {
    for (uint32_t i = 0; i < PLACES; i++) {
        uint64_t expected = 1000 + i;
        expect_good(live_watch_add(watches, address_of(i), i % 2 ? &expected : NULL));
    }
}

static const struct live_watch *watched(const struct live_watches *watches, uint32_t place) {
    const struct live_watch *watch = live_watch_find(watches, address_of(place));
    assert_non_null(watch);
    return watch;
}

static void test_changes(void **state) {
    struct live_watches watches = {0};
    struct child child;
    (void)state;
    start(&child);
    watch_all(&watches);
    assert_false(watched(&watches, 5)->is_known);
    expect_good(live_watch_poll(&watches, &child.live, NULL, 0, UINT32_MAX));
    for (uint32_t i = 0; i < PLACES; i++) {
        assert_int_equal(watched(&watches, i)->value, 1000 + i);
        assert_false(live_watch_differs(watched(&watches, i)));
        assert_int_equal(watched(&watches, i)->changed, 0);
    }
    assert_int_equal(live_change_count(&watches), 0);
    uint64_t before = os_time_ns();
    tell(&child, &places[5], 1);
    tell(&child, &places[6], 2);
    expect_good(live_watch_poll(&watches, &child.live, NULL, 0, UINT32_MAX));
    uint64_t after = os_time_ns();
    assert_int_equal(live_change_count(&watches), 2);
    const struct live_change *newest = live_change(&watches, 0), *older = live_change(&watches, 1);
    assert_int_equal(newest->address + older->address, address_of(5) + address_of(6));
    const struct live_change *change = newest->address == address_of(5) ? newest : older;
    assert_int_equal(change->before, 1005);
    assert_int_equal(change->after, 1);
    assert_true(change->time >= before && change->time <= after);
    assert_int_equal(watched(&watches, 5)->changed, change->time);
    assert_int_equal(watched(&watches, 5)->changes, 1);
    assert_true(live_watch_differs(watched(&watches, 5)));
    assert_false(live_watch_differs(watched(&watches, 6))); /* nothing is expected there */
    const uint64_t expected = 1;
    expect_good(live_watch_add(&watches, address_of(5), &expected));
    assert_false(live_watch_differs(watched(&watches, 5)));
    assert_null(live_change(&watches, 2));
    live_watches_destroy(&watches);
    stop(&child);
}

/* What is seen is looked at in every frame, what is not in its turn. */
static void test_budget(void **state) {
    enum { BUDGET = 100, SEEN = 30 };
    struct live_watches watches = {0};
    struct child child;
    uint64_t visible[SEEN + 2];
    (void)state;
    start(&child);
    watch_all(&watches);
    for (uint32_t i = 0; i < SEEN; i++)
        visible[i] = address_of(2000 + i);
    visible[SEEN] = address_of(2000); /* twice */
    visible[SEEN + 1] = 8;            /* nobody watches it */
    uint32_t frames = 0, known = 0;
    for (; known < PLACES; frames++) {
        tell(&child, &places[2007], frames);
        os_fail_after(0, false);
        expect_good(live_watch_poll(&watches, &child.live, visible, SEEN + 2, BUDGET));
        assert_int_equal(watched(&watches, 2007)->value, frames);
        uint32_t before = known;
        known = 0;
        for (uint32_t i = 0; i < PLACES; i++)
            known += watched(&watches, i)->is_known;
        assert_true(known == PLACES || known - before == (frames ? BUDGET - SEEN : BUDGET));
    }
    assert_int_equal(frames, (PLACES - SEEN + BUDGET - SEEN - 1) / (BUDGET - SEEN));
    assert_int_equal(watched(&watches, 2007)->changes, frames - 1);
    expect_good(live_watch_poll(&watches, &child.live, visible, SEEN, 0));
    live_watches_destroy(&watches);
    stop(&child);
}

static void test_history_is_bounded(void **state) {
    struct live_watches watches = {0};
    struct child child;
    (void)state;
    start(&child);
    expect_good(live_watch_add(&watches, address_of(0), NULL));
    for (uint32_t i = 0; i <= LIVE_CHANGES + 10; i++) {
        tell(&child, &places[0], i);
        expect_good(live_watch_poll(&watches, &child.live, NULL, 0, 10));
    }
    assert_int_equal(live_change_count(&watches), LIVE_CHANGES);
    assert_int_equal(watches.change_count, LIVE_CHANGES + 10);
    for (uint32_t age = 0; age < LIVE_CHANGES; age++)
        assert_int_equal(live_change(&watches, age)->after, LIVE_CHANGES + 10 - age);
    assert_null(live_change(&watches, LIVE_CHANGES));
    live_watches_destroy(&watches);
    stop(&child);
}

static void test_lost_and_removed(void **state) {
    struct live_watches watches = {0};
    struct child child;
    (void)state;
    start(&child);
    watch_all(&watches);
    expect_good(live_watch_poll(&watches, &child.live, NULL, 0, UINT32_MAX));
    tell(&child, NULL, address_of(GROUP));
    expect_good(live_watch_poll(&watches, &child.live, NULL, 0, UINT32_MAX));
    for (uint32_t i = 0; i < PLACES; i++) {
        assert_int_equal(watched(&watches, i)->is_lost, i / GROUP == 1);
        assert_int_equal(watched(&watches, i)->value, 1000 + i); /* the last that was seen */
    }
    for (uint32_t i = 0; i < PLACES; i++)
        if (i % 5)
            live_watch_remove(&watches, address_of(i));
    live_watch_remove(&watches, address_of(1));
    expect_good(live_watch_add(&watches, address_of(1), NULL));
    assert_false(watched(&watches, 1)->is_known);
    assert_int_equal(watches.removed, PLACES - PLACES / 5 - 1);
    tell(&child, &places[2], 0);
    tell(&child, &places[10], 0);
    expect_good(live_watch_poll(&watches, &child.live, NULL, 0, UINT32_MAX));
    assert_int_equal(live_change_count(&watches), 1);
    assert_int_equal(live_change(&watches, 0)->address, address_of(10));
    for (uint32_t i = 0; i < PLACES; i++)
        assert_int_equal(live_watch_find(&watches, address_of(i)) != NULL, i % 5 == 0 || i == 1);
    assert_int_equal(watches.list.count, PLACES / 5 + 1);
    expect_good(live_watch_add(&watches, address_of(2), NULL));
    assert_false(watched(&watches, 2)->is_known);
    expect_good(live_watch_add(&watches, UINT64_MAX, NULL));
    assert_null(live_watch_find(&watches, UINT64_MAX));
    live_watches_destroy(&watches);
    stop(&child);
}

/* When the process has ended, what was seen stays. */
static void test_watch_end(void **state) {
    struct live_watches watches = {0};
    struct child child;
    (void)state;
    start(&child);
    watch_all(&watches);
    expect_good(live_watch_poll(&watches, &child.live, NULL, 0, UINT32_MAX));
    end(&child);
    expect_error(live_watch_poll(&watches, &child.live, NULL, 0, UINT32_MAX), JITSCOPE_ERROR_NOT_FOUND,
                 "has ended");
    assert_int_equal(watched(&watches, 77)->value, 1077);
    assert_false(watched(&watches, 77)->is_lost);
    live_process_close(&child.live);
    live_watches_destroy(&watches);
}

static struct jitscope_error *watch_a_little(pid_t process) {
    struct live_watches watches = {0};
    struct live_process live;
    struct jitscope_error *error = live_process_open((uint32_t)process, 0, &live);
    if (error)
        return error;
    for (uint32_t i = 0; !error && i < 600; i++)
        error = live_watch_add(&watches, address_of(i), NULL);
    for (uint32_t i = 0; !error && i < 400; i++)
        live_watch_remove(&watches, address_of(i));
    if (!error)
        error = live_watch_poll(&watches, &live, NULL, 0, UINT32_MAX);
    if (!error)
        error = live_watch_poll(&watches, &live, NULL, 0, UINT32_MAX);
    live_watches_destroy(&watches);
    live_process_close(&live);
    return error;
}

/* Every call fails once.  Without a descriptor the process is known by the time it was started. */
static void test_failing_calls(void **state) {
    struct child child;
    bool done = false;
    uint64_t failed = 0;
    (void)state;
    start(&child);
    os_fail_after(0, false);
    int64_t before = os_live_allocations();
    for (uint64_t n = 1; !done; n++) {
        os_fail_after(n, n % 2);
        struct jitscope_error *error = watch_a_little(child.process);
        done = os_call_count() < n;
        os_fail_after(0, false);
        failed += error != NULL;
        assert_true(!done || !error);
        jitscope_error_destroy(error);
        assert_int_equal(os_live_allocations(), before);
    }
    assert_true(failed > 5);
    stop(&child);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_ranges),
        cmocka_unit_test(test_what_cannot_be_read),
        cmocka_unit_test(test_end),
        cmocka_unit_test(test_number_reused),
        cmocka_unit_test(test_not_allowed),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_history_is_bounded),
        cmocka_unit_test(test_lost_and_removed),
        cmocka_unit_test(test_watch_end),
        cmocka_unit_test(test_failing_calls),
    };
    return cmocka_run_group_tests(tests, make_places, NULL);
}
