/* Initialisers and finalisers (gABI chapter 5, "Initialization and Termination Functions").
 *
 * Functions to run stand in arrays: .preinit_array, then .init_array with optional priority suffixes (smaller
 * numbers first, no suffix last).  Their older form .ctors has suffixes that count down and runs backward.
 * ld's default script makes one array of both forms: first what has a priority, in its order, then what has
 * none, in the order of the inputs, where each input's .ctors is turned round.  A suffix that is no number it
 * compares by the whole name of the section, so that .ctors.NAME comes behind .ctors.5 but before
 * .init_array.5 (with both of these, it has no order: 5 means 65530 to the one).  Here each array stays what
 * it is, and the order is that of the actions: one for a run of neighbours in memory, one for each .ctors. At
 * the end everything runs mirrored.  What __cxa_atexit registered under the batch's __dso_handle runs before
 * .fini_array, as exit(3) does for a program. */
#include "pass/section_actions.h"

#include "base/bytes.h"
#include "pass/executable_stack.h"
#include "pass/ifuncs.h"
#include "pass/unwind_tables.h"

#include <stdlib.h>
#include <string.h>

/* When an array runs among its like: compilers use 0..65535; then suffixes that are no number, by name; then
 * arrays without suffix. */
enum { LAST_NUMBER = 65535, NO_NUMBER, NO_SUFFIX };

struct family {
    const char *name;
    const char *finalize;   /* action run at finalize, NULL for none */
    const char *deallocate; /* action run at deallocate */
    bool older;             /* suffixes are 65535 - priority, and each array runs the other way round */
};

/* Families up to a NULL name share one order.  Deallocate halves run in reverse, so what runs at the end is
 * attached first. */
static const struct family finalisers[] = {{".fini_array", NULL, bridge_action_RUN_FINALISERS, false},
                                           {".dtors", NULL, bridge_action_RUN_DTORS, true},
                                           {0}};
static const struct family preinitialisers[] = {
    {".preinit_array", bridge_action_RUN_INITIALISERS, NULL, false}, {0}};
static const struct family initialisers[] = {{".init_array", bridge_action_RUN_INITIALISERS, NULL, false},
                                             {".ctors", bridge_action_RUN_CTORS, NULL, true},
                                             {0}};
enum group { FINALISERS, PREINITIALISERS, INITIALISERS, GROUP_COUNT };
static const struct family *const groups[GROUP_COUNT] = {finalisers, preinitialisers, initialisers};

/* Whether NAME is the family's section; then *priority is when it runs among them, small first. */
static bool belongs(const struct family *family, const char *name, uint32_t *priority) {
    if (name[1] != family->name[1])
        return false;
    size_t length = strlen(family->name);
    if (strncmp(name, family->name, length) || (name[length] && name[length] != '.'))
        return false;
    *priority = NO_SUFFIX;
    if (!name[length])
        return true;
    char *end;
    const char *suffix = name + length + 1;
    unsigned long number = strtoul(suffix, &end, 10);
    if (*end || end == suffix || number > LAST_NUMBER)
        *priority = NO_NUMBER;
    else
        *priority = (uint32_t)(family->older ? LAST_NUMBER - number : number);
    return true;
}

/* The family of GROUP that the section, one of graph->arrays, is one of, or NULL. */
static const struct family *family_of(const struct graph *graph, uint32_t id, const struct family *group,
                                      uint32_t *priority) {
    const struct section *section = &graph->sections.data[id];
    if (!section_in_memory(section))
        return NULL;
    const char *name = string_pool_text(graph->names, section->name);
    while (group->name && !belongs(group, name, priority))
        group++;
    return group->name ? group : NULL;
}

struct jitscope_error *order_initialisers(struct graph *graph, void *unused) {
    (void)unused;
    for (uint32_t at = 0; at < graph->arrays.count; at++)
        for (uint32_t i = 0; i < GROUP_COUNT; i++) {
            uint32_t id = graph->arrays.data[at], priority;
            if (family_of(graph, id, groups[i], &priority))
                /* Behind ordinary sections (order 0), one group after the other. */
                graph->sections.data[id].order = 1 + i * (NO_SUFFIX + 1) + priority;
        }
    return NULL;
}

/* One block of a group's arrays. */
struct array {
    const struct family *family;
    const char *name; /* of its section */
    uint32_t priority;
    uint32_t section;
    uint32_t block; /* blocks are numbered in the order of the inputs */
};
typedef VEC(struct array) array_list;

static int by_order_of_running(const void *a, const void *b) {
    const struct array *x = a, *y = b;
    if (x->priority != y->priority)
        return x->priority < y->priority ? -1 : 1;
    int names = x->priority == NO_SUFFIX ? 0 : strcmp(x->name, y->name);
    return names ? names : (x->block > y->block) - (x->block < y->block);
}

