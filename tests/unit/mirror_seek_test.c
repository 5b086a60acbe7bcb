/* Time travel is exact: for random recordings and random moments, a mirror that was built to the end and
 * moved shows what a mirror built only up to there holds, cell by cell in every view. */
#include "random_recording.h"
#include "same_mirrors.h"

enum { EVENTS = 700, MANY_EVENTS = 60000, MOMENTS = 25, RECORDINGS = 60 };

static void expect_good(struct jitscope_error *error) {
    if (error)
        fail_msg("%s", jitscope_error_message(error));
}

/* The truth is told event by event, and stops before the first that is later. */
static void build_up_to(struct mirror *mirror, const struct recording_file *file, uint64_t until) {
    struct event_cursor cursor = {.file = file};
    struct event_view view;
    *mirror = (struct mirror){.file = file};
    while (event_next(&cursor, &view) && view.sequence <= until)
        expect_good(mirror_apply(mirror, &view));
}

static uint64_t random_moment(const struct recording_file *file) {
    uint32_t which = chance(10);
    return which == 0 ? 0 : which == 1 ? UINT64_MAX : chance((uint32_t)file->events + EVENTS / 8);
}

static void check_moments(struct mirror *moved, const struct recording_file *file, uint64_t last) {
    for (uint32_t i = 0; i < MOMENTS; i++) {
        struct mirror *built = malloc(sizeof *built);
        uint64_t at = random_moment(file);
        at = at < last ? at : last;
        build_up_to(built, file, at);
        mirror_seek(moved, at);
        expect_same_mirrors(moved, built);
        mirror_destroy(built);
        free(built);
    }
}

/* --- the tests */

static void check_random_recording(const struct schema *schema, uint32_t events, bool later, bool wild) {
    struct made made;
    struct recording_file file;
    struct mirror *moved = malloc(sizeof *moved);
    make_random(&made, schema, events, later, wild);
    expect_good(made_open(&made, &file));
    expect_good(mirror_load(moved, &file, UINT64_MAX));
    check_moments(moved, &file, UINT64_MAX);
    mirror_destroy(moved);
    free(moved);
    recording_close(&file);
    made_destroy(&made);
}

static void check_recordings(uint32_t count, uint32_t events, bool later, bool wild) {
    struct schema schema;
    size_t length;
    const char *text = schema_text(&length);
    expect_good(schema_parse((struct bytes){(const uint8_t *)text, length}, &schema));
    for (seed = 1; seed <= count; seed++) {
        uint64_t begun = seed;
        check_random_recording(&schema, events, later, wild);
        seed = begun;
    }
    schema_destroy(&schema);
}

static void test_every_moment(void **state) {
    (void)state;
    check_recordings(RECORDINGS, EVENTS, false, false);
}

static void test_other_version(void **state) {
    (void)state;
    check_recordings(RECORDINGS, EVENTS, true, false);
}

static void test_numbers_that_repeat(void **state) {
    (void)state;
    check_recordings(RECORDINGS, EVENTS, false, true);
}

/* So long that counters are kept on the way. */
static void test_long_recording(void **state) {
    (void)state;
    check_recordings(1, MANY_EVENTS, true, false);
}

/* A mirror that was moved back goes on growing, from its end. */
static void test_growing_after_seek(void **state) {
    struct schema schema;
    size_t length;
    struct made made;
    struct recording_file file;
    struct event_view view;
    struct mirror *moved = malloc(sizeof *moved);
    const char *text = schema_text(&length);
    (void)state;
    expect_good(schema_parse((struct bytes){(const uint8_t *)text, length}, &schema));
    seed = 77;
    make_random(&made, &schema, EVENTS, false, false);
    expect_good(made_open(&made, &file));
    struct event_cursor cursor = {.file = &file};
    expect_good(mirror_load(moved, &file, EVENTS / 2));
    bool more = event_next(&cursor, &view);
    while (more && view.sequence <= EVENTS / 2)
        more = event_next(&cursor, &view);
    for (; more; more = event_next(&cursor, &view)) {
        check_moments(moved, &file, view.sequence - 1);
        expect_good(mirror_apply(moved, &view));
        for (uint32_t i = chance(100); i && event_next(&cursor, &view); i--)
            expect_good(mirror_apply(moved, &view));
    }
    check_moments(moved, &file, UINT64_MAX);
    mirror_destroy(moved);
    free(moved);
    recording_close(&file);
    made_destroy(&made);
    schema_destroy(&schema);
}

/* What the views that need no edges show is the same without them, at any moment. */
static void test_without_edges(void **state) {
    struct schema schema;
    size_t length;
    struct made made;
    struct recording_file file;
    struct mirror *whole = malloc(sizeof *whole), *without = malloc(sizeof *without);
    const char *text = schema_text(&length);
    (void)state;
    expect_good(schema_parse((struct bytes){(const uint8_t *)text, length}, &schema));
    seed = 5;
    make_random(&made, &schema, EVENTS, false, false);
    expect_good(made_open(&made, &file));
    expect_good(mirror_load(whole, &file, UINT64_MAX));
    expect_good(mirror_load_without_edges(without, &file, UINT64_MAX));
    for (uint32_t i = 0; i < MOMENTS; i++) {
        uint64_t at = random_moment(&file);
        mirror_seek(whole, at);
        mirror_seek(without, at);
        for (uint32_t k = 0; k < view_count; k++)
            if (strcmp(views[k].name, "edges") != 0)
                expect_same_view(&views[k], without, whole);
        assert_memory_equal(without->counts, whole->counts, sizeof whole->counts);
    }
    mirror_destroy(whole);
    mirror_destroy(without);
    free(whole);
    free(without);
    recording_close(&file);
    made_destroy(&made);
    schema_destroy(&schema);
}

/* Where the events end that a moment has seen, against a walk over all of them. */
static void test_events_after(void **state) {
    struct made made;
    struct recording_file file;
    (void)state;
    made_begin(&made, 1 << 20, CHUNK, "");
    made_switch(&made, 0, 1, 10);
    for (uint32_t i = 0; i < 5; i++)
        MADE_ADD(&made, EVENT_HEADER(EVENT_ID_lost, 8), i);
    made_switch(&made, 1, 1, 20);
    for (uint32_t i = 0; i < 2; i++)
        MADE_ADD(&made, EVENT_HEADER(EVENT_ID_lost, 8), i);
    expect_good(made_open(&made, &file));
    static const uint8_t events_at[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 5, 5, 5, 5, 5, 6, 7, 7};
    for (uint64_t at = 0; at < sizeof events_at; at++) {
        struct event_cursor cursor = {.file = &file}, end = event_after(&file, at);
        struct event_view view;
        uint32_t count = 0;
        while (event_next_before(&cursor, &end, &view))
            count++;
        assert_int_equal(count, events_at[at]);
    }
    recording_close(&file);
    made_destroy(&made);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_moment),        cmocka_unit_test(test_other_version),
        cmocka_unit_test(test_numbers_that_repeat), cmocka_unit_test(test_long_recording),
        cmocka_unit_test(test_growing_after_seek),  cmocka_unit_test(test_without_edges),
        cmocka_unit_test(test_events_after),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
