/* What readers make of records that no writer of this version makes, and which they must not believe. */
#include "made_recording.h"

#include "base/text.h"
#include "trace/print.h"

#define HEAD(id, size) EVENT_HEADER(id, size)

static void begin(struct made *made) {
    made_begin(made, 1 << 20, RECORDING_CHUNK_SIZE, later_events);
}

static void expect_refused(struct made *made, const char *why) {
    struct recording_file file;
    struct jitscope_error *error = made_open(made, &file);
    assert_non_null(error);
    assert_non_null(strstr(jitscope_error_message(error), why));
    jitscope_error_destroy(error);
    made_destroy(made);
}

/* --- bytes behind the fields */

static struct recorded_string no_text(const void *context, uint32_t id) {
    (void)context, (void)id;
    return (struct recorded_string){"", 0};
}

static void expect_printed(const struct event_view *view, const char *text, const char *json) {
    const struct name_source names = {.text = no_text};
    struct text out = {0};
    event_print_text(&out, view, &names);
    assert_non_null(strstr(out.data, text));
    text_clear(&out);
    event_print_json(&out, view, &names);
    assert_non_null(strstr(out.data, json));
    text_destroy(&out);
}

static void test_bytes_behind_fields(void **state) {
    struct made made;
    struct recording_file file;
    struct event_view view;
    (void)state;
    begin(&made);
    MADE_ADD(&made, HEAD(BLOB, 20), 7, 5, 0x44332211, 0x55);
    MADE_ADD(&made, HEAD(SIZED, 12), 1000, 3);
    MADE_ADD(&made, HEAD(BLOB, 32), 8, 18, 0, 1, 2, 3, 0xffff);
    MADE_ADD(&made, HEAD(BLOB, 12), 9, 0);
    assert_null(made_open(&made, &file));
    struct event_cursor cursor = {.file = &file};
    assert_true(event_next(&cursor, &view));
    assert_int_equal(event_trailing_bytes(&view).size, 5);
    assert_memory_equal(event_trailing_bytes(&view).data, "\x11\x22\x33\x44\x55", 5);
    expect_printed(&view, "blob=7 length=5 bytes=1122334455", "\"length\":5,\"bytes\":\"1122334455\"}");
    assert_true(event_next(&cursor, &view));
    assert_null(event_trailing_bytes(&view).data);
    expect_printed(&view, "length=1000 of=3", "\"length\":1000,\"of\":3}");
    assert_true(event_next(&cursor, &view));
    expect_printed(&view, "bytes=00000000010000000200000003000000...",
                   "\"bytes\":\"00000000010000000200000003000000ffff\"}");
    assert_true(event_next(&cursor, &view));
    assert_int_equal(event_trailing_bytes(&view).size, 0);
    assert_false(event_next(&cursor, &view));
    recording_close(&file);
    made_destroy(&made);
}

static void test_bytes_beyond_record(void **state) {
    struct made made;
    (void)state;
    begin(&made);
    MADE_ADD(&made, HEAD(BLOB, 16), 7, 5, 0);
    expect_refused(&made, "fewer bytes behind its fields");
    begin(&made);
    MADE_ADD(&made, HEAD(BLOB, 8), 7);
    expect_refused(&made, "damaged record");
    begin(&made);
    MADE_ADD(&made, HEAD(SIZED, 16), 4, 0, 0);
    expect_refused(&made, "damaged record");
    begin(&made);
    MADE_ADD(&made, HEAD(EVENT_ID_string, 16), 1, 5, 0);
    expect_refused(&made, "fewer bytes behind its fields");
}

/* Archives bring in more names than a recording tells: a name's number may be far beyond the file's size. */
static void test_far_strings(void **state) {
    struct made made;
    struct recording_file file;
    (void)state;
    begin(&made);
    MADE_ADD(&made, HEAD(EVENT_ID_string, 16), 5, 4, 0x6e696874);
    MADE_ADD(&made, HEAD(EVENT_ID_string, 16), 3000000, 4, 0x21726166);
    MADE_ADD(&made, HEAD(EVENT_ID_string, 16), UINT32_MAX, 4, 0x646c6977);
    MADE_ADD(&made, HEAD(EVENT_ID_string, 16), 3000000, 4, 0x74736166);
    assert_null(made_open(&made, &file));
    assert_true(file.strings.count < 10);
    assert_memory_equal(recording_string(&file, 5).bytes, "thin", 4);
    assert_memory_equal(recording_string(&file, 3000000).bytes, "fast", 4);
    assert_memory_equal(recording_string(&file, UINT32_MAX).bytes, "wild", 4);
    assert_int_equal(recording_string(&file, 6).length, 0);
    assert_int_equal(recording_string(&file, 3000001).length, 0);
    recording_close(&file);
    made_destroy(&made);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_behind_fields),
        cmocka_unit_test(test_bytes_beyond_record),
        cmocka_unit_test(test_far_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
