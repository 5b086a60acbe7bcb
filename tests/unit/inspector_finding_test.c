/* Filters, sorting and searching, in slices of any size; the prompt: editing, history, completion; key files.
 */
#define _GNU_SOURCE
#include "driven_inspector.h"

#include <stdlib.h>

/* --- filters and sorting --- */

/* The values of COLUMN, top down, with a blank behind each. */
static char *column_of(struct driven *driven, const char *column) {
    struct text text = {0};
    struct table *table = &driven->state.table;
    int number = sheet_column(&table->sheet, column);
    assert_true(number >= 0);
    for (uint64_t place = 0; place < table_count(table); place++) {
        struct rows rows = {0};
        if (table_row(table, place, &rows)) {
            cell_print(&text, &table->sheet.columns[number], &rows.cells.data[number]);
            text_append(&text, " ");
        }
        rows_destroy(&rows);
    }
    return text_take(&text);
}

static void expect_column(struct driven *driven, const char *column, const char *values) {
    char *got = column_of(driven, column);
    assert_string_equal(got, values);
    os_release(got);
}

static void test_filters(void **state) {
    (void)state;
    struct driven driven;
    drive(&driven, GOLDEN("edges"));
    run(&driven, "symbols");
    run(&driven, "last");
    run(&driven, "filter size > 30 and kind = function");
    expect_column(&driven, "name", "main other ");
    assert_string_equal(cell(&driven, "name"), "main");
    assert_non_null(strstr(look(&driven), "only size > 30 and kind = function"));
    run(&driven, "filter name ~ ta or linkage == weak");
    expect_column(&driven, "name", "table twice ");
    run(&driven, "filter name = nobody");
    expect_column(&driven, "name", "");
    assert_non_null(strstr(look(&driven), "no row passes the filter"));
    keys(&driven, "Up Down PgUp End Enter y");
    run(&driven, "filter");
    expect_column(&driven, "size", "4 36 31 0 8 80 4 0 ");
    stop_driving(&driven);
}

/* What is wrong is said, and what was there stays. */
static void test_wrong_filters(void **state) {
    (void)state;
    static const char *const wrong[] = {
        "nothing = 1",   "size",     "size >", "size > x",         "name = \"a", "size > 1 and",
        "size > 1 size", "size ! 1", "= 1",    "size > 1 or name", "and",        "'"};
    struct driven driven;
    drive(&driven, GOLDEN("edges"));
    run(&driven, "symbols");
    run(&driven, "filter size > 30");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char line[64];
        snprintf(line, sizeof line, "filter %s", wrong[i]);
        assert_false(can(&driven, line));
        assert_int_equal(strncmp(message(&driven), "filter: ", 8), 0);
        assert_non_null(strstr(message(&driven), "columns: link, symbol"));
        expect_column(&driven, "name", "main other table ");
    }
    stop_driving(&driven);
}

static void test_sorting(void **state) {
    (void)state;
    struct driven driven;
    drive(&driven, GOLDEN("edges"));
    run(&driven, "symbols");
    run(&driven, "sort size");
    expect_column(&driven, "size", "0 0 4 4 8 31 36 80 ");
    run(&driven, "sort -size");
    expect_column(&driven, "size", "80 36 31 8 4 4 0 0 ");
    expect_column(&driven, "symbol", "5 1 2 4 0 8 3 9 "); /* equal ones as they were */
    run(&driven, "sort name");
    expect_column(&driven, "name", "_GLOBAL_OFFSET_TABLE_ far local main other pointer table twice ");
    run(&driven, "filter size > 8");
    expect_column(&driven, "name", "main other table ");
    run(&driven, "sort-reverse");
    expect_column(&driven, "name", "table other main ");
    run(&driven, "sort-reverse");
    expect_column(&driven, "name", "main other table ");
    run(&driven, "filter");
    run(&driven, "sort");
    expect_column(&driven, "symbol", "0 1 2 3 4 5 8 9 ");
    run(&driven, "sort-reverse");
    assert_int_equal(driven.state.table.sort_column, 0);
    assert_false(can(&driven, "sort nothing") || can(&driven, "sort -") || can(&driven, "sort name size"));
    assert_non_null(strstr(message(&driven), "columns: link, symbol, address"));
    uint32_t columns = driven.state.table.sheet.column_count;
    run(&driven, "sort");
    for (uint32_t i = 0; i < columns; i++) {
        run(&driven, "sort-next");
        assert_int_equal(driven.state.table.sort_column, i);
    }
    run(&driven, "sort-next");
    assert_int_equal(driven.state.table.sort_column, -1);
    stop_driving(&driven);
}

