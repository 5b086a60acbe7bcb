/* What a lazy link takes.
 *
 * A lazy link takes whole objects, as any link does, but not all: of what is queued, those that define a root
 * (jitscope_session_add_root(), the entry of `jitscope run`), all of them when none does, or when they
 * replace others, whose callers are to find them; those with
 * initialisers, since a program may do nothing with an object but expect that it has registered itself; and
 * then whatever something that was taken *needs*.  What is not taken waits, and its names are known, like
 * those of an archive's members.
 *
 * An object needs another when it does more with one of its definitions than to call it: reads or writes it,
 * or takes its address.  A function whose address is taken is needed because C has one address for a function
 * (C17 6.5.9), whoever takes it: no other object could know that of a stub here.  What is only called waits.
 *
 * What a static linker decides among definitions is decided so here too.  Where a definition in an object
 * that waits could win over one that is taken, or make the link fail, the object is taken at once: it defines
 * strongly what the batch defines, or anything that the batch has as a common symbol.  All links made on
 * behalf of one link are its *family*: later ones drop COMDAT groups that the family has, and their weak and
 * common definitions yield to the family's; a strong one is an error, as it would have been at once.
 *
 * Initialisers of archive members run when the member is linked, behind those of the program then, where C++
 * allows it ([basic.start.dynamic]/5: before the first use of a function or variable of the unit). */
#include "session/session_state.h"

#include "graph/name_table.h"

#include <string.h>

enum { CALLED = 1, NEEDED = 2 };

struct closure {
    struct jitscope_session *session;
    struct graph *graph;
    struct jitscope_link *link;
    VEC(uint8_t) uses; /* by symbol */
    uint32_t next_block;
    bool taken; /* something was, in the walk at hand */
};

/* --- what waits */

struct listing {
    struct jitscope_session *session;
    uint32_t object;
};

static struct jitscope_error *list_name(void *context, const char *text, size_t length, unsigned traits) {
    const struct listing *listing = context;
    struct jitscope_session *session = listing->session;
    uint32_t name;
    TRY(string_pool_intern(&session->names, text, length, &name));
    TRY(graph_cover_name(&session->waiting_by_name, name));
    uint32_t *head = &session->waiting_by_name.data[name];
    TRY(vec_push(&session->waiting_names,
                 (struct waiting_name){name, listing->object, *head, traits & ELF_STRONG}));
    *head = session->waiting_names.count - 1;
    return NULL;
}

static struct jitscope_error *list_object(struct closure *closure, uint32_t input) {
    struct jitscope_session *session = closure->session;
    struct bytes bytes = session_input(session, input)->bytes;
    struct waiting object = {.input = input, .family = closure->link->number, .outline = elf_outline(bytes)};
    closure->graph->wants_low_memory |= object.outline.wants_low_memory;
    TRY(vec_push(&session->waiting, object));
    struct listing listing = {session, session->waiting.count - 1};
    return error_in_input(elf_each_definition(bytes, list_name, &listing),
                          session_text(session, session_input(session, input)->name));
}

static uint32_t waiting_of_name(const struct jitscope_session *session, uint32_t name) {
    return name < session->waiting_by_name.count ? session->waiting_by_name.data[name] : UINT32_MAX;
}

/* Of those that were queued for FAMILY: the first that defines it strongly, else, but for STRONG, the first
 * of all: as if they had come in that order. */
static uint32_t find_in_family(const struct jitscope_session *session, uint32_t name, uint32_t family,
                               bool strong) {
    uint32_t best = UINT32_MAX;
    bool best_strong = strong;
    for (uint32_t at = waiting_of_name(session, name); at != UINT32_MAX;
         at = session->waiting_names.data[at].next) {
        const struct waiting_name *entry = &session->waiting_names.data[at];
        const struct waiting *object = &session->waiting.data[entry->object];
        if (object->taken_by || object->family != family || (best_strong && !entry->strong))
            continue;
        if (entry->strong && !best_strong) /* wins over all before */
            best = UINT32_MAX;
        best_strong |= entry->strong;
        best = entry->object < best ? entry->object : best;
    }
    return best;
}

/* The latest family that has something of that name waiting; 0: none. */
static uint32_t latest_family(const struct jitscope_session *session, uint32_t name) {
    uint32_t family = 0;
    for (uint32_t at = waiting_of_name(session, name); at != UINT32_MAX;
         at = session->waiting_names.data[at].next) {
        const struct waiting *object = &session->waiting.data[session->waiting_names.data[at].object];
        if (!object->taken_by && object->family > family)
            family = object->family;
    }
    return family;
}

