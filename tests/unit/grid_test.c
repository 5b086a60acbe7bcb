/* Grids, themes and keys: hostile text, clipping at every width, what is printed. */
#define _GNU_SOURCE
#include "base/os.h"
#include "grid/grid.h"
#include "grid/theme.h"
#include "keys/keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

/* --- fixtures --- */

static struct grid make(uint16_t rows, uint16_t columns) {
    struct grid grid = {0};
    assert_null(grid_reset(&grid, rows, columns));
    return grid;
}

/* Asserts what GRID shows, and forgets it. */
static void expect(struct grid *grid, const char *text) {
    struct text out = {0};
    grid_print_text(&out, grid);
    assert_string_equal(out.data ? out.data : "", text);
    text_destroy(&out);
    grid_destroy(grid);
}

static uint16_t draw(struct grid *grid, uint16_t width, const char *text) {
    return grid_text(grid, 0, 0, width, STYLE_NAME, text, strlen(text));
}

/* What any terminal may be handed: no controls, and every second half behind a wide first. */
static void assert_sound(const struct grid *grid) {
    for (uint16_t row = 0; row < grid->rows; row++)
        for (uint16_t i = 0; i < grid->columns; i++) {
            uint32_t character = grid_cell(grid, row, i)->character;
            if (character)
                assert_true(character_columns(character) > 0);
            else
                assert_int_equal(
                    i ? character_columns(grid_cell(grid, row, (uint16_t)(i - 1))->character) : 0, 2);
            if (character && character_columns(character) == 2) {
                assert_true(i + 1 < grid->columns);
                assert_int_equal(grid_cell(grid, row, (uint16_t)(i + 1))->character, 0);
            }
            if (grid->ascii)
                assert_true(character < 0x7f);
        }
}

/* --- text --- */

static void expect_line(const char *text, size_t length, bool ascii, const char *line) {
    struct grid grid = make(1, 80);
    grid.ascii = ascii;
    uint32_t width = grid_width(&grid, text, length);
    assert_int_equal(grid_text(&grid, 0, 0, 80, STYLE_NAME, text, length), width);
    assert_sound(&grid);
    expect(&grid, line);
}
#define EXPECT_LINE(text, ascii, line) expect_line(text, sizeof text - 1, ascii, line)

static void hostile_text_is_escaped(void **state) {
    (void)state;
    EXPECT_LINE("plain_name", false, "plain_name\n");
    EXPECT_LINE("\033[2J\033]0;owned\007", false, "\\x1b[2J\\x1b]0;owned\\x07\n");
    EXPECT_LINE("a\0b\tc\nd\r\177", false, "a\\x00b\\x09c\\x0ad\\x0d\\x7f\n");
    EXPECT_LINE("C1: \302\233 2J", false, "C1: \\u{9b} 2J\n");
    EXPECT_LINE("\200\377\300\200\355\240\200\364\220\200\200", false,
                "\\x80\\xff\\xc0\\x80\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80\n");
    EXPECT_LINE("cut short \346\274", false, "cut short \\xe6\\xbc\n");
    EXPECT_LINE("back\\slash", false, "back\\x5cslash\n");
    EXPECT_LINE("\342\200\256gpj.exe", false, "\\u{202e}gpj.exe\n");
    EXPECT_LINE("\342\201\246x\342\201\251\342\200\217", false, "\\u{2066}x\\u{2069}\\u{200f}\n");
    EXPECT_LINE("e\314\201", false, "e\\u{301}\n");
    EXPECT_LINE("\327\220\330\247", false, "\\u{5d0}\\u{627}\n");
    EXPECT_LINE("soft\302\255 zero\342\200\213 tag\363\240\201\201", false,
                "soft\\u{ad} zero\\u{200b} tag\\u{e0041}\n");
    EXPECT_LINE("\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80", false, "é漢😀\n");
    EXPECT_LINE("\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80", true, "\\u{e9}\\u{6f22}\\u{1f600}\n");
}

static void text_is_cut_at_every_width(void **state) {
    (void)state;
    static const char *const cut[] = {"", "…", "a…", "a…", "a漢…", "a漢b…", "a漢b…"};
    for (uint16_t width = 0; width <= 9; width++) {
        struct grid grid = make(1, 12);
        uint16_t took = draw(&grid, width, "a漢b字字c");
        assert_true(took <= width);
        assert_sound(&grid);
        grid_destroy(&grid);
        grid = make(1, 12);
        took = draw(&grid, width, "a漢b字c");
        char line[32];
        snprintf(line, sizeof line, "%s\n", width < 7 ? cut[width] : "a漢b字c");
        assert_true(took <= width);
        expect(&grid, line);
    }
}

