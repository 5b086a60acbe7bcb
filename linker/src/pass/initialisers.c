/* Initialisers and finalisers (gABI chapter 5, "Initialization and Termination Functions").
 *
 * Functions to run stand in arrays: .preinit_array, then .init_array with optional priority suffixes (smaller
 * numbers first, no suffix last), and their older form .ctors, whose suffixes count down and whose arrays run
 * backward.  At the end everything runs mirrored.  What __cxa_atexit registered under the batch's
 * __dso_handle runs before .fini_array, as exit(3) does for a program. */
#include "pass/section_actions.h"

#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

enum { LAST_PRIORITY = 65536 }; /* of an array without suffix; compilers use 0..65535 */

struct family {
    const char *name;
    const char *finalize;   /* action run at finalize, NULL for none */
    const char *deallocate; /* action run at deallocate */
    bool counts_down;       /* .ctors.N: N is 65535 - priority */
};

/* Expanded in the order in which actions must be attached: deallocate halves run in reverse. */
static const struct family families[] = {
    {".dtors", NULL, bridge_action_RUN_DTORS, true},
    {".fini_array", NULL, bridge_action_RUN_FINALISERS, false},
    {".preinit_array", bridge_action_RUN_INITIALISERS, NULL, false},
    {".init_array", bridge_action_RUN_INITIALISERS, NULL, false},
    {".ctors", bridge_action_RUN_CTORS, NULL, true},
};
enum { FAMILY_COUNT = sizeof families / sizeof *families, FIRST_INITIALISER = 2 };

/* Whether NAME is the family's section; then *priority is when it runs among them, small first. */
static bool belongs(const struct family *family, const char *name, uint32_t *priority) {
    size_t length = strlen(family->name);
    if (name[0] != '.' || name[1] != family->name[1] || strncmp(name, family->name, length) ||
        (name[length] && name[length] != '.'))
        return false;
    char *end;
    unsigned long number = name[length] ? strtoul(name + length + 1, &end, 10) : LAST_PRIORITY;
    if (name[length] && (*end || end == name + length + 1 || number > 65535))
        number = LAST_PRIORITY;
    *priority = (uint32_t)(number == LAST_PRIORITY || !family->counts_down ? number : 65535 - number);
    return true;
}

static bool is_family_section(const struct graph *graph, uint32_t id, const struct family *family,
                              uint32_t *priority) {
    const struct section *section = &graph->sections.data[id];
    return section->lifetime != LIFETIME_NO_ALLOC &&
           belongs(family, string_pool_text(graph->names, section->name), priority);
}

struct jitscope_error *order_initialisers(struct graph *graph, void *unused) {
    (void)unused;
    for (uint32_t id = 0; id < graph->sections.count; id++)
        for (size_t i = 0; i < FAMILY_COUNT; i++) {
            uint32_t priority;
            if (is_family_section(graph, id, &families[i], &priority))
                /* Behind ordinary sections (order 0), one family after the other. */
                graph->sections.data[id].order = 1 + (uint32_t)i * (LAST_PRIORITY + 1) + priority;
        }
    return NULL;
}

struct ranked_section {
    uint32_t priority;
    uint32_t section;
};

static int by_priority(const void *a, const void *b) {
    const struct ranked_section *x = a, *y = b;
    if (x->priority != y->priority)
        return x->priority < y->priority ? -1 : 1;
    return x->section < y->section ? -1 : x->section > y->section;
}

/* One action per section of the family: initialisers in order of priority; finalisers are attached in the
 * same order, so that they run in the reverse one. */
static struct jitscope_error *attach_family(struct graph *graph, const struct family *family) {
    VEC(struct ranked_section) ranked = {0};
    struct jitscope_error *error = NULL;
    for (uint32_t id = 0; id < graph->sections.count && !error; id++) {
        uint32_t priority;
        if (graph->sections.data[id].blocks && is_family_section(graph, id, family, &priority))
            error = vec_push(&ranked, (struct ranked_section){priority, id});
    }
    if (ranked.count)
        qsort(ranked.data, ranked.count, sizeof *ranked.data, by_priority);
    for (uint32_t i = 0; i < ranked.count && !error; i++)
        error = add_section_action(graph, ranked.data[i].section, family->finalize, family->deallocate);
    vec_destroy(&ranked);
    return error;
}

static struct jitscope_error *attach_dso_finaliser(struct graph *graph) {
    uint32_t name = string_pool_find(graph->names, "__dso_handle", strlen("__dso_handle"));
    uint32_t symbol = name == NO_NAME ? NO_SYMBOL : graph_find_symbol(graph, name);
    if (symbol == NO_SYMBOL || graph->symbols.data[symbol].block == NO_BLOCK ||
        graph->blocks.data[graph->symbols.data[symbol].block].flags & BLOCK_REMOVED)
        return NULL;
    uint8_t arguments[16];
    store_u64(arguments, graph_symbol_address(graph, symbol));
    store_u64(arguments + 8, 0);
    return graph_add_action(graph, (struct action_call){0},
                            (struct action_call){bridge_action_FINALIZE_DSO, arguments, sizeof arguments});
}

struct jitscope_error *attach_initialisers(struct graph *graph, void *unused) {
    (void)unused;
    for (size_t i = 0; i < FIRST_INITIALISER; i++)
        TRY(attach_family(graph, &families[i]));
    TRY(attach_dso_finaliser(graph));
    for (size_t i = FIRST_INITIALISER; i < FAMILY_COUNT; i++)
        TRY(attach_family(graph, &families[i]));
    return NULL;
}

struct jitscope_error *add_section_action(struct graph *graph, uint32_t section, const char *finalize,
                                          const char *deallocate) {
    uint64_t start = UINT64_MAX, end = 0;
    for (uint32_t id = 0; id < graph->blocks.count; id++) {
        const struct block *block = &graph->blocks.data[id];
        if (block->section != section || block->flags & BLOCK_REMOVED)
            continue;
        start = block->address < start ? block->address : start;
        end = block->address + block->size > end ? block->address + block->size : end;
    }
    if (start >= end)
        return NULL;
    uint8_t arguments[16];
    store_u64(arguments, start);
    store_u64(arguments + 8, end - start);
    return graph_add_action(
        graph, (struct action_call){finalize, finalize ? arguments : NULL, finalize ? 16 : 0},
        (struct action_call){deallocate, deallocate ? arguments : NULL, deallocate ? 16 : 0});
}
