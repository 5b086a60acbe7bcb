#include "pass/synthetic.h"

#include <string.h>

struct jitscope_error *synthetic_section(struct graph *graph, const char *name, uint8_t prot,
                                         uint32_t *section) {
    uint32_t id;
    TRY(string_pool_intern(graph->names, name, strlen(name), &id));
    return graph_add_section(graph, id, prot, LIFETIME_STANDARD, false, section);
}

static const char dso_handle[] = "__dso_handle", tls_module_base[] = "_TLS_MODULE_BASE_",
                  got_base[] = "_GLOBAL_OFFSET_TABLE_";

bool synthetic_is_made(const char *name) {
    return !strcmp(name, dso_handle) || !strcmp(name, tls_module_base) || !strcmp(name, got_base);
}

enum common { COMMON, LARGE_COMMON, THREAD_COMMON, COMMON_COUNT };

static struct jitscope_error *common_section(struct graph *graph, enum common common, uint32_t *section) {
    static const char *const names[] = {"COMMON", "LARGE_COMMON", ".tcommon"};
    uint32_t name;
    TRY(string_pool_intern(graph->names, names[common], strlen(names[common]), &name));
    TRY(graph_add_section(graph, name, PROTECT_READ | PROTECT_WRITE,
                          common == THREAD_COMMON ? LIFETIME_THREAD : LIFETIME_STANDARD, true, section));
    if (common == LARGE_COMMON)
        graph->sections.data[*section].order = ORDER_LARGE;
    return NULL;
}

struct jitscope_error *allocate_commons(struct graph *graph, void *unused) {
    (void)unused;
    uint32_t sections[COMMON_COUNT] = {NO_SECTION, NO_SECTION, NO_SECTION};
    graph_tidy_open(graph);
    for (uint32_t i = 0; i < graph->open.count; i++) {
        uint32_t id = graph->open.data[i];
        struct symbol symbol = graph->symbols.data[id];
        if (symbol.linkage != LINKAGE_COMMON || symbol.flags & SYMBOL_EXTERNAL)
            continue;
        enum common common = symbol.kind == SYMBOL_KIND_TLS ? THREAD_COMMON
                             : symbol.flags & SYMBOL_LARGE  ? LARGE_COMMON
                                                            : COMMON;
        if (sections[common] == NO_SECTION)
            TRY(common_section(graph, common, &sections[common]));
        uint32_t block;
        /* A common symbol's value is its alignment (gABI chapter 4, SHN_COMMON). */
        uint8_t alignment = symbol.value ? (uint8_t)__builtin_ctzll(symbol.value) : 0;
        TRY(graph_add_block(graph, sections[common], NULL, symbol.size, alignment,
                            (struct block_source){symbol.input, 0, 0}, &block));
        graph_define_at(graph, id, block, 0, symbol.size);
    }
    graph_tidy_open(graph); /* what has its place is not open */
    return NULL;
}

/* The symbol of that name when something refers to it and nobody defines it; NO_SYMBOL otherwise. */
static uint32_t find_wanted(const struct graph *graph, const char *text, size_t length) {
    uint32_t name = string_pool_find(graph->names, text, length);
    uint32_t id = name == NO_NAME ? NO_SYMBOL : graph_find_symbol(graph, name);
    if (id == NO_SYMBOL || !(graph->symbols.data[id].flags & SYMBOL_EXTERNAL))
        return NO_SYMBOL;
    return id;
}

/* Where the batch's thread-local block starts, for local-dynamic code with descriptors. */
static void define_tls_module_base(struct graph *graph) {
    uint32_t id = find_wanted(graph, tls_module_base, sizeof tls_module_base - 1);
    if (id == NO_SYMBOL)
        return;
    graph_define_at(graph, id, NO_BLOCK, 0, 0);
    graph->symbols.data[id].kind = SYMBOL_KIND_TLS;
    graph->symbols.data[id].scope = SCOPE_HIDDEN;
}

struct jitscope_error *define_dso_handle(struct graph *graph, void *unused) {
    (void)unused;
    static const uint8_t word[8];
    define_tls_module_base(graph);
    uint32_t id = find_wanted(graph, dso_handle, sizeof dso_handle - 1);
    if (id == NO_SYMBOL)
        return NULL;
    uint32_t section, block;
    TRY(synthetic_section(graph, ".data.rel.ro", PROTECT_READ, &section));
    TRY(graph_add_block(graph, section, word, sizeof word, 3, MADE_BY_LINKER, &block));
    graph_define_at(graph, id, block, 0, sizeof word);
    graph->symbols.data[id].scope = SCOPE_HIDDEN;
    return graph_add_edge(graph, block, (struct edge){.kind = graph->arch->pointer64, .target = id});
}

/* --- bounds
 * -------------------------------------------------------------------------------------------------- */

struct bounds {
    uint64_t start, end;
    bool any;
};

static void extend(struct bounds *bounds, uint64_t start, uint64_t end) {
    if (!bounds->any || start < bounds->start)
        bounds->start = start;
    if (!bounds->any || end > bounds->end)
        bounds->end = end;
    bounds->any = true;
}

/* What the names at the edges of a program are about. */
enum part { PART_ALL, PART_CODE, PART_WRITABLE, PART_DATA, PART_ZERO };

