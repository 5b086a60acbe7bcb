/* Filters: `column OP value`, OP one of = (or ==) != < > <= >= ~ (contains), joined by `and`, which binds
 * tighter, and `or`. Numbers compare as numbers (0x and decimal), texts byte by byte; a value may stand in
 * quotes. */
#define _GNU_SOURCE
#include "mirror/rows.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum operator_kind { ALSO_EQUAL, EQUAL, NOT_EQUAL, LESS_EQUAL, GREATER_EQUAL, LESS, GREATER, CONTAINS };

static const char *const operators[] = {"==", "=", "!=", "<=", ">=", "<", ">", "~"};

struct condition {
    uint32_t column;
    enum operator_kind op;
    uint64_t number;
    bool has_number;
    const char *text;
    bool begins_alternative; /* an `or` stands before it */
};

struct filter {
    VEC(struct condition) conditions;
    struct arena arena;
};

struct parser {
    const char *at;
    const struct column *columns;
    uint32_t count;
    struct filter *filter;
};

static struct jitscope_error *bad_filter(const struct parser *parser, const char *what) {
    struct text columns = {0};
    for (uint32_t i = 0; i < parser->count; i++)
        text_print(&columns, "%s%s", i ? ", " : "", parser->columns[i].name);
    struct jitscope_error *error = error_with_help(
        error_create(JITSCOPE_ERROR_USAGE, "filter: %s at '%s'", what, parser->at),
        "columns: %s; operators: = != < > <= >= ~; join with and, or", columns.data ? columns.data : "");
    text_destroy(&columns);
    return error;
}

static void skip_blank(struct parser *parser) {
    while (isspace((unsigned char)*parser->at))
        parser->at++;
}

static bool take_word(struct parser *parser, const char *word) {
    size_t length = strlen(word);
    skip_blank(parser);
    if (strncmp(parser->at, word, length) != 0 || isalnum((unsigned char)parser->at[length]))
        return false;
    parser->at += length;
    return true;
}

/* Column names may hold blanks and dashes: the longest that fits. */
static bool take_column(struct parser *parser, uint32_t *column) {
    size_t best = 0;
    skip_blank(parser);
    for (uint32_t i = 0; i < parser->count; i++) {
        size_t length = strlen(parser->columns[i].name);
        if (length > best && !strncmp(parser->at, parser->columns[i].name, length)) {
            best = length;
            *column = i;
        }
    }
    parser->at += best;
    return best;
}

static bool take_operator(struct parser *parser, enum operator_kind *op) {
    skip_blank(parser);
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        size_t length = strlen(operators[i]);
        if (strncmp(parser->at, operators[i], length) != 0)
            continue;
        *op = i == ALSO_EQUAL ? EQUAL : (enum operator_kind)i;
        parser->at += length;
        return true;
    }
    return false;
}

static struct jitscope_error *take_value(struct parser *parser, struct condition *condition) {
    skip_blank(parser);
    char quote = *parser->at;
    bool quoted = quote == '"' || quote == '\'';
    const char *start = parser->at += quoted;
    size_t length = quoted ? strcspn(start, quote == '"' ? "\"" : "'") : strcspn(start, " \t\n");
    if (quoted && start[length] != quote)
        return bad_filter(parser, "a quote without end");
    if (!quoted && !length)
        return bad_filter(parser, "no value");
    char *text = arena_copy(&parser->filter->arena, start, length), *end;
    if (!text)
        return error_no_memory();
    parser->at += length + quoted;
    condition->text = text;
    condition->number = text[0] == '-' ? (uint64_t)strtoll(text, &end, 0) : strtoull(text, &end, 0);
    condition->has_number = *text && !*end;
    bool numeric = !cell_is_text(parser->columns[condition->column].type) && condition->op != CONTAINS;
    if (!numeric || condition->has_number)
        return NULL;
    parser->at = start;
    return bad_filter(parser, "a number is wanted");
}

static struct jitscope_error *parse(struct parser *parser) {
    for (bool alternative = false;;) {
        struct condition condition = {.begins_alternative = alternative};
        if (!take_column(parser, &condition.column))
            return bad_filter(parser, "no such column");
        if (!take_operator(parser, &condition.op))
            return bad_filter(parser, "no operator");
        TRY(take_value(parser, &condition));
        TRY(vec_push(&parser->filter->conditions, condition));
        skip_blank(parser);
        if (!*parser->at)
            return NULL;
        alternative = take_word(parser, "or");
        if (!alternative && !take_word(parser, "and"))
            return bad_filter(parser, "expected and, or");
    }
}

struct jitscope_error *filter_parse(const char *text, const struct column *columns, uint32_t count,
                                    struct filter **out) {
    struct filter *filter = os_allocate_zeroed(sizeof *filter);
    if (!filter)
        return error_no_memory();
    struct parser parser = {text, columns, count, filter};
    struct jitscope_error *error = parse(&parser);
    if (error)
        filter_destroy(filter);
    else
        *out = filter;
    return error;
}

void filter_destroy(struct filter *filter) {
    if (!filter)
        return;
    vec_destroy(&filter->conditions);
    arena_destroy(&filter->arena);
    os_release(filter);
}

static int compare(const struct condition *condition, const struct column *column, const struct cell *cell) {
    if (cell_is_text(column->type)) {
        size_t length = strlen(condition->text), shorter = length < cell->length ? length : cell->length;
        int order = shorter ? memcmp(cell->text, condition->text, shorter) : 0;
        return order ? order : (cell->length > length) - (cell->length < length);
    }
    if (column->type == CELL_SIGNED)
        return ((int64_t)cell->number > (int64_t)condition->number) -
               ((int64_t)cell->number < (int64_t)condition->number);
    uint64_t number = column->type == CELL_DURATION ? cell->number / 1000 : cell->number;
    return (number > condition->number) - (number < condition->number);
}

static bool contains(const struct condition *condition, const struct column *column,
                     const struct cell *cell) {
    if (cell_is_text(column->type))
        return memmem(cell->text, cell->length, condition->text, strlen(condition->text));
    struct text text = {0};
    cell_print(&text, column, cell);
    bool found = text.data && strstr(text.data, condition->text);
    text_destroy(&text);
    return found;
}

static bool holds(const struct condition *condition, const struct column *columns, const struct cell *row) {
    const struct column *column = &columns[condition->column];
    const struct cell *cell = &row[condition->column];
    if (cell->absent)
        return condition->op == NOT_EQUAL;
    if (condition->op == CONTAINS)
        return contains(condition, column, cell);
    int order = compare(condition, column, cell);
    switch (condition->op) {
    case EQUAL:
        return order == 0;
    case NOT_EQUAL:
        return order != 0;
    case LESS:
        return order < 0;
    case GREATER:
        return order > 0;
    case LESS_EQUAL:
        return order <= 0;
    default:
        return order >= 0;
    }
}

bool filter_accepts(const struct filter *filter, const struct column *columns, const struct cell *row) {
    bool all = true;
    for (uint32_t i = 0; filter && i < filter->conditions.count; i++) {
        const struct condition *condition = &filter->conditions.data[i];
        if (condition->begins_alternative) {
            if (all)
                return true;
            all = true;
        }
        all = all && holds(condition, columns, row);
    }
    return all;
}
