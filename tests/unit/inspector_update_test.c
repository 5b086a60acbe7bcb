/* update(): moving, places, time, what is taken along; each command of commands.def and each key of keys.def.
 */
#define _GNU_SOURCE
#include "driven_inspector.h"

#include <stdlib.h>

/* --- moving --- */

static uint64_t cursor_of(const struct driven *driven) {
    return driven->state.table.cursor;
}

static void test_moving(void **state) {
    (void)state;
    struct driven driven;
    drive(&driven, GOLDEN("edges"));
    run(&driven, "symbols");
    assert_string_equal(cell(&driven, "name"), "local");
    run(&driven, "down");
    assert_string_equal(cell(&driven, "name"), "main");
    run(&driven, "down 2");
    assert_string_equal(cell(&driven, "name"), "_GLOBAL_OFFSET_TABLE_");
    run(&driven, "up 1");
    assert_string_equal(cell(&driven, "name"), "other");
    run(&driven, "down 0");
    assert_string_equal(cell(&driven, "name"), "other");
    run(&driven, "down 4294967295");
    assert_string_equal(cell(&driven, "name"), "far");
    run(&driven, "down");
    assert_string_equal(cell(&driven, "name"), "far");
    run(&driven, "up 4000000000");
    assert_string_equal(cell(&driven, "name"), "local");
    run(&driven, "last");
    assert_string_equal(cell(&driven, "name"), "far");
    run(&driven, "first");
    assert_string_equal(cell(&driven, "name"), "local");
    assert_false(can(&driven, "down -1") || can(&driven, "up x") || can(&driven, "down 4294967296") ||
                 can(&driven, "first 1"));
    assert_string_equal(cell(&driven, "name"), "local");
    stop_driving(&driven);
}

/* A page is what is in view; the view moves with the cursor. */
static void test_pages(void **state) {
    (void)state;
    struct driven driven;
    drive(&driven, GOLDEN("edges"));
    run(&driven, "events");
    resize(&driven, 23, 80); /* 20 rows */
    assert_int_equal(driven.state.table.shown.count, 20);
    run(&driven, "down 5");
    run(&driven, "page-down");
    assert_int_equal(cursor_of(&driven), 25);
    assert_int_equal(driven.state.table.top, 20);
    run(&driven, "half-down");
    assert_int_equal(cursor_of(&driven), 35);
    assert_int_equal(driven.state.table.top, 30);
    run(&driven, "half-up");
    run(&driven, "page-up");
    assert_int_equal(cursor_of(&driven), 5);
    assert_int_equal(driven.state.table.top, 0);
    run(&driven, "page-up");
    assert_int_equal(cursor_of(&driven), 0);
    run(&driven, "last");
    uint64_t last = cursor_of(&driven);
    assert_int_equal(last + 1, inspected_count(driven.inspected));
    assert_int_equal(driven.state.table.top, last - 19);
    run(&driven, "page-down");
    assert_int_equal(cursor_of(&driven), last);
    give(&driven, (struct input){.kind = INPUT_WHEEL, .wheel = -3});
    assert_int_equal(cursor_of(&driven), last - 3);
    give(&driven, (struct input){.kind = INPUT_WHEEL, .wheel = 30});
    assert_int_equal(cursor_of(&driven), last);
    stop_driving(&driven);
}

static void test_columns(void **state) {
    (void)state;
    struct driven driven;
    drive(&driven, GOLDEN("edges"));
    run(&driven, "got");
    run(&driven, "left");
    assert_non_null(strstr(look(&driven), "link  entry"));
    for (int i = 0; i < 2; i++)
        run(&driven, "right");
    assert_null(strstr(look(&driven), "link  entry"));
    assert_non_null(strstr(look(&driven), "slot"));
    for (int i = 0; i < 20; i++)
        run(&driven, "right");
    assert_int_equal(driven.state.place.first_column + 1, driven.state.table.sheet.column_count);
    for (int i = 0; i < 20; i++)
        run(&driven, "left");
    assert_non_null(strstr(look(&driven), "link  entry"));
    stop_driving(&driven);
}

