#include "link/unresolved.h"

#include "base/text.h"

#include <inttypes.h>
#include <string.h>

#define ARRAYS                                                                                               \
    " (initialisers and finalisers are run by the linker, and have no place of their own in memory)"
#define START_UP " (the system's start-up files have it, which only programs in files are linked with)"

enum { SHOWN_SYMBOLS = 20, SHOWN_REFERRERS = 3 };

/* The result of a resolver that is still to run is not, nor is what is linked when it is called. */
static bool is_unanswered(const struct graph *graph, const struct symbol *symbol) {
    return symbol->flags & SYMBOL_EXTERNAL && !(symbol->flags & (SYMBOL_RESOLVED | SYMBOL_LAZY)) &&
           !(symbol->kind == SYMBOL_KIND_IFUNC && graph->knows_action);
}

void resolve_phony(struct graph *graph, uint64_t base) {
    uint32_t name = NO_NAME;
    jitscope_error_destroy(string_pool_intern(graph->names, "--phony-externals", 17, &name));
    for (uint32_t i = 0; i < graph->open.count; i++) {
        uint32_t id = graph->open.data[i];
        const struct symbol *symbol = &graph->symbols.data[id];
        if (!is_unanswered(graph, symbol) || symbol->linkage == LINKAGE_WEAK)
            continue;
        graph_resolve(graph, id, base, PROVIDER_PHONY, name);
        base += 16;
    }
}

/* Edges of live blocks by symbol that nobody answers for: how many, and the first few as text. */
struct referrers {
    uint32_t symbol;
    uint32_t count;
    struct text text;
};

static void add_referrer(const struct graph *graph, struct referrers *list, uint32_t block,
                         const struct edge *edge) {
    if (list->count++ >= SHOWN_REFERRERS)
        return;
    struct coordinates where = graph_coordinates(graph, block, edge->offset, NO_SYMBOL);
    text_print(&list->text, "\n    referred to by %s: %s+0x%" PRIx64 " (%s)",
               where.input ? where.input : "the linker", where.section, where.offset,
               graph_edge_name(graph, edge));
}

/* A table entry the linker made refers on behalf of whoever asked for it: report those instead. */
static uint32_t real_target(const struct graph *graph, uint32_t symbol) {
    while (graph->symbols.data[symbol].flags & SYMBOL_TABLE_ENTRY)
        symbol = graph->edges.data[graph->blocks.data[graph->symbols.data[symbol].block].first_edge].target;
    return symbol;
}

static void collect_referrers(const struct graph *graph, struct referrers *lists, uint32_t *index) {
    for (uint32_t id = 0; id < graph->blocks.count; id++) {
        const struct block *block = &graph->blocks.data[id];
        if (block->flags & BLOCK_REMOVED || block->input == NO_INPUT)
            continue;
        for (uint32_t i = 0; i < block->edge_count; i++) {
            const struct edge *edge = &graph->edges.data[block->first_edge + i];
            uint32_t at = index[real_target(graph, edge->target)];
            if (at != UINT32_MAX)
                add_referrer(graph, &lists[at], id, edge);
        }
    }
}

/* Names of a program file's parts that code in memory does not have. */
static const char *missing_part(const char *name) {
    static const struct {
        const char *name, *remark;
    } parts[] = {
        {"__ehdr_start", " (the ELF header of a file: there is none in memory)"},
        {"_DYNAMIC", " (the dynamic section of a file: there is none in memory)"},
        {"__preinit_array_start", ARRAYS},
        {"__preinit_array_end", ARRAYS},
        {"__init_array_start", ARRAYS},
        {"__init_array_end", ARRAYS},
        {"__fini_array_start", ARRAYS},
        {"__fini_array_end", ARRAYS},
        {"_init", START_UP},
        {"_fini", START_UP},
        {"_start", START_UP},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!strcmp(name, parts[i].name))
            return parts[i].remark;
    return NULL;
}

static const char *remark(const struct graph *graph, uint32_t id) {
    const struct symbol *symbol = &graph->symbols.data[id];
    const char *part = missing_part(graph_symbol_name(graph, id));
    if (part)
        return part;
    if (symbol->kind == SYMBOL_KIND_IFUNC)
        return " (an indirect function: its resolver would have to run)";
    return symbol->scope == SCOPE_HIDDEN ? " (hidden: only an input of this link can define it)" : "";
}

