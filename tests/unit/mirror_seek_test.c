/* Time travel is exact: for random recordings and random moments, a mirror that was built to the end and
 * moved shows what a mirror built only up to there holds, cell by cell in every view.
 *
 * The recordings are made from the schema: events of every kind in any order, about things never announced,
 * announced twice or told about again; threads and links that interleave; numbers that repeat; events that
 * this version does not know. */
#include "made_recording.h"

#include "mirror/views.h"

#include <stdio.h>

enum { EVENTS = 700, MANY_EVENTS = 60000, CHUNK = 4096, MOMENTS = 25, RECORDINGS = 60 };

static void expect_good(struct jitscope_error *error) {
    if (error)
        fail_msg("%s", jitscope_error_message(error));
}

/* --- chance */

static uint64_t seed;

static uint32_t chance(uint32_t below) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((seed >> 33) % below);
}

/* --- recordings */

/* What an event is about is never "none"; its field has the name of its type. */
static uint64_t random_value(const struct schema_field *field, const struct schema_type *type) {
    switch ((enum print_kind)type->print) {
    case PRINT_ID:
        return chance(8) || !strcmp(field->name, type->name) ? chance(14) : NO_ID;
    case PRINT_NAME:
        return chance(10);
    case PRINT_ENUM:
    case PRINT_PROT:
        return chance(8);
    case PRINT_EDGE_KIND:
        return chance(20);
    case PRINT_COUNT:
        return chance(3) ? chance(100) : chance(UINT32_MAX);
    default:
        return chance(3) ? chance(100) : (uint64_t)chance(UINT32_MAX) << chance(32);
    }
}

static void add_random_event(struct made *made, const struct schema *schema) {
    uint32_t words[64] = {0};
    const struct schema_event *event;
    do
        event = &schema->events.data[chance(schema->events.count)];
    while (event->id == EVENT_ID_run);
    for (uint32_t i = 0; i < event->field_count; i++) {
        const struct schema_field *field = &schema->fields.data[event->first_field + i];
        const struct schema_type *type = &schema->types.data[field->type];
        uint64_t value = random_value(field, type);
        memcpy((uint8_t *)words + field->offset, &value, type->bytes);
    }
    uint32_t size = event->size;
    if (event->has_trailing) {
        uint32_t length = words[size / 4 - 1] = chance(12);
        for (uint32_t i = 0; i < length; i++)
            ((uint8_t *)words)[size + i] = (uint8_t)('a' + chance(26));
        size += (length + 3) & ~3u;
    }
    if (event->id == EVENT_ID_string)
        words[1] = chance(10);
    words[0] = EVENT_HEADER(event->id, size);
    made_add(made, words, size / 4);
}

static void switch_at_random(struct made *made, bool wild) {
    uint64_t sequence = made->sequence;
    if (wild && !chance(3))
        sequence = chance(2) ? chance(EVENTS) : sequence + chance(50);
    made_switch(made, chance(MADE_THREADS), chance(6), sequence);
}

static void make_random(struct made *made, const struct schema *schema, uint32_t events, bool later,
                        bool wild) {
    made_begin(made, (UINT64_C(1) << 20) + events * UINT64_C(64), CHUNK, later ? later_events : "");
    for (uint32_t i = 0; i < events; i++) {
        if (!chance(9))
            switch_at_random(made, wild);
        if (later && !chance(9))
            MADE_ADD(made, EVENT_HEADER(SIZED, 12), 7, 8);
        else if (later && !chance(9))
            MADE_ADD(made, EVENT_HEADER(3999, 8), 9);
        else
            add_random_event(made, schema);
    }
}

/* --- comparing */

static void expect_same_cells(const struct view *view, const struct rows *a, const struct rows *b) {
    assert_int_equal(a->cells.count, b->cells.count);
    for (uint32_t i = 0; i < a->cells.count; i++) {
        const struct cell *x = &a->cells.data[i], *y = &b->cells.data[i];
        bool same = x->absent == y->absent && x->number == y->number && x->length == y->length &&
                    !memcmp(x->text, y->text, x->length);
        if (!same)
            fail_msg("view %s, row %u, column %s differs", view->name, i / a->column_count,
                     view->columns[i % a->column_count].name);
    }
}

static void expect_same_view(const struct view *view, const struct mirror *moved,
                             const struct mirror *built) {
    struct rows a = {.columns = view->columns, .column_count = view->column_count}, b = a;
    assert_null(view->rows(&a, moved));
    assert_null(view->rows(&b, built));
    expect_same_cells(view, &a, &b);
    rows_destroy(&a);
    rows_destroy(&b);
}

static void expect_same(const struct mirror *moved, const struct mirror *built) {
    assert_int_equal(moved->applied, built->applied);
    assert_int_equal(moved->last_sequence, built->last_sequence);
    assert_int_equal(moved->lost, built->lost);
    assert_int_equal(moved->links.count, built->links.count);
    assert_int_equal(moved->session_ended, built->session_ended);
    assert_memory_equal(moved->counts, built->counts, sizeof built->counts);
    for (uint32_t i = 0; i < view_count; i++)
        expect_same_view(&views[i], moved, built);
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
        expect_same(moved, built);
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
    struct event_cursor half = event_after(&file, EVENTS / 2), cursor = {.file = &file};
    expect_good(mirror_load(moved, &file, EVENTS / 2));
    while (event_next_before(&cursor, &half, &view))
        continue;
    while (event_next(&cursor, &view)) {
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
        cmocka_unit_test(test_growing_after_seek),  cmocka_unit_test(test_events_after),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
