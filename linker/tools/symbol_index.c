#include "symbol_index.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool is_code(const Elf64_Sym *symbol) {
    int type = ELF64_ST_TYPE(symbol->st_info);
    return symbol->st_shndx != SHN_UNDEF && symbol->st_shndx != SHN_ABS &&
           (type == STT_FUNC || type == STT_NOTYPE || type == STT_GNU_IFUNC);
}

struct jitscope_error *symbol_index_add(struct symbol_index *index, const Elf64_Sym *symbol, const char *name,
                                        uint64_t bias) {
    if (!is_code(symbol) || !name || !name[0])
        return NULL;
    uint32_t untyped = ELF64_ST_TYPE(symbol->st_info) == STT_NOTYPE;
    uint32_t local = ELF64_ST_BIND(symbol->st_info) != STB_GLOBAL;
    return vec_push(&index->symbols, (struct indexed_symbol){symbol->st_value + bias, symbol->st_size, name,
                                                             2 * untyped + local});
}

static int by_place(const void *a, const void *b) {
    const struct indexed_symbol *x = a, *y = b;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    if (x->rank != y->rank)
        return x->rank > y->rank ? -1 : 1;
    return strcmp(y->name, x->name);
}

void symbol_index_sort(struct symbol_index *index) {
    if (index->symbols.count)
        qsort(index->symbols.data, index->symbols.count, sizeof *index->symbols.data, by_place);
}

static uint32_t count_up_to(const struct symbol_index *index, uint64_t address) {
    uint32_t low = 0, high = index->symbols.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (index->symbols.data[middle].start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Backwards, to one that holds the address; the nearest one, when it has no size as in assembly, holds it
 * when no other does. */
const struct indexed_symbol *symbol_index_find(const struct symbol_index *index, uint64_t address,
                                               uint64_t floor) {
    const struct indexed_symbol *found = NULL;
    uint32_t end = count_up_to(index, address);
    for (uint32_t i = end; i-- > 0;) {
        const struct indexed_symbol *symbol = &index->symbols.data[i];
        if (symbol->start < floor)
            break;
        if (address - symbol->start < symbol->size)
            return symbol;
        if (!symbol->size && i + 1 == end)
            found = symbol;
    }
    return found;
}

void symbol_index_destroy(struct symbol_index *index) {
    vec_destroy(&index->symbols);
}
