/* The check language: what expressions mean, what failures say, what is refused.  The world is made up. */
#include "check/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MEMORY = 0x1000 };

/* At MEMORY: a byte 0xff, a 16-bit 0x8001, a 32-bit -5, a 64-bit address; see memory_bytes. */
static const uint8_t memory_bytes[] = {0xff, 0x01, 0x80, 0xfb, 0xff, 0xff, 0xff, 0xf0,
                                       0xde, 0xbc, 0x9a, 0x78, 0x56, 0x34, 0x12};

static const struct {
    const char *name;
    uint64_t address, size;
} symbols[] = {{"main", 0x1000, 32},        {"x", 0x2000, 4},       {"s", 7, 0},   {"got", 9, 0},
               {"a b\"\\", 0x3000, 1},      {"foo@@V1", 0x4000, 2}, {".L1", 5, 0}, {"#", 6, 0},
               {"high", UINT64_MAX - 1, 0}, {"weak", 0, 0}};

static struct jitscope_error *find_symbol(void *context, const char *name, struct check_symbol *symbol) {
    (void)context;
    for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++)
        if (strcmp(symbols[i].name, name) == 0) {
            *symbol = (struct check_symbol){symbols[i].address, symbols[i].size, symbols[i].address != 0};
            return NULL;
        }
    return error_create(JITSCOPE_ERROR_NOT_FOUND, "no symbol '%s'", name);
}

static struct jitscope_error *find_entry(void *context, enum check_table table, const char *name,
                                         uint64_t *address) {
    (void)context;
    *address = table == CHECK_GOT ? 0x1007 : 0x5000;
    return strcmp(name, "x") == 0 ? NULL : error_create(JITSCOPE_ERROR_NOT_FOUND, "no entry for '%s'", name);
}

static struct jitscope_error *find_section(void *context, const char *name, uint64_t *start, uint64_t *end) {
    (void)context;
    *start = 0x1000;
    *end = 0x1100;
    return strcmp(name, ".text") == 0 || strcmp(name, "odd-name") == 0
               ? NULL
               : error_create(JITSCOPE_ERROR_NOT_FOUND, "no section '%s'", name);
}

static struct jitscope_error *read_memory(void *context, uint64_t address, void *buffer, size_t size) {
    (void)context;
    struct bytes bytes =
        bytes_slice((struct bytes){memory_bytes, sizeof memory_bytes}, address - MEMORY, size);
    if (!bytes.data)
        return error_create(JITSCOPE_ERROR_OUT_OF_RANGE, "nothing at 0x%llx", (unsigned long long)address);
    memcpy(buffer, bytes.data, size);
    return NULL;
}

static const struct check_world world = {NULL, find_symbol, find_entry, find_section, read_memory};

static struct jitscope_error *check(const char *text) {
    return check_expression(text, strlen(text), &world);
}

static void assert_holds(const char *text) {
    struct jitscope_error *error = check(text);
    if (error)
        print_error("%s\n", jitscope_error_message(error));
    assert_null(error);
}

static void assert_error(const char *text, enum jitscope_error_code code, const char *message) {
    struct jitscope_error *error = check(text);
    if (jitscope_error_code(error) != code || !strstr(jitscope_error_message(error), message))
        print_error("%s:\n%s\n", text, jitscope_error_message(error));
    assert_int_equal(jitscope_error_code(error), code);
    assert_non_null(strstr(jitscope_error_message(error), message));
    jitscope_error_destroy(error);
}