static void test_clicks(void **state) {
    (void)state;
    struct driven driven;
    drive(&driven, GOLDEN("edges"));
    run(&driven, "symbols");
    resize(&driven, 8, 80); /* title, headings, five rows, status */
    give(&driven, (struct input){.kind = INPUT_CLICK, .rows = 4, .columns = 3});
    assert_string_equal(cell(&driven, "name"), "other");
    give(&driven, (struct input){.kind = INPUT_CLICK, .rows = 0});
    give(&driven, (struct input){.kind = INPUT_CLICK, .rows = 1});
    give(&driven, (struct input){.kind = INPUT_CLICK, .rows = 7});
    give(&driven, (struct input){.kind = INPUT_CLICK, .rows = 60000, .columns = 60000});
    assert_string_equal(cell(&driven, "name"), "other");
    give(&driven, (struct input){.kind = INPUT_CLICK, .rows = 2, .columns = 0, .twice = true});
    assert_string_equal(screen_name(&driven), "bytes"); /* `local` is data */
    stop_driving(&driven);
}

/* --- places --- */

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
    assert_non_null(strstr(look(&driven), "the GOT slot of far is at 0x10001088"));
    run(&driven, "leave");
    run(&driven, "got");
    run(&driven, "last");
    run(&driven, "why");
    assert_non_null(strstr(look(&driven), "0x10001088 is byte 0x0 of the GOT slot of far"));
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

/* --- time --- */

struct moments {
    uint64_t passes[128], links[8], last;
    uint64_t times[128]; /* of the passes */
    uint32_t pass_count, link_count;
};

/* What the recording itself says, read event by event. */
static struct moments read_moments(const char *path) {
    struct recording_file file;
    struct moments moments = {0};
    struct event_view view;
    assert_null(recording_open(path, &file));
    struct event_cursor cursor = {.file = &file};
    while (event_next(&cursor, &view)) {
        moments.last = view.sequence;
        if (view.type->id == EVENT_ID_link_begin)
            moments.links[moments.link_count++] = view.sequence;
        if (view.type->id != EVENT_ID_pass_begin)
            continue;
        struct event_pass_begin pass;
        memcpy(&pass, view.record, sizeof pass);
        moments.times[moments.pass_count] = pass.time;
        moments.passes[moments.pass_count++] = view.sequence;
    }
    recording_close(&file);
    return moments;
}

static void test_events(void **state) {
    (void)state;
    struct driven driven;
    struct moments moments = read_moments(GOLDEN("edges"));
    drive(&driven, GOLDEN("edges"));
    run(&driven, "goto 100");
    assert_int_equal(driven.inspected->now, 100);
    run(&driven, "event 1");
    run(&driven, "event");
    assert_int_equal(driven.inspected->now, 102);
    run(&driven, "event -3");
    assert_int_equal(driven.inspected->now, 99);
    run(&driven, "event -1000");
    assert_int_equal(driven.inspected->now, 0);
    run(&driven, "event -9223372036854775808");
    assert_int_equal(driven.inspected->now, 0);
    run(&driven, "event 9223372036854775807");
    assert_int_equal(driven.inspected->now, moments.last);
    run(&driven, "event 1");
    assert_int_equal(driven.inspected->now, moments.last);
    run(&driven, "goto 9223372036854775807");
    assert_int_equal(driven.inspected->now, moments.last);
    run(&driven, "goto 0x40");
    assert_int_equal(driven.inspected->now, 0x40);
    assert_false(can(&driven, "goto") || can(&driven, "goto -1") || can(&driven, "goto x") ||
                 can(&driven, "event x"));
    assert_false(can(&driven, "goto 99999999999999999999"));
    assert_int_equal(driven.inspected->now, 0x40);
    stop_driving(&driven);
}

