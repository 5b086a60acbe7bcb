#define _GNU_SOURCE
#include "check/check.h"

#include "base/text.h"
#include "check/check_parse.h"

#include <inttypes.h>
#include <string.h>

struct value {
    uint64_t bits;
    bool is_signed;
};

/* One expression under evaluation. */
struct evaluation {
    const struct check_tree *tree;
    const struct check_world *world;
    const char *text;
};

/* --- arithmetic --- */

static bool less(struct value left, struct value right) {
    return left.is_signed && right.is_signed ? (int64_t)left.bits < (int64_t)right.bits
                                             : left.bits < right.bits;
}

/* Defined for every count: what C leaves undefined must not depend on the compiler. */
static uint64_t shift_left(uint64_t bits, uint64_t count) {
    return count < 64 ? bits << count : 0;
}

static uint64_t shift_right(struct value left, uint64_t count) {
    uint64_t sign = left.is_signed && left.bits >> 63 ? UINT64_MAX : 0;
    if (count >= 64)
        return sign;
    return count ? left.bits >> count | sign << (64 - count) : left.bits;
}

static struct value truth(bool holds) {
    return (struct value){holds, true};
}

static struct value combine(enum check_node_kind kind, struct value left, struct value right) {
    bool is_signed = left.is_signed && right.is_signed;
    switch (kind) {
    case CHECK_EQUAL:
        return truth(left.bits == right.bits);
    case CHECK_UNEQUAL:
        return truth(left.bits != right.bits);
    case CHECK_LESS:
        return truth(less(left, right));
    case CHECK_LESS_EQUAL:
        return truth(!less(right, left));
    case CHECK_GREATER:
        return truth(less(right, left));
    case CHECK_GREATER_EQUAL:
        return truth(!less(left, right));
    case CHECK_BIT_OR:
        return (struct value){left.bits | right.bits, is_signed};
    case CHECK_BIT_XOR:
        return (struct value){left.bits ^ right.bits, is_signed};
    case CHECK_BIT_AND:
        return (struct value){left.bits & right.bits, is_signed};
    case CHECK_SHIFT_LEFT:
        return (struct value){shift_left(left.bits, right.bits), left.is_signed};
    case CHECK_SHIFT_RIGHT:
        return (struct value){shift_right(left, right.bits), left.is_signed};
    case CHECK_ADD:
        return (struct value){left.bits + right.bits, is_signed};
    case CHECK_SUBTRACT:
        return (struct value){left.bits - right.bits, is_signed};
    default: /* CHECK_MULTIPLY: the others are no operators of two values */
        return (struct value){left.bits * right.bits, is_signed};
    }
}

/* --- evaluation --- */

static struct jitscope_error *evaluate(const struct evaluation *evaluation, uint32_t id, struct value *value);

static struct jitscope_error *load(const struct evaluation *evaluation, const struct check_node *node,
                                   struct value *value) {
    uint8_t bytes[8] = {0};
    struct value address;
    TRY(evaluate(evaluation, node->left, &address));
    TRY(evaluation->world->read(evaluation->world->context, address.bits, bytes, node->number));
    value->bits = load_u64(bytes);
    value->is_signed = node->kind == CHECK_LOAD_SIGNED;
    uint64_t unused = 64 - 8 * node->number;
    if (value->is_signed)
        value->bits = (uint64_t)((int64_t)(value->bits << unused) >> unused);
    return NULL;
}

static struct jitscope_error *is_defined(const struct check_world *world, const char *name,
                                         struct value *value) {
    struct check_symbol symbol = {0};
    struct jitscope_error *error = world->symbol(world->context, name, &symbol);
    *value = truth(!error && symbol.defined);
    if (jitscope_error_code(error) != JITSCOPE_ERROR_NOT_FOUND)
        return error;
    jitscope_error_destroy(error);
    return NULL;
}

static struct jitscope_error *call(const struct check_world *world, const struct check_node *node,
                                   struct value *value) {
    struct check_symbol symbol = {0};
    uint64_t start = 0, end = 0;
    value->is_signed = false;
    switch (node->kind) {
    case CHECK_CALL_GOT:
        return world->entry(world->context, CHECK_GOT, node->name, &value->bits);
    case CHECK_CALL_PLT:
        return world->entry(world->context, CHECK_PLT, node->name, &value->bits);
    case CHECK_CALL_SIZE:
        TRY(world->symbol(world->context, node->name, &symbol));
        value->bits = symbol.size;
        return NULL;
    case CHECK_CALL_DEFINED:
        return is_defined(world, node->name, value);
    default:
        TRY(world->section(world->context, node->name, &start, &end));
        value->bits = node->kind == CHECK_CALL_SECTION       ? start
                      : node->kind == CHECK_CALL_SECTION_END ? end
                                                             : end - start;
        return NULL;
    }
}