static void the_edge_of_the_screen_cuts_too(void **state) {
    (void)state;
    struct grid grid = make(2, 4);
    assert_int_equal(grid_text(&grid, 0, 1, 60, STYLE_NAME, "abcdef", 6), 3);
    assert_int_equal(grid_text(&grid, 1, 3, 60, STYLE_NAME, "\346\274\242", 3), 1);
    assert_int_equal(grid_text(&grid, 2, 0, 60, STYLE_NAME, "x", 1), 0);
    assert_int_equal(grid_text(&grid, 0, 4, 60, STYLE_NAME, "x", 1), 0);
    assert_sound(&grid);
    expect(&grid, " ab…\n   …\n");
}

static void random_text_at_random_places(void **state) {
    (void)state;
    static const char *const parts[] = {"a", "漢", "\033[m", "\377",    "é", "\342\200\256",
                                        "😀", "\\", " ",      "\346\274"};
    srand(1);
    struct grid grid = make(3, 11);
    for (int i = 0; i < 20000; i++) {
        char text[64] = "";
        for (int count = rand() % 9; count; count--)
            strcat(text, parts[rand() % 10]);
        uint16_t row = (uint16_t)(rand() % 4), column = (uint16_t)(rand() % 13),
                 width = (uint16_t)(rand() % 14);
        grid.ascii = i > 10000;
        if (i == 10001)
            assert_null(grid_reset(&grid, 3, 11));
        uint16_t took = grid_text(&grid, row, column, width, STYLE_NAME, text, strlen(text));
        assert_true(took <= width);
        if (column < 11 && row < 3 && width <= 11 - column) {
            uint32_t all = grid_width(&grid, text, strlen(text));
            assert_true(all <= width ? took == all : took <= width);
        }
        if (i % 7 == 0)
            grid_glyph(&grid, row, column, STYLE_DIM, (enum glyph)(rand() % GLYPH_COUNT));
        assert_sound(&grid);
    }
    grid_destroy(&grid);
}

static void long_names_are_cut(void **state) {
    (void)state;
    enum { SIZE = 64 << 10 };
    char *name = malloc(SIZE);
    memset(name, 27, SIZE);
    struct grid grid = make(1, 10);
    assert_int_equal(grid_width(&grid, name, SIZE), 4 * SIZE);
    assert_int_equal(grid_text(&grid, 0, 0, 10, STYLE_NAME, name, SIZE), 10);
    expect(&grid, "\\x1b\\x1b\\…\n");
    free(name);
}

static void drawing_over_halves_leaves_blanks(void **state) {
    (void)state;
    struct grid grid = make(3, 6);
    for (uint16_t row = 0; row < 3; row++)
        grid_string(&grid, row, 0, STYLE_NAME, "漢字漢");
    grid_text(&grid, 0, 1, 2, STYLE_NAME, "xy", 2);
    grid_fill(&grid, 1, 3, 1, STYLE_NORMAL);
    grid_text(&grid, 2, 1, 2, STYLE_NAME, "\xe5\xad\x97", 3);
    assert_sound(&grid);
    expect(&grid, " xy 漢\n漢  漢\n 字 漢\n");
}

static void glyphs_have_ascii(void **state) {
    (void)state;
    struct grid grid = make(3, 5);
    for (int ascii = 0; ascii < 2; ascii++) {
        grid.ascii = ascii;
        for (int i = 0; i < GLYPH_COUNT; i++)
            assert_in_range(grid_glyph(&grid, 0, 0, STYLE_DIM, (enum glyph)i), 1, 2);
        assert_int_equal(grid_glyph(&grid, ascii ? 1 : 0, 4, STYLE_DIM, GLYPH_ARROW), 1);
        assert_sound(&grid);
        assert_null(grid_reset(&grid, 3, 5));
    }
    grid_rule(&grid, 0, 1, 9, STYLE_DIM, GLYPH_HORIZONTAL);
    grid.ascii = false;
    grid_rule(&grid, 1, 0, 2, STYLE_DIM, GLYPH_HORIZONTAL);
    assert_int_equal(grid_glyph(&grid, 1, 3, STYLE_DIM, GLYPH_ARROW), 1);
    grid_rule(&grid, 3, 0, 2, STYLE_DIM, GLYPH_HORIZONTAL);
    expect(&grid, " ----\n── →\n\n");
}