/* Absent cells come last, whichever way. */
static void test_sorting_what_is_absent(void **state) {
    (void)state;
    struct driven driven;
    drive(&driven, GOLDEN("edges"));
    run(&driven, "map");
    run(&driven, "sort -prot");
    expect_column(&driven, "prot", "rw- r-x r-- - - ");
    run(&driven, "sort prot");
    expect_column(&driven, "prot", "r-- r-x rw- - - ");
    stop_driving(&driven);
}

static char *order_of(const struct table *table) {
    struct text text = {0};
    for (uint32_t i = 0; i < table->order.count; i++)
        text_print(&text, "%llu ", (unsigned long long)table->order.data[i]);
    text_print(&text, "cursor %llu", (unsigned long long)table->cursor);
    return text_take(&text);
}

static void drain(struct table *table, uint64_t rows) {
    while (table_has_work(table))
        jitscope_error_destroy(table_work(table, rows));
}

/* However scans are cut, they end in the same. */
static void test_slices(void **state) {
    (void)state;
    static const char *const filters[] = {NULL, "event ~ pass", "fields ~ 1", "sequence > 999"};
    static const int columns[] = {-1, 0, 2, 3};
    static const uint64_t slices[] = {1, 2, 7, 100};
    struct driven driven;
    drive(&driven, GOLDEN("unloads"));
    run(&driven, "events");
    struct table *table = &driven.state.table;
    for (size_t i = 0; i < 4 * 4 * 2; i++) {
        bool descending = i % 2;
        assert_null(table_set_filter(table, filters[i / 8]));
        assert_null(table_set_sort(table, columns[i / 2 % 4], descending));
        drain(table, UINT64_MAX);
        table_move(table, 9);
        assert_null(table_refresh(table)); /* the cursor has a row to come back to */
        drain(table, UINT64_MAX);
        char *whole = order_of(table);
        for (size_t j = 0; j < sizeof slices / sizeof *slices; j++) {
            assert_null(table_refresh(table));
            drain(table, slices[j]);
            char *sliced = order_of(table);
            assert_string_equal(sliced, whole);
            os_release(sliced);
        }
        os_release(whole);
    }
    stop_driving(&driven);
}

/* While data comes in faster than rows can be gone through, the order stays in view, the cursor on its row,
 * and a new order comes about all the same. */
static void test_order_while_data_comes_in(void **state) {
    (void)state;
    static const char *const filters[] = {NULL, "size > 0"};
    for (size_t i = 0; i < 2; i++) {
        struct driven driven;
        drive(&driven, GOLDEN("edges"));
        run(&driven, "symbols");
        struct table *table = &driven.state.table;
        assert_null(table_set_filter(table, filters[i]));
        assert_null(table_set_sort(table, i ? -1 : sheet_column(&table->sheet, "size"), true));
        drain(table, UINT64_MAX);
        table_move(table, 2);
        char *wanted = order_of(table);
        struct position cursor = table_position(table);
        bool was_renewing = false;
        int ends = 0;
        for (int round = 0; round < 100; round++) {
            assert_null(table_renew(table));
            table_work(table, 1);
            ends += was_renewing && !table->scanned;
            was_renewing = table->is_renewing;
            char *got = order_of(table);
            assert_string_equal(got, wanted);
            os_release(got);
            assert_int_equal(table_position(table).item, cursor.item);
        }
        assert_true(ends > 3);
        table_move(table, 1); /* meanwhile */
        cursor = table_position(table);
        drain(table, 1);
        assert_int_equal(table_position(table).item, cursor.item);
        assert_false(table->is_renewing);
        os_release(wanted);
        stop_driving(&driven);
    }
}

/* At the top of what is sorted the top is kept, at the end of what keeps it the end: there new rows are
 * waited for. */
static void test_places_that_are_kept(void **state) {
    (void)state;
    struct driven driven;
    drive(&driven, GOLDEN("edges"));
    struct table *table = &driven.state.table;
    driven.inspected->interest = UINT64_MAX; /* as of a process */
    for (int i = 0; i < 4; i++) {
        bool sorted = i & 1, keeps_end = i & 2;
        run(&driven, "goto 100");
        run(&driven, "events");
        run(&driven, "filter sequence > 50");
        run(&driven, sorted ? "sort -sequence" : "last");
        assert_string_equal(cell(&driven, "sequence"), "100");
        inspected_seek(driven.inspected, 120);
        table->keeps_end = keeps_end;
        assert_null(table_renew(table));
        drain(table, 7);
        assert_string_equal(cell(&driven, "sequence"), sorted || keeps_end ? "120" : "100");
    }
    run(&driven, "goto 100"); /* without an order */
    run(&driven, "events");
    run(&driven, "last");
    run(&driven, "follow");
    assert_string_equal(cell(&driven, "sequence"), "100");
    run(&driven, "goto 100");
    run(&driven, "last");
    driven.state.follows = true;
    assert_true(update(&driven.state, &(struct input){.kind = INPUT_NEWS}));
    assert_int_equal(strtoull(cell(&driven, "sequence"), NULL, 10), inspected_last(driven.inspected));
    stop_driving(&driven);
}

