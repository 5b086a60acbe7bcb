/* Messages between linker and executor: what is written is read, and what makes no sense is refused. */
#include "executor/connection.h"
#include "executor/executor.h"
#include "executor/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void assert_gone(struct jitscope_error *error, const char *text) {
    assert_int_equal(jitscope_error_code(error), JITSCOPE_ERROR_EXECUTOR_GONE);
    if (!strstr(jitscope_error_message(error), text))
        fail_msg("'%s' is not in '%s'", text, jitscope_error_message(error));
    jitscope_error_destroy(error);
}

static void assert_fine(struct jitscope_error *error) {
    if (error)
        fail_msg("%s", jitscope_error_message(error));
}

/* A linker's and an executor's end of one stream. */
struct pair {
    struct wire linker, executor;
};

static struct pair connect_pair(void) {
    int ends[2];
    assert_int_equal(os_socket_pair(ends), 0);
    return (struct pair){{.in = ends[0], .out = ends[0], .watched = -1, .other = SENDER_EXECUTOR},
                         {.in = ends[1], .out = ends[1], .watched = -1, .other = SENDER_LINKER}};
}

static void close_pair(struct pair *pair) {
    os_close(pair->linker.in);
    os_close(pair->executor.in);
}

static struct frame receive(struct wire *wire) {
    struct frame frame;
    int descriptor;
    bool end;
    assert_fine(wire_receive(wire, &frame, &descriptor, &end));
    assert_false(end);
    assert_int_equal(descriptor, -1);
    return frame;
}

static struct jitscope_error *receive_error(struct wire *wire) {
    struct frame frame;
    int descriptor;
    bool end;
    return wire_receive(wire, &frame, &descriptor, &end);
}

static void what_is_written_is_read(void **state) {
    (void)state;
    struct pair pair = connect_pair();
    struct message message = {0};
    uint64_t serial;
    message_u32(&message, 7);
    message_text(&message, "text");
    message_text(&message, NULL);
    message_u64(&message, UINT64_MAX);
    message_blob(&message, "blob", 4);
    message_blob(&message, NULL, 0);
    message_error(&message, NULL);
    struct jitscope_error *error =
        error_in_input(error_with_help(error_create(JITSCOPE_ERROR_NOT_FOUND, "what"), "help"), "input");
    message_error(&message, error);
    jitscope_error_destroy(error);
    assert_fine(wire_send(&pair.linker, MESSAGE_LOOKUP, 5, &message, -1, &serial));
    assert_int_equal(serial, 1);
    struct frame frame = receive(&pair.executor);
    assert_int_equal(frame.kind, MESSAGE_LOOKUP);
    assert_int_equal(frame.serial, 1);
    assert_int_equal(frame.answers, 5);
    struct cursor cursor = frame_cursor(&frame);
    assert_int_equal(take_u32(&cursor), 7);
    assert_string_equal(take_text(&cursor), "text");
    assert_string_equal(take_text(&cursor), "");
    assert_true(take_u64(&cursor) == UINT64_MAX);
    struct bytes blob = take_blob(&cursor);
    assert_int_equal((uintptr_t)blob.data % 8, 0);
    assert_int_equal(blob.size, 4);
    assert_memory_equal(blob.data, "blob", 4);
    assert_int_equal(take_blob(&cursor).size, 0);
    assert_null(take_error(&cursor));
    error = take_error(&cursor);
    assert_int_equal(jitscope_error_code(error), JITSCOPE_ERROR_NOT_FOUND);
    assert_string_equal(jitscope_error_input(error), "input");
    assert_string_equal(error_text(error), "what");
    assert_string_equal(error_help(error), "help");
    jitscope_error_destroy(error);
    assert_fine(cursor_end(&cursor, frame.kind));
    take_u32(&cursor);
    assert_gone(cursor_end(&cursor, frame.kind), "'lookup' is malformed");
    frame_destroy(&frame);
    close_pair(&pair);
}