/* As without lazy links: what the family has itself, then the latest of what others have. */
uint32_t session_find_waiting(const struct jitscope_session *session, uint32_t name, uint8_t scope,
                              uint32_t family) {
    uint32_t other = latest_family(session, name);
    if (!other)
        return UINT32_MAX;
    const struct definition *definition = session_find_definition(session, name, scope, family);
    if (definition && definition->family == family)
        return UINT32_MAX;
    uint32_t own = find_in_family(session, name, family, false);
    if (own != UINT32_MAX)
        return own;
    bool later = !definition || (definition->link && definition->family < other);
    return later && scope != SCOPE_HIDDEN ? find_in_family(session, name, other, false) : UINT32_MAX;
}

bool session_was_queued_for(const struct jitscope_session *session, uint32_t name, uint32_t link,
                            uint32_t family) {
    for (uint32_t at = waiting_of_name(session, name); at != UINT32_MAX;
         at = session->waiting_names.data[at].next) {
        const struct waiting *object = &session->waiting.data[session->waiting_names.data[at].object];
        if (object->taken_by == link && object->family == family)
            return true;
    }
    return false;
}

void session_let_wait(struct jitscope_session *session, uint32_t link) {
    for (uint32_t i = 0; i < session->waiting.count; i++)
        if (session->waiting.data[i].taken_by == link)
            session->waiting.data[i].taken_by = 0;
}

/* Names of objects that go leave, those of others follow where their object moves to. */
static void relist(struct jitscope_session *session) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < session->waiting_names.count; i++)
        session->waiting_by_name.data[session->waiting_names.data[i].name] = UINT32_MAX;
    for (uint32_t i = 0; i < session->waiting_names.count; i++) {
        struct waiting_name entry = session->waiting_names.data[i];
        entry.object = session->waiting.data[entry.object].moves_to;
        if (entry.object == UINT32_MAX)
            continue;
        entry.next = session->waiting_by_name.data[entry.name];
        session->waiting_names.data[kept] = entry;
        session->waiting_by_name.data[entry.name] = kept++;
    }
    session->waiting_names.count = kept;
}

/* Needs no memory: a link that leaves does so for good. */
void session_forget_waiting(struct jitscope_session *session, uint32_t family) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < session->waiting.count; i++) {
        struct waiting *object = &session->waiting.data[i];
        object->moves_to = object->family == family ? UINT32_MAX : kept++;
        if (object->family == family)
            session_forget_bytes(session_input(session, object->input));
    }
    if (kept == session->waiting.count)
        return;
    relist(session);
    for (uint32_t i = 0; i < session->waiting.count; i++)
        if (session->waiting.data[i].moves_to != UINT32_MAX)
            session->waiting.data[session->waiting.data[i].moves_to] = session->waiting.data[i];
    session->waiting.count = kept;
}

/* --- what is done with symbols */

static struct jitscope_error *cover_symbols(struct closure *closure) {
    uint32_t count = closure->graph->symbols.count;
    TRY(vec_reserve(&closure->uses, count - closure->uses.count));
    while (closure->uses.count < count)
        vec_put(&closure->uses, 0);
    return NULL;
}

static uint8_t use_of(const struct graph *graph, const struct block *block, const struct edge *edge) {
    if (edge->kind == EDGE_KEEP_ALIVE)
        return 0;
    if (!(graph->arch->call_kinds >> edge->kind & 1))
        return NEEDED;
    return graph->arch->use_of(edge->kind, block->content, edge->offset, graph_addend(graph, edge)) ==
                   USE_ADDRESS
               ? NEEDED
               : CALLED;
}

/* Of the blocks that have come in since. */
static struct jitscope_error *note_uses(struct closure *closure) {
    const struct graph *graph = closure->graph;
    TRY(cover_symbols(closure));
    for (; closure->next_block < graph->blocks.count; closure->next_block++) {
        const struct block *block = &graph->blocks.data[closure->next_block];
        if (!section_in_memory(&graph->sections.data[block->section]))
            continue;
        for (uint32_t i = 0; i < block->edge_count; i++) {
            const struct edge *edge = &graph->edges.data[block->first_edge + i];
            closure->uses.data[edge->target] |= use_of(graph, block, edge);
        }
    }
    return NULL;
}