/* The C library's own table is another hand's work; a terminal goes by one or the other. */
static void widths_are_the_c_librarys(void **state) {
    (void)state;
    assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
    uint32_t letters = 0, shown = 0;
    for (uint32_t code = 0; code < 0x110000; code++) {
        int columns = character_columns(code), theirs = wcwidth((wchar_t)code);
        if (columns && theirs >= 0)
            assert_int_equal(columns, theirs);
        letters += iswalpha((wint_t)code) && code < 0x10000;
        shown += iswalpha((wint_t)code) && code < 0x10000 && columns;
    }
    assert_true(shown > letters / 100 * 95);
    for (int byte = 0x20; byte < 0x7f; byte++)
        assert_int_equal(character_columns((uint32_t)byte), 1);
    assert_int_equal(character_columns(0x110000), 0);
    setlocale(LC_CTYPE, "C");
}

static void grids_are_used_again(void **state) {
    (void)state;
    os_fail_after(0, false);
    struct grid grid = make(0, 0);
    expect(&grid, "");
    grid = make(3, 3);
    grid_string(&grid, 0, 0, STYLE_NAME, "abc");
    grid_cursor(&grid, 1, 1);
    grid_cursor(&grid, 3, 0);
    assert_true(grid.has_cursor && grid.cursor_row == 1);
    os_fail_after(1, true);
    assert_null(grid_reset(&grid, 1, 9));
    assert_false(grid.has_cursor);
    assert_int_equal(jitscope_error_code(grid_reset(&grid, 4, 9)), JITSCOPE_ERROR_NO_MEMORY);
    assert_true(grid.rows == 1 && grid.columns == 9);
    os_fail_after(0, false);
    expect(&grid, "\n");
    assert_int_equal(os_live_allocations(), 0);
}

/* --- themes --- */

static void expect_looks(const struct grid *grid, const struct theme *theme, int depth, const char *looks) {
    struct text out = {0};
    grid_print_looks(&out, grid, theme, depth);
    assert_string_equal(out.data, looks);
    text_destroy(&out);
}

static void looks_are_printed(void **state) {
    (void)state;
    struct theme theme;
    theme_built_in(&theme);
    struct grid grid = make(3, 10);
    grid_fill(&grid, 0, 0, 10, STYLE_TITLE);
    grid_string(&grid, 1, 2, STYLE_ERROR, "oh");
    grid_string(&grid, 1, 4, STYLE_NORMAL, "no");
    grid_overlay(&grid, 1, 3, 2, OVERLAY_CHANGED);
    grid_overlay(&grid, 2, 8, 60, OVERLAY_SELECTED);
    grid_overlay(&grid, 0, 9, 1, OVERLAY_SELECTED);
    grid_cursor(&grid, 2, 0);
    expect_looks(&grid, &theme, 256,
                 "0:0-8 fore=16 back=110\n0:9-9 fore=231 back=24\n1:2-2 fore=203 bold\n1:3-4 fore=215 bold\n"
                 "2:8-9 fore=231 back=24\ncursor 2:0\n");
    expect_looks(
        &grid, &theme, 16,
        "0:0-8 fore=0 back=6\n0:9-9 fore=0 back=7\n1:2-4 fore=1 bold\n2:8-9 fore=0 back=7\ncursor 2:0\n");
    expect_looks(&grid, &theme, 0, "0:0-8 reverse\n1:2-4 bold\n2:8-9 reverse\ncursor 2:0\n");
    grid_destroy(&grid);
}

/* Selected cells differ from others at every depth, whatever their style. */
static void overlays_are_seen_on_all_styles(void **state) {
    (void)state;
    struct theme theme;
    theme_built_in(&theme);
    static const int depths[] = {256, 16, 0};
    for (size_t i = 0; i < 3; i++)
        for (uint8_t style = 0; style < STYLE_SELECTED; style++) {
            struct look plain = theme_look(&theme, depths[i], style, OVERLAY_NONE);
            struct look over = theme_look(&theme, depths[i], style, OVERLAY_SELECTED);
            assert_true(plain.back != over.back || (plain.attributes ^ over.attributes) & REVERSE);
            assert_true(plain.fore < (depths[i] ? depths[i] : 1) && over.back < (depths[i] ? depths[i] : 1));
        }
}

static struct jitscope_error *read_theme(struct theme *theme, const char *text) {
    return theme_read(theme, text, strlen(text), "my.theme");
}

