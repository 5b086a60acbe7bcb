/* Common symbols that name a shared library's data: `int optind;`, compiled with -fcommon.
 *
 * For a program that ld has linked there is one object of that name.  GNU ld takes the library's and its
 * value, by a copy below 2 GiB where need be; lld keeps the program's, and the loader has the library use
 * that.  What lies in memory cannot be made a library's object, so it is as with GNU ld: the common symbol is
 * no more than a reference.
 *
 * Two cases are left, in which the program has an object of its own, as it has for a definition that is not
 * common: a weak one of the library's, which GNU ld does not take either (environ); and one with fewer bytes
 * than the program will use. */
#include "session/session_state.h"

static bool may_yield(const struct symbol *symbol) {
    return symbol->linkage == LINKAGE_COMMON && !(symbol->flags & SYMBOL_EXTERNAL) &&
           symbol->scope == SCOPE_DEFAULT && symbol->kind != SYMBOL_KIND_TLS;
}

struct jitscope_error *session_yield_commons(struct jitscope_session *session, struct graph *graph) {
    uint32_t count = graph->open.count; /* those that yield are told of once more behind them */
    for (uint32_t i = 0; i < count && session->shared.count; i++) {
        uint32_t id = graph->open.data[i];
        const struct symbol *symbol = &graph->symbols.data[id];
        struct elf_shared_symbol found;
        if (!may_yield(symbol))
            continue;
        int64_t library = session_find_shared(session, symbol->name, PRELOADED_RANK, &found);
        if (library >= 0 && found.kind == SYMBOL_KIND_OBJECT && !found.weak && found.size >= symbol->size)
            TRY(graph_yield_common(graph, id, session->shared.data[library].input));
    }
    return NULL;
}