static void test_passes_and_batches(void **state) {
    (void)state;
    struct driven driven;
    struct moments moments = read_moments(GOLDEN("unloads"));
    drive(&driven, GOLDEN("unloads"));
    run(&driven, "goto 0");
    for (uint32_t i = 0; i < moments.link_count; i++) {
        run(&driven, "step-batch 1");
        assert_int_equal(driven.inspected->now, moments.links[i]);
    }
    run(&driven, "step-batch");
    assert_int_equal(driven.inspected->now, moments.last);
    run(&driven, "step-batch -2");
    assert_int_equal(driven.inspected->now, moments.links[moments.link_count - 2]);
    run(&driven, "step-batch -99");
    assert_int_equal(driven.inspected->now, 0);
    run(&driven, "step-batch 2");
    run(&driven, "pass");
    uint32_t pass = 0;
    while (moments.passes[pass] < moments.links[1])
        pass++;
    assert_int_equal(driven.inspected->now, moments.passes[pass]);
    run(&driven, "pass 3");
    assert_int_equal(driven.inspected->now, moments.passes[pass + 3]);
    run(&driven, "pass -1");
    run(&driven, "pass -1");
    assert_int_equal(driven.inspected->now, moments.passes[pass + 1]);
    assert_false(can(&driven, "pass x") || can(&driven, "step-batch 1x"));
    stop_driving(&driven);
}

/* Times count from the first that is told, the link's beginning. */
static void test_times(void **state) {
    (void)state;
    struct driven driven;
    char line[64];
    struct moments moments = read_moments(GOLDEN("edges"));
    drive(&driven, GOLDEN("edges"));
    run(&driven, "goto +0");
    assert_int_equal(driven.inspected->now, moments.links[0]);
    uint64_t begin = inspected_first(driven.inspected)->time;
    for (uint32_t i = 0; i + 1 < moments.pass_count; i++) {
        snprintf(line, sizeof line, "goto +%lluns", (unsigned long long)(moments.times[i] - begin));
        run(&driven, line);
        assert_int_equal(driven.inspected->now, moments.passes[i]);
        snprintf(line, sizeof line, "goto +%.3fus", (double)(moments.times[i + 1] - begin - 1) / 1e3);
        run(&driven, line);
        assert_int_equal(driven.inspected->now, moments.passes[i]);
    }
    run(&driven, "goto +1s");
    assert_int_equal(driven.inspected->now, moments.passes[moments.pass_count - 1]);
    assert_false(can(&driven, "goto +") || can(&driven, "goto +1h") || can(&driven, "goto +-1ms") ||
                 can(&driven, "goto +nan") || can(&driven, "goto +1e300s"));
    stop_driving(&driven);
}

static void test_following(void **state) {
    (void)state;
    struct driven driven;
    struct moments moments = read_moments(GOLDEN("edges"));
    drive(&driven, GOLDEN("edges"));
    run(&driven, "goto 100");
    assert_false(driven.state.follows);
    run(&driven, "follow");
    assert_true(driven.state.follows);
    assert_int_equal(driven.inspected->now, moments.last);
    run(&driven, "pause");
    assert_false(driven.state.follows);
    run(&driven, "pause");
    assert_true(driven.state.follows);
    run(&driven, "event -1");
    assert_false(driven.state.follows);
    stop_driving(&driven);
}