/* These get more than a call passes, in r11 or on the stack, and a stub would come between. */
static bool is_special(const char *name) {
    static const char *const names[] = {"__morestack", "__fentry__", "mcount", "_mcount", "__tls_get_addr"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strncmp(name, names[i], strlen(names[i])))
            return true;
    return false;
}

/* --- taking */

static struct jitscope_error *take_object(struct closure *closure, uint32_t object) {
    struct waiting *waiting = &closure->session->waiting.data[object];
    closure->taken = true;
    waiting->taken_by = closure->link->number;
    return session_read_object(closure->session, closure->graph, waiting->input);
}

/* Another family's object, or what it calls there, is this link's concern from now on. */
static struct jitscope_error *note_owner(const struct closure *closure, uint32_t object) {
    return session_note_use(closure->session, closure->link->number,
                            closure->session->waiting.data[object].family);
}

static struct jitscope_error *take_for_external(struct closure *closure, uint32_t id) {
    struct jitscope_session *session = closure->session;
    const struct symbol symbol = closure->graph->symbols.data[id];
    uint32_t family = closure->link->family, member;
    if (!(closure->uses.data[id] & NEEDED || is_special(session_text(session, symbol.name))))
        return NULL;
    uint32_t object = session_find_waiting(session, symbol.name, symbol.scope, family);
    if (object != UINT32_MAX) {
        TRY(note_owner(closure, object));
        return take_object(closure, object);
    }
    if (symbol.linkage == LINKAGE_WEAK || session_find_definition(session, symbol.name, symbol.scope, family))
        return NULL;
    TRY(session_want_member(session, &symbol, closure->link->family, &member));
    if (member == UINT32_MAX)
        return NULL;
    closure->taken = true;
    return session_take_member(session, closure->graph, member, symbol.name);
}

static struct jitscope_error *take_for_common(struct closure *closure, uint32_t id) {
    const struct symbol symbol = closure->graph->symbols.data[id];
    uint32_t member, family = closure->link->family;
    uint32_t object = find_in_family(closure->session, symbol.name, family, false);
    if (object != UINT32_MAX)
        return take_object(closure, object);
    if (closure->link->wanted != NO_NAME)
        return NULL;
    TRY(session_want_member(closure->session, &symbol, closure->link->family, &member));
    if (member == UINT32_MAX)
        return NULL;
    closure->taken = true;
    return session_take_member(closure->session, closure->graph, member, symbol.name);
}

static struct jitscope_error *take_for(struct closure *closure, uint32_t id) {
    const struct symbol *symbol = &closure->graph->symbols.data[id];
    if (symbol->scope == SCOPE_LOCAL || symbol->name == NO_NAME)
        return NULL;
    if (symbol->flags & SYMBOL_EXTERNAL)
        return take_for_external(closure, id);
    if (symbol->linkage == LINKAGE_COMMON)
        return take_for_common(closure, id);
    uint32_t object = find_in_family(closure->session, symbol->name, closure->link->family, true);
    return object == UINT32_MAX ? NULL : take_object(closure, object);
}

static struct jitscope_error *take_needed(struct closure *closure) {
    do {
        closure->taken = false;
        for (uint32_t id = 0; id < closure->graph->symbols.count; id++) {
            TRY(note_uses(closure));
            TRY(take_for(closure, id));
        }
    } while (closure->taken);
    return NULL;
}

/* --- where it begins */

static bool defines_root(const struct jitscope_session *session, uint32_t object) {
    uint32_t family = session->waiting.data[object].family;
    for (uint32_t i = 0; i < session->roots.count; i++)
        if (!session_find_definition(session, session->roots.data[i], SCOPE_DEFAULT, 0) &&
            find_in_family(session, session->roots.data[i], family, false) == object)
            return true;
    return false;
}

static struct jitscope_error *refer_to_roots(struct closure *closure) {
    const struct jitscope_session *session = closure->session;
    uint32_t symbol;
    for (uint32_t i = 0; i < session->roots.count; i++) {
        if (session_find_definition(session, session->roots.data[i], SCOPE_DEFAULT, 0))
            continue;
        TRY(graph_refer(closure->graph, session->roots.data[i], LINKAGE_STRONG, SCOPE_DEFAULT,
                        SYMBOL_KIND_NONE, NO_INPUT, &symbol));
        TRY(cover_symbols(closure));
        closure->uses.data[symbol] |= NEEDED;
    }
    return NULL;
}

