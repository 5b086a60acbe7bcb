/* update(): moving, time, what is taken along; each command of commands.def and each key of keys.def.
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
        cmocka_unit_test(test_moving),       cmocka_unit_test(test_pages),
        cmocka_unit_test(test_columns),      cmocka_unit_test(test_clicks),
        cmocka_unit_test(test_events),       cmocka_unit_test(test_passes_and_batches),
        cmocka_unit_test(test_times),        cmocka_unit_test(test_following),
        cmocka_unit_test(test_changes),      cmocka_unit_test(test_effects),
        cmocka_unit_test(test_help),         cmocka_unit_test(test_all_keys),
        cmocka_unit_test(test_all_commands), cmocka_unit_test(test_unknown_commands),
        cmocka_unit_test(test_purity),       cmocka_unit_test(test_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
