/* Recordings made byte by byte: what no writer of this version makes, and what no reader may believe. */
#include "base/text.h"
#include "trace/print.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* --- a recording of one sealed chunk */

enum { BLOB = 4000, SIZED = 4001, ROOM = 1 << 17 };

static const char later_events[] =
    "E\t4000\tblob\tBLOCK\tbytes of something\nF\tnumber\tblob\twhich\nF\tcount\tlength\tbytes behind\n"
    "E\t4001\tsized\tBLOCK\ta length, and nothing behind it\nF\tcount\tlength\thow "
    "long\nF\tnumber\tof\twhat\n";

struct made {
    uint64_t aligned[ROOM / 8];
    uint64_t first, at; /* the chunk, and where the next record goes */
    uint32_t count;
};

static uint8_t *made_bytes(struct made *made) {
    return (uint8_t *)made->aligned;
}

static void put_words(struct made *made, const uint32_t *words, size_t count) {
    memcpy(made_bytes(made) + made->at, words, count * 4);
    made->at += count * 4;
}

static void begin(struct made *made) {
    size_t length;
    const char *text = schema_text(&length);
    memset(made, 0, sizeof *made);
    struct recording_header header = {.magic = RECORDING_MAGIC,
                                      .version = RECORDING_VERSION,
                                      .chunk_size = RECORDING_CHUNK_SIZE,
                                      .schema_offset = sizeof header,
                                      .schema_size = length + sizeof later_events - 1};
    uint8_t *schema = made_bytes(made) + sizeof header;
    memcpy(schema, text, length);
    memcpy(schema + length, later_events, sizeof later_events - 1);
    made->first = header.first_chunk = (header.schema_offset + header.schema_size + 7) / 8 * 8;
    header.digest = recording_header_digest(header, schema);
    memcpy(made_bytes(made), &header, sizeof header);
    made->at = made->first + sizeof(struct chunk_header);
    const uint32_t run[] = {EVENT_HEADER(EVENT_ID_run, 20), 0, 0, 1, 0};
    put_words(made, run, 5);
}

static void add(struct made *made, const uint32_t *words, size_t count) {
    put_words(made, words, count);
    made->count++;
}

static struct jitscope_error *finish(struct made *made, struct recording_file *file) {
    struct chunk_header *chunk = (struct chunk_header *)(void *)(made_bytes(made) + made->first);
    *chunk = (struct chunk_header){.magic = CHUNK_MAGIC, .first_sequence = 0};
    recording_seal_chunk(chunk, made_bytes(made) + made->at, made->count, made->count);
    return recording_open_memory((struct bytes){made_bytes(made), made->at}, file);
}

#define WORDS(...)     (const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / 4
#define HEAD(id, size) EVENT_HEADER(id, size)

static void expect_refused(struct made *made, const char *why) {
    struct recording_file file;
    struct jitscope_error *error = finish(made, &file);
    assert_non_null(error);
    assert_non_null(strstr(jitscope_error_message(error), why));
    jitscope_error_destroy(error);
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
    struct made *made = *state;
    struct recording_file file;
    struct event_view view;
    begin(made);
    add(made, WORDS(HEAD(BLOB, 20), 7, 5, 0x44332211, 0x55));
    add(made, WORDS(HEAD(SIZED, 12), 1000, 3));
    add(made, WORDS(HEAD(BLOB, 32), 8, 18, 0, 1, 2, 3, 0xffff));
    add(made, WORDS(HEAD(BLOB, 12), 9, 0));
    assert_null(finish(made, &file));
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
}

static void test_bytes_beyond_record(void **state) {
    struct made *made = *state;
    begin(made);
    add(made, WORDS(HEAD(BLOB, 16), 7, 5, 0));
    expect_refused(made, "fewer bytes behind its fields");
    begin(made);
    add(made, WORDS(HEAD(BLOB, 8), 7));
    expect_refused(made, "damaged record");
    begin(made);
    add(made, WORDS(HEAD(SIZED, 16), 4, 0, 0));
    expect_refused(made, "damaged record");
    begin(made);
    add(made, WORDS(HEAD(EVENT_ID_string, 16), 1, 5, 0));
    expect_refused(made, "fewer bytes behind its fields");
}

static int make_room(void **state) {
    *state = malloc(sizeof(struct made));
    return !*state;
}

static int give_room_back(void **state) {
    free(*state);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_behind_fields),
        cmocka_unit_test(test_bytes_beyond_record),
    };
    return cmocka_run_group_tests(tests, make_room, give_room_back);
}
