/* update(): the places that are shown, and the way from one to the next and back. */
#define _GNU_SOURCE
#include "driven_inspector.h"

#include <stdlib.h>

static void test_screens(void **state) {
    (void)state;
    struct driven driven;
    drive(&driven, GOLDEN("edges"));
    assert_string_equal(screen_name(&driven), "overview");
    for (uint32_t i = 0; i < SCREEN_COUNT; i++) {
        bool shown = can(&driven, screens[i].name);
        assert_true(shown || screens[i].needs_question || !strcmp(screens[i].name, "bytes") ||
                    !strcmp(screens[i].name, "code"));
        if (*screens[i].key && press(&driven, key_parse(screens[i].key, strlen(screens[i].key))))
            assert_string_equal(screen_name(&driven), screens[i].name);
    }
    run(&driven, "screen got");
    assert_string_equal(screen_name(&driven), "got");
    assert_false(can(&driven, "screen nowhere") || can(&driven, "screen") || can(&driven, "got 1"));
    uint32_t begin = driven.state.place.screen, steps = 0;
    do
        run(&driven, "next-screen");
    while (driven.state.place.screen != begin && ++steps < 2 * SCREEN_COUNT);
    assert_in_range(steps, SCREEN_COUNT - 6, SCREEN_COUNT - 1);
    run(&driven, "next-screen");
    run(&driven, "previous-screen");
    assert_int_equal(driven.state.place.screen, begin);
    stop_driving(&driven);
}

static void test_entering(void **state) {
    (void)state;
    struct driven driven;
    drive(&driven, GOLDEN("edges"));
    run(&driven, "enter"); /* the batch */
    assert_string_equal(screen_name(&driven), "segments");
    run(&driven, "down");
    run(&driven, "enter");
    assert_string_equal(screen_name(&driven), "blocks");
    assert_string_equal(cell(&driven, "address"), "0x10001000"); /* of the second segment */
    run(&driven, "enter");
    assert_string_equal(screen_name(&driven), "bytes");
    run(&driven, "leave");
    assert_string_equal(screen_name(&driven), "blocks");
    assert_string_equal(cell(&driven, "address"), "0x10001000");
    run(&driven, "leave");
    assert_string_equal(screen_name(&driven), "segments");
    assert_string_equal(cell(&driven, "segment"), "1");
    run(&driven, "close");
    assert_string_equal(screen_name(&driven), "overview");
    run(&driven, "leave");
    assert_string_equal(screen_name(&driven), "overview");
    assert_string_equal(take_effects(&driven), "");
    run(&driven, "close");
    assert_string_equal(take_effects(&driven), "quit");
    stop_driving(&driven);
}

static void test_code_and_why(void **state) {
    (void)state;
    struct driven driven;
    drive(&driven, GOLDEN("edges"));
    run(&driven, "code main");
    assert_string_equal(screen_name(&driven), "code");
    assert_int_equal(sheet_descriptor(&driven.state.table.sheet),
                     -1); /* nobody works: no loop may poll for it */
    assert_string_equal(cell(&driven, "address"), "0x10000000");
    run(&driven, "code 0x10000028");
    assert_string_equal(cell(&driven, "address"), "0x10000028");
    run(&driven, "bytes table");
    assert_string_equal(cell(&driven, "address"), "0x10002020");
    assert_false(can(&driven, "code nothing") || can(&driven, "bytes 0x5"));
    assert_string_equal(screen_name(&driven), "bytes");
    assert_false(can(&driven, "why nothing")); /* known when it is answered: the screen stays */
    run(&driven, "leave");
    assert_string_equal(screen_name(&driven), "bytes");
    run(&driven, "why got:far");
    assert_string_equal(screen_name(&driven), "why");
    assert_non_null(strstr(look(&driven), "the GOT slot of far is at 0x10001078"));
    run(&driven, "leave");
    run(&driven, "got");
    run(&driven, "last");
    run(&driven, "why");
    assert_non_null(strstr(look(&driven), "0x10001078 is byte 0x0 of the GOT slot of far"));
    stop_driving(&driven);
}

/* A path is left as it was come, with cursors, filters and sorting; and can be gone once more. */
static void test_back_and_forward(void **state) {
    (void)state;
    struct driven driven;
    drive(&driven, GOLDEN("edges"));
    run(&driven, "symbols");
    run(&driven, "down 3");
    run(&driven, "got");
    run(&driven, "last");
    run(&driven, "plt");
    run(&driven, "back");
    assert_string_equal(cell(&driven, "symbol"), "far");
    run(&driven, "back");
    assert_string_equal(cell(&driven, "name"), "_GLOBAL_OFFSET_TABLE_");
    run(&driven, "down");
    run(&driven, "back");
    assert_string_equal(screen_name(&driven), "overview");
    run(&driven, "back");
    assert_string_equal(message(&driven), "no place was visited before");
    run(&driven, "forward");
    assert_string_equal(cell(&driven, "name"), "pointer"); /* as it was left the second time */
    run(&driven, "forward");
    run(&driven, "forward");
    assert_string_equal(screen_name(&driven), "plt");
    run(&driven, "forward");
    assert_string_equal(message(&driven), "no place was visited after");
    run(&driven, "back");
    run(&driven, "edges"); /* another way from here */
    run(&driven, "forward");
    assert_string_equal(message(&driven), "no place was visited after");
    stop_driving(&driven);
}

