/* GNU ld scripts that stand in for libraries (ld manual, "Commands Dealing with Files").
 *
 * /usr/lib/x86_64-linux-gnu/libc.so is one: GROUP names the C library, the archive of its static rest, and
 * the loader as needed.  Names may be quoted; commas and blanks separate them; C comments may stand anywhere.
 */
#include "object/ld_script.h"

#include <ctype.h>
#include <string.h>

struct scanner {
    const char *text; /* NUL-terminated copy; tokens are cut out in place */
    char *at;
    const char *start; /* of the last token */
};

enum token { END, WORD, OPEN, CLOSE, OTHER };

static bool skip_blank(struct scanner *scanner) {
    for (;;) {
        while (*scanner->at &&
               (isspace((unsigned char)*scanner->at) || *scanner->at == ',' || *scanner->at == ';'))
            scanner->at++;
        if (scanner->at[0] != '/' || scanner->at[1] != '*')
            return true;
        char *end = strstr(scanner->at + 2, "*/");
        if (!end)
            return false;
        scanner->at = end + 2;
    }
}

static bool is_word_character(char c) {
    return c && !isspace((unsigned char)c) && !strchr("(),;{}\"", c);
}

/* A word is copied down by its quotes and ended by a NUL; what stood there is in *after. */
static enum token next_token(struct scanner *scanner, char **word) {
    if (!skip_blank(scanner))
        return OTHER;
    scanner->start = scanner->at;
    char c = *scanner->at;
    if (!c)
        return END;
    if (c == '(' || c == ')') {
        scanner->at++;
        return c == '(' ? OPEN : CLOSE;
    }
    if (c == '"') {
        char *end = strchr(scanner->at + 1, '"');
        if (!end)
            return OTHER;
        *word = scanner->at + 1;
        *end = 0;
        scanner->at = end + 1;
        return WORD;
    }
    if (!is_word_character(c))
        return OTHER;
    *word = scanner->at;
    while (is_word_character(*scanner->at))
        scanner->at++;
    return WORD;
}

/* The character behind an unquoted word is needed both as its end and as the next token: words are copied. */
static struct jitscope_error *take_word(struct scanner *scanner, char *word, char **copy, char **store) {
    size_t length = (size_t)(scanner->at - word);
    if (word > scanner->start) /* quoted: ended already */
        length = strlen(word);
    memcpy(*store, word, length);
    (*store)[length] = 0;
    *copy = *store;
    *store += length + 1;
    return NULL;
}

static struct jitscope_error *bad_script(const struct scanner *scanner, enum jitscope_error_code code,
                                         const char *what, const char *word) {
    struct coordinates where = {.offset = (uint64_t)(scanner->start - scanner->text)};
    return error_at(code, &where, "linker script: %s%s%s", what, word ? " " : "", word ? word : "");
}

struct parser {
    struct scanner scanner;
    struct ld_script *script;
    char *store; /* where words are copied to; as large as the script twice over */
};

static struct jitscope_error *expect_open(struct parser *parser) {
    char *word;
    if (next_token(&parser->scanner, &word) != OPEN)
        return bad_script(&parser->scanner, JITSCOPE_ERROR_FORMAT, "expected '('", NULL);
    return NULL;
}

static struct jitscope_error *add_name(struct parser *parser, char *name, struct ld_script_item item) {
    item.text = name;
    if (!item.is_symbol && !item.is_directory && name[0] == '-' && name[1] == 'l') {
        item.text = name + 2;
        item.is_library = true;
    }
    return vec_push(&parser->script->items, item);
}

/* Names up to the closing parenthesis; AS_NEEDED ( ... ) may stand among them, once deep. */
static struct jitscope_error *parse_names(struct parser *parser, struct ld_script_item item) {
    unsigned depth = 1;
    TRY(expect_open(parser));
    while (depth) {
        char *word, *name;
        switch (next_token(&parser->scanner, &word)) {
        case CLOSE:
            item.as_needed = false;
            depth--;
            break;
        case WORD:
            TRY(take_word(&parser->scanner, word, &name, &parser->store));
            if (strcmp(name, "AS_NEEDED") != 0) {
                TRY(add_name(parser, name, item));
                break;
            }
            if (depth > 1)
                return bad_script(&parser->scanner, JITSCOPE_ERROR_FORMAT, "AS_NEEDED inside AS_NEEDED",
                                  NULL);
            TRY(expect_open(parser));
            item.as_needed = true;
            depth++;
            break;
        default:
            return bad_script(&parser->scanner, JITSCOPE_ERROR_FORMAT, "expected a file name or ')'", NULL);
        }
    }
    return NULL;
}