/* && and || leave their right side alone when the left one decides. */
static struct jitscope_error *combine_truths(const struct evaluation *evaluation,
                                             const struct check_node *node, struct value *value) {
    TRY(evaluate(evaluation, node->left, value));
    bool left = value->bits != 0;
    if (left != (node->kind == CHECK_OR))
        TRY(evaluate(evaluation, node->right, value));
    *value = truth(value->bits != 0);
    return NULL;
}

static struct jitscope_error *evaluate_prefix(const struct evaluation *evaluation,
                                              const struct check_node *node, struct value *value) {
    TRY(evaluate(evaluation, node->left, value));
    if (node->kind == CHECK_NOT)
        *value = truth(!value->bits);
    else
        value->bits = node->kind == CHECK_NEGATE ? -value->bits : ~value->bits;
    return NULL;
}

static struct jitscope_error *evaluate(const struct evaluation *evaluation, uint32_t id,
                                       struct value *value) {
    const struct check_node *node = &evaluation->tree->nodes.data[id];
    const struct check_world *world = evaluation->world;
    struct check_symbol symbol = {0};
    struct value right;
    switch (node->kind) {
    case CHECK_NUMBER:
        *value = (struct value){node->number, node->number <= INT64_MAX};
        return NULL;
    case CHECK_SYMBOL:
        TRY(world->symbol(world->context, node->name, &symbol));
        *value = (struct value){symbol.address, false};
        return NULL;
    case CHECK_LOAD:
    case CHECK_LOAD_SIGNED:
        return load(evaluation, node, value);
    case CHECK_NOT:
    case CHECK_COMPLEMENT:
    case CHECK_NEGATE:
        return evaluate_prefix(evaluation, node, value);
    case CHECK_AND:
    case CHECK_OR:
        return combine_truths(evaluation, node, value);
#define FUNCTION(name, text, meaning) case CHECK_CALL_##name:
#include "check/check.def"
#undef FUNCTION
        return call(world, node, value);
    default:
        TRY(evaluate(evaluation, node->left, value));
        TRY(evaluate(evaluation, node->right, &right));
        *value = combine(node->kind, *value, right);
        return NULL;
    }
}

/* --- explaining --- */

static struct jitscope_error *explain_value(const struct evaluation *evaluation, uint32_t id,
                                            struct text *out) {
    const struct check_node *node = &evaluation->tree->nodes.data[id];
    struct value value;
    TRY(evaluate(evaluation, id, &value));
    text_append(out, "\n  ");
    text_append_bytes(out, evaluation->text + node->begin, node->end - node->begin);
    text_print(out, " = 0x%" PRIx64, value.bits);
    if (value.is_signed)
        text_print(out, " (%" PRId64 ")", (int64_t)value.bits);
    return NULL;
}

/* Goes down to what made the whole false: through && to the side that failed, through || to both. */
static struct jitscope_error *explain(const struct evaluation *evaluation, uint32_t id, struct text *out) {
    const struct check_node *node = &evaluation->tree->nodes.data[id];
    struct value value;
    if (node->kind == CHECK_OR) {
        TRY(explain(evaluation, node->left, out));
        return explain(evaluation, node->right, out);
    }
    if (node->kind == CHECK_AND) {
        TRY(evaluate(evaluation, node->left, &value));
        return explain(evaluation, value.bits ? node->right : node->left, out);
    }
    if (!check_is_comparison(node->kind))
        return explain_value(evaluation, node->kind == CHECK_NOT ? node->left : id, out);
    TRY(explain_value(evaluation, node->left, out));
    return explain_value(evaluation, node->right, out);
}

static struct jitscope_error *failed(const struct evaluation *evaluation, size_t length) {
    struct text out = {0};
    text_append(&out, "check failed: ");
    text_append_bytes(&out, evaluation->text, length);
    struct jitscope_error *error = explain(evaluation, evaluation->tree->root, &out);
    if (!error)
        error = out.failed ? error_no_memory() : error_create(JITSCOPE_ERROR_CHECK_FAILED, "%s", out.data);
    text_destroy(&out);
    return error;
}

static struct jitscope_error *cannot_evaluate(struct jitscope_error *cause, const char *text, size_t length) {
    struct jitscope_error *error =
        error_create(JITSCOPE_ERROR_CHECK_FAILED, "check failed: %.*s\n  it cannot be evaluated: %s",
                     (int)length, text, jitscope_error_message(cause));
    jitscope_error_destroy(cause);
    return error;
}

