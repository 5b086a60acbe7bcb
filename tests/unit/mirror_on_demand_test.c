/* A mirror on demand shows what a loaded one shows, at every moment, whatever of it was read, read in part,
 * or forgotten before, and while its recording grows; and it has the same answers. */
#include "random_recording.h"
#include "same_mirrors.h"

#include "mirror/why.h"

#include <stdio.h>

enum { EVENTS = 700, MANY_EVENTS = 60000, MOMENTS = 20, RECORDINGS = 40 };

static void expect_good(struct jitscope_error *error) {
    if (error)
        fail_msg("%s", jitscope_error_message(error));
}

struct pair {
    struct made made;
    struct recording_file file;
    struct mirror *whole, *demand;
};

static void make_pair(struct pair *pair, uint32_t events, bool later, bool wild) {
    struct schema schema;
    size_t length;
    const char *text = schema_text(&length);
    expect_good(schema_parse((struct bytes){(const uint8_t *)text, length}, &schema));
    make_random(&pair->made, &schema, events, later, wild);
    schema_destroy(&schema);
    expect_good(made_open(&pair->made, &pair->file));
    pair->whole = malloc(sizeof *pair->whole);
    pair->demand = malloc(sizeof *pair->demand);
    expect_good(mirror_load(pair->whole, &pair->file, UINT64_MAX));
}

static void destroy_pair(struct pair *pair) {
    mirror_destroy(pair->whole);
    mirror_destroy(pair->demand);
    free(pair->whole);
    free(pair->demand);
    recording_close(&pair->file);
    made_destroy(&pair->made);
}

static void index_all(struct mirror *mirror) {
    for (bool done = false; !done;)
        expect_good(mirror_index_step(mirror, 1 + chance(EVENTS / 4), &done));
}

/* --- the same */

static void expect_same_life(const struct mirror *a, const struct mirror *b, uint32_t number) {
    struct mirror_life x = mirror_life(a, number), y = mirror_life(b, number);
    assert_memory_equal(&x.begin, &y.begin, sizeof x.begin);
    assert_memory_equal(&x.end, &y.end, sizeof x.end);
    assert_memory_equal(&x.debug, &y.debug, sizeof x.debug);
    assert_int_equal(x.known << 3 | x.ended << 2 | x.unloaded << 1 | x.allocated,
                     y.known << 3 | y.ended << 2 | y.unloaded << 1 | y.allocated);
    assert_int_equal(x.state, y.state);
    const struct mirror_link *link = mirror_link(a, number);
    assert_int_equal(link->known, x.known);
    assert_int_equal(link->unloaded, x.unloaded);
    if (link->allocations.count)
        assert_int_equal(x.state, link->allocations.data[link->allocations.count - 1].state);
}

