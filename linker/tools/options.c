#include "options.h"

#include "base/spelling.h"

#include <stddef.h>
#include <string.h>

const struct command commands[COMMAND_COUNT] = {
#define COMMAND_NAMED(id, name, synopsis, summary, description, examples)                                    \
    [COMMAND_##id] = {name, synopsis, summary, description, examples},
#define COMMAND(id, synopsis, summary, description, examples)                                                \
    COMMAND_NAMED(id, #id, synopsis, summary, description, examples)
#include "commands.def"
#undef COMMAND
};

enum {
    RUN = 1 << COMMAND_run | 1 << COMMAND_gdb, /* gdb passes them on */
    LINK = 1 << COMMAND_link,
    SHOW = 1 << COMMAND_show,
    INSPECT = 1 << COMMAND_inspect,
    STACK = 1 << COMMAND_stack,
    REPLAY = 1 << COMMAND_replay,
    EXPORT = 1 << COMMAND_export,
    WHY = 1 << COMMAND_why,
    DIFF = 1 << COMMAND_diff,
    PACK = 1 << COMMAND_pack,
    BUG_REPORT = 1 << COMMAND_bug_report,
    HELP = 1 << COMMAND_help,
    LINKS = RUN | LINK,
    ALL = (1 << COMMAND_COUNT) - 1,
};

#define TARGET_FLAG(field)    offsetof(struct options, field)
#define TARGET_TEXT(field)    offsetof(struct options, field)
#define TARGET_NUMBER(field)  offsetof(struct options, field)
#define TARGET_LEVEL(field)   offsetof(struct options, field)
#define TARGET_DEBUG(field)   offsetof(struct options, field)
#define TARGET_KEYWORD(field) offsetof(struct options, field)
#define TARGET_ITEM(item)     ITEM_##item
#define TARGET_NOTHING(none)  none

const struct option option_table[] = {
#define OPTION(name, letter, argument, commands, kind, target, help)                                         \
    {name, argument, help, letter, commands, OPTION_##kind, TARGET_##kind(target)},
#include "options.def"
#undef OPTION
};

const size_t option_count = sizeof option_table / sizeof *option_table;

static const struct {
    const char *option;
    const char *reason;
} refused[] = {
#define REFUSED(option, reason) {option, reason},
#include "refused.def"
#undef REFUSED
};

static const struct {
    const char *name;
    enum jitscope_level level;
} levels[] = {{"off", JITSCOPE_LEVEL_OFF},
              {"session", JITSCOPE_LEVEL_SESSION},
              {"phase", JITSCOPE_LEVEL_PHASE},
              {"block", JITSCOPE_LEVEL_BLOCK},
              {"edges", JITSCOPE_LEVEL_EDGES}};

static const struct {
    const char *name;
    enum jitscope_debug policy;
} policies[] = {{"auto", JITSCOPE_DEBUG_AUTO},
                {"eager", JITSCOPE_DEBUG_EAGER},
                {"lazy", JITSCOPE_DEBUG_LAZY},
                {"off", JITSCOPE_DEBUG_OFF}};

struct parser {
    enum command_id command;
    struct options *options;
    uint32_t at; /* word that comes next */
};

/* --- spelling --- */

bool parse_number(const char *text, uint64_t *value) {
    unsigned base = text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 16 : 10;
    const char *at = base == 16 ? text + 2 : text;
    *value = 0;
    if (!*at)
        return false;
    for (; *at; at++) {
        char lower = *at | 0x20;
        unsigned digit = *at >= '0' && *at <= '9'       ? (unsigned)(*at - '0')
                         : lower >= 'a' && lower <= 'f' ? (unsigned)(lower - 'a' + 10)
                                                        : 99;
        if (digit >= base || __builtin_mul_overflow(*value, base, value) ||
            __builtin_add_overflow(*value, digit, value))
            return false;
    }
    return true;
}

const char *nearest_word(const char *word, size_t count, const char *(*text)(const void *context, size_t i),
                         const void *context) {
    const char *best = NULL;
    size_t length = strlen(word);
    unsigned least = spelling_tolerance(length);
    for (size_t i = 0; i < count; i++) {
        const char *candidate = text(context, i);
        unsigned steps =
            candidate ? spelling_distance(word, length, candidate, strlen(candidate)) : LONGEST_SPELLING;
        if (steps <= least && (!best || steps < least)) {
            best = candidate;
            least = steps;
        }
    }
    return best;
}

/* --- what is wrong --- */

static struct jitscope_error *usage(const struct parser *parser, struct jitscope_error *error) {
    const struct words *words = &parser->options->words;
    const char *origin = parser->at ? words->list.data[parser->at - 1].origin : NULL;
    return origin ? error_in_input(error, origin) : error;
}

static const char *option_name(const void *command, size_t i) {
    return option_belongs(&option_table[i], *(const enum command_id *)command) ? option_table[i].name : NULL;
}

/* Why jitscope lacks an option that gcc or ld has, NULL for others.  Names longer than a letter may have two
 * dashes. */
static const char *refusal(const struct parser *parser, const char *word) {
    bool two = word[1] == '-', links = 1 << parser->command & LINKS;
    for (size_t i = 0; links && i < sizeof refused / sizeof *refused; i++) {
        const char *option = refused[i].option;
        size_t length = strcspn(option, "*");
        if (two && length <= 2)
            continue;
        if (option[length] ? strncmp(word + two, option, length) == 0 : strcmp(word + two, option) == 0)
            return refused[i].reason;
    }
    return NULL;
}

static struct jitscope_error *unknown_option(const struct parser *parser, const char *word) {
    const char *name = commands[parser->command].name;
    const char *bare = word + strspn(word, "-");
    char spelled[LONGEST_SPELLING + 1] = "";
    size_t length = strcspn(bare, "=");
    if (length <= LONGEST_SPELLING)
        memcpy(spelled, bare, length);
    struct jitscope_error *error =
        usage(parser, error_create(JITSCOPE_ERROR_USAGE, "`jitscope %s` has no option '%s'", name, word));
    const char *reason = refusal(parser, word);
    if (reason)
        return error_with_help(error, "%s", reason);
    const char *near = nearest_word(spelled, option_count, option_name, &parser->command);
    if (near)
        return error_with_help(error, "did you mean --%s?", near);
    return error_with_help(error, "`jitscope %s --help` lists the options", name);
}

static struct jitscope_error *foreign_option(const struct parser *parser, const struct option *option) {
    const char *others = "";
    for (enum command_id id = 0; id < COMMAND_COUNT; id++)
        if (!*others && option_belongs(option, id))
            others = commands[id].name;
    struct jitscope_error *error = error_create(JITSCOPE_ERROR_USAGE, "`jitscope %s` has no option --%s",
                                                commands[parser->command].name, option->name);
    return error_with_help(usage(parser, error), "it is an option of `jitscope %s`", others);
}

static struct jitscope_error *wrong_argument(const struct parser *parser, const struct option *option,
                                             const char *text, const char *wanted) {
    return usage(parser,
                 error_create(JITSCOPE_ERROR_USAGE, "--%s: '%s' is not %s", option->name, text, wanted));
}

/* --- taking options --- */

static struct jitscope_error *add_item(struct parser *parser, enum item_kind kind, const char *text) {
    return vec_push(&parser->options->items, (struct item){kind, text, 0});
}

/* The last equals sign counts: an address holds none, a name may. */
static struct jitscope_error *add_definition(struct parser *parser, const struct option *option,
                                             const char *text) {
    struct item item = {.kind = ITEM_DEFINE};
    const char *equals = strrchr(text, '=');
    if (!equals || equals == text || !parse_number(equals + 1, &item.address))
        return wrong_argument(parser, option, text, "of the form SYM=ADDR, with ADDR like 4096 or 0x1000");
    item.text = arena_copy(&parser->options->arena, text, (size_t)(equals - text));
    return item.text ? vec_push(&parser->options->items, item) : error_no_memory();
}

static struct jitscope_error *set_level(struct parser *parser, const struct option *option,
                                        const char *text) {
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (strcmp(text, levels[i].name) == 0) {
            parser->options->level = levels[i].level;
            return NULL;
        }
    return wrong_argument(parser, option, text, "one of off, session, phase, block, edges");
}

static struct jitscope_error *set_debug(struct parser *parser, const struct option *option,
                                        const char *text) {
    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++)
        if (strcmp(text, policies[i].name) == 0) {
            parser->options->debug = policies[i].policy;
            return NULL;
        }
    return wrong_argument(parser, option, text, "one of auto, eager, lazy, off");
}

/* Words of -z besides the one that the option has: what is so in any case, unless another option wants it
 * otherwise (job.c).  The last one counts, as for ld. */
static const struct {
    const char *word;
    size_t field;
    bool value;
} keywords[] = {
    {"noexecstack", offsetof(struct options, executable_stack), false},
    {"now", offsetof(struct options, bound_at_once), true},
    {"relro", offsetof(struct options, bound_at_once), true}, /* once all is bound, the GOT is read-only */
    {"defs", offsetof(struct options, no_undefined), true},
};

static struct jitscope_error *set_keyword(struct parser *parser, const struct option *option,
                                          const char *text) {
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (!strcmp(keywords[i].word, text)) {
            *(bool *)((char *)parser->options + keywords[i].field) = keywords[i].value;
            return NULL;
        }
    if (!strcmp(text, "text") || !strcmp(text, "separate-code")) /* code has no fixups at run time */
        return NULL;
    if (strcmp(text, option->argument) != 0)
        return error_with_help(wrong_argument(parser, option, text, option->argument),
                               "there is no output file to mark: leave it out");
    *(bool *)((char *)parser->options + option->target) = true;
    return NULL;
}

static struct jitscope_error *apply(struct parser *parser, const struct option *option, const char *text) {
    void *field = (char *)parser->options + option->target;
    switch (option->kind) {
    case OPTION_FLAG:
        *(bool *)field = true;
        return NULL;
    case OPTION_TEXT:
        *(const char **)field = text;
        return NULL;
    case OPTION_NUMBER:
        ((struct optional_number *)field)->given = true;
        if (parse_number(text, &((struct optional_number *)field)->value))
            return NULL;
        return wrong_argument(parser, option, text, "a number like 4096 or 0x1000");
    case OPTION_LEVEL:
        return set_level(parser, option, text);
    case OPTION_DEBUG:
        return set_debug(parser, option, text);
    case OPTION_KEYWORD:
        return set_keyword(parser, option, text);
    case OPTION_ITEM:
        if (option->target == ITEM_DEFINE)
            return add_definition(parser, option, text);
        return add_item(parser, option->target, text);
    default: /* OPTION_NOTHING */
        return NULL;
    }
}

/* TEXT is the argument found in the word itself, or NULL. */
static struct jitscope_error *take_option(struct parser *parser, const struct option *option,
                                          const char *text) {
    struct words *words = &parser->options->words;
    if (!option_belongs(option, parser->command))
        return foreign_option(parser, option);
    if (!option->argument && text)
        return usage(parser, error_create(JITSCOPE_ERROR_USAGE, "--%s takes no argument", option->name));
    if (option->argument && !text) {
        if (parser->at >= words->options)
            return usage(parser, error_create(JITSCOPE_ERROR_USAGE, "--%s wants an argument: %s",
                                              option->name, option->argument));
        text = words->list.data[parser->at++].text;
    }
    if (option->argument && !*text)
        return usage(parser, error_create(JITSCOPE_ERROR_USAGE, "--%s: the argument is empty", option->name));
    return apply(parser, option, text);
}

/* Which option a word is, and what stands behind the equals sign; NULL for none. */
static const struct option *find_long(const char *word, const char **text) {
    const char *name = word + (word[1] == '-' ? 2 : 1);
    size_t length = strcspn(name, "=");
    *text = name[length] ? name + length + 1 : NULL;
    if (word[1] != '-' && (*name == 'l' || *name == 'L'))
        return NULL;
    for (size_t i = 0; i < option_count; i++)
        if (strncmp(option_table[i].name, name, length) == 0 && !option_table[i].name[length])
            return &option_table[i];
    return NULL;
}

static const struct option *find_letter(const char *word, const char **text) {
    *text = word[2] ? word + 2 : NULL;
    for (size_t i = 0; i < option_count && word[1] != '-'; i++)
        if (option_table[i].letter == word[1] && (option_table[i].argument || !word[2]))
            return &option_table[i];
    return NULL;
}

static struct jitscope_error *take_word(struct parser *parser) {
    const char *text, *word = parser->options->words.list.data[parser->at++].text;
    if (word[0] != '-')
        return *word ? add_item(parser, ITEM_INPUT, word)
                     : usage(parser, error_create(JITSCOPE_ERROR_USAGE, "an argument is empty"));
    if (!word[1])
        return error_create(JITSCOPE_ERROR_USAGE, "'-' is no input: standard input belongs to the program");
    const struct option *option = find_long(word, &text);
    if (!option && !refusal(parser, word))
        option = find_letter(word, &text);
    return option ? take_option(parser, option, text) : unknown_option(parser, word);
}

/* Behind "--": the program's for `run` and `gdb`, else operands that may begin with a dash. */
static struct jitscope_error *take_rest(struct parser *parser) {
    const struct words *words = &parser->options->words;
    parser->options->first_program = parser->at;
    if (1 << parser->command & RUN)
        return NULL;
    for (; parser->at < words->list.count; parser->at++)
        TRY(add_item(parser, ITEM_INPUT, words->list.data[parser->at].text));
    return NULL;
}

struct jitscope_error *options_parse(enum command_id command, int count, char *const *arguments,
                                     struct options *options) {
    *options = (struct options){0};
    struct parser parser = {.command = command, .options = options};
    bool links = 1 << command & LINKS;
    TRY(words_create(count, arguments, links, &options->words));
    while (parser.at < options->words.options)
        TRY(take_word(&parser));
    return take_rest(&parser);
}

void options_destroy(struct options *options) {
    vec_destroy(&options->items);
    arena_destroy(&options->arena);
    words_destroy(&options->words);
}

enum command_id command_find(const char *name) {
    for (enum command_id id = 0; id < COMMAND_COUNT; id++)
        if (strcmp(commands[id].name, name) == 0)
            return id;
    return COMMAND_COUNT;
}
