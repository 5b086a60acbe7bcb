/* Large recordings, whose chunks are brought in when they are needed: they must read as small ones do,
 * whoever else writes to the file. */
#include "random_recording.h"
#include "same_mirrors.h"

#include "mirror/show.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { EVENTS = 6000 }; /* many more chunks than a window has */

static char path[] = "/tmp/jitscope-chunks-XXXXXX";

static void expect_good(struct jitscope_error *error) {
    if (error)
        fail_msg("%s", jitscope_error_message(error));
}

static void write_file(const struct made *made) {
    int fd = open(path, O_WRONLY | O_TRUNC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, made->bytes, made->size), made->size);
    close(fd);
}

static void overwrite(uint64_t offset, const void *bytes, size_t size) {
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, size, (off_t)offset), size);
    close(fd);
}

/* A random recording, sealed, in memory as FILE and in the file at PATH. */
static void make(struct made *made, struct recording_file *file, uint64_t with_seed) {
    struct schema schema;
    size_t length;
    const char *text = schema_text(&length);
    expect_good(schema_parse((struct bytes){(const uint8_t *)text, length}, &schema));
    seed = with_seed;
    make_random(made, &schema, EVENTS, false, false);
    expect_good(made_open(made, file));
    write_file(made);
    schema_destroy(&schema);
}

static void unmake(struct made *made, struct recording_file *file) {
    recording_close(file);
    made_destroy(made);
}

static char *shown(const struct recording_file *file, const char *what, struct jitscope_error **error) {
    char *text;
    size_t size;
    struct show_options options = {.at = UINT64_MAX, .json = true};
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    *error = show_print(out, what, file, &options);
    fclose(out);
    return text;
}

static void expect_same_shown(const char *what, const struct recording_file *a,
                              const struct recording_file *b) {
    struct jitscope_error *error;
    char *x = shown(a, what, &error);
    expect_good(error);
    char *y = shown(b, what, &error);
    expect_good(error);
    assert_string_equal(x, y);
    free(x);
    free(y);
}

static void test_views(void **state) {
    struct made made;
    struct recording_file small, large;
    (void)state;
    for (uint64_t i = 1; i < 6; i++) {
        make(&made, &small, i);
        expect_good(recording_open_large(path, 0, &large));
        for (uint32_t k = 0; k < view_count; k++)
            expect_same_shown(views[k].name, &small, &large);
        recording_close(&large);
        unmake(&made, &small);
    }
}

static void test_moments(void **state) {
    struct made made;
    struct recording_file small, large;
    struct mirror *a = malloc(sizeof *a), *b = malloc(sizeof *b);
    (void)state;
    make(&made, &small, 7);
    expect_good(recording_open_large(path, 0, &large));
    expect_good(mirror_load(a, &small, UINT64_MAX));
    expect_good(mirror_load(b, &large, UINT64_MAX));
    for (uint32_t i = 0; i < 20; i++) {
        uint64_t at = chance(EVENTS + 10);
        mirror_seek(a, at);
        mirror_seek(b, at);
        expect_same_mirrors(a, b);
    }
    assert_null(recording_failure(&large));
    mirror_destroy(a);
    mirror_destroy(b);
    free(a);
    free(b);
    recording_close(&large);
    unmake(&made, &small);
}

/* Without a window records stay where they are, until the end. */
static void test_records_stay(void **state) {
    struct made made;
    struct recording_file small, large;
    struct event_view view, other;
    (void)state;
    make(&made, &small, 11);
    expect_good(recording_open_large(path, 0, &large));
    const uint8_t **records = calloc(EVENTS + 1, sizeof *records);
    struct event_cursor cursor = {.file = &large}, same = {.file = &small};
    uint32_t count = 0;
    while (event_next(&cursor, &view))
        records[count++] = view.record;
    for (uint32_t i = 0; i < count; i++) {
        assert_true(event_next(&same, &other));
        assert_memory_equal(records[i], other.record, other.size);
    }
    assert_false(event_next(&same, &other));
    free(records);
    recording_close(&large);
    unmake(&made, &small);
}

static void expect_lost(const struct recording_file *file, const char *what) {
    struct jitscope_error *error;
    free(shown(file, what, &error));
    assert_non_null(error);
    assert_int_equal(jitscope_error_code(error), JITSCOPE_ERROR_RECORDING);
    assert_non_null(strstr(jitscope_error_message(error), "since it was opened"));
    jitscope_error_destroy(error);
}

