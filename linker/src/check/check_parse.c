/* Precedence climbing over the bytes themselves: the language has no tokens worth a lexer. */
#include "check/check_parse.h"

#include <string.h>

/* Both bound the recursion of parser and evaluator: a tree may lean to one side. */
enum { DEEPEST = 200, MOST_NODES = 4096 };

struct parser {
    struct check_tree *tree;
    const char *text;
    uint32_t length;
    uint32_t at;
    uint32_t depth;
};

static const struct {
    const char *text;
    uint8_t length;
    uint8_t precedence;
    enum check_node_kind kind;
} operators[] = {
#define OPERATOR(name, text, precedence) {text, sizeof(text) - 1, precedence, CHECK_##name},
#include "check/check.def"
#undef OPERATOR
};

static const struct {
    const char *text;
    enum check_node_kind kind;
} functions[] = {
#define FUNCTION(name, text, meaning) {text, CHECK_CALL_##name},
#include "check/check.def"
#undef FUNCTION
};

/* --- bytes --- */

static struct jitscope_error *wrong(const struct parser *parser, const char *what) {
    return error_create(JITSCOPE_ERROR_FORMAT, "column %u: %s", parser->at + 1, what);
}

static char peek(const struct parser *parser) {
    return parser->at < parser->length ? parser->text[parser->at] : 0;
}

static void skip_blanks(struct parser *parser) {
    while (peek(parser) == ' ' || peek(parser) == '\t' || peek(parser) == '\r')
        parser->at++;
}

static bool take(struct parser *parser, char byte) {
    skip_blanks(parser);
    if (parser->at >= parser->length || parser->text[parser->at] != byte)
        return false;
    parser->at++;
    return true;
}

static struct jitscope_error *expect(struct parser *parser, char byte, const char *what) {
    return take(parser, byte) ? NULL : wrong(parser, what);
}

static int digit_of(char byte) {
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : 99;
}

static bool is_name_byte(char byte, bool first) {
    char lower = byte | 0x20;
    return (lower >= 'a' && lower <= 'z') || (byte && strchr("_.$@", byte)) || (unsigned char)byte >= 0x80 ||
           (!first && byte >= '0' && byte <= '9');
}

static struct jitscope_error *add(struct parser *parser, struct check_node node, uint32_t *id) {
    if (parser->tree->nodes.count >= MOST_NODES)
        return wrong(parser, "the expression is too long");
    node.end = parser->at;
    while (node.end > node.begin && strchr(" \t\r", parser->text[node.end - 1]))
        node.end--;
    *id = parser->tree->nodes.count;
    return vec_push(&parser->tree->nodes, node);
}

/* --- names --- */

static struct jitscope_error *unescape(struct parser *parser, char *out) {
    parser->at++;
    char byte = peek(parser);
    if (byte == 'x' && parser->length - parser->at >= 3) {
        int high = digit_of(parser->text[parser->at + 1]), low = digit_of(parser->text[parser->at + 2]);
        *out = (char)(high << 4 | low);
        parser->at += 3;
        return high < 16 && low < 16 && *out ? NULL : wrong(parser, "\\x wants two hexadecimal digits");
    }
    if (byte != '"' && byte != '\\')
        return wrong(parser, "after a backslash comes \\, \" or xNN");
    *out = byte;
    parser->at++;
    return NULL;
}

static struct jitscope_error *parse_quoted(struct parser *parser, const char **name) {
    char *out = arena_allocate(&parser->tree->arena, parser->length + 1);
    size_t length = 0;
    if (!out)
        return error_no_memory();
    for (parser->at++; peek(parser) != '"';) {
        if (parser->at >= parser->length || !peek(parser))
            return wrong(parser, "the quoted name does not end");
        if (peek(parser) == '\\')
            TRY(unescape(parser, &out[length++]));
        else
            out[length++] = parser->text[parser->at++];
    }
    parser->at++;
    out[length] = 0;
    *name = out;
    return NULL;
}

