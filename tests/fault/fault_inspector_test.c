/* Each call to the allocator or the system that the inspector makes fails once, and then all from there on:
 * in opening a recording, and in each of many commands and keys with the drawing behind it.  It says so, goes
 * on, and leaves nothing behind. */
#define _GNU_SOURCE
#include "../unit/driven_inspector.h"

#include "base/os.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static unsigned count_descriptors(void) {
    unsigned count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* Whether call N was reached. */
static bool open_with_failure(const char *path, uint64_t n, bool sticky, uint32_t *failures) {
    struct inspected *inspected = NULL;
    struct state state;
    os_fail_after(n, sticky);
    struct jitscope_error *error = inspected_open(path, UINT64_MAX / 2, &inspected);
    if (!error)
        error = state_create(&state, inspected);
    bool reached = os_call_count() >= n, has_state = !error;
    os_fail_after(0, false);
    *failures += error != NULL;
    assert_true(!error || jitscope_error_message(error)[0]);
    assert_true(reached || !error);
    jitscope_error_destroy(error);
    if (has_state)
        state_destroy(&state);
    inspected_close(inspected);
    return reached;
}

static void rehearse_opening(const char *path, bool sticky) {
    uint32_t failures = 0;
    uint64_t n = 1;
    open_with_failure(path, UINT64_MAX, false, &failures); /* what is made once is made */
    unsigned descriptors = count_descriptors();
    int64_t allocations = os_live_allocations();
    for (; open_with_failure(path, n, sticky, &failures); n++) {
        assert_int_equal(os_live_allocations(), allocations);
        assert_int_equal(count_descriptors(), descriptors);
    }
    assert_true(n > 20 && failures > 10);
}

static void test_opening(void **state) {
    (void)state;
    rehearse_opening(GOLDEN("unloads"), false);
    rehearse_opening(GOLDEN("packed"), true);
}

/* --- copies of recordings --- */

static bool same_files(const char *one, const char *other) {
    static char bytes[2][1 << 20];
    ssize_t sizes[2];
    const char *paths[] = {one, other};
    for (int i = 0; i < 2; i++) {
        int fd = open(paths[i], O_RDONLY);
        sizes[i] = read(fd, bytes[i], sizeof bytes[i]);
        close(fd);
    }
    return sizes[0] > 0 && sizes[0] == sizes[1] && !memcmp(bytes[0], bytes[1], (size_t)sizes[0]);
}

/* All of it, or no file. */
static void rehearse_copy(bool sticky) {
    char copy[64];
    struct inspected *inspected;
    uint64_t n = 1;
    bool reached = true;
    snprintf(copy, sizeof copy, "/tmp/jitscope-fault-copy-%d.jsr", (int)getpid());
    assert_null(inspected_open(GOLDEN("unloads"), UINT64_MAX / 2, &inspected));
    unsigned descriptors = count_descriptors();
    int64_t allocations = os_live_allocations();
    for (; reached; n++) {
        unlink(copy);
        os_fail_after(n, sticky);
        struct jitscope_error *error = inspected_write(inspected, copy);
        reached = os_call_count() >= n;
        os_fail_after(0, false);
        assert_int_equal(reached, error != NULL);
        assert_true(!error || jitscope_error_message(error)[0]);
        assert_true(sticky || (access(copy, F_OK) == 0) == !error);
        assert_true(error || same_files(copy, GOLDEN("unloads")));
        jitscope_error_destroy(error);
        assert_int_equal(os_live_allocations(), allocations);
        assert_int_equal(count_descriptors(), descriptors);
    }
    unlink(copy);
    assert_true(n > 8);
    inspected_close(inspected);
}

static void test_copy(void **state) {
    (void)state;
    rehearse_copy(false);
    rehearse_copy(true);
}

/* --- commands --- */