/* In the order in which they were queued. */
static struct jitscope_error *take_queue(struct closure *closure) {
    struct jitscope_session *session = closure->session;
    uint32_t first = session->waiting.count;
    bool everything = closure->link->replaces, has_root = false;
    for (uint32_t i = 0; i < session->queue.count; i++)
        TRY(list_object(closure, session->queue.data[i]));
    for (uint32_t i = first; i < session->waiting.count && !everything; i++)
        has_root |= defines_root(session, i);
    VEC(uint8_t) chosen = {0};
    struct jitscope_error *error = vec_reserve(&chosen, session->waiting.count - first + 1);
    for (uint32_t i = first; i < session->waiting.count && !error; i++)
        vec_put(&chosen,
                !has_root || session->waiting.data[i].outline.has_initialisers || defines_root(session, i));
    for (uint32_t i = 0; i < chosen.count && !error; i++)
        if (chosen.data[i])
            error = take_object(closure, first + i);
    vec_destroy(&chosen);
    return error ? error : refer_to_roots(closure);
}

static struct jitscope_error *refer_to_wanted(struct closure *closure) {
    uint32_t symbol;
    TRY(graph_refer(closure->graph, closure->link->wanted, LINKAGE_STRONG, SCOPE_DEFAULT, SYMBOL_KIND_NONE,
                    NO_INPUT, &symbol));
    TRY(cover_symbols(closure));
    closure->uses.data[symbol] |= NEEDED;
    return NULL;
}

/* --- where it ends */

/* Whether something defines the symbol that can be linked later. */
static struct jitscope_error *can_wait(struct closure *closure, uint32_t id, bool *can) {
    const struct symbol *symbol = &closure->graph->symbols.data[id];
    uint32_t family = closure->link->family, member;
    *can = false;
    if (closure->uses.data[id] & NEEDED)
        return NULL;
    uint32_t object = session_find_waiting(closure->session, symbol->name, symbol->scope, family);
    *can = object != UINT32_MAX;
    if (*can)
        return note_owner(closure, object);
    if (symbol->linkage == LINKAGE_WEAK ||
        session_find_definition(closure->session, symbol->name, symbol->scope, family))
        return NULL;
    TRY(session_want_member(closure->session, symbol, closure->link->family, &member));
    *can = member != UINT32_MAX;
    return NULL;
}

static struct jitscope_error *mark_lazy(struct closure *closure) {
    struct graph *graph = closure->graph;
    for (uint32_t id = 0; id < graph->symbols.count; id++) {
        bool can = false;
        if (graph->symbols.data[id].flags & SYMBOL_EXTERNAL)
            TRY(can_wait(closure, id, &can));
        if (!can)
            continue;
        graph->symbols.data[id].flags |= SYMBOL_LAZY;
        graph->lazy.wanted |= closure->uses.data[id] & CALLED;
    }
    return NULL;
}

static struct jitscope_error *late_definition(const struct closure *closure, const struct symbol *symbol) {
    const struct jitscope_session *session = closure->session;
    struct coordinates where = {.input = session_text(session, session_input(session, symbol->input)->name),
                                .offset = NO_OFFSET,
                                .symbol = session_text(session, symbol->name)};
    return error_with_help(
        error_at(JITSCOPE_ERROR_DUPLICATE, &where,
                 "defined twice: what was linked before, on behalf of the same link, has it too"),
        "make one of them static, leave one input out, or do not link lazily");
}

/* What the family has already. */
static struct jitscope_error *yield_to_family(struct closure *closure) {
    struct graph *graph = closure->graph;
    uint32_t family = closure->link->family;
    for (uint32_t id = 0; id < graph->symbols.count; id++) {
        const struct symbol *symbol = &graph->symbols.data[id];
        if (symbol->scope == SCOPE_LOCAL || symbol->name == NO_NAME || symbol->flags & SYMBOL_EXTERNAL ||
            symbol->input == NO_INPUT)
            continue;
        const struct definition *definition =
            session_find_definition(closure->session, symbol->name, symbol->scope, family);
        if (!definition || definition->family != family)
            continue;
        if (symbol->linkage == LINKAGE_STRONG)
            return late_definition(closure, symbol);
        TRY(graph_yield(graph, id));
    }
    return NULL;
}

static struct jitscope_error *claim_groups(struct closure *closure) {
    const struct jitscope_link *first = session_link_by_number(closure->session, closure->link->family);
    uint32_t holder;
    for (uint32_t i = 0; i < first->groups.count; i++)
        TRY(graph_claim_group(closure->graph, first->groups.data[i].signature, first->groups.data[i].input,
                              &holder));
    return NULL;
}