static struct jitscope_error *parse_name(struct parser *parser, const char **name) {
    skip_blanks(parser);
    if (peek(parser) == '"')
        return parse_quoted(parser, name);
    uint32_t begin = parser->at;
    if (!is_name_byte(peek(parser), true))
        return wrong(parser, "a name is missing");
    while (is_name_byte(peek(parser), false))
        parser->at++;
    *name = arena_copy(&parser->tree->arena, parser->text + begin, parser->at - begin);
    return *name ? NULL : error_no_memory();
}

/* --- operands --- */

static struct jitscope_error *parse_unary(struct parser *parser, uint32_t *id);
static struct jitscope_error *parse_binary(struct parser *parser, uint8_t precedence, uint32_t *id);

static struct jitscope_error *parse_number(struct parser *parser, uint32_t *id) {
    struct check_node node = {.kind = CHECK_NUMBER, .begin = parser->at};
    uint64_t base = 10;
    if (peek(parser) == '0' && parser->length - parser->at > 1 &&
        (parser->text[parser->at + 1] | 0x20) == 'x') {
        base = 16;
        parser->at += 2;
    }
    uint32_t first = parser->at;
    for (int digit; (digit = digit_of(peek(parser))) < (int)base; parser->at++)
        if (__builtin_mul_overflow(node.number, base, &node.number) ||
            __builtin_add_overflow(node.number, (uint64_t)digit, &node.number))
            return wrong(parser, "the number needs more than 64 bits");
    if (parser->at == first || is_name_byte(peek(parser), false))
        return wrong(parser, "a number is written 12 or 0x1f");
    return add(parser, node, id);
}

/* "{N}" and the address behind it; the star or s is taken already. */
static struct jitscope_error *parse_load(struct parser *parser, enum check_node_kind kind, uint32_t begin,
                                         uint32_t *id) {
    struct check_node node = {.kind = kind, .begin = begin};
    TRY(expect(parser, '{', "a load is written *{4}ADDRESS"));
    skip_blanks(parser);
    node.number = (uint64_t)digit_of(peek(parser));
    if (node.number != 1 && node.number != 2 && node.number != 4 && node.number != 8)
        return wrong(parser, "a load takes 1, 2, 4 or 8 bytes");
    parser->at++;
    TRY(expect(parser, '}', "'}' is missing"));
    TRY(parse_unary(parser, &node.left));
    return add(parser, node, id);
}

static struct jitscope_error *parse_call(struct parser *parser, enum check_node_kind kind, uint32_t begin,
                                         uint32_t *id) {
    struct check_node node = {.kind = kind, .begin = begin};
    TRY(expect(parser, '(', "'(' is missing"));
    TRY(parse_name(parser, &node.name));
    TRY(expect(parser, ')',
               "')' is missing (a name with other characters than letters, digits, _ . $ @ "
               "wants \"quotes\")"));
    return add(parser, node, id);
}

/* A function is a name with a parenthesis behind it; a symbol may be called got all the same. */
static struct jitscope_error *parse_word(struct parser *parser, uint32_t *id) {
    struct check_node node = {.kind = CHECK_SYMBOL, .begin = parser->at};
    bool quoted = peek(parser) == '"';
    TRY(parse_name(parser, &node.name));
    uint32_t behind = parser->at;
    skip_blanks(parser);
    if (quoted || peek(parser) != '(') {
        parser->at = behind;
        return add(parser, node, id);
    }
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (strcmp(node.name, functions[i].text) == 0)
            return parse_call(parser, functions[i].kind, node.begin, id);
    return error_create(JITSCOPE_ERROR_FORMAT, "column %u: there is no function '%s'", node.begin + 1,
                        node.name);
}