/* What the last step changed is marked; the cursor stays on its row, sorted or not. */
static void test_changes(void **state) {
    (void)state;
    struct driven driven;
    struct moments moments = read_moments(GOLDEN("edges"));
    drive(&driven, GOLDEN("edges"));
    run(&driven, "passes");
    run(&driven, "goto 0");
    assert_int_equal(driven.state.table.shown.count, 0);
    run(&driven, "pass 4"); /* the link begins, and three passes */
    assert_int_equal(driven.state.table.shown.count, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_true(driven.state.table.shown.data[i].is_new);
    run(&driven, "pass 1");
    assert_false(driven.state.table.shown.data[0].is_new || driven.state.table.shown.data[0].changed);
    assert_true(driven.state.table.shown.data[2].changed); /* it has ended */
    assert_true(driven.state.table.shown.data[3].is_new);
    run(&driven, "sort -name");
    run(&driven, "search define-dso-handle");
    run(&driven, "pass 7");
    assert_string_equal(cell(&driven, "name"), "define-dso-handle");
    run(&driven, "filter name ~ e");
    run(&driven, "search define-dso-handle");
    run(&driven, "pass -5");
    assert_string_equal(cell(&driven, "name"), "define-dso-handle");
    assert_true(moments.pass_count > 12);
    stop_driving(&driven);
}

/* --- what is taken along --- */

static void test_effects(void **state) {
    (void)state;
    struct driven driven;
    drive(&driven, GOLDEN("edges"));
    run(&driven, "symbols");
    run(&driven, "down");
    run(&driven, "copy");
    assert_string_equal(take_effects(&driven), "copy=0x10000000");
    assert_string_equal(message(&driven), "copied 0x10000000");
    run(&driven, "copy name");
    assert_string_equal(take_effects(&driven), "copy=main");
    run(&driven, "copy-row");
    assert_string_equal(take_effects(&driven),
                        "copy=1\t1\t0x10000000\t36\tfunction\tstrong\tdefault\tdefined\tmain\tmain.o");
    run(&driven, "passes");
    run(&driven, "copy");
    assert_string_equal(take_effects(&driven), "copy=read-inputs");
    assert_false(can(&driven, "copy nothing") || can(&driven, "export") || can(&driven, "save-screen"));
    run(&driven, "tls");
    assert_false(can(&driven, "copy") || can(&driven, "copy-row"));
    run(&driven, "save-screen a file");
    run(&driven, "redraw");
    run(&driven, "suspend");
    run(&driven, "quit");
    assert_string_equal(take_effects(&driven), "save-screen:a file redraw suspend quit");
    run(&driven, "plt");
    run(&driven, "export x.json");
    assert_non_null(strstr(take_effects(&driven), "write:x.json=[\n{\"link\":1,\"entry\":0,"));
    run(&driven, "export x.txt");
    assert_non_null(strstr(take_effects(&driven), "write:x.txt=link  entry"));
    run(&driven, "filter symbol = nothing");
    run(&driven, "export y.json");
    assert_string_equal(take_effects(&driven), "write:y.json=[\n]\n");
    stop_driving(&driven);
}

static void test_help(void **state) {
    (void)state;
    struct driven driven;
    drive(&driven, GOLDEN("edges"));
    keys(&driven, "?");
    assert_true(driven.state.help);
    char *top = strdup(look(&driven));
    keys(&driven, "Down Down PgDn PgUp Up Up Up");
    assert_string_equal(look(&driven), top);
    for (int i = 0; i < 50; i++)
        keys(&driven, "PgDn");
    assert_non_null(strstr(look(&driven), "end the inspector"));
    for (int i = 0; i < 50; i++)
        keys(&driven, "PgUp");
    assert_string_equal(look(&driven), top);
    keys(&driven, "x");
    assert_false(driven.state.help);
    assert_string_equal(screen_name(&driven), "overview");
    free(top);
    stop_driving(&driven);
}

/* --- all of it --- */

/* A key does what its command line does. */
static void test_all_keys(void **state) {
    (void)state;
    static const struct {
        const char *key, *command;
    } all[] = {
#define KEY(key, command) {key, command},
#include "model/keys.def"
#undef KEY
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct driven pressed, ran;
        drive(&pressed, GOLDEN("unloads"));
        drive(&ran, GOLDEN("unloads"));
        const char *const before[] = {"symbols", "search main", "got", "down", "back", "sort size", "down 2"};
        for (size_t j = 0; j < sizeof before / sizeof *before; j++)
            assert_int_equal(can(&pressed, before[j]), can(&ran, before[j]));
        bool good = press(&pressed, key_parse(all[i].key, strlen(all[i].key)));
        assert_int_equal(good, can(&ran, all[i].command));
        assert_string_equal(look(&pressed), look(&ran));
        char *effects = strdup(take_effects(&pressed));
        assert_string_equal(effects, take_effects(&ran));
        free(effects);
        stop_driving(&pressed);
        stop_driving(&ran);
    }
}

/* Each command, alone and with a word behind it, on each screen: done, or said why not. */
static void test_all_commands(void **state) {
    (void)state;
    static const char *const words[] = {"", "1", "main", "all", "in", "name", "a", "-1", "%s", "é"};
    struct driven driven;
    drive(&driven, GOLDEN("edges"));
    for (uint32_t i = 0; i < SCREEN_COUNT; i++)
        for (uint32_t j = 0; j < inspector_command_count; j++)
            for (size_t k = 0; k < sizeof words / sizeof *words; k++) {
                char line[64];
                can(&driven, screens[i].name);
                snprintf(line, sizeof line, "%s %s", inspector_commands[j].name, words[k]);
                bool good = can(&driven, line);
                bool keeps_message = !strcmp(inspector_commands[j].name, "save-screen");
                assert_true(good != driven.state.message_is_error || !driven.state.message.length ||
                            keeps_message);
                assert_true(good || driven.state.message.length);
                assert_false(good && *words[k] && inspector_commands[j].argument == ARGUMENT_NOTHING);
                forget_effects(&driven);
                keys(&driven, "Esc Esc");
                if (j % 8 == 0)
                    run(&driven, "follow");
            }
    stop_driving(&driven);
}

static void test_unknown_commands(void **state) {
    (void)state;
    struct driven driven;
    drive(&driven, GOLDEN("edges"));
    assert_false(can(&driven, "symbls"));
    assert_string_equal(message(&driven), "no command is called 'symbls'; did you mean symbols?");
    assert_false(can(&driven, "xyzzyxyzzy"));
    assert_string_equal(message(&driven), "no command is called 'xyzzyxyzzy'; ? lists all commands");
    assert_true(can(&driven, "") && can(&driven, "   "));
    run(&driven, "  got  ");
    assert_string_equal(screen_name(&driven), "got");
    stop_driving(&driven);
}

/* The same inputs give the same screen, each time; nothing but the state remembers. */
static void test_purity(void **state) {
    (void)state;
    static const char *const lines[] = {"symbols",
                                        "down 3",
                                        "enter",
                                        "leave",
                                        "goto 200",
                                        "passes",
                                        "sort -us",
                                        "last",
                                        "pass 2",
                                        "got",
                                        "code main",
                                        "down 4",
                                        "enter",
                                        "back",
                                        "map",
                                        "zoom in",
                                        "mark a",
                                        "events",
                                        "filter event ~ pass",
                                        "last",
                                        "demangle",
                                        "jump a",
                                        "why main",
                                        "search x",
                                        "help"};
    struct driven one, two;
    drive(&one, GOLDEN("archive"));
    drive(&two, GOLDEN("archive"));
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        assert_int_equal(can(&one, lines[i]), can(&two, lines[i]));
        char *screen = strdup(look(&one));
        assert_string_equal(screen, look(&two));
        assert_string_equal(screen, look(&one)); /* drawing changes nothing */
        free(screen);
    }
    assert_int_equal(one.grid.rows, two.grid.rows);
    for (uint16_t i = 0; i < one.grid.rows; i++)
        for (uint16_t j = 0; j < one.grid.columns; j++) {
            const struct grid_cell *a = grid_cell(&one.grid, i, j), *b = grid_cell(&two.grid, i, j);
            assert_int_equal(a->character, b->character);
            assert_int_equal(a->style << 8 | a->overlay, b->style << 8 | b->overlay);
        }
    stop_driving(&one);
    stop_driving(&two);
}