/* What a family refers to of its own must be in reach: all of it lies low, or none. */
static void choose_memory(struct closure *closure) {
    struct jitscope_link *first = session_link_by_number(closure->session, closure->link->family);
    if (first == closure->link)
        first->low = closure->graph->wants_low_memory;
    else
        closure->graph->wants_low_memory |= first->low;
}

static struct jitscope_error *read(struct closure *closure) {
    bool is_first = closure->link->family == closure->link->number;
    if (is_first) {
        TRY(take_queue(closure));
    } else {
        TRY(claim_groups(closure));
        TRY(refer_to_wanted(closure));
    }
    TRY(take_needed(closure));
    choose_memory(closure);
    if (!is_first)
        TRY(yield_to_family(closure));
    TRY(note_uses(closure));
    return mark_lazy(closure);
}

struct jitscope_error *session_read_lazily(struct graph *graph, struct jitscope_session *session) {
    struct closure closure = {
        .session = session, .graph = graph, .link = session_link_by_number(session, graph->link)};
    struct jitscope_error *error = read(&closure);
    if (!error && graph->lazy.wanted)
        error = session_want_resolver(session, &graph->lazy.resolver);
    vec_destroy(&closure.uses);
    return error;
}

/* --- replaceable */

/* Data of a relocated constant (.data.rel.ro) is as new as its code. */
static bool is_variable(const struct graph *graph, const struct symbol *symbol) {
    static const char constant[] = ".data.rel.ro";
    if (symbol->flags & SYMBOL_EXTERNAL || symbol->scope != SCOPE_DEFAULT || symbol->name == NO_NAME)
        return false;
    if (symbol->linkage == LINKAGE_COMMON)
        return true;
    if (symbol->block == NO_BLOCK || symbol->kind == SYMBOL_KIND_FUNCTION ||
        symbol->kind == SYMBOL_KIND_IFUNC)
        return false;
    const struct section *section = &graph->sections.data[graph->blocks.data[symbol->block].section];
    const char *name = string_pool_text(graph->names, section->name);
    return section->prot & PROTECT_WRITE && strncmp(name, constant, sizeof constant - 1) != 0;
}

static struct jitscope_error *other_size(const struct jitscope_session *session, const struct symbol *symbol,
                                         const struct definition *definition) {
    struct coordinates where = {.input = session_text(session, session_input(session, symbol->input)->name),
                                .offset = NO_OFFSET,
                                .symbol = session_text(session, symbol->name)};
    return error_with_help(
        error_at(JITSCOPE_ERROR_FORMAT, &where,
                 "a variable of %llu bytes cannot take the place of one of %u: variables stay",
                 (unsigned long long)symbol->size, definition->size),
        "give the new one another name, or make it static");
}

struct jitscope_error *session_keep_variables(struct graph *graph, struct jitscope_session *session) {
    for (uint32_t id = 0; id < graph->symbols.count; id++) {
        const struct symbol *symbol = &graph->symbols.data[id];
        if (!is_variable(graph, symbol))
            continue;
        const struct definition *definition =
            session_find_definition(session, symbol->name, symbol->scope, 0);
        if (!definition || !definition->link)
            continue;
        if (definition->size != symbol->size)
            return other_size(session, symbol, definition);
        TRY(graph_yield(graph, id));
    }
    return NULL;
}

static bool can_be_replaced(const struct jitscope_session *session, const struct symbol *symbol) {
    if (symbol->scope != SCOPE_DEFAULT || symbol->name == NO_NAME || symbol->flags & SYMBOL_LAZY)
        return false;
    if (!(symbol->flags & SYMBOL_EXTERNAL))
        return symbol->kind == SYMBOL_KIND_FUNCTION && symbol->block != NO_BLOCK;
    const struct definition *definition = session_find_definition(session, symbol->name, symbol->scope, 0);
    return definition && definition->link && !definition->thread_local;
}

struct jitscope_error *session_mark_replaceable(struct graph *graph, struct jitscope_session *session) {
    struct closure closure = {.session = session, .graph = graph};
    struct jitscope_error *error = note_uses(&closure);
    for (uint32_t id = 0; id < graph->symbols.count && !error; id++) {
        struct symbol *symbol = &graph->symbols.data[id];
        if (!can_be_replaced(session, symbol))
            continue;
        symbol->flags |= SYMBOL_SWINGS | (closure.uses.data[id] & NEEDED ? SYMBOL_HELD : 0);
        graph->lazy.wanted |= closure.uses.data[id] & CALLED;
    }
    vec_destroy(&closure.uses);
    return error;
}