static struct jitscope_error *skip_names(struct parser *parser) {
    char *word;
    TRY(expect_open(parser));
    for (enum token token; (token = next_token(&parser->scanner, &word)) != CLOSE;)
        if (token != WORD)
            return bad_script(&parser->scanner, JITSCOPE_ERROR_FORMAT, "expected ')'", NULL);
    return NULL;
}

static struct jitscope_error *parse_command(struct parser *parser, const char *command) {
    if (!strcmp(command, "INPUT") || !strcmp(command, "GROUP"))
        return parse_names(parser, (struct ld_script_item){0});
    if (!strcmp(command, "SEARCH_DIR"))
        return parse_names(parser, (struct ld_script_item){.is_directory = true});
    if (!strcmp(command, "EXTERN"))
        return parse_names(parser, (struct ld_script_item){.is_symbol = true});
    if (!strcmp(command, "OUTPUT_FORMAT") || !strcmp(command, "OUTPUT_ARCH") || !strcmp(command, "TARGET"))
        return skip_names(parser);
    return error_with_help(
        bad_script(&parser->scanner, JITSCOPE_ERROR_UNSUPPORTED, "no support for", command),
        "scripts may hold INPUT, GROUP, AS_NEEDED, SEARCH_DIR, EXTERN and OUTPUT_FORMAT");
}

static struct jitscope_error *parse(struct parser *parser) {
    for (;;) {
        char *word, *command;
        switch (next_token(&parser->scanner, &word)) {
        case END:
            return NULL;
        case WORD:
            TRY(take_word(&parser->scanner, word, &command, &parser->store));
            TRY(parse_command(parser, command));
            break;
        default:
            return bad_script(&parser->scanner, JITSCOPE_ERROR_FORMAT, "expected a command", NULL);
        }
    }
}

bool ld_script_is(struct bytes file) {
    static const char *const commands[] = {"INPUT",  "GROUP",  "OUTPUT_FORMAT", "SEARCH_DIR",
                                           "EXTERN", "TARGET", "OUTPUT_ARCH"};
    size_t size = file.size < 4096 ? file.size : 4096;
    if (!size || memchr(file.data, 0, size))
        return false;
    char head[4097];
    memcpy(head, file.data, size);
    head[size] = 0;
    struct scanner scanner = {.text = head, .at = head};
    char *word;
    if (next_token(&scanner, &word) != WORD)
        return false;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if ((size_t)(scanner.at - word) == strlen(commands[i]) &&
            !memcmp(word, commands[i], strlen(commands[i])))
            return true;
    return false;
}

struct jitscope_error *ld_script_parse(struct bytes file, struct ld_script *script) {
    *script = (struct ld_script){0};
    if (file.size > 1 << 20)
        return error_create(JITSCOPE_ERROR_UNSUPPORTED, "a linker script of more than 1 MiB");
    if (memchr(file.data, 0, file.size))
        return error_create(JITSCOPE_ERROR_FORMAT, "a linker script with zero bytes");
    /* The text, then the words cut out of it, each with its NUL. */
    script->memory = os_allocate(file.size * 3 + 2);
    if (!script->memory)
        return error_no_memory();
    memcpy(script->memory, file.data, file.size);
    script->memory[file.size] = 0;
    struct parser parser = {
        .scanner = {.text = script->memory, .at = script->memory, .start = script->memory},
        .script = script,
        .store = script->memory + file.size + 1};
    struct jitscope_error *error = parse(&parser);
    if (error)
        ld_script_destroy(script);
    return error;
}

void ld_script_destroy(struct ld_script *script) {
    vec_destroy(&script->items);
    os_release(script->memory);
    script->memory = NULL;
}