static struct jitscope_error *no_expression(struct jitscope_error *cause, const char *text, size_t length) {
    struct jitscope_error *error =
        error_create(jitscope_error_code(cause), "this is no check expression: %.*s\n  %s", (int)length, text,
                     jitscope_error_message(cause));
    jitscope_error_destroy(cause);
    return error;
}

static struct jitscope_error *evaluate_root(const struct evaluation *evaluation, size_t length) {
    struct value value = {0};
    struct jitscope_error *error = evaluate(evaluation, evaluation->tree->root, &value);
    if (error)
        return cannot_evaluate(error, evaluation->text, length);
    return value.bits ? NULL : failed(evaluation, length);
}

struct jitscope_error *check_expression(const char *text, size_t length, const struct check_world *world) {
    struct check_tree tree;
    struct evaluation evaluation = {&tree, world, text};
    struct jitscope_error *error = check_parse(text, length, &tree);
    error = error ? no_expression(error, text, length) : evaluate_root(&evaluation, length);
    check_tree_destroy(&tree);
    return error;
}

/* --- files --- */

static const char mark[] = "jitscope-check:";

struct check_report {
    const char *name;
    uint32_t count;
    uint32_t failures;
    enum jitscope_error_code code; /* of the first failure */
    struct text text;
};

/* The line that starts at OFFSET, without its newline. */
static struct bytes line_at(struct bytes text, uint64_t offset) {
    const uint8_t *end = memchr(text.data + offset, '\n', text.size - offset);
    return bytes_slice(text, offset, end ? (uint64_t)(end - text.data) - offset : text.size - offset);
}

/* What stands behind the mark, data NULL when it is not there. */
static struct bytes behind_mark(struct bytes line) {
    const uint8_t *found = memmem(line.data, line.size, mark, sizeof mark - 1);
    if (!found)
        return (struct bytes){NULL, 0};
    uint64_t offset = (uint64_t)(found - line.data) + sizeof mark - 1;
    return bytes_slice(line, offset, line.size - offset);
}

/* Cuts the comment and the blanks around; a hash inside quotes belongs to a name.  The end of a C comment is
 * taken away as well, since marked lines often stand in one. */
static struct bytes trim(struct bytes line) {
    bool quoted = false;
    for (uint64_t i = 0; i < line.size; i++) {
        if (quoted && line.data[i] == '\\')
            i++;
        else if (line.data[i] == '"')
            quoted = !quoted;
        else if (line.data[i] == '#' && !quoted)
            line.size = i;
    }
    while (line.size && strchr(" \t\r", line.data[line.size - 1]))
        line.size--;
    if (line.size >= 2 && memcmp(line.data + line.size - 2, "*/", 2) == 0)
        line.size -= 2;
    while (line.size && strchr(" \t\r", line.data[line.size - 1]))
        line.size--;
    while (line.size && strchr(" \t", line.data[0]))
        line = (struct bytes){line.data + 1, line.size - 1};
    return line;
}

static void check_line(struct bytes line, uint32_t number, const struct check_world *world,
                       struct check_report *report) {
    line = trim(line);
    if (!line.size)
        return;
    report->count++;
    struct jitscope_error *error = check_expression((const char *)line.data, line.size, world);
    if (!error)
        return;
    if (!report->failures++)
        report->code = jitscope_error_code(error);
    text_print(&report->text, "\n%s:%u: %s", report->name, number, jitscope_error_message(error));
    jitscope_error_destroy(error);
}

static void check_lines(struct bytes text, bool marked, const struct check_world *world,
                        struct check_report *report) {
    uint32_t number = 1;
    for (uint64_t offset = 0; offset < text.size; number++) {
        struct bytes line = line_at(text, offset);
        offset += line.size + 1;
        if (marked)
            line = behind_mark(line);
        if (line.data)
            check_line(line, number, world, report);
    }
}

static struct jitscope_error *report_error(const struct check_report *report) {
    struct coordinates where = {.input = report->name, .offset = NO_OFFSET};
    if (!report->count)
        return error_at(JITSCOPE_ERROR_FORMAT, &where, "there is nothing to check: no expression in it");
    if (!report->failures)
        return NULL;
    if (report->text.failed)
        return error_no_memory();
    return error_with_help(error_create(report->code, "%u of %u checks failed%s", report->failures,
                                        report->count, report->text.data),
                           "record the link with --record: `jitscope show` tells where everything lies");
}

struct jitscope_error *check_file(const char *name, struct bytes text, const struct check_world *world,
                                  uint32_t *count) {
    struct check_report report = {.name = name};
    if (text.size)
        check_lines(text, behind_mark(text).data != NULL, world, &report);
    struct jitscope_error *error = report_error(&report);
    text_destroy(&report.text);
    *count = report.count;
    return error;
}