/* Rows that are not all found yet are not written as if they were. */
static void test_export_while_scanning(void **state) {
    (void)state;
    struct driven driven;
    drive(&driven, GOLDEN("edges"));
    run(&driven, "symbols");
    assert_null(table_set_filter(&driven.state.table, "size > 30"));
    assert_false(update(&driven.state, &(struct input){.kind = INPUT_COMMAND, .command = "export f.txt"}));
    assert_string_equal(message(&driven), "the rows are still being looked for");
    finish_work(&driven);
    run(&driven, "export f.txt");
    forget_effects(&driven);
    stop_driving(&driven);
}

/* --- searching --- */

static void test_searching(void **state) {
    (void)state;
    struct driven driven;
    drive(&driven, GOLDEN("edges"));
    assert_false(can(&driven, "search-next") || can(&driven, "search-previous") || can(&driven, "search"));
    assert_string_equal(message(&driven), "nothing was searched yet; / searches");
    run(&driven, "symbols");
    run(&driven, "search TABLE"); /* capitals are meant */
    assert_string_equal(cell(&driven, "name"), "_GLOBAL_OFFSET_TABLE_");
    run(&driven, "search table");
    assert_string_equal(cell(&driven, "name"), "table");
    assert_string_equal(message(&driven), "");
    run(&driven, "search-next");
    assert_string_equal(cell(&driven, "name"), "_GLOBAL_OFFSET_TABLE_");
    assert_string_equal(message(&driven), "search went on at the top");
    run(&driven, "search-previous");
    assert_string_equal(cell(&driven, "name"), "table");
    assert_string_equal(message(&driven), "search went on at the bottom");
    run(&driven, "search 0x10000028"); /* any column */
    assert_string_equal(cell(&driven, "name"), "other");
    run(&driven, "search"); /* the same again: around to itself */
    assert_string_equal(cell(&driven, "name"), "other");
    assert_false(can(&driven, "search nobody"));
    assert_string_equal(message(&driven), "'nobody' is not on this screen");
    assert_string_equal(cell(&driven, "name"), "other");
    run(&driven, "filter size > 60");
    run(&driven, "search table"); /* among what is shown */
    assert_string_equal(cell(&driven, "name"), "table");
    assert_false(can(&driven, "search main.o:"));
    run(&driven, "filter name = nobody");
    assert_false(can(&driven, "search a"));
    stop_driving(&driven);
}

/* A search waits for the order that it is to go through. */
static void test_search_while_scanning(void **state) {
    (void)state;
    struct driven driven;
    drive(&driven, GOLDEN("edges"));
    run(&driven, "symbols");
    struct table *table = &driven.state.table;
    for (uint64_t slice = 1; slice < 10; slice++) {
        assert_null(table_set_sort(table, sheet_column(&table->sheet, "name"), slice % 2));
        table_search(table, "twice", slice % 3);
        drain(table, slice);
        assert_int_equal(table->search.state, SEARCH_FOUND);
        assert_string_equal(cell(&driven, "name"), "twice");
    }
    stop_driving(&driven);
}

/* --- the prompt --- */

static void expect_line(const struct driven *driven, const char *line, size_t at) {
    const struct prompt *prompt = &driven->state.prompt;
    assert_true(prompt->is_open);
    assert_string_equal(prompt->line.data ? prompt->line.data : "", line);
    assert_int_equal(prompt->at, at);
}