/* Somebody cuts the file, or writes over it, while it is open. */
static void test_changed_while_open(void **state) {
    struct made made;
    struct recording_file small, large;
    (void)state;
    make(&made, &small, 21);
    expect_good(recording_open_large(path, 0, &large));
    assert_int_equal(truncate(path, (off_t)(made.size / 2)), 0);
    expect_lost(&large, "blocks");
    expect_lost(&large, "events");
    recording_close(&large);

    write_file(&made);
    expect_good(recording_open_large(path, 0, &large));
    overwrite(made.first + 5 * CHUNK + 100, "changed", 7);
    expect_lost(&large, "events");
    expect_lost(&large, "symbols");
    recording_close(&large);

    write_file(&made);
    expect_good(recording_open_large(path, 0, &large));
    overwrite(made.first + 4 * CHUNK, made.bytes + made.first, CHUNK); /* sound, but another */
    expect_lost(&large, "events");
    recording_close(&large);
    unmake(&made, &small);
}

/* What was seen of a chunk that is being written stays; what its writer does later is not seen. */
static void test_writer_at_work(void **state) {
    struct made made;
    struct recording_file small, large;
    (void)state;
    make(&made, &small, 31);
    struct chunk_header *last = (struct chunk_header *)(void *)(made.bytes + made.size - CHUNK);
    memset((uint8_t *)(last + 1) + last->bytes, 0, CHUNK - sizeof *last - last->bytes);
    last->sealed = 0;
    write_file(&made);
    recording_close(&small);
    expect_good(recording_open_memory((struct bytes){made.bytes, made.size}, &small));
    assert_int_equal(small.open_chunks, 1);
    expect_good(recording_open_large(path, 0, &large));
    assert_int_equal(large.open_chunks, 1);
    static const uint8_t other[CHUNK - sizeof(struct chunk_header)] = {1, 2, 3};
    overwrite(made.size - CHUNK + sizeof *last, other, sizeof other);
    for (uint32_t k = 0; k < view_count; k++)
        expect_same_shown(views[k].name, &small, &large);
    recording_close(&large);
    unmake(&made, &small);
}

/* Damage is found when the file is opened, as in a small one, and said in the same words. */
static void test_damage(void **state) {
    struct made made;
    struct recording_file small, large;
    (void)state;
    make(&made, &small, 41);
    uint64_t size = made.size;
    for (uint64_t i = 0; i < 60; i++) {
        uint64_t at = made.first + (i * 7919) % (size - made.first), end = i % 3 ? size : at;
        uint8_t byte = made.bytes[at];
        recording_close(&small);
        made.bytes[at] ^= 0x55;
        made.size = end;
        write_file(&made);
        struct jitscope_error *x = recording_open_memory((struct bytes){made.bytes, end}, &small),
                              *y = recording_open_large(path, 0, &large);
        assert_int_equal(!x, !y);
        if (x)
            assert_non_null(strstr(jitscope_error_message(y), jitscope_error_message(x)));
        else
            expect_same_shown("events", &small, &large);
        recording_close(&large);
        jitscope_error_destroy(x);
        jitscope_error_destroy(y);
        made.bytes[at] = byte;
    }
    unmake(&made, &small);
}

/* Every allocation and every read fails once. */
static void test_failing_calls(void **state) {
    struct made made;
    struct recording_file small, large;
    bool done = false;
    (void)state;
    make(&made, &small, 51);
    int64_t before = os_live_allocations();
    for (uint64_t n = 1; !done; n++) {
        struct jitscope_error *error, *shown_error = NULL;
        os_fail_after(n, n % 2);
        error = recording_open_large(path, 0, &large);
        if (!error)
            free(shown(&large, "blocks", &shown_error));
        done = os_call_count() < n;
        os_fail_after(0, false);
        assert_int_equal(!error && !shown_error, done);
        if (!error)
            recording_close(&large);
        jitscope_error_destroy(error);
        jitscope_error_destroy(shown_error);
        assert_int_equal(os_live_allocations(), before);
    }
    unmake(&made, &small);
}

static int make_path(void **state) {
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 || close(fd) != 0;
}

static int remove_path(void **state) {
    (void)state;
    return unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_views),          cmocka_unit_test(test_moments),
        cmocka_unit_test(test_records_stay),   cmocka_unit_test(test_changed_while_open),
        cmocka_unit_test(test_writer_at_work), cmocka_unit_test(test_damage),
        cmocka_unit_test(test_failing_calls),
    };
    return cmocka_run_group_tests(tests, make_path, remove_path);
}