static void themes_are_read(void **state) {
    (void)state;
    struct theme theme, before;
    theme_built_in(&theme);
    assert_null(read_theme(&theme,
                           "# mine\n\n  error fore=201 back=3 reverse bold # loud\r\nname fore16=15 plain\n"
                           "title back=none fore=7\ngap back16=2 back=255"));
    struct look look = theme_look(&theme, 256, STYLE_ERROR, 0);
    assert_true(look.fore == 201 && look.back == 3 && look.attributes == (REVERSE | BOLD));
    look = theme_look(&theme, 16, STYLE_ERROR, 0);
    assert_true(look.fore == 1 && look.back == 3 && look.attributes == (REVERSE | BOLD));
    assert_int_equal(theme_look(&theme, 0, STYLE_ERROR, 0).attributes, REVERSE | BOLD);
    assert_int_equal(theme_look(&theme, 16, STYLE_NAME, 0).fore, 15);
    assert_int_equal(theme_look(&theme, 256, STYLE_NAME, 0).fore, 229);
    look = theme_look(&theme, 16, STYLE_TITLE, 0);
    assert_true(look.fore == 7 && look.back == NONE);
    assert_int_equal(theme_look(&theme, 16, STYLE_GAP, 0).back, 2);
    before = theme;
    static const char *const wrong[][2] = {
        {"errors fore=1", "my.theme:1: there is no style 'errors'"},
        {"name bold\nerror fore=256",
         "my.theme:2: neither a colour of the palette nor an attribute: 'fore=256'"},
        {"error fore16=16", "my.theme:1: neither a colour of the palette nor an attribute: 'fore16=16'"},
        {"error fore=99999999999999999999", NULL},
        {"error fore=-1", NULL},
        {"error fore=", NULL},
        {"error blink", NULL},
        {"\033[31m", "my.theme:1: there is no style '\\x1b[31m'"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct jitscope_error *error = read_theme(&theme, wrong[i][0]);
        assert_int_equal(jitscope_error_code(error), JITSCOPE_ERROR_USAGE);
        if (wrong[i][1])
            assert_string_equal(jitscope_error_message(error), wrong[i][1]);
        jitscope_error_destroy(error);
        assert_memory_equal(&theme, &before, sizeof theme);
    }
    struct jitscope_error *error = theme_read(&theme, "name bo\0ld", 10, "f");
    assert_int_equal(jitscope_error_code(error), JITSCOPE_ERROR_USAGE);
    jitscope_error_destroy(error);
}

/* --- keys --- */

static void keys_have_names(void **state) {
    (void)state;
    static const struct {
        uint32_t key;
        const char *name;
    } known[] = {{KEY_NAMED_PAGE_DOWN, "PgDn"},
                 {KEY_CONTROL('D'), "^D"},
                 {9, "Tab"},
                 {13, "Enter"},
                 {27, "Esc"},
                 {' ', "Space"},
                 {127, "Backspace"},
                 {'^', "^"},
                 {'x', "x"},
                 {0xe9, "é"},
                 {0x1f600, "😀"},
                 {KEY_NAMED_F10, "F10"},
                 {28, "^\\"},
                 {31, "^_"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct text out = {0};
        key_print(&out, known[i].key);
        assert_string_equal(out.data, known[i].name);
        assert_int_equal(key_parse(out.data, out.length), known[i].key);
        text_destroy(&out);
    }
}

/* Every key is parsed from what is printed for it, and no two print the same. */
static void all_keys_go_round(void **state) {
    (void)state;
    for (uint32_t key = 1; key < KEY_NAMED_F10 + 1; key++) {
        if (key == KEY_BASE || (key >= 0x80 && key < 0xa0) || (key >= 0xd800 && key <= 0xdfff))
            continue;
        struct text out = {0};
        key_print(&out, key);
        assert_int_equal(key_parse(out.data, out.length), key);
        text_destroy(&out);
    }
}

static void other_names_are_no_keys(void **state) {
    (void)state;
    static const char *const none[] = {"",   "pgdn", "PgDnx", "ab",   "^",        "^d",  "^@",
                                       "^?", " ",    "\t",    "\377", "\302\200", "\033"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        assert_int_equal(key_parse(none[i], strlen(none[i])), i == 4 ? '^' : 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_text_is_escaped),
        cmocka_unit_test(text_is_cut_at_every_width),
        cmocka_unit_test(the_edge_of_the_screen_cuts_too),
        cmocka_unit_test(random_text_at_random_places),
        cmocka_unit_test(long_names_are_cut),
        cmocka_unit_test(drawing_over_halves_leaves_blanks),
        cmocka_unit_test(glyphs_have_ascii),
        cmocka_unit_test(widths_are_the_c_librarys),
        cmocka_unit_test(grids_are_used_again),
        cmocka_unit_test(looks_are_printed),
        cmocka_unit_test(overlays_are_seen_on_all_styles),
        cmocka_unit_test(themes_are_read),
        cmocka_unit_test(keys_have_names),
        cmocka_unit_test(all_keys_go_round),
        cmocka_unit_test(other_names_are_no_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
