/* check_parse: the text of an expression as a tree of nodes in one array. */
#ifndef CHECK_CHECK_PARSE_H
#define CHECK_CHECK_PARSE_H

#include "base/arena.h"
#include "base/vec.h"

#include <stdbool.h>

enum check_node_kind {
    CHECK_NUMBER,
    CHECK_SYMBOL,
    CHECK_LOAD,        /* operand: address; number: bytes */
    CHECK_LOAD_SIGNED, /* the same */
    CHECK_NOT,
    CHECK_COMPLEMENT,
    CHECK_NEGATE,
#define OPERATOR(name, text, precedence) CHECK_##name,
#include "check/check.def"
#undef OPERATOR
#define FUNCTION(name, text, meaning) CHECK_CALL_##name,
#include "check/check.def"
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