static void results_are_read_as_they_were(void **state) {
    (void)state;
    struct pair pair = connect_pair();
    struct message message = {0};
    struct action_results results = {0}, read = {0};
    uint64_t values[] = {1, 2, 3};
    assert_fine(vec_reserve(&results.results, 2));
    vec_put(&results.results,
            (struct action_result){.action = 4, .half = ACTION_ROLLBACK, .failed = 1, .message = "why"});
    vec_put(&results.results,
            (struct action_result){.action = 1, .duration = 99, .values = values, .value_count = 3});
    message_results(&message, &results);
    assert_fine(wire_send(&pair.executor, MESSAGE_FINALIZED, 0, &message, -1, NULL));
    struct frame frame = receive(&pair.linker);
    struct cursor cursor = frame_cursor(&frame);
    assert_fine(take_results(&cursor, 5, &read));
    assert_fine(cursor_end(&cursor, frame.kind));
    assert_int_equal(read.results.count, 2);
    assert_string_equal(read.results.data[0].message, "why");
    assert_int_equal(read.results.data[0].half, ACTION_ROLLBACK);
    assert_int_equal(read.results.data[1].duration, 99);
    assert_memory_equal(read.results.data[1].values, values, sizeof values);
    executor_results_destroy(&read);
    cursor = frame_cursor(&frame);
    assert_fine(take_results(&cursor, 4, &read)); /* there is no action 4 */
    assert_true(cursor.failed);
    executor_results_destroy(&read);
    vec_destroy(&results.results);
    frame_destroy(&frame);
    close_pair(&pair);
}

static void descriptors_come_along(void **state) {
    (void)state;
    struct pair pair = connect_pair();
    struct frame frame;
    int file = os_memory_file("test"), descriptor;
    bool end;
    char byte = 0;
    assert_int_equal(os_write(file, "x", 1), 1);
    assert_fine(wire_send(&pair.linker, MESSAGE_END, 0, NULL, file, NULL));
    assert_fine(wire_receive(&pair.executor, &frame, &descriptor, &end));
    assert_true(descriptor >= 0);
    assert_int_equal(os_read_at(descriptor, &byte, 1, 0), 1);
    assert_int_equal(byte, 'x');
    os_close(descriptor);
    os_close(file);
    close_pair(&pair);
}

static void an_end_between_messages_is_no_error(void **state) {
    (void)state;
    struct pair pair = connect_pair();
    struct frame frame;
    int descriptor;
    bool end;
    os_shut_down(pair.linker.out);
    assert_fine(wire_receive(&pair.executor, &frame, &descriptor, &end));
    assert_true(end);
    close_pair(&pair);
}

/* A header as the linker would write it, but for what is given. */
struct header {
    uint32_t size;
    uint16_t version, kind;
    uint64_t serial;
};

static void write_header(int fd, struct header header, size_t length) {
    uint8_t bytes[BRIDGE_HEADER] = {0};
    store_u32(bytes, header.size);
    store_u16(bytes + 4, header.version);
    store_u16(bytes + 6, header.kind);
    store_u64(bytes + 8, header.serial);
    assert_int_equal(os_write(fd, bytes, length), length);
}