/* Lists with their stamps, how far tables reach, and what is said about these before the link is read. */
static void expect_same_content(const struct mirror *a, const struct mirror *b, uint32_t number) {
    struct link_counts most = mirror_counts(b, number);
    expect_good(mirror_want_edges(b, number));
    const struct mirror_link *x = mirror_link(a, number), *y = mirror_link(b, number);
    assert_int_equal(mirror_link_left(b, number, false) + mirror_link_left(b, number, true), 0);
#define LINK_LIST(type, name)                                                                                \
    assert_int_equal(x->name.count, y->name.count);                                                          \
    assert_true(most.name >= y->name.count);                                                                 \
    for (uint32_t i = 0; i < x->name.count; i++) {                                                           \
        assert_memory_equal(&x->name.data[i], &y->name.data[i], sizeof(type));                               \
        assert_int_equal(x->name##_stamps.data[i], y->name##_stamps.data[i]);                                \
    }
#define LINK_TABLE(type, name)                                                                               \
    assert_int_equal(x->name.count, y->name.count);                                                          \
    assert_true(most.name >= y->name.count);
#include "mirror/tables.def"
}

static void expect_same(const struct mirror *whole, const struct mirror *demand) {
    for (uint32_t i = 0; i < whole->links.count; i++)
        if (chance(3))
            expect_same_content(whole, demand, i);
    expect_same_mirrors(demand, whole);
    for (uint32_t i = 0; i < whole->links.count; i++)
        expect_same_life(whole, demand, i);
    assert_int_equal(whole->placements.count, demand->placements.count);
    assert_null(mirror_failure(demand));
}

/* --- what must not matter */

static void read_a_bit(struct mirror *mirror, uint32_t number) {
    bool done, edges = chance(2);
    if (number >= mirror->links.count)
        return;
    uint32_t left = mirror_link_left(mirror, number, edges), most = 1 + chance(60);
    expect_good(mirror_link_load_step(mirror, number, edges, most, &done));
    assert_int_equal(mirror_link_left(mirror, number, edges), left > most ? left - most : 0);
    assert_int_equal(done, left <= most);
}

static void disturb(struct mirror *mirror) {
    for (uint32_t i = chance(6); i > 0; i--) {
        uint32_t number = chance(7);
        switch (chance(6)) {
        case 0:
            mirror_trim(mirror, 0);
            break;
        case 1:
            mirror_trim(mirror, chance(100000));
            break;
        case 2:
            mirror_forget(mirror, number);
            assert_false(mirror_has_content(mirror, number));
            break;
        case 3:
            mirror_link_whole(mirror, number);
            break;
        default:
            read_a_bit(mirror, number);
        }
    }
}

static uint64_t random_moment(const struct recording_file *file) {
    uint32_t which = chance(10);
    return which == 0 ? 0 : which == 1 ? UINT64_MAX : chance((uint32_t)file->events + EVENTS / 8);
}

static void check_moments(struct pair *pair) {
    for (uint32_t i = 0; i < MOMENTS; i++) {
        uint64_t at = random_moment(&pair->file);
        disturb(pair->demand);
        mirror_seek(pair->whole, at);
        mirror_seek(pair->demand, at);
        disturb(pair->demand);
        expect_same(pair->whole, pair->demand);
    }
}

/* --- the tests */

static void check_recordings(uint32_t count, uint32_t events, bool later, bool wild) {
    for (uint32_t i = 1; i <= count; i++) {
        struct pair pair;
        seed = i;
        make_pair(&pair, events, later, wild);
        expect_good(mirror_open_on_demand(pair.demand, &pair.file));
        index_all(pair.demand);
        check_moments(&pair);
        destroy_pair(&pair);
    }
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

static void test_long_recording(void **state) {
    (void)state;
    check_recordings(1, MANY_EVENTS, true, false);
}

/* --- growing */

/* As a reader of a growing file sees it: so many runs, of the last so many events. */
static void show_part(struct recording_file *part, const struct recording_file *file, uint32_t runs,
                      uint32_t events) {
    struct recording_run *last = &part->runs.data[runs - 1];
    memcpy(part->runs.data, file->runs.data, runs * sizeof *last);
    part->runs.count = runs;
    last->count = events;
    last->reach = last->sequence + events - 1;
    if (runs > 1 && last[-1].reach > last->reach)
        last->reach = last[-1].reach;
}

/* The loaded one is moved to the same event. */
static void expect_same_there(struct pair *pair) {
    mirror_seek(pair->whole, pair->demand->last_sequence);
    if (pair->demand->applied)
        expect_same(pair->whole, pair->demand);
}

static void grow(struct pair *pair, struct recording_file *part) {
    uint64_t shown = pair->demand->applied;
    bool done = false, was_last = shown == pair->demand->history->events;
    while (!done) {
        expect_good(mirror_index_step(pair->demand, 1 + chance(100), &done));
        if (!was_last)
            assert_int_equal(pair->demand->applied, shown);
        if (!chance(4))
            expect_same_there(pair);
    }
    assert_true(!was_last || pair->demand->applied >= shown);
    expect_same_there(pair);
    disturb(pair->demand);
    if (chance(2))
        mirror_seek(pair->demand, random_moment(part));
    expect_same_there(pair);
}

static void check_growing(uint32_t from, bool later) {
    struct pair pair;
    seed = from;
    make_pair(&pair, EVENTS, later, false);
    struct recording_file part = pair.file;
    uint32_t runs = pair.file.runs.count, seen = 0;
    part.runs.data = calloc(runs, sizeof *part.runs.data);
    part.runs.count = 0;
    expect_good(mirror_open_on_demand(pair.demand, &part));
    for (uint32_t shown = 1; shown <= runs; shown += chance(4)) {
        uint32_t all = pair.file.runs.data[shown - 1].count, least = 1;
        if (part.runs.count == shown)
            least = part.runs.data[shown - 1].count;
        show_part(&part, &pair.file, shown, least + chance(all - least + 1));
        grow(&pair, &part);
        seen++;
    }
    show_part(&part, &pair.file, runs, pair.file.runs.data[runs - 1].count);
    grow(&pair, &part);
    mirror_seek(pair.demand, UINT64_MAX);
    mirror_seek(pair.whole, UINT64_MAX);
    expect_same(pair.whole, pair.demand);
    assert_true(seen > 5);
    free(part.runs.data);
    destroy_pair(&pair);
}

static void test_growing(void **state) {
    (void)state;
    for (uint32_t i = 1; i <= RECORDINGS / 2; i++)
        check_growing(i, i % 2);
}

/* --- questions */

static void say(struct text *out, const struct mirror *mirror, const char *question) {
    struct why_answer answer;
    struct jitscope_error *error = why_ask(mirror, question, NULL, &answer);
    if (error) {
        text_append(out, jitscope_error_message(error));
        jitscope_error_destroy(error);
        return;
    }
    why_print_text(out, &answer);
    why_print_json(out, &answer);
    why_destroy(&answer);
}

static void compare_answers(struct pair *pair, const char *question) {
    struct text a = {0}, b = {0};
    say(&a, pair->whole, question);
    say(&b, pair->demand, question);
    assert_int_equal(a.length, b.length);
    assert_memory_equal(a.data, b.data, a.length);
    text_destroy(&a);
    text_destroy(&b);
}

/* Names of the recording, in all forms, and addresses that things have. */
static void ask_at_random(struct pair *pair) {
    static const char *const forms[] = {"%.*s", "%.*s+3", "got:%.*s", "plt:%.*s", "discard:%.*s"};
    char question[64];
    struct recorded_string name = recording_string(&pair->file, chance(10));
    snprintf(question, sizeof question, forms[chance(5)], (int)name.length, name.bytes);
    compare_answers(pair, question);
    if (pair->whole->placements.count) {
        uint32_t which = chance(pair->whole->placements.count);
        snprintf(question, sizeof question, "%llu",
                 (unsigned long long)pair->whole->placements.data[which].address + chance(50));
        compare_answers(pair, question);
    }
}

static void test_questions(void **state) {
    (void)state;
    for (uint32_t i = 1; i <= RECORDINGS; i++) {
        struct pair pair;
        seed = i;
        make_pair(&pair, EVENTS, i % 2, false);
        expect_good(mirror_open_on_demand(pair.demand, &pair.file));
        index_all(pair.demand);
        for (uint32_t k = 0; k < MOMENTS; k++) {
            uint64_t at = chance(2) ? UINT64_MAX : random_moment(&pair.file);
            disturb(pair.demand);
            mirror_seek(pair.whole, at);
            mirror_seek(pair.demand, at);
            ask_at_random(&pair);
        }
        destroy_pair(&pair);
    }
}

/* --- what is kept */

static uint32_t links_there(const struct mirror *mirror) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < mirror->links.count; i++)
        count += mirror_has_content(mirror, i);
    return count;
}