static struct jitscope_error *parse_operand(struct parser *parser, uint32_t *id) {
    uint32_t begin = parser->at;
    char byte = peek(parser);
    if (byte >= '0' && byte <= '9')
        return parse_number(parser, id);
    if (byte == 's' && parser->length - begin > 1 && parser->text[begin + 1] == '{') {
        parser->at++;
        return parse_load(parser, CHECK_LOAD_SIGNED, begin, id);
    }
    if (byte == '"' || is_name_byte(byte, true))
        return parse_word(parser, id);
    if (!take(parser, '('))
        return wrong(parser, byte ? "an operand is missing" : "the expression ends too early");
    TRY(parse_binary(parser, 1, id));
    TRY(expect(parser, ')', "')' is missing"));
    struct check_node *node = &parser->tree->nodes.data[*id];
    node->in_parentheses = true;
    node->begin = begin;
    node->end = parser->at;
    return NULL;
}

static struct jitscope_error *parse_prefix(struct parser *parser, enum check_node_kind kind, uint32_t *id) {
    struct check_node node = {.kind = kind, .begin = parser->at++};
    TRY(parse_unary(parser, &node.left));
    return add(parser, node, id);
}

static struct jitscope_error *parse_unary_here(struct parser *parser, uint32_t *id) {
    skip_blanks(parser);
    switch (peek(parser)) {
    case '!':
        return parse_prefix(parser, CHECK_NOT, id);
    case '~':
        return parse_prefix(parser, CHECK_COMPLEMENT, id);
    case '-':
        return parse_prefix(parser, CHECK_NEGATE, id);
    case '+':
        parser->at++;
        return parse_unary(parser, id);
    case '*':
        parser->at++;
        return parse_load(parser, CHECK_LOAD, parser->at - 1, id);
    default:
        return parse_operand(parser, id);
    }
}

static struct jitscope_error *parse_unary(struct parser *parser, uint32_t *id) {
    if (++parser->depth > DEEPEST)
        return wrong(parser, "the expression is nested too deeply");
    TRY(parse_unary_here(parser, id));
    parser->depth--;
    return NULL;
}

/* --- operators --- */

/* Index of the operator that comes next, -1 for none. */
static int peek_operator(struct parser *parser) {
    skip_blanks(parser);
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++)
        if (parser->length - parser->at >= operators[i].length &&
            memcmp(parser->text + parser->at, operators[i].text, operators[i].length) == 0)
            return (int)i;
    return -1;
}

static struct jitscope_error *refuse_mixture(const struct parser *parser, enum check_node_kind kind,
                                             uint32_t side) {
    const struct check_node *node = &parser->tree->nodes.data[side];
    bool bitwise = kind == CHECK_BIT_OR || kind == CHECK_BIT_XOR || kind == CHECK_BIT_AND;
    if (!bitwise || node->in_parentheses || !check_is_comparison(node->kind))
        return NULL;
    return error_create(JITSCOPE_ERROR_FORMAT,
                        "column %u: put parentheses around the comparison or around & ^ |: C's precedence "
                        "surprises here",
                        node->begin + 1);
}

static struct jitscope_error *parse_binary(struct parser *parser, uint8_t precedence, uint32_t *id) {
    TRY(parse_unary(parser, id));
    for (int i; (i = peek_operator(parser)) >= 0 && operators[i].precedence >= precedence;) {
        struct check_node node = {
            .kind = operators[i].kind, .left = *id, .begin = parser->tree->nodes.data[*id].begin};
        parser->at += operators[i].length;
        TRY(parse_binary(parser, operators[i].precedence + 1, &node.right));
        TRY(refuse_mixture(parser, node.kind, node.left));
        TRY(refuse_mixture(parser, node.kind, node.right));
        TRY(add(parser, node, id));
    }
    return NULL;
}

struct jitscope_error *check_parse(const char *text, size_t length, struct check_tree *tree) {
    *tree = (struct check_tree){0};
    struct parser parser = {.tree = tree, .text = text, .length = (uint32_t)length};
    if (length > UINT32_MAX / 2)
        return error_create(JITSCOPE_ERROR_FORMAT, "the expression is too long");
    TRY(parse_binary(&parser, 1, &tree->root));
    skip_blanks(&parser);
    return parser.at == parser.length ? NULL : wrong(&parser, "an operator is missing");
}

void check_tree_destroy(struct check_tree *tree) {
    vec_destroy(&tree->nodes);
    arena_destroy(&tree->arena);
}