/* Before there was any memory, back passes over places that show some. */
static void test_back_over_what_is_not_there(void **state) {
    (void)state;
    struct driven driven;
    drive(&driven, GOLDEN("edges"));
    run(&driven, "got");
    run(&driven, "code main");
    run(&driven, "bytes table");
    run(&driven, "plt");
    run(&driven, "goto 0");
    run(&driven, "back");
    assert_string_equal(screen_name(&driven), "got");
    run(&driven, "forward");
    assert_string_equal(screen_name(&driven), "plt");
    run(&driven, "follow");
    run(&driven, "back");
    assert_string_equal(screen_name(&driven), "bytes");
    stop_driving(&driven);
}

static void test_sorted_place_comes_back(void **state) {
    (void)state;
    struct driven driven;
    drive(&driven, GOLDEN("edges"));
    run(&driven, "symbols");
    run(&driven, "filter size > 0");
    run(&driven, "sort -size");
    run(&driven, "down 2");
    assert_string_equal(cell(&driven, "name"), "other");
    run(&driven, "mark s");
    run(&driven, "got");
    run(&driven, "back");
    assert_string_equal(cell(&driven, "size"), "31");
    assert_string_equal(cell(&driven, "name"), "other");
    run(&driven, "plt");
    run(&driven, "jump s");
    assert_string_equal(cell(&driven, "name"), "other");
    stop_driving(&driven);
}

static void test_marks(void **state) {
    (void)state;
    struct driven driven;
    drive(&driven, GOLDEN("edges"));
    run(&driven, "symbols");
    run(&driven, "down 2");
    run(&driven, "mark a");
    run(&driven, "goto 100");
    run(&driven, "events");
    run(&driven, "last");
    run(&driven, "mark Z");
    run(&driven, "jump a");
    assert_string_equal(cell(&driven, "name"), "other");
    assert_int_not_equal(driven.inspected->now, 100);
    run(&driven, "jump Z");
    assert_int_equal(driven.inspected->now, 100);
    assert_string_equal(screen_name(&driven), "events");
    assert_string_equal(cell(&driven, "sequence"), "100");
    assert_false(can(&driven, "jump b") || can(&driven, "mark") || can(&driven, "mark 1") ||
                 can(&driven, "mark ab") || can(&driven, "jump é"));
    keys(&driven, "m q ' q"); /* a letter, and no Return */
    assert_false(driven.state.prompt.is_open);
    assert_true(driven.state.is_marked['q' - 'a']);
    stop_driving(&driven);
}

static void test_batches(void **state) {
    (void)state;
    struct driven driven;
    drive(&driven, GOLDEN("unloads"));
    run(&driven, "down");
    run(&driven, "batch");
    assert_non_null(strstr(look(&driven), "overview of batch 2"));
    run(&driven, "symbols");
    for (uint64_t i = 0; i < driven.state.table.shown.count; i++, run(&driven, "down"))
        assert_string_equal(cell(&driven, "link"), "2");
    run(&driven, "batch 4");
    assert_string_equal(cell(&driven, "link"), "4");
    run(&driven, "batch all");
    assert_null(strstr(look(&driven), "of batch"));
    assert_false(can(&driven, "batch 9") || can(&driven, "batch -1") || can(&driven, "batch x"));
    assert_false(can(&driven, "batch 4294967298") || can(&driven, "batch 4294967295"));
    run(&driven, "goto 0");
    assert_false(can(&driven, "batch 4"));
    stop_driving(&driven);
}

/* What one screen was asked stays there; batches are another matter, and how to get all back is said. */
static void test_questions_stay_behind(void **state) {
    (void)state;
    struct driven driven;
    drive(&driven, GOLDEN("unloads"));
    run(&driven, "why alone");
    run(&driven, "symbols");
    assert_null(strstr(look(&driven), "symbols alone"));
    run(&driven, "filter kind = function");
    run(&driven, "sort -size");
    run(&driven, "batch 2");
    assert_non_null(strstr(message(&driven), "`batch all` for all"));
    assert_non_null(strstr(look(&driven), "symbols of batch 2, only kind = function"));
    assert_true(driven.state.table.descending);
    run(&driven, "batch all");
    assert_non_null(strstr(look(&driven), "symbols, only kind = function"));
    stop_driving(&driven);
}

/* What `jitscope show` calls something is a name for it here too. */
static void test_names_of_views(void **state) {
    (void)state;
    struct driven driven;
    drive(&driven, GOLDEN("edges"));
    run(&driven, "symbols");
    run(&driven, "batches");
    assert_string_equal(screen_name(&driven), "overview");
    for (uint32_t i = 0; i < SCREEN_COUNT; i++)
        if (*screens[i].view)
            assert_true(screen_find(screens[i].view, strlen(screens[i].view)) < SCREEN_COUNT);
    assert_int_equal(screen_find("", 0), SCREEN_COUNT);
    stop_driving(&driven);
}