static void test_editing(void **state) {
    (void)state;
    struct driven driven;
    drive(&driven, GOLDEN("edges"));
    keys(&driven, ":");
    expect_line(&driven, "", 0);
    type(&driven, "aé漢z");
    expect_line(&driven, "aé漢z", 7);
    keys(&driven, "Left Left");
    expect_line(&driven, "aé漢z", 3);
    keys(&driven, "Backspace");
    expect_line(&driven, "a漢z", 1);
    keys(&driven, "Del");
    expect_line(&driven, "az", 1);
    type(&driven, "ü");
    expect_line(&driven, "aüz", 3);
    keys(&driven, "Home Left Del");
    expect_line(&driven, "üz", 0);
    keys(&driven, "End Right Del");
    expect_line(&driven, "üz", 3);
    keys(&driven, "^A Right ^K");
    expect_line(&driven, "ü", 2);
    keys(&driven, "^U ^U ^K ^W");
    expect_line(&driven, "", 0);
    type(&driven, "one  two ");
    keys(&driven, "^W");
    expect_line(&driven, "one  ", 5);
    keys(&driven, "^W");
    expect_line(&driven, "", 0);
    press(&driven, KEY_NAMED_F5); /* no character */
    press(&driven, KEY_CONTROL('T'));
    expect_line(&driven, "", 0);
    keys(&driven, "^H"); /* there is nothing to rub out */
    assert_false(driven.state.prompt.is_open);
    stop_driving(&driven);
}

static void test_leaving_the_prompt(void **state) {
    (void)state;
    static const char *const ways[] = {"Esc", "^C", "^G"};
    struct driven driven;
    drive(&driven, GOLDEN("edges"));
    for (size_t i = 0; i < 3; i++) {
        keys(&driven, ":");
        type(&driven, "quit");
        keys(&driven, ways[i]);
        assert_false(driven.state.prompt.is_open);
    }
    assert_string_equal(take_effects(&driven), "");
    keys(&driven, ": Enter");
    assert_false(driven.state.prompt.is_open);
    keys(&driven, ":");
    type(&driven, "symbols");
    keys(&driven, "Enter /");
    type(&driven, "twice");
    assert_non_null(strstr(look(&driven), "search: twice"));
    keys(&driven, "Enter");
    assert_string_equal(cell(&driven, "name"), "twice");
    keys(&driven, "f");
    type(&driven, "size >");
    assert_false(keys(&driven, "Enter"));
    assert_non_null(strstr(look(&driven), "no value"));
    stop_driving(&driven);
}

/* A prompt wider than the screen; the cursor stays on it. */
static void test_long_lines(void **state) {
    (void)state;
    struct driven driven;
    drive(&driven, GOLDEN("edges"));
    resize(&driven, 5, 12);
    keys(&driven, ":");
    for (int i = 0; i < 3000; i++)
        press(&driven, 'x');
    assert_true(driven.grid.has_cursor);
    assert_in_range(driven.grid.cursor_column, 0, 11);
    assert_int_equal(driven.grid.cursor_row, 4);
    assert_false(keys(&driven, "Enter"));
    stop_driving(&driven);
}

static void test_history(void **state) {
    (void)state;
    struct driven driven;
    drive(&driven, GOLDEN("edges"));
    static const char *const lines[] = {"symbols", "wrong", "got"};
    for (size_t i = 0; i < 3; i++) {
        keys(&driven, ":");
        type(&driven, lines[i]);
        keys(&driven, "Enter");
    }
    keys(&driven, ": Down");
    expect_line(&driven, "", 0);
    keys(&driven, "Up");
    expect_line(&driven, "got", 3);
    keys(&driven, "Up Up Up Up");
    expect_line(&driven, "symbols", 7);
    keys(&driven, "Down");
    expect_line(&driven, "wrong", 5);
    keys(&driven, "Down Down Down");
    expect_line(&driven, "", 0);
    keys(&driven, "Up Up Up Enter");
    assert_string_equal(screen_name(&driven), "symbols");
    stop_driving(&driven);
}

static void expect_completion(struct driven *driven, const char *typed, const char *line, const char *said) {
    keys(driven, ":");
    type(driven, typed);
    keys(driven, "Tab");
    expect_line(driven, line, strlen(line));
    assert_string_equal(message(driven), said);
    keys(driven, "Esc");
    text_clear(&driven->state.message);
}

static void test_completion(void **state) {
    (void)state;
    struct driven driven;
    drive(&driven, GOLDEN("edges"));
    run(&driven, "symbols");
    expect_completion(&driven, "symb", "symbols ", "");
    expect_completion(&driven, "sort-", "sort-", "sort-next  sort-reverse");
    expect_completion(&driven, "sort-n", "sort-next ", "");
    expect_completion(&driven, "dem", "demangle ", "");
    expect_completion(&driven, "xyz", "xyz", "");
    expect_completion(&driven, "screen pas", "screen passes ", "");
    expect_completion(&driven, "screen e", "screen e", "edges  eh-frames  events");
    expect_completion(&driven, "sort li", "sort link", "");
    expect_completion(&driven, "filter kin", "filter kind ", "");
    expect_completion(&driven, "filter size > 3 and nam", "filter size > 3 and name ", "");
    expect_completion(&driven, "quit x", "quit x", "");
    expect_completion(&driven, "nothing x", "nothing x", "");
    keys(&driven, ":");
    type(&driven, "symb got");
    for (int i = 0; i < 4; i++)
        keys(&driven, "Left");
    keys(&driven, "Tab"); /* in the middle */
    expect_line(&driven, "symbols  got", 8);
    keys(&driven, "Esc f");
    type(&driven, "addr");
    keys(&driven, "Tab");
    expect_line(&driven, "address ", 8);
    keys(&driven, "Esc");
    type(&driven, ":got");
    keys(&driven, "Tab Enter"); /* what was completed can be run */
    assert_string_equal(screen_name(&driven), "got");
    stop_driving(&driven);
}

