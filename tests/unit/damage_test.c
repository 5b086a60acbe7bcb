/* Damaged inputs: every truncation and byte changes over a real object, archive, script, shared library and
 * recording. Nothing may crash, hang or leak (run it under ASan); each link ends with success or one error.
 */
#include "base/os.h"
#include "jitscope/jitscope.h"
#include "mirror/show.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const uint8_t patterns[] = {0x01, 0x80, 0xff};

static uint8_t *read_whole(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    uint8_t *data = malloc(*size);
    assert_int_equal(fread(data, 1, *size, file), *size);
    fclose(file);
    return data;
}

/* One link in simulated memory; true when it worked. */
static bool try_link(const uint8_t *data, size_t size, bool whole) {
    struct jitscope_session_options options = {.size = sizeof options,
                                               .simulate = true,
                                               .base = 0x10000000,
                                               .phony_externals = true,
                                               .keep_debug_sections = true,
                                               .level = JITSCOPE_LEVEL_OFF};
    struct jitscope_session *session;
    assert_null(jitscope_session_create(&options, &session));
    assert_null(jitscope_session_set_whole_archive(session, whole));
    /* a copy of exactly this size, so that ASan sees every byte read beyond it */
    uint8_t *exact = malloc(size ? size : 1);
    memcpy(exact, data, size);
    struct jitscope_error *error = jitscope_session_add_borrowed(session, "damaged", exact, size);
    if (!error)
        error = jitscope_session_link(session, NULL);
    bool good = !error;
    if (error)
        assert_true(strlen(jitscope_error_message(error)) > 0);
    jitscope_error_destroy(error);
    jitscope_session_destroy(session);
    free(exact);
    return good;
}

static void damage(const char *path, bool whole, size_t step) {
    size_t size;
    uint8_t *data = read_whole(path, &size);
    size_t failed = 0;
    assert_true(try_link(data, size, whole));
    for (size_t length = 0; length < size; length += step)
        failed += !try_link(data, length, whole);
    assert_true(failed > 0);
    failed = 0;
    for (size_t at = 0; at < size; at += step)
        for (size_t i = 0; i < sizeof patterns; i++) {
            data[at] ^= patterns[i];
            failed += !try_link(data, size, whole);
            data[at] ^= patterns[i];
        }
    assert_true(failed > 0);
    free(data);
}

static void test_damaged_object(void **state) {
    (void)state;
    damage(SAMPLE_OBJECT, false, 1);
}

static void test_damaged_archive(void **state) {
    (void)state;
    damage(SAMPLE_ARCHIVE, true, 3);
}

static void test_damaged_script(void **state) {
    (void)state;
    static const char script[] =
        "/* GNU ld script */\nOUTPUT_FORMAT(elf64-x86-64)\nGROUP ( AS_NEEDED ( -lnowhere ) "
        "\"no such file\" )\n";
    char copy[sizeof script];
    for (size_t at = 0; at < sizeof script; at++)
        for (size_t i = 0; i < sizeof patterns; i++) {
            memcpy(copy, script, sizeof script);
            copy[at] = (char)(copy[at] ^ patterns[i]);
            try_link((const uint8_t *)copy, sizeof script - 1, false);
        }
    for (size_t length = 0; length < sizeof script; length++)
        try_link((const uint8_t *)script, length, false);
}

/* A shared library is asked for names while an object is linked against it. */
static void test_damaged_library(void **state) {
    (void)state;
    size_t size, object_size;
    uint8_t *data = read_whole(SAMPLE_LIBRARY, &size);
    uint8_t *object = read_whole(SAMPLE_OBJECT, &object_size);
    for (size_t at = 0; at < size; at += 7) {
        struct jitscope_session_options options = {
            .size = sizeof options, .simulate = true, .phony_externals = true, .level = JITSCOPE_LEVEL_OFF};
        struct jitscope_session *session;
        data[at] ^= 0xff;
        assert_null(jitscope_session_create(&options, &session));
        jitscope_error_destroy(jitscope_session_add_borrowed(session, "lib.so", data, at % 2 ? size : at));
        jitscope_error_destroy(jitscope_session_add_borrowed(session, "x.o", object, object_size));
        jitscope_error_destroy(jitscope_session_link(session, NULL));
        jitscope_session_destroy(session);
        data[at] ^= 0xff;
    }
    free(data);
    free(object);
}