static void true_expressions(void **state) {
    (void)state;
    static const char *const list[] = {
        "1",
        "main == 0x1000",
        "main==4096",
        "  main + 0x1000 == x  ",
        "2 + 3 * 4 == 14 && (2 + 3) * 4 == 20",
        "10 - 3 - 2 == 5",
        "1 << 4 >> 2 == 4",
        "(0xf0 & 0x3c) == 0x30 && (1 | 2 ^ 3 & 1) == 3",
        "~0 == -1 && -1 == 0xffffffffffffffff",
        "!0 && !!5 && !(1 == 2)",
        "0 || 3",
        "-1 < 0",           /* both signed */
        "main > -1 == 0",   /* one unsigned: -1 is large */
        "high > 0",         /* unsigned */
        "-16 >> 2 == -4",   /* arithmetic */
        "high >> 60 == 15", /* logical */
        "1 << 64 == 0 && -1 >> 64 == -1 && high >> 64 == 0",
        "+5 == 5 && - -5 == 5 && -~0 == 1",
        "*{1}main == 0xff && s{1}main == -1",
        "*{2}(main + 1) == 0x8001 && s{2}(main+1) == -0x7fff",
        "*{4}(main + 3) == 0xfffffffb && s{4}(main + 3) == -5 && s{4}(main + 3) < 0",
        "*{ 8 }got(x) == 0x123456789abcdef0",
        "*{1}main + 1 == 0x100", /* prefix binds tighter */
        "plt(x) == 0x5000 && got == 9 && s == 7",
        "size(main) == 32",
        "section(.text) <= main && main < section_end(.text) && section_size(\"odd-name\") == 256",
        "\"a b\\\"\\\\\" == 0x3000 && \"\\x23\" == 6",
        "foo@@V1 == 0x4000 && .L1 == 5",
        "defined(main) && !defined(nothing)",
        "weak == 0 && !defined(weak)",
        "defined(nothing) == 0 || nothing",
        "!defined(nothing) || nothing == 4", /* the right side is not looked at */
        "high + 2 == 0",
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        assert_holds(list[i]);
}

static void failures_show_both_sides(void **state) {
    (void)state;
    assert_error("main + 1 == x", JITSCOPE_ERROR_CHECK_FAILED,
                 "check failed: main + 1 == x\n  main + 1 = 0x1001\n  x = 0x2000");
    assert_error("s{4}(main+3) >= 0", JITSCOPE_ERROR_CHECK_FAILED,
                 "\n  s{4}(main+3) = 0xfffffffffffffffb (-5)\n  0 = 0x0 (0)");
    assert_error("main == main && (x == 1)", JITSCOPE_ERROR_CHECK_FAILED, "\n  x = 0x2000\n  1 = 0x1 (1)");
    assert_error("x == 1 || x == 2", JITSCOPE_ERROR_CHECK_FAILED, "\n  2 = 0x2 (2)");
    assert_error("!main", JITSCOPE_ERROR_CHECK_FAILED, "\n  main = 0x1000");
    assert_error("0", JITSCOPE_ERROR_CHECK_FAILED, "\n  0 = 0x0 (0)");
    assert_error("nothing == 1", JITSCOPE_ERROR_CHECK_FAILED, "no symbol 'nothing'");
    assert_error("plt(main) == 1", JITSCOPE_ERROR_CHECK_FAILED, "no entry for 'main'");
    assert_error("section(.data) == 1", JITSCOPE_ERROR_CHECK_FAILED, "no section '.data'");
    assert_error("*{8}x == 1", JITSCOPE_ERROR_CHECK_FAILED, "nothing at 0x2000");
    assert_error("*{8}(main + 8) == 1", JITSCOPE_ERROR_CHECK_FAILED, "nothing at 0x1008");
}

static void nonsense_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } list[] = {
        {"main ==", "column 8: the expression ends too early"},
        {"main x", "column 6: an operator is missing"},
        {"(main", "column 6: ')' is missing"},
        {"main)", "column 5: an operator is missing"},
        {"== 1", "column 1: an operand is missing"},
        {"main = 1", "column 6: an operator is missing"},
        {"*{3}main", "column 3: a load takes 1, 2, 4 or 8 bytes"},
        {"*main", "a load is written *{4}ADDRESS"},
        {"s{16}main", "'}' is missing"},
        {"0x", "a number is written 12 or 0x1f"},
        {"12monkeys", "a number is written 12 or 0x1f"},
        {"0x10000000000000000", "more than 64 bits"},
        {"18446744073709551616", "more than 64 bits"},
        {"\"main", "the quoted name does not end"},
        {"\"\\n\"", "after a backslash comes"},
        {"\"\\xg0\"", "two hexadecimal digits"},
        {"\"\\x00\"", "two hexadecimal digits"},
        {"lot(main)", "column 1: there is no function 'lot'"},
        {"got()", "a name is missing"},
        {"got(x", "')' is missing"},
        {"section(odd-name)", "wants \"quotes\""},
        {"main & 7 == 0", "put parentheses around"},
        {"x == 1 | main", "put parentheses around"},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        assert_error(list[i].text, JITSCOPE_ERROR_FORMAT, list[i].message);
    assert_holds("(main & 7) == 0 && ((x == 1) | 1)");
}