static bool is_of_part(const struct section *section, enum part part) {
    bool is_writable = section->prot & PROTECT_WRITE;
    return part == PART_ALL || (part == PART_CODE   ? section->prot & PROTECT_EXECUTE
                                : part == PART_DATA ? is_writable && !section->zero_fill
                                : part == PART_ZERO ? is_writable && section->zero_fill
                                                    : is_writable);
}

static void extend_by_section(struct bounds *bounds, const struct graph *graph, uint32_t section) {
    uint64_t start, end;
    if (section_in_memory(&graph->sections.data[section]) &&
        graph_section_bounds(graph, section, &start, &end))
        extend(bounds, start, end);
}

/* Sections of one name and several protections count as one. */
static struct bounds bounds_of_name(const struct graph *graph, uint32_t name) {
    struct bounds bounds = {0};
    for (uint32_t id = graph_find_section(graph, name); id != NO_SECTION; id = graph_next_section(graph, id))
        extend_by_section(&bounds, graph, id);
    return bounds;
}

static struct bounds bounds_of_part(const struct graph *graph, enum part part) {
    struct bounds bounds = {0};
    for (uint32_t id = 0; id < graph->sections.count; id++)
        if (is_of_part(&graph->sections.data[id], part))
            extend_by_section(&bounds, graph, id);
    return bounds;
}

static uint32_t linker_provider_name(struct graph *graph) {
    uint32_t name = NO_NAME;
    jitscope_error_destroy(string_pool_intern(graph->names, "jitscope", 8, &name));
    return name;
}

static void define(struct graph *graph, uint32_t symbol, uint64_t address) {
    graph_resolve(graph, symbol, address, PROVIDER_LINKER, linker_provider_name(graph));
}

static void define_section_bounds(struct graph *graph, uint32_t symbol) {
    const char *text = graph_symbol_name(graph, symbol);
    bool start = !strncmp(text, "__start_", 8), stop = !strncmp(text, "__stop_", 7);
    if (!start && !stop)
        return;
    const char *section = text + (start ? 8 : 7);
    uint32_t name = string_pool_find(graph->names, section, strlen(section));
    struct bounds bounds = name == NO_NAME ? (struct bounds){0} : bounds_of_name(graph, name);
    if (bounds.any)
        define(graph, symbol, start ? bounds.start : bounds.end);
}

static uint64_t any_address(const struct graph *graph) {
    uint64_t start, end;
    for (uint32_t id = 0; id < graph->sections.count; id++)
        if (section_in_memory(&graph->sections.data[id]) && graph_section_bounds(graph, id, &start, &end))
            return start;
    return 0;
}

/* _GLOBAL_OFFSET_TABLE_ is a place even where nobody asked for an entry: then nothing but its name speaks of
 * the table, and one place is as good as another. */
static void define_got(struct graph *graph) {
    uint32_t name = string_pool_find(graph->names, ".got", 4);
    struct bounds got = name == NO_NAME ? (struct bounds){0} : bounds_of_name(graph, name);
    graph->got_base = got.start;
    uint32_t symbol = find_wanted(graph, got_base, sizeof got_base - 1);
    if (symbol != NO_SYMBOL)
        define(graph, symbol, got.any ? got.start : any_address(graph));
}

struct jitscope_error *define_bounds(struct graph *graph, void *unused) {
    (void)unused;
    define_got(graph);
    for (uint32_t i = 0; i < graph->open.count; i++) {
        uint8_t flags = graph->symbols.data[graph->open.data[i]].flags;
        if ((flags & (SYMBOL_EXTERNAL | SYMBOL_RESOLVED)) == SYMBOL_EXTERNAL)
            define_section_bounds(graph, graph->open.data[i]);
    }
    return NULL;
}

/* Nothing of that part: data and what is zero begin and end where the other does, all else where everything
 * ends. */
static struct bounds find_part(const struct graph *graph, enum part part, bool *end) {
    struct bounds bounds = bounds_of_part(graph, part);
    if (!bounds.any && (part == PART_DATA || part == PART_ZERO)) {
        bounds = bounds_of_part(graph, part == PART_DATA ? PART_ZERO : PART_DATA);
        *end = part == PART_ZERO;
    }
    if (!bounds.any) {
        bounds = bounds_of_part(graph, PART_ALL);
        *end = true;
    }
    return bounds;
}

/* Names at the edges of the program (ld's default script: PROVIDE). */
struct jitscope_error *provide_program_bounds(struct graph *graph, void *unused) {
    (void)unused;
    static const struct {
        const char *name;
        enum part part;
        bool end;
    } names[] = {
        {"__executable_start", PART_ALL, false},
        {"etext", PART_CODE, true},
        {"_etext", PART_CODE, true},
        {"__etext", PART_CODE, true},
        {"data_start", PART_DATA, false},
        {"__data_start", PART_DATA, false},
        {"edata", PART_DATA, true},
        {"_edata", PART_DATA, true},
        {"__bss_start", PART_ZERO, false},
        {"end", PART_WRITABLE, true},
        {"_end", PART_WRITABLE, true},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        uint32_t symbol = find_wanted(graph, names[i].name, strlen(names[i].name));
        if (symbol == NO_SYMBOL || graph->symbols.data[symbol].flags & SYMBOL_RESOLVED)
            continue;
        bool end = names[i].end;
        struct bounds bounds = find_part(graph, names[i].part, &end);
        if (bounds.any)
            define(graph, symbol, end ? bounds.end : bounds.start);
    }
    return NULL;
}