static void show_everything(const uint8_t *data, size_t size, FILE *sink) {
    struct recording_file file;
    uint8_t *exact = malloc(size ? size : 1);
    memcpy(exact, data, size);
    struct jitscope_error *error = recording_open_memory((struct bytes){exact, size}, &file);
    if (!error) {
        struct show_options options = {.at = UINT64_MAX};
        for (uint32_t i = 0; i < view_count; i++)
            jitscope_error_destroy(show_print(sink, views[i].name, &file, &options));
        recording_close(&file);
    }
    jitscope_error_destroy(error);
    free(exact);
}

static void test_damaged_recording(void **state) {
    (void)state;
    char path[] = "/tmp/jitscope-damage-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    struct jitscope_session_options options = {.size = sizeof options,
                                               .simulate = true,
                                               .phony_externals = true,
                                               .record_path = path,
                                               .level = JITSCOPE_LEVEL_EDGES};
    struct jitscope_session *session;
    assert_null(jitscope_session_create(&options, &session));
    assert_null(jitscope_session_add_file(session, SAMPLE_OBJECT));
    assert_null(jitscope_session_link(session, NULL));
    jitscope_session_destroy(session);
    size_t size;
    uint8_t *data = read_whole(path, &size);
    unlink(path);
    FILE *sink = fopen("/dev/null", "w");
    struct recording_header header;
    memcpy(&header, data, sizeof header);
    for (size_t length = 0; length < size; length += 97)
        show_everything(data, length, sink);
    /* The seal would hide what the decoder does with damaged records: open the chunk for the second half. */
    for (int sealed = 1; sealed >= 0; sealed--) {
        struct chunk_header chunk;
        memcpy(&chunk, data + header.first_chunk, sizeof chunk);
        chunk.sealed = (uint32_t)sealed;
        memcpy(data + header.first_chunk, &chunk, sizeof chunk);
        for (size_t at = sealed ? 0 : header.first_chunk; at < size; at += sealed ? 61 : 5) {
            data[at] ^= 0x81;
            show_everything(data, size, sink);
            data[at] ^= 0x81;
        }
    }
    fclose(sink);
    free(data);
}

/* Every call to the system and every allocation fails once, in turn; then the same session links. */
static void test_failing_calls(void **state) {
    (void)state;
    size_t size;
    uint8_t *object = read_whole(SAMPLE_OBJECT, &size);
    os_fail_after(0, false);
    int64_t before = os_live_allocations();
    bool done = false;
    for (uint64_t n = 1; !done; n++) {
        struct jitscope_session_options options = {
            .size = sizeof options, .simulate = true, .phony_externals = true, .level = JITSCOPE_LEVEL_OFF};
        struct jitscope_session *session;
        os_fail_after(n, n % 2);
        struct jitscope_error *error = jitscope_session_create(&options, &session);
        bool created = !error;
        if (created)
            error = jitscope_session_add_memory(session, "x.o", object, size);
        if (!error)
            error = jitscope_session_link(session, NULL);
        done = os_call_count() < n;
        os_fail_after(0, false);
        assert_true(!error == done || !error); /* a failure may be survived, never hidden as a crash */
        jitscope_error_destroy(error);
        if (created) {
            struct jitscope_link *link;
            assert_null(jitscope_session_add_memory(session, "x.o", object, size));
            assert_null(jitscope_session_link(session, &link));
            jitscope_session_destroy(session);
        }
        assert_int_equal(os_live_allocations(), before);
    }
    free(object);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_damaged_object),    cmocka_unit_test(test_damaged_archive),
        cmocka_unit_test(test_damaged_script),    cmocka_unit_test(test_damaged_library),
        cmocka_unit_test(test_damaged_recording), cmocka_unit_test(test_failing_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