/* What is done before, and what is rehearsed; a line that begins with : is typed, the others are commands. */
static const struct {
    const char *before, *line;
} lines[] = {
    {"overview", "down"},
    {"overview", "enter"},
    {"overview", "map"},
    {"map", "zoom in"},
    {"map", "enter"},
    {"symbols", "down 3"},
    {"symbols", "last"},
    {"symbols", "filter size > 3"},
    {"symbols", "filter x"},
    {"symbols", "sort -name"},
    {"symbols", "sort x"},
    {"symbols", "search table"},
    {"symbols", "search xyzzy"},
    {"symbols", "goto 200"},
    {"symbols", "event -20"},
    {"symbols", "copy-row"},
    {"symbols", "copy"},
    {"symbols", "export x.json"},
    {"symbols", "export x.txt"},
    {"symbols", "save-screen x"},
    {"symbols", "write x.jsr"},
    {"symbols", "demangle"},
    {"symbols", "enter"},
    {"symbols", "why"},
    {"got", "why got:far"},
    {"got", "why nothing"},
    {"got", "code main"},
    {"got", "bytes table"},
    {"got", "code nothing"},
    {"edges", "enter"},
    {"blocks", "enter"},
    {"segments", "enter"},
    {"events", "enter"},
    {"events", "last"},
    {"events", "filter event ~ p"},
    {"passes", "pass -3"},
    {"passes", "step-batch -1"},
    {"plt", "back"},
    {"plt", "mark a"},
    {"plt", "help"},
    {"plt", "prompt filter"},
    {"plt", "batch"},
    {"plt", "batch all"},
    {"plt", "next-screen"},
    {"eh-frames", "enter"},
    {"actions", "enter"},
    {"registrations", "last"},
    {"memory", "last"},
    {"inputs", "last"},
    {"plt", ":sort-"},
    {"plt", ":xyzzy"},
    {"plt", ":got"},
    {"sections", "enter"},
};
enum { LINES = sizeof lines / sizeof *lines };

static bool do_line(struct driven *driven, const char *line) {
    bool good = true;
    if (*line != ':')
        return update(&driven->state, &(struct input){.kind = INPUT_COMMAND, .command = line});
    for (; *line; line++)
        good &= update(&driven->state, &(struct input){.kind = INPUT_KEY, .key = (uint32_t)*line});
    good &= update(&driven->state, &(struct input){.kind = INPUT_KEY, .key = KEY_TAB});
    good &= update(&driven->state, &(struct input){.kind = INPUT_KEY, .key = KEY_CONTROL('W')});
    good &= update(&driven->state, &(struct input){.kind = INPUT_KEY, .key = KEY_RETURN});
    return good;
}

/* Not to the end: what other processes do is counted by nobody. */
static void work_a_little(struct driven *driven) {
    for (int i = 0; i < 20 && update_has_work(&driven->state); i++)
        update(&driven->state, &(struct input){.kind = INPUT_WORK});
}

/* It goes on; or the recording could not be read, and whoever asks for anything is told. */
static void go_on(struct driven *driven, const char *before, const char *line, uint64_t n) {
    bool can_follow = can(driven, "follow");
    struct jitscope_error *lost = recording_failure(&driven->inspected->file);
    if (can_follow != !lost)
        fail_msg("%s, then %s, call %llu: %s", before, line, (unsigned long long)n, message(driven));
    jitscope_error_destroy(lost);
    if (lost)
        return;
    run(driven, "got");
    run(driven, "filter");
    run(driven, "last");
    if (!table_cursor_row(&driven->state.table))
        fail_msg("%s, then %s, call %llu: and then there is no row", before, line, (unsigned long long)n);
    assert_string_equal(cell(driven, "symbol"), "far");
    can(driven, "back"); /* to a question without an answer, perhaps */
}

static bool do_with_failure(const char *before, const char *line, uint64_t n, bool sticky,
                            uint32_t *failures) {
    struct driven driven;
    drive(&driven, GOLDEN("edges"));
    run(&driven, before);
    os_fail_after(n, sticky);
    bool good = do_line(&driven, line);
    work_a_little(&driven);
    struct jitscope_error *error = draw(&driven.grid, &driven.state);
    bool reached = os_call_count() >= n;
    os_fail_after(0, false);
    if (!good && !sticky && *line != ':') /* what is typed next forgets messages */
        if (!driven.state.message.length || !driven.state.message_is_error)
            fail_msg("%s, then %s, call %llu: %s", before, line, (unsigned long long)n, message(&driven));
    *failures += error || !good;
    jitscope_error_destroy(error);
    forget_effects(&driven);
    keys(&driven, "Esc Esc");
    go_on(&driven, before, line, n);
    stop_driving(&driven);
    return reached;
}

static void rehearse_lines(bool sticky) {
    uint32_t failures = 0;
    uint64_t calls = 0, leaks = 0;
    int64_t allocations = os_live_allocations();
    for (size_t i = 0; i < LINES; i++) {
        uint64_t n = 1;
        while (do_with_failure(lines[i].before, lines[i].line, n, sticky, &failures)) {
            if (os_live_allocations() != allocations) {
                print_error("%s, then %s, call %llu: something is left\n", lines[i].before, lines[i].line,
                            (unsigned long long)n);
                leaks++;
                allocations = os_live_allocations();
            }
            n += 1 + n / (sticky ? 4 : 64); /* the first ones all */
        }
        calls += n;
    }
    assert_int_equal(leaks, 0);
    assert_true(calls > 500 && failures > 100);
}

static void test_lines(void **state) {
    (void)state;
    rehearse_lines(false);
}

static void test_lines_from_then_on(void **state) {
    (void)state;
    rehearse_lines(true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_opening),
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_lines_from_then_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