/* What a text is made of is escaped once, and messages of failed links are there to be read. */
static void test_texts_of_events(void **state) {
    (void)state;
    struct driven driven;
    drive(&driven, GOLDEN("failing"));
    run(&driven, "events");
    run(&driven, "filter event = link_end");
    resize(&driven, 24, 400);
    assert_non_null(strstr(look(&driven), "unresolved symbol:\\x0a"));
    assert_null(strstr(look(&driven), "\\x5c"));
    run(&driven, "filter event = string and fields ~ text");
    assert_non_null(strstr(look(&driven), "text="));
    run(&driven, "filter sequence < 0");
    assert_false(can(&driven, "enter"));
    assert_string_equal(message(&driven), "there is no row to go into");
    stop_driving(&driven);
}

/* The map's rows are where they are, whatever comes in before them. */
static void test_map_through_time(void **state) {
    (void)state;
    struct driven driven;
    drive(&driven, GOLDEN("unloads"));
    run(&driven, "map");
    run(&driven, "last");
    char address[256];
    snprintf(address, sizeof address, "%s", cell(&driven, "address"));
    uint64_t rows = driven.state.table.sheet.count, cursor = driven.state.table.cursor;
    for (int steps = 0; driven.state.table.sheet.count == rows; steps++) {
        assert_true(steps < 1000);
        run(&driven, "event -1");
    }
    assert_string_equal(cell(&driven, "address"), address);
    assert_int_not_equal(driven.state.table.cursor, cursor);
    stop_driving(&driven);
}

/* The help lies over the rows: clicks do not go through it, and the wheel turns it. */
static void test_mouse_on_help(void **state) {
    (void)state;
    struct driven driven;
    drive(&driven, GOLDEN("edges"));
    run(&driven, "symbols");
    run(&driven, "help");
    give(&driven, (struct input){.kind = INPUT_WHEEL, .wheel = 3});
    assert_int_equal(driven.state.help_top, 3);
    give(&driven, (struct input){.kind = INPUT_CLICK, .rows = 5, .columns = 5, .twice = true});
    assert_string_equal(screen_name(&driven), "symbols");
    assert_int_equal(driven.state.table.cursor, 0);
    give(&driven, (struct input){.kind = INPUT_WHEEL, .wheel = -9});
    assert_int_equal(driven.state.help_top, 0);
    assert_true(driven.state.help);
    stop_driving(&driven);
}

/* Beyond the end is the end, which is said; the number is the last event's. */
static void test_beyond_the_end(void **state) {
    (void)state;
    struct driven driven;
    char wanted[64];
    drive(&driven, GOLDEN("edges"));
    uint64_t last = inspected_last(driven.inspected);
    run(&driven, "goto 99999999");
    assert_int_equal(driven.inspected->now, last);
    snprintf(wanted, sizeof wanted, "the last event is %llu", (unsigned long long)last);
    assert_string_equal(message(&driven), wanted);
    snprintf(wanted, sizeof wanted, "goto %llu", (unsigned long long)last);
    run(&driven, wanted);
    assert_string_equal(message(&driven), "");
    stop_driving(&driven);
}

static void test_zoom(void **state) {
    (void)state;
    struct driven driven;
    drive(&driven, GOLDEN("edges"));
    assert_false(can(&driven, "zoom in"));
    run(&driven, "map");
    run(&driven, "enter"); /* closer, then to the blocks */
    assert_int_equal(driven.state.table.sheet.count, 1);
    run(&driven, "enter");
    assert_string_equal(screen_name(&driven), "blocks");
    keys(&driven, "Esc Esc");
    assert_string_equal(screen_name(&driven), "map");
    run(&driven, "map");
    run(&driven, "down 2");
    run(&driven, "zoom in");
    assert_int_equal(driven.state.place.question.size, 0x1038);
    run(&driven, "zoom out");
    assert_int_equal(driven.state.place.question.size, 0x2070);
    for (int i = 0; i < 80; i++)
        run(&driven, "zoom out");
    for (int i = 0; i < 80; i++)
        run(&driven, "zoom in");
    assert_true(driven.state.table.shown.count > 0);
    assert_false(can(&driven, "zoom") || can(&driven, "zoom up"));
    stop_driving(&driven);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_screens),
        cmocka_unit_test(test_entering),
        cmocka_unit_test(test_code_and_why),
        cmocka_unit_test(test_back_and_forward),
        cmocka_unit_test(test_back_over_what_is_not_there),
        cmocka_unit_test(test_sorted_place_comes_back),
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_batches),
        cmocka_unit_test(test_questions_stay_behind),
        cmocka_unit_test(test_names_of_views),
        cmocka_unit_test(test_texts_of_events),
        cmocka_unit_test(test_map_through_time),
        cmocka_unit_test(test_mouse_on_help),
        cmocka_unit_test(test_beyond_the_end),
        cmocka_unit_test(test_zoom),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
