/* Each call to the allocator or the system, of who looks at the bytes of a recording and of the children that
 * work for it, fails once.  What cannot be had is said; nothing is left behind: no memory, no descriptor, no
 * child. */
#define _GNU_SOURCE
#include "base/os.h"
#include "bytes/arguments.h"
#include "bytes/cfi.h"
#include "bytes/code.h"
#include "bytes/compare.h"
#include "bytes/hex.h"
#include "jitscope/jitscope.h"
#include "trace/event.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/jitscope-fault-bytes-XXXXXX";
static struct recording_file file;

static void must(struct jitscope_error *error) {
    if (error)
        print_error("%s\n", jitscope_error_message(error));
    assert_null(error);
}

/* Of a function with its frame and debug information. */
static void record(void) {
    struct jitscope_session *session;
    struct jitscope_session_options options = {
        .size = sizeof options, .no_default_libraries = 1, .record_path = path};
    assert_true(close(mkstemp(path)) == 0);
    must(jitscope_session_create(&options, &session));
    must(jitscope_session_add_file(session, INPUTS "MEMBER.o"));
    must(jitscope_session_link(session, NULL));
    jitscope_session_destroy(session);
    must(recording_open(path, &file));
}

static unsigned count_descriptors(void) {
    unsigned count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void end_rows(struct rows *rows, uint32_t *failures, struct jitscope_error *error) {
    *failures += error != NULL || !rows_count(rows);
    jitscope_error_destroy(error);
    rows_destroy(rows);
}

#define ROWS(name)                                                                                           \
    { .columns = name##_columns, .column_count = name##_column_count }

static bool read_changed(void *context, uint64_t address, void *to, uint64_t size) {
    const struct look *look = context;
    if (!contents_read(look->contents, look->link, address, to, size))
        return false;
    memset(to, 0xee, size < 4 ? size : 4);
    return true;
}

static void look_everywhere(struct look *look, uint32_t *failures) {
    struct rows hex = ROWS(hex), code = ROWS(code), facts = ROWS(cfi_fact), rules = ROWS(cfi_rule),
                arguments = ROWS(argument), differing = ROWS(difference);
    struct content_symbol symbol;
    struct differences differences = {.at = look->start};
    struct code *reader = NULL;
    bool made;
    end_rows(&hex, failures, hex_cells(look, 0, &hex));
    struct jitscope_error *error = code_create(look, CODE_ATT, &reader);
    for (uint64_t i = 0; i < 64 && !error; i++)
        error = code_cells(reader, i, &code, &made);
    end_rows(&code, failures, error);
    code_destroy(reader);
    end_rows(&arguments, failures, arguments_rows(look, 0, &arguments));
    for (uint32_t i = 0; contents_entry(look->contents, look->link, CONTENT_SYMBOLS, i, &symbol); i++) {
        struct content_block block;
        struct text section = {0};
        if (contents_block_at(look->contents, look->link, symbol.address, &block) &&
            contents_text(look->contents, block.section, &section) && section.data &&
            !strcmp(section.data, ".eh_frame")) {
            end_rows(&facts, failures, cfi_facts(look, block.address, &facts));
            end_rows(&rules, failures, cfi_rules_of(look, block.address, &rules));
        }
        text_destroy(&section);
    }
    struct look changed = *look;
    changed.read = read_changed;
    changed.context = look;
    error = compare_some(&changed, &differences, UINT64_MAX);
    if (!error && differences.list.count)
        error = difference_cells(&changed, &differences.list.data[0], &differing);
    end_rows(&differing, failures, error);
    differences_destroy(&differences);
}

static struct look look_at_code(struct contents *contents) {
    struct content_segment segment = {0};
    contents_entry(contents, 1, CONTENT_SEGMENTS, 0, &segment);
    return (struct look){.contents = contents, .link = 1, .start = segment.address, .size = segment.size};
}

/* From nothing. */
static void ask_and_look(uint32_t *failures) {
    struct contents *contents;
    struct content_line line;
    struct jitscope_error *error = contents_create(&file, &contents);
    if (error) {
        ++*failures;
        jitscope_error_destroy(error);
        return;
    }
    if (contents_wait(contents, 1) != CONTENTS_READY) {
        ++*failures;
        assert_true(contents_reason(contents)[0] != '\0');
    } else {
        struct look look = look_at_code(contents);
        contents_wait_for_lines(contents, 1);
        *failures += contents_line(contents, 1, look.start, &line) != CONTENTS_READY;
        look_everywhere(&look, failures);
    }
    contents_destroy(contents);
}

/* When all is known. */
static void test_looking(void **state) {
    struct contents *contents;
    uint32_t failures = 0;
    bool failed = true;
    uint64_t n = 1;
    (void)state;
    must(contents_create(&file, &contents));
    assert_int_equal(contents_wait(contents, 1), CONTENTS_READY);
    struct look look = look_at_code(contents);
    look_everywhere(&look, &failures);
    assert_int_equal(failures, 0);
    os_fail_after(0, false);
    int64_t allocations = os_live_allocations();
    for (; failed; n++) {
        os_fail_after(n, false);
        look_everywhere(&look, &failures);
        failed = os_call_count() >= n;
        os_fail_after(0, false);
        assert_int_equal(os_live_allocations(), allocations);
    }
    assert_true(n > 100 && failures > 10); /* or it rehearsed nothing */
    contents_destroy(contents);
}

/* A child counts on from where it was made: later calls that fail are its own. */
static void test_working(void **state) {
    (void)state;
    uint32_t failures = 0;
    ask_and_look(&failures);
    assert_int_equal(failures, 0);
    unsigned descriptors = count_descriptors();
    int64_t allocations = os_live_allocations();
    for (uint64_t n = 1; n < 2500; n += n < 300 ? 1 : 23) {
        os_fail_after(n, false);
        ask_and_look(&failures);
        os_fail_after(0, false);
        assert_int_equal(count_descriptors(), descriptors);
        assert_int_equal(os_live_allocations(), allocations);
        assert_true(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    }
    assert_true(failures > 100);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_looking), cmocka_unit_test(test_working)};
    record();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    recording_close(&file);
    unlink(path);
    return failed;
}