static void long_and_deep_expressions_end(void **state) {
    (void)state;
    enum { LENGTH = 100000 };
    static char text[LENGTH];
    memset(text, '(', LENGTH);
    struct jitscope_error *error = check_expression(text, LENGTH, &world);
    assert_int_equal(jitscope_error_code(error), JITSCOPE_ERROR_FORMAT);
    assert_non_null(strstr(jitscope_error_message(error), "nested too deeply"));
    jitscope_error_destroy(error);
    for (size_t i = 0; i < LENGTH; i++)
        text[i] = i % 2 ? '+' : '1';
    error = check_expression(text, LENGTH - 1, &world);
    assert_int_equal(jitscope_error_code(error), JITSCOPE_ERROR_FORMAT);
    assert_non_null(strstr(jitscope_error_message(error), "too long"));
    jitscope_error_destroy(error);
    error = check_expression(text, 4001, &world);
    assert_null(error);
}

static struct jitscope_error *check_text(const char *text, uint32_t *count) {
    struct bytes bytes = {(const uint8_t *)text, strlen(text)};
    return check_file("file.s", bytes, &world, count);
}

static void files_of_expressions(void **state) {
    (void)state;
    uint32_t count;
    assert_null(
        check_text("# a comment\n\nmain == 0x1000 # and another\n  x == 0x2000\r\n\"#\" == 6", &count));
    assert_int_equal(count, 3);

    struct jitscope_error *error = check_text("main == 1\nx == 0x2000\nx == 3\n", &count);
    assert_int_equal(jitscope_error_code(error), JITSCOPE_ERROR_CHECK_FAILED);
    assert_string_equal(jitscope_error_message(error),
                        "2 of 3 checks failed\n"
                        "file.s:1: check failed: main == 1\n  main = 0x1000\n  1 = 0x1 (1)\n"
                        "file.s:3: check failed: x == 3\n  x = 0x2000\n  3 = 0x3 (3)\n"
                        "  help: record the link with --record: `jitscope show` tells where everything lies");
    jitscope_error_destroy(error);

    error = check_text("main == 0x1000\nmain ==\n", &count);
    assert_int_equal(jitscope_error_code(error), JITSCOPE_ERROR_FORMAT);
    assert_non_null(strstr(jitscope_error_message(error), "file.s:2: this is no check expression: main =="));
    jitscope_error_destroy(error);
}

static void marked_lines_in_sources(void **state) {
    (void)state;
    uint32_t count;
    assert_null(check_text("        .text\n"
                           "main:   ret   # jitscope-check: main == 0x1000\n"
                           "// jitscope-check: x == 0x2000\n"
                           "/* jitscope-check: size(main) == 32 */\n"
                           "jitscope-check: defined(x)\n",
                           &count));
    assert_int_equal(count, 4);
    struct jitscope_error *error = check_text("        .text\n# jitscope-check: main == 2\n", &count);
    assert_non_null(strstr(jitscope_error_message(error), "file.s:2: check failed: main == 2"));
    jitscope_error_destroy(error);
}

static void a_file_without_checks_is_an_error(void **state) {
    (void)state;
    static const char *const list[] = {"", "\n\n", "# only a comment\n", "int main;\n// jitscope-check:\n"};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
        uint32_t count;
        struct jitscope_error *error = check_text(list[i], &count);
        assert_int_equal(jitscope_error_code(error), JITSCOPE_ERROR_FORMAT);
        assert_int_equal(count, 0);
        jitscope_error_destroy(error);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(true_expressions),
        cmocka_unit_test(failures_show_both_sides),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(long_and_deep_expressions_end),
        cmocka_unit_test(files_of_expressions),
        cmocka_unit_test(marked_lines_in_sources),
        cmocka_unit_test(a_file_without_checks_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