/* Whoever completes sees what there is to choose from. */
static void test_choices_are_seen(void **state) {
    (void)state;
    struct driven driven;
    drive(&driven, GOLDEN("edges"));
    type(&driven, ":sort-");
    keys(&driven, "Tab");
    assert_non_null(strstr(look(&driven), "sort-next  sort-reverse"));
    assert_non_null(strstr(look(&driven), ":sort-\n"));
    stop_driving(&driven);
}

/* Something that is command and screen is offered once. */
static void test_names_of_two(void **state) {
    (void)state;
    struct driven driven;
    drive(&driven, GOLDEN("edges"));
    expect_completion(&driven, "cod", "code ", "");
    expect_completion(&driven, "byt", "bytes ", "");
    stop_driving(&driven);
}

/* --- key files --- */

static struct jitscope_error *read_keys(struct driven *driven, const char *text) {
    return keymap_read(&driven->state.keymap, text, strlen(text), "keys");
}

static void test_key_files(void **state) {
    (void)state;
    struct driven driven;
    drive(&driven, GOLDEN("edges"));
    assert_null(read_keys(&driven, "# mine\n\nz  screen got \n  é down 2\nF9 quit\n^T symbols\nj\n"));
    keys(&driven, "z");
    assert_string_equal(screen_name(&driven), "got");
    keys(&driven, "é");
    assert_string_equal(cell(&driven, "symbol"), "far");
    keys(&driven, "F9");
    assert_string_equal(take_effects(&driven), "quit");
    keys(&driven, "^T j"); /* j does nothing now */
    assert_string_equal(cell(&driven, "name"), "local");
    assert_string_equal(message(&driven), "j does nothing here; ? lists the keys");
    assert_null(read_keys(&driven, "z plt\nz overview")); /* the last one wins, no end of line */
    keys(&driven, "z");
    assert_string_equal(screen_name(&driven), "overview");
    struct jitscope_error *error = read_keys(&driven, "q screen got\r\nw wrong command\r\n");
    assert_int_equal(jitscope_error_code(error), JITSCOPE_ERROR_USAGE);
    jitscope_error_destroy(error);
    keys(&driven, "q");
    assert_string_equal(screen_name(&driven), "got");
    assert_null(read_keys(&driven, ""));
    keys(&driven, "?");
    assert_non_null(strstr(look(&driven), "Screens"));
    stop_driving(&driven);
}

static void test_wrong_key_files(void **state) {
    (void)state;
    static const char *const wrong[] = {"\nnokey down", "# x\nab down", "z down\n^1 up x", "x down\n\xff up",
                                        "x up\nF99 down"};
    struct driven driven;
    drive(&driven, GOLDEN("edges"));
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct jitscope_error *error = read_keys(&driven, wrong[i]);
        assert_non_null(error);
        assert_non_null(strstr(jitscope_error_message(error), "keys:2: no key is called"));
        jitscope_error_destroy(error);
    }
    assert_null(read_keys(&driven, "^ up"));
    stop_driving(&driven);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filters),
        cmocka_unit_test(test_wrong_filters),
        cmocka_unit_test(test_sorting),
        cmocka_unit_test(test_sorting_what_is_absent),
        cmocka_unit_test(test_slices),
        cmocka_unit_test(test_order_while_data_comes_in),
        cmocka_unit_test(test_places_that_are_kept),
        cmocka_unit_test(test_export_while_scanning),
        cmocka_unit_test(test_searching),
        cmocka_unit_test(test_search_while_scanning),
        cmocka_unit_test(test_editing),
        cmocka_unit_test(test_leaving_the_prompt),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_history),
        cmocka_unit_test(test_completion),
        cmocka_unit_test(test_choices_are_seen),
        cmocka_unit_test(test_names_of_two),
        cmocka_unit_test(test_key_files),
        cmocka_unit_test(test_wrong_key_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
