/* check_parse: the text of an expression as a tree of nodes in one array. */
#ifndef CHECK_CHECK_PARSE_H
#define CHECK_CHECK_PARSE_H

#include "base/arena.h"
#include "base/vec.h"

#include <stdbool.h>

/* Binary operators, loosest first: OPERATOR(NAME, "spelling", precedence as in C).  Longer spellings stand
 * before their prefixes. */
#define CHECK_OPERATORS(OPERATOR)                                                                            \
    OPERATOR(OR, "||", 1)                                                                                    \
    OPERATOR(AND, "&&", 2)                                                                                   \
    OPERATOR(BIT_OR, "|", 3)                                                                                 \
    OPERATOR(BIT_XOR, "^", 4)                                                                                \
    OPERATOR(BIT_AND, "&", 5)                                                                                \
    OPERATOR(EQUAL, "==", 6)                                                                                 \
    OPERATOR(UNEQUAL, "!=", 6)                                                                               \
    OPERATOR(SHIFT_LEFT, "<<", 8)                                                                            \
    OPERATOR(SHIFT_RIGHT, ">>", 8)                                                                           \
    OPERATOR(LESS_EQUAL, "<=", 7)                                                                            \
    OPERATOR(GREATER_EQUAL, ">=", 7)                                                                         \
    OPERATOR(LESS, "<", 7)                                                                                   \
    OPERATOR(GREATER, ">", 7)                                                                                \
    OPERATOR(ADD, "+", 9)                                                                                    \
    OPERATOR(SUBTRACT, "-", 9)                                                                               \
    OPERATOR(MULTIPLY, "*", 10)

/* Functions of one name: FUNCTION(NAME, "spelling"). */
#define CHECK_FUNCTIONS(FUNCTION)                                                                            \
    FUNCTION(GOT, "got")                                                                                     \
    FUNCTION(PLT, "plt")                                                                                     \
    FUNCTION(SIZE, "size")                                                                                   \
    FUNCTION(SECTION, "section")                                                                             \
    FUNCTION(SECTION_END, "section_end")                                                                     \
    FUNCTION(SECTION_SIZE, "section_size")                                                                   \
    FUNCTION(DEFINED, "defined")

enum check_node_kind {
    CHECK_NUMBER,
    CHECK_SYMBOL,
    CHECK_LOAD,        /* operand: address; number: bytes */
    CHECK_LOAD_SIGNED, /* the same */
    CHECK_NOT,
    CHECK_COMPLEMENT,
    CHECK_NEGATE,
#define OPERATOR(name, text, precedence) CHECK_##name,
    CHECK_OPERATORS(OPERATOR)
#undef OPERATOR
#define FUNCTION(name, text) CHECK_CALL_##name,
        CHECK_FUNCTIONS(FUNCTION)
#undef FUNCTION
};

struct check_node {
    enum check_node_kind kind;
    bool in_parentheses;
    uint32_t left, right; /* nodes; a prefix operator has only left */
    uint64_t number;
    const char *name;    /* of symbol, section; NUL-terminated, in the arena */
    uint32_t begin, end; /* where it stands in the text */
};

struct check_tree {
    VEC(struct check_node) nodes;
    struct arena arena;
    uint32_t root;
};

/* Errors: FORMAT, naming the column.  The tree is to be destroyed in any case. */
struct jitscope_error *check_parse(const char *text, size_t length, struct check_tree *tree);
void check_tree_destroy(struct check_tree *tree);

static inline bool check_is_comparison(enum check_node_kind kind) {
    return kind == CHECK_EQUAL || kind == CHECK_UNEQUAL || kind == CHECK_LESS || kind == CHECK_LESS_EQUAL ||
           kind == CHECK_GREATER || kind == CHECK_GREATER_EQUAL;
}

#endif