static void headers_that_make_no_sense_are_refused(void **state) {
    (void)state;
    static const struct {
        struct header header;
        const char *text;
    } wrong[] = {
        {{0, BRIDGE_VERSION + 1, MESSAGE_END, 1}, "version 2 of the protocol, this one version 1"},
        {{0, BRIDGE_VERSION, 0, 1}, "wrong side"},
        {{0, BRIDGE_VERSION, 999, 1}, "wrong side"},
        {{0, BRIDGE_VERSION, MESSAGE_HELLO, 1}, "wrong side"},
        {{0, BRIDGE_VERSION, MESSAGE_END, 0}, "number 0, not 1"},
        {{0, BRIDGE_VERSION, MESSAGE_END, 2}, "number 2, not 1"},
        {{UINT32_MAX, BRIDGE_VERSION, MESSAGE_LOOKUP, 1}, "4294967295 bytes, more than 16777216"},
        {{100, BRIDGE_VERSION, MESSAGE_LOOKUP, 1}, "ended inside"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct pair pair = connect_pair();
        write_header(pair.linker.out, wrong[i].header, BRIDGE_HEADER);
        os_shut_down(pair.linker.out);
        assert_gone(receive_error(&pair.executor), wrong[i].text);
        close_pair(&pair);
    }
}

static void a_message_that_is_repeated_is_refused(void **state) {
    (void)state;
    struct pair pair = connect_pair();
    for (int i = 0; i < 2; i++)
        write_header(pair.linker.out, (struct header){0, BRIDGE_VERSION, MESSAGE_END, 1}, BRIDGE_HEADER);
    struct frame frame = receive(&pair.executor);
    frame_destroy(&frame);
    assert_gone(receive_error(&pair.executor), "number 1, not 2");
    close_pair(&pair);
}

static void a_header_can_be_cut_anywhere(void **state) {
    (void)state;
    for (size_t length = 1; length < BRIDGE_HEADER; length++) {
        struct pair pair = connect_pair();
        write_header(pair.linker.out, (struct header){0, BRIDGE_VERSION, MESSAGE_END, 1}, length);
        os_shut_down(pair.linker.out);
        assert_gone(receive_error(&pair.executor), "ended inside");
        close_pair(&pair);
    }
}

/* Every payload, cut anywhere: the cursor sees it, and reads nothing behind the end. */
static void payloads_can_be_cut_anywhere(void **state) {
    (void)state;
    struct message message = {0};
    message_u32(&message, 1);
    message_text(&message, "some text");
    message_u64(&message, 2);
    message_blob(&message, "0123456789", 10);
    for (uint32_t size = 0; size <= message.bytes.count; size++) {
        uint8_t *copy = malloc(size ? size : 1); /* as long as it is, for sanitizers */
        memcpy(copy, message.bytes.data, size);
        struct cursor cursor = {.bytes = {copy, size}};
        take_u32(&cursor);
        take_text(&cursor);
        take_u64(&cursor);
        take_blob(&cursor);
        struct jitscope_error *error = cursor_end(&cursor, MESSAGE_LOOKUP);
        assert_int_equal(error == NULL, size == message.bytes.count);
        jitscope_error_destroy(error);
        free(copy);
    }
    message_destroy(&message);
}

static void numbers_of_things_are_those_that_fit(void **state) {
    (void)state;
    uint8_t bytes[12] = {0};
    store_u32(bytes, 3);
    struct cursor cursor = {.bytes = {bytes, sizeof bytes}};
    assert_int_equal(take_count(&cursor, 4), 0);
    assert_true(cursor.failed);
    store_u32(bytes, 2);
    cursor = (struct cursor){.bytes = {bytes, sizeof bytes}};
    assert_int_equal(take_count(&cursor, 4), 2);
    assert_false(cursor.failed);
}

static void texts_end_where_they_say(void **state) {
    (void)state;
    uint8_t inside[] = {3, 0, 0, 0, 'a', 0, 'b', 0}, none[] = {3, 0, 0, 0, 'a', 'b', 'c', 'd'};
    struct cursor cursor = {.bytes = {inside, sizeof inside}};
    assert_string_equal(take_text(&cursor), "");
    assert_true(cursor.failed);
    cursor = (struct cursor){.bytes = {none, sizeof none}};
    assert_string_equal(take_text(&cursor), "");
    assert_true(cursor.failed);
}

static void what_is_too_large_is_not_sent(void **state) {
    (void)state;
    struct pair pair = connect_pair();
    struct message message = {0};
    uint8_t *much = calloc(1, BRIDGE_MOST);
    message_blob(&message, much, BRIDGE_MOST);
    struct jitscope_error *error = wire_send(&pair.linker, MESSAGE_LOOKUP, 0, &message, -1, NULL);
    assert_int_equal(jitscope_error_code(error), JITSCOPE_ERROR_UNSUPPORTED);
    jitscope_error_destroy(error);
    assert_fine(wire_send(&pair.linker, MESSAGE_END, 0, NULL, -1, NULL)); /* the stream is as it was */
    struct frame frame = receive(&pair.executor);
    assert_int_equal(frame.kind, MESSAGE_END);
    frame_destroy(&frame);
    free(much);
    close_pair(&pair);
}

/* Pipes, as of a channel to another machine; one whose reader is gone raises no signal. */
static void any_stream_will_do(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    struct wire writer = {.in = -1, .out = ends[1], .watched = -1, .other = SENDER_EXECUTOR};
    struct wire reader = {.in = ends[0], .out = -1, .watched = -1, .other = SENDER_LINKER};
    assert_fine(wire_send(&writer, MESSAGE_END, 0, NULL, -1, NULL));
    struct frame frame = receive(&reader);
    frame_destroy(&frame);
    os_close(ends[0]);
    assert_gone(wire_send(&writer, MESSAGE_END, 0, NULL, -1, NULL), "gone");
    os_close(ends[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(results_are_read_as_they_were),
        cmocka_unit_test(descriptors_come_along),
        cmocka_unit_test(an_end_between_messages_is_no_error),
        cmocka_unit_test(headers_that_make_no_sense_are_refused),
        cmocka_unit_test(a_message_that_is_repeated_is_refused),
        cmocka_unit_test(a_header_can_be_cut_anywhere),
        cmocka_unit_test(payloads_can_be_cut_anywhere),
        cmocka_unit_test(numbers_of_things_are_those_that_fit),
        cmocka_unit_test(texts_end_where_they_say),
        cmocka_unit_test(what_is_too_large_is_not_sent),
        cmocka_unit_test(any_stream_will_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