/* Those asked for last stay; nothing is read twice, nor before somebody asks. */
static void test_what_is_kept(void **state) {
    struct pair pair;
    (void)state;
    seed = 3;
    make_pair(&pair, EVENTS, false, false);
    struct mirror *mirror = pair.demand;
    expect_good(mirror_open_on_demand(mirror, &pair.file));
    index_all(mirror);
    for (uint32_t i = 0; i < view_count; i++)
        for (uint32_t k = 0; k < mirror->links.count && view_find(views[i].name)->candidates; k++)
            views[i].candidates(mirror, k);
    struct rows rows = {.columns = view_find("batches")->columns,
                        .column_count = view_find("batches")->column_count};
    expect_good(view_rows(view_find("batches"), mirror, &rows));
    assert_true(rows_count(&rows) > 0);
    rows_destroy(&rows);
    assert_int_equal(links_there(mirror), 0);
    assert_int_equal(mirror->content_bytes, 0);
    const struct mirror_link *first = mirror_link(mirror, 1), *last = mirror_link(mirror, 4);
    assert_ptr_equal(mirror_link(mirror, 1), first);
    mirror_trim(mirror, UINT64_MAX);
    assert_int_equal(links_there(mirror), 2);
    mirror_trim(mirror, 1);
    assert_int_equal(links_there(mirror), 1);
    assert_true(mirror_has_content(mirror, 1));
    assert_true(mirror->content_bytes > 0);
    (void)last;
    mirror_forget(mirror, 1);
    assert_int_equal(mirror->content_bytes, 0);
    destroy_pair(&pair);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_moment),
        cmocka_unit_test(test_other_version),
        cmocka_unit_test(test_numbers_that_repeat),
        cmocka_unit_test(test_long_recording),
        cmocka_unit_test(test_growing),
        cmocka_unit_test(test_questions),
        cmocka_unit_test(test_what_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