/* Any size, from nothing on; what was there comes back. */
static void test_sizes(void **state) {
    (void)state;
    struct driven driven;
    drive(&driven, GOLDEN("edges"));
    for (uint32_t i = 0; i < SCREEN_COUNT; i++) {
        can(&driven, screens[i].name);
        run(&driven, "last");
        resize(&driven, 1000, 80); /* columns are as wide as what was seen */
        resize(&driven, 24, 80);
        run(&driven, "first");
        run(&driven, "last");
        char *screen = strdup(look(&driven));
        for (uint16_t rows = 0; rows < 30; rows++)
            for (uint16_t columns = 0; columns < 90; columns += rows < 8 ? 1 : 29) {
                resize(&driven, rows, columns);
                assert_int_equal(driven.grid.rows, rows);
                assert_int_equal(driven.grid.columns, columns);
            }
        resize(&driven, 65535, 1);
        resize(&driven, 1, 65535);
        resize(&driven, 24, 80);
        run(&driven, "first");
        run(&driven, "last");
        assert_string_equal(look(&driven), screen);
        free(screen);
    }
    stop_driving(&driven);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_moving),
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_columns),
        cmocka_unit_test(test_clicks),
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
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_passes_and_batches),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_following),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_effects),
        cmocka_unit_test(test_help),
        cmocka_unit_test(test_all_keys),
        cmocka_unit_test(test_all_commands),
        cmocka_unit_test(test_unknown_commands),
        cmocka_unit_test(test_purity),
        cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
