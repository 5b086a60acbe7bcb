/* The command line: response files, -Wl, both spellings, order, what is refused and how that is said. */
#include "help.h"
#include "options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- fixtures --- */

static char folder[] = "/tmp/options_test.XXXXXX";

static int make_folder(void **state) {
    (void)state;
    return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int remove_folder(void **state) {
    (void)state;
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", folder);
    return system(command);
}

static void write_file(const char *name, const char *text, size_t size) {
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static int split(char *line, char **words) {
    int count = 0;
    for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
        words[count++] = word;
    return count;
}

/* LINE's words, separated by single blanks, as arguments of COMMAND. */
static struct jitscope_error *parse(enum command_id command, const char *line, struct options *options) {
    static char copy[4096];
    static char *words[256];
    snprintf(copy, sizeof copy, "%s", line);
    return options_parse(command, split(copy, words), words, options);
}

/* The items as "kind:text ...". */
static const char *items(const struct options *options) {
    static const char *const kinds[] = {"",          "l:",           "L:",      "whole", "no-whole",
                                        "as-needed", "no-as-needed", "define:", "root:", "check:"};
    static char text[4096];
    size_t at = 0;
    text[0] = 0;
    for (uint32_t i = 0; i < options->items.count; i++) {
        const struct item *item = &options->items.data[i];
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%s%s", i ? " " : "", kinds[item->kind],
                               item->text ? item->text : "");
        if (item->kind == ITEM_DEFINE)
            at += (size_t)snprintf(text + at, sizeof text - at, "=%llx", (unsigned long long)item->address);
        assert_true(at < sizeof text);
    }
    return text;
}

static void assert_items(enum command_id command, const char *line, const char *wanted) {
    struct options options;
    struct jitscope_error *error = parse(command, line, &options);
    if (error)
        print_error("%s\n", jitscope_error_message(error));
    assert_null(error);
    assert_string_equal(items(&options), wanted);
    options_destroy(&options);
}

static void assert_refused(enum command_id command, const char *line, const char *message) {
    struct options options;
    struct jitscope_error *error = parse(command, line, &options);
    if (!error || !strstr(jitscope_error_message(error), message))
        print_error("%s: %s\n", line, jitscope_error_message(error));
    assert_int_equal(jitscope_error_code(error), JITSCOPE_ERROR_USAGE);
    assert_int_equal(jitscope_error_exit_status(jitscope_error_code(error)), 2);
    assert_non_null(strstr(jitscope_error_message(error), message));
    jitscope_error_destroy(error);
    options_destroy(&options);
}

/* --- tests --- */

static void order_is_kept(void **state) {
    (void)state;
    assert_items(COMMAND_run, "a.o -lm -L dir -Lother b.a --whole-archive c.a --no-whole-archive -l :x.a",
                 "a.o l:m L:dir L:other b.a whole c.a no-whole l:"
                 ":x.a");
    assert_items(COMMAND_run, "--as-needed -l x --no-as-needed -u f -uf2 --undefined=g",
                 "as-needed l:x no-as-needed root:f root:f2 root:g");
    assert_items(COMMAND_link, "--define a=0x10 --defsym=b=16 --define=c=d=1",
                 "define:a=10 define:b=10 define:c=d=1");
    assert_items(COMMAND_run, "--library-path=p --library z --check c --check=d", "L:p l:z check:c check:d");
}

static void linkers_spellings_work(void **state) {
    (void)state;
    assert_items(COMMAND_run, "-( a.a b.a -) --start-group --end-group -pthread c.o", "a.a b.a c.o");
    assert_items(COMMAND_run, "-Wl,--whole-archive,a.a,--no-whole-archive -Wl,-L,dir,-lx",
                 "whole a.a no-whole L:dir l:x");
    assert_items(COMMAND_run, "-Wl,--defsym,a=1 -Xlinker --defsym=b=2 -Wl,,", "define:a=1 define:b=2");
    assert_items(COMMAND_run, "-whole-archive a.a -no-whole-archive -undefined f",
                 "whole a.a no-whole root:f");
    assert_items(COMMAND_run, "-library", "l:ibrary");
}

static void fields_are_set(void **state) {
    (void)state;
    struct options options;
    assert_null(parse(COMMAND_link,
                      "--gc-sections -nostdlib --phony-externals --base 0x4000 -e start --record=r.jsr "
                      "--trace=edges --stats --progress --json x.o",
                      &options));
    assert_true(options.gc_sections && options.no_default_libraries && options.phony_externals);
    assert_true(options.stats && options.progress && options.json && options.base.given);
    assert_int_equal(options.base.value, 0x4000);
    assert_string_equal(options.entry, "start");
    assert_string_equal(options.record, "r.jsr");
    assert_int_equal(options.level, JITSCOPE_LEVEL_EDGES);
    options_destroy(&options);
    assert_null(parse(COMMAND_show, "got --at 12 --filter x r.jsr", &options));
    assert_true(options.at.given && options.at.value == 12);
    assert_string_equal(options.filter, "x");
    assert_string_equal(items(&options), "got r.jsr");
    options_destroy(&options);
}

static void the_program_gets_what_follows_dashes(void **state) {
    (void)state;
    struct options options;
    assert_null(parse(COMMAND_run, "a.o -- -l --help @x -- --nonsense", &options));
    assert_string_equal(items(&options), "a.o");
    assert_int_equal(options.words.list.count - options.first_program, 5);
    assert_string_equal(options.words.list.data[options.first_program].text, "-l");
    assert_string_equal(options.words.list.data[options.first_program + 4].text, "--nonsense");
    assert_false(options.help);
    options_destroy(&options);
    assert_items(COMMAND_show, "got -- -odd.jsr", "got -odd.jsr");
}

#define WRITE(name, text) write_file(name, text, sizeof(text) - 1)

static void response_files(void **state) {
    (void)state;
    WRITE("plain", " a.o\n\tb.o\r\n-l m ");
    WRITE("quoted", "'a b.o' \"c d.o\" e\\ f.o g\"h i\"j 'k\\'l' \"m\\\\n\" ''x \"'\"");
    WRITE("outer", "x.o @inner z.o");
    WRITE("inner", "y.o -Wl,-u,f");
    WRITE("empty", "");
    WRITE("rest", "a.o -- b @plain");
    assert_items(COMMAND_run, "0.o @plain 1.o", "0.o a.o b.o l:m 1.o");
    assert_items(COMMAND_run, "@quoted", "a b.o c d.o e f.o gh ij k'l m\\n x '");
    assert_items(COMMAND_run, "@outer", "x.o y.o root:f z.o");
    assert_items(COMMAND_run, "a.o @empty", "a.o");
    assert_items(COMMAND_run, "-Wl,@plain", "a.o b.o l:m");
    assert_items(COMMAND_show, "got @plain", "got @plain");
    struct options options;
    assert_null(parse(COMMAND_run, "@rest c", &options));
    assert_string_equal(items(&options), "a.o");
    assert_int_equal(options.words.list.count - options.first_program, 3);
    options_destroy(&options);
}

static void bad_response_files(void **state) {
    (void)state;
    WRITE("loop", "a.o @loop");
    WRITE("fork", "@fork @fork");
    WRITE("open", "a.o 'b.o");
    WRITE("binary", "a\0b");
    WRITE("wrong", "a.o --nonsense");
    assert_refused(COMMAND_run, "@loop", "name each other without end");
    assert_refused(COMMAND_run, "@fork", "name each other without end");
    assert_refused(COMMAND_run, "@open", "open: a quote (') does not end");
    assert_refused(COMMAND_run, "@binary", "binary: no response file");
    assert_refused(COMMAND_run, "@wrong", "wrong: `jitscope run` has no option '--nonsense'");
    struct options options;
    struct jitscope_error *error = parse(COMMAND_run, "@nowhere", &options);
    assert_int_equal(jitscope_error_code(error), JITSCOPE_ERROR_NOT_FOUND);
    assert_non_null(strstr(jitscope_error_message(error), "nowhere: cannot open"));
    jitscope_error_destroy(error);
    options_destroy(&options);
}

/* Memory for a word is the word's, not the rest of the file's. */
static void a_large_response_file(void **state) {
    (void)state;
    enum { WORDS = 50000, LENGTH = 20 };
    char *text = malloc(WORDS * LENGTH + 1);
    assert_non_null(text);
    for (size_t i = 0; i < WORDS; i++)
        sprintf(text + i * LENGTH, "some/long/file%05zu\n", i);
    write_file("large", text, WORDS * LENGTH);
    free(text);
    struct options options;
    assert_null(parse(COMMAND_run, "@large", &options));
    assert_int_equal(options.items.count, WORDS);
    assert_string_equal(options.items.data[WORDS - 1].text, "some/long/file49999");
    assert_true(options.words.arena.total < 4 << 20);
    options_destroy(&options);
}

static void refusals_help(void **state) {
    (void)state;
    static const struct {
        enum command_id command;
        const char *line, *message;
    } list[] = {
        {COMMAND_run, "--whole-archve", "did you mean --whole-archive?"},
        {COMMAND_run, "--recrod=x", "did you mean --record?"},
        {COMMAND_run, "--nonsense", "`jitscope run --help` lists the options"},
        {COMMAND_run, "-o a.out a.o", "writes no output file"},
        {COMMAND_run, "-shared", "leave it out"},
        {COMMAND_run, "--shared", "leave it out"},
        {COMMAND_run, "-O2", "nothing is compiled here"},
        {COMMAND_run, "-fPIC", "nothing is compiled here"},
        {COMMAND_link, "-export-dynamic", "it is an option of `jitscope run`"},
        {COMMAND_run, "-Wl,-rpath,/x", "found through -L"},
        {COMMAND_run, "--phony-externals a.o", "it is an option of `jitscope link`"},
        {COMMAND_run, "--base 0x1000 a.o", "it is an option of `jitscope link`"},
        {COMMAND_show, "--record x", "has no option --record"},
        {COMMAND_run, "--gc-sections=1", "--gc-sections takes no argument"},
        {COMMAND_run, "a.o --record", "--record wants an argument: FILE"},
        {COMMAND_run, "a.o -l", "--library wants an argument: NAME"},
        {COMMAND_run, "a.o -l -- x", "--library wants an argument: NAME"},
        {COMMAND_run, "--record= a.o", "--record: the argument is empty"},
        {COMMAND_run, "--trace=all", "'all' is not one of off, session, phase, block, edges"},
        {COMMAND_run, "--define a", "'a' is not of the form SYM=ADDR"},
        {COMMAND_run, "--define a=b", "is not of the form SYM=ADDR"},
        {COMMAND_run, "--define =1", "is not of the form SYM=ADDR"},
        {COMMAND_run, "--define a=0x", "is not of the form SYM=ADDR"},
        {COMMAND_run, "--define a=0x10000000000000000", "is not of the form SYM=ADDR"},
        {COMMAND_link, "--base 12k", "'12k' is not a number"},
        {COMMAND_run, "-", "standard input belongs to the program"},
        {COMMAND_show, "got --jsn", "did you mean --json?"},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        assert_refused(list[i].command, list[i].line, list[i].message);
}

static void numbers(void **state) {
    (void)state;
    uint64_t value;
    assert_true(parse_number("0", &value) && value == 0);
    assert_true(parse_number("18446744073709551615", &value) && value == UINT64_MAX);
    assert_true(parse_number("0xFFFFFFFFFFFFFFFF", &value) && value == UINT64_MAX);
    static const char *const wrong[] = {"",     "0x", "x", "-1", "+1", " 1", "1 ", "18446744073709551616",
                                        "0x1g", "1a"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(parse_number(wrong[i], &value));
}

/* HELP has a line that begins with OPTION. */
static bool lists(const char *help, const struct option *option) {
    char spelled[64], letter[8] = "";
    if (option->letter)
        snprintf(letter, sizeof letter, "-%c, ", option->letter);
    snprintf(spelled, sizeof spelled, "\n  %s--%s", letter, option->name);
    const char *found = strstr(help, spelled);
    while (found && !strchr(" \n", found[strlen(spelled)]))
        found = strstr(found + 1, spelled);
    return found != NULL;
}

/* Help lists exactly the options that parsing takes, within the width of a terminal. */
static void help_is_complete(void **state) {
    (void)state;
    for (enum command_id id = 0; id < COMMAND_COUNT; id++) {
        struct text help = {0}, man = {0};
        help_print(&help, id);
        man_print(&man, id);
        for (size_t i = 0; i < option_count; i++) {
            bool listed = lists(help.data, &option_table[i]);
            assert_int_equal(listed, option_belongs(&option_table[i], id));
        }
        for (const char *line = help.data, *end; (end = strchr(line, '\n')); line = end + 1)
            assert_true(end - line <= 80);
        assert_non_null(strstr(man.data, ".SH EXIT STATUS\n"));
        assert_non_null(strstr(man.data, commands[id].name));
        text_destroy(&help);
        text_destroy(&man);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_kept),
        cmocka_unit_test(linkers_spellings_work),
        cmocka_unit_test(fields_are_set),
        cmocka_unit_test(the_program_gets_what_follows_dashes),
        cmocka_unit_test(response_files),
        cmocka_unit_test(bad_response_files),
        cmocka_unit_test(a_large_response_file),
        cmocka_unit_test(refusals_help),
        cmocka_unit_test(numbers),
        cmocka_unit_test(help_is_complete),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
