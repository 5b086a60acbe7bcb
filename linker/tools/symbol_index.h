/* symbol_index: which function holds an address. */
#ifndef TOOLS_SYMBOL_INDEX_H
#define TOOLS_SYMBOL_INDEX_H

#include "base/vec.h"

#include <elf.h>

struct indexed_symbol {
    uint64_t start;
    uint64_t size;    /* 0: not said, it reaches to the next one */
    const char *name; /* not the index's own */
    uint32_t rank;    /* which of several at one place is shown: the lowest */
};

/* Zero-initialised is empty. */
struct symbol_index {
    VEC(struct indexed_symbol) symbols; /* by start once sorted, the last at a place is shown */
};

/* Takes what names code, under an address that is BIAS further than the symbol says.  Errors: NO_MEMORY. */
struct jitscope_error *symbol_index_add(struct symbol_index *index, const Elf64_Sym *symbol, const char *name,
                                        uint64_t bias);
void symbol_index_sort(struct symbol_index *index);
/* NULL when none at or above FLOOR holds ADDRESS. */
const struct indexed_symbol *symbol_index_find(const struct symbol_index *index, uint64_t address,
                                               uint64_t floor);
void symbol_index_destroy(struct symbol_index *index);

#endif