/* Whether the batch has arrays of the group: most have none. */
static bool has_arrays(const struct graph *graph, const struct family *group) {
    uint32_t priority;
    for (uint32_t at = 0; at < graph->arrays.count; at++)
        if (family_of(graph, graph->arrays.data[at], group, &priority))
            return true;
    return false;
}

/* What each section is of the group, by id: what its blocks have in common. */
static void classify(const struct graph *graph, const struct family *group, struct array *kinds) {
    for (uint32_t at = 0; at < graph->arrays.count; at++) {
        uint32_t id = graph->arrays.data[at];
        struct array *kind = &kinds[id];
        kind->family = family_of(graph, id, group, &kind->priority);
        kind->name = string_pool_text(graph->names, graph->sections.data[id].name);
        kind->section = id;
    }
}

static struct jitscope_error *collect_blocks(const struct graph *graph, const struct array *kinds,
                                             array_list *arrays) {
    for (uint32_t id = 0; id < graph->blocks.count; id++) {
        const struct block *block = &graph->blocks.data[id];
        const struct array *kind = &kinds[block->section];
        if (!kind->family || block->flags & BLOCK_REMOVED || !block->size)
            continue;
        TRY(vec_push(arrays, *kind));
        arrays->data[arrays->count - 1].block = id;
    }
    return NULL;
}

/* .ctors.NAME runs right behind .ctors with a number; and without any, before everything. */
static void place_older_names(array_list *arrays) {
    uint32_t last = 0;
    for (uint32_t i = 0; i < arrays->count; i++) {
        const struct array *array = &arrays->data[i];
        if (array->family->older && array->priority <= LAST_NUMBER && array->priority > last)
            last = array->priority;
    }
    for (uint32_t i = 0; i < arrays->count; i++)
        if (arrays->data[i].family->older && arrays->data[i].priority == NO_NUMBER)
            arrays->data[i].priority = last;
}

/* The group's blocks in the order in which they run. */
static struct jitscope_error *collect(const struct graph *graph, const struct family *group,
                                      array_list *arrays) {
    if (!has_arrays(graph, group))
        return NULL;
    struct array *kinds = os_allocate_zeroed(graph->sections.count * sizeof *kinds);
    if (!kinds)
        return error_no_memory();
    classify(graph, group, kinds);
    struct jitscope_error *error = collect_blocks(graph, kinds, arrays);
    os_release(kinds);
    place_older_names(arrays);
    if (arrays->count)
        qsort(arrays->data, arrays->count, sizeof *arrays->data, by_order_of_running);
    return error;
}

static struct jitscope_error *add_range_action(struct graph *graph, uint64_t start, uint64_t end,
                                               const char *finalize, const char *deallocate) {
    uint8_t arguments[16];
    store_u64(arguments, start);
    store_u64(arguments + 8, end - start);
    return graph_add_action(
        graph, (struct action_call){finalize, finalize ? arguments : NULL, finalize ? 16 : 0},
        (struct action_call){deallocate, deallocate ? arguments : NULL, deallocate ? 16 : 0});
}

/* The blocks of one section lie in the order of their numbers, so a run of them is one array. */
static struct jitscope_error *attach_run(struct graph *graph, const array_list *arrays, uint32_t *at) {
    const struct array *first = &arrays->data[*at], *last = first, *limit = arrays->data + arrays->count;
    while (!first->family->older && last + 1 < limit && last[1].section == first->section)
        last++;
    *at += (uint32_t)(last - first) + 1;
    const struct block *start = &graph->blocks.data[first->block], *end = &graph->blocks.data[last->block];
    return add_range_action(graph, start->address, end->address + end->size, first->family->finalize,
                            first->family->deallocate);
}

static struct jitscope_error *attach_group(struct graph *graph, enum group group) {
    array_list arrays = {0};
    struct jitscope_error *error = collect(graph, groups[group], &arrays);
    for (uint32_t i = 0; i < arrays.count && !error;)
        error = attach_run(graph, &arrays, &i);
    vec_destroy(&arrays);
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
    TRY(attach_executable_stack(graph));
    TRY(attach_ifunc_resolvers(graph)); /* initialisers may call what they find */
    TRY(attach_unwinder(graph));        /* and throw */
    TRY(attach_group(graph, FINALISERS));
    TRY(attach_dso_finaliser(graph));
    TRY(attach_group(graph, PREINITIALISERS));
    return attach_group(graph, INITIALISERS);
}

struct jitscope_error *add_section_action(struct graph *graph, uint32_t section, const char *finalize,
                                          const char *deallocate) {
    uint64_t start, end;
    bool any = graph_section_bounds(graph, section, &start, &end) && start < end;
    return any ? add_range_action(graph, start, end, finalize, deallocate) : NULL;
}