/* What compilers call under options whose libraries only their own link adds. */
static const char *runtime_of(const char *name) {
    static const struct {
        const char *prefix, *help;
    } runtimes[] = {
        {"__asan_", "-fsanitize=address wants -lasan (clang: its libclang_rt.asan), in the process from its "
                    "start: LD_PRELOAD"},
        {"__ubsan_", "-fsanitize=undefined wants -lubsan (clang: its libclang_rt.ubsan_standalone)"},
        {"__tsan_", "-fsanitize=thread wants -ltsan (clang: its libclang_rt.tsan), in the process from its "
                    "start: LD_PRELOAD"},
        {"__msan_",
         "-fsanitize=memory wants a process that was instrumented as a whole: leave the option out"},
        {"__hwasan_",
         "-fsanitize=hwaddress wants a process that was instrumented as a whole: leave the option out"},
        {"__dfsan_",
         "-fsanitize=dataflow wants a process that was instrumented as a whole: leave the option out"},
        {"__rtsan_", "-fsanitize=realtime wants clang's libclang_rt.rtsan"},
        {"__gcov_", "--coverage wants -lgcov"},
        {"llvm_gcda_", "--coverage wants clang's libclang_rt.profile"},
        {"llvm_gcov_", "--coverage wants clang's libclang_rt.profile"},
        {"__llvm_profile_", "-fprofile-instr-generate wants clang's libclang_rt.profile"},
        {"GOMP_", "-fopenmp wants -lgomp"},
        {"__kmpc_", "-fopenmp wants -lomp, from the folder of clang's LLVM"},
        {"omp_", "-fopenmp wants -lgomp (clang: -lomp, from the folder of its LLVM)"},
        {"__atomic_", "what the processor does not do at once wants -latomic"},
        {"__sanitizer_cov_", "-fsanitize-coverage wants a library that defines its callbacks"},
    };
    for (size_t i = 0; i < sizeof runtimes / sizeof *runtimes; i++)
        if (!strncmp(name, runtimes[i].prefix, strlen(runtimes[i].prefix)))
            return runtimes[i].help;
    return NULL;
}

static const char *find_runtime(const struct graph *graph, const struct referrers *lists, uint32_t count) {
    const char *help = NULL;
    for (uint32_t i = 0; i < count && !help; i++)
        help = lists[i].count ? runtime_of(graph_symbol_name(graph, lists[i].symbol)) : NULL;
    return help;
}

static bool is_all_ifuncs(const struct graph *graph, const struct referrers *lists, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (lists[i].count && graph->symbols.data[lists[i].symbol].kind != SYMBOL_KIND_IFUNC)
            return false;
    return true;
}

static struct jitscope_error *report(struct graph *graph, const struct referrers *lists, uint32_t count) {
    struct text text = {0};
    uint32_t used = 0, shown = 0;
    for (uint32_t i = 0; i < count; i++)
        used += lists[i].count != 0;
    if (!used)
        return NULL;
    text_print(&text, "%u unresolved symbol%s:", used, used == 1 ? "" : "s");
    for (uint32_t i = 0; i < count; i++) {
        if (!lists[i].count)
            continue;
        TRACE(graph->trace, symbol_unresolved, .symbol = lists[i].symbol,
              .name = trace_name(graph->trace, graph->symbols.data[lists[i].symbol].name));
        if (shown++ >= SHOWN_SYMBOLS)
            continue;
        text_print(&text, "\n  %s%s%s", graph_symbol_name(graph, lists[i].symbol),
                   remark(graph, lists[i].symbol), lists[i].text.data ? lists[i].text.data : "");
        if (lists[i].count > SHOWN_REFERRERS)
            text_print(&text, "\n    and %u more", lists[i].count - SHOWN_REFERRERS);
    }
    if (shown > SHOWN_SYMBOLS)
        text_print(&text, "\n  and %u more symbols", shown - SHOWN_SYMBOLS);
    struct jitscope_error *error =
        text.failed ? error_no_memory() : error_create(JITSCOPE_ERROR_UNRESOLVED, "%s", text.data);
    text_destroy(&text);
    const char *runtime = find_runtime(graph, lists, count);
    if (runtime)
        return error_with_help(error, "%s", runtime);
    if (is_all_ifuncs(graph, lists, count))
        return error_with_help(error,
                               "their resolvers run in a process: use `jitscope run`, or make addresses up "
                               "with --phony-externals");
    return error_with_help(error,
                           "add the input or library that defines %s, or give an address with --define",
                           used == 1 ? "it" : "them");
}

static struct jitscope_error *report_unanswered(struct graph *graph, uint32_t count) {
    struct referrers *lists = os_allocate_zeroed(count * sizeof *lists);
    uint32_t *index = os_allocate((size_t)graph->symbols.count * sizeof *index);
    struct jitscope_error *error = lists && index ? NULL : error_no_memory();
    if (!error) {
        uint32_t next = 0;
        for (uint32_t id = 0; id < graph->symbols.count; id++) {
            bool unanswered = is_unanswered(graph, &graph->symbols.data[id]);
            index[id] = unanswered ? next : UINT32_MAX;
            if (unanswered)
                lists[next++].symbol = id;
        }
        collect_referrers(graph, lists, index);
        error = report(graph, lists, count);
        for (uint32_t i = 0; i < count; i++)
            text_destroy(&lists[i].text);
    }
    os_release(lists);
    os_release(index);
    return error;
}

struct jitscope_error *settle_unresolved(struct graph *graph, void *unused) {
    (void)unused;
    uint32_t unanswered = 0;
    for (uint32_t i = 0; i < graph->open.count; i++) {
        uint32_t id = graph->open.data[i];
        const struct symbol *symbol = &graph->symbols.data[id];
        if (is_unanswered(graph, symbol) && symbol->linkage == LINKAGE_WEAK)
            graph_resolve(graph, id, 0, PROVIDER_WEAK_UNDEFINED, NO_NAME);
        unanswered += is_unanswered(graph, symbol);
    }
    return unanswered ? report_unanswered(graph, unanswered) : NULL;
}
