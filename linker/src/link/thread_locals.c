#include "link/thread_locals.h"

#include "base/text.h"
#include "link/fixups.h"
#include "trace/answers.h"

#include <stdlib.h>
#include <string.h>

/* The wishes about the batch's own block come first. */
enum { OWN_MODULE, OWN_TP, OWN_WISHES };

/* What the C library gives static TLS where no program asked for more. */
enum { STATIC_ALIGNMENT = 64 };

struct placer {
    struct graph *graph;
    const struct thread_local_job *job;
    const struct layout_segment *segment; /* NULL: the batch has no block */
    struct tls_request request;
    VEC(struct tls_wish) wishes;
    VEC(struct tls_answer) answers;
    uint8_t *image;
};

static const struct layout_segment *find_segment(const struct layout *layout) {
    for (uint32_t i = layout->alloc_count; i < layout->segments.count; i++)
        if (layout->segments.data[i].lifetime == LIFETIME_THREAD)
            return &layout->segments.data[i];
    return NULL;
}

/* --- initial values */

/* Every thread has a copy: what is computed from the place itself has no meaning there, and distances from
 * the thread pointer are not known before the values are handed over. */
static struct jitscope_error *check_edges(const struct graph *graph, uint32_t id) {
    const struct block *block = &graph->blocks.data[id];
    const struct arch *arch = graph->arch;
    uint64_t allowed = arch->low_kinds | (uint64_t)1 << arch->pointer64 | (uint64_t)1 << EDGE_KEEP_ALIVE |
                       (uint64_t)1 << arch->tls.offset32 | (uint64_t)1 << arch->tls.offset64;
    for (uint32_t i = 0; i < block->edge_count; i++) {
        const struct edge *edge = &graph->edges.data[block->first_edge + i];
        if (allowed >> edge->kind & 1)
            continue;
        struct coordinates where = graph_coordinates(graph, id, edge->offset, edge->target);
        return error_at(JITSCOPE_ERROR_UNSUPPORTED, &where,
                        "%s in the initial value of a thread-local variable", graph_edge_name(graph, edge));
    }
    return NULL;
}

/* The blocks stay as they are: the fixup pass does them as all others. */
static struct jitscope_error *make_image(struct placer *placer) {
    const struct graph *graph = placer->graph;
    const struct layout_segment *segment = placer->segment;
    const uint32_t *ids = placer->job->in_flight->layout.blocks + segment->first;
    uint64_t size = segment->view.content_size;
    placer->image = os_allocate(size ? size : 1);
    if (!placer->image)
        return error_no_memory();
    if (size)
        memcpy(placer->image, segment->view.working, size);
    for (uint32_t i = 0; i < segment->count; i++) {
        if (!graph->blocks.data[ids[i]].edge_count)
            continue;
        TRY(check_edges(graph, ids[i]));
        TRY(fix_copy(graph, ids[i], placer->image + graph->blocks.data[ids[i]].address));
    }
    placer->request.image = placer->image;
    placer->request.image_size = size;
    placer->request.size = size + segment->view.zero_fill_size;
    placer->request.alignment = segment->view.alignment;
    return NULL;
}

/* --- wishes */

static int by_symbol(const void *a, const void *b) {
    uint32_t x = ((const struct tls_external *)a)->symbol, y = ((const struct tls_external *)b)->symbol;
    return (x > y) - (x < y);
}

static bool leads_to(const struct graph *graph, const struct edge *edge, uint32_t symbol) {
    const struct symbol *target = &graph->symbols.data[edge->target];
    return edge->target == symbol ||
           (target->flags & SYMBOL_TABLE_ENTRY &&
            graph->edges.data[graph->blocks.data[target->block].first_edge].target == symbol);
}

/* The first of an input's edges that refers to SYMBOL, itself or by a table entry; NULL when none does. */
static const struct edge *find_reference(const struct graph *graph, uint32_t symbol, uint32_t *id) {
    for (*id = 0; *id < graph->blocks.count; ++*id) {
        const struct block *block = &graph->blocks.data[*id];
        if (block->flags & BLOCK_REMOVED || block->input == NO_INPUT)
            continue;
        for (uint32_t i = 0; i < block->edge_count; i++)
            if (leads_to(graph, &graph->edges.data[block->first_edge + i], symbol))
                return &graph->edges.data[block->first_edge + i];
    }
    return NULL;
}

static struct jitscope_error *nobody_defines(const struct graph *graph, uint32_t symbol) {
    uint32_t block;
    const struct edge *edge = find_reference(graph, symbol, &block);
    struct coordinates where = {.offset = NO_OFFSET, .symbol = graph_symbol_name(graph, symbol)};
    if (edge)
        where = graph_coordinates(graph, block, edge->offset, symbol);
    return error_with_help(
        error_at(JITSCOPE_ERROR_UNRESOLVED, &where,
                 "%s against a weak thread-local symbol that nobody defines: it has no address",
                 edge ? graph_edge_name(graph, edge) : "a reference"),
        "add the input or library that defines it");
}

/* What a reference to SYMBOL is a reference to: its place in the batch's block, in an earlier link's, or a
 * library's variable. */
static struct jitscope_error *wish_for(const struct graph *graph, uint32_t symbol, uint8_t kind,
                                       struct tls_wish *wish) {
    const struct tls_external key = {.symbol = symbol};
    *wish = (struct tls_wish){.link = graph->link, .kind = kind};
    if (symbol == NO_SYMBOL)
        return NULL;
    const struct symbol *target = &graph->symbols.data[symbol];
    wish->addend = graph->addresses[symbol];
    if (!(target->flags & SYMBOL_EXTERNAL))
        return NULL;
    const struct tls_external *external =
        graph->tls.externals.count
            ? bsearch(&key, graph->tls.externals.data, graph->tls.externals.count, sizeof key, by_symbol)
            : NULL;
    if (!external && target->linkage == LINKAGE_WEAK)
        return nobody_defines(graph, symbol);
    if (external && external->link) {
        wish->link = external->link;
    } else {
        wish->name = graph_symbol_name(graph, symbol);
        wish->addend = 0;
    }
    return NULL;
}

static struct jitscope_error *collect_wishes(struct placer *placer) {
    struct graph *graph = placer->graph;
    struct graph_tls *tls = &graph->tls;
    struct tls_wish wish = {.link = graph->link, .kind = TLS_WORD_MODULE};
    if (tls->externals.count)
        qsort(tls->externals.data, tls->externals.count, sizeof *tls->externals.data, by_symbol);
    if (placer->segment) {
        TRY(vec_push(&placer->wishes, wish));
        wish.kind = TLS_WORD_TP_OFFSET;
        if (tls->own.block != NO_BLOCK)
            TRY(vec_push(&placer->wishes, wish));
    }
    for (uint32_t i = 0; i < tls->gaps.count; i++) {
        TRY(wish_for(graph, tls->gaps.data[i].symbol, tls->gaps.data[i].kind, &wish));
        if (wish.kind == TLS_WORD_MODULE)
            wish.addend = 0;
        TRY(vec_push(&placer->wishes, wish));
    }
    for (uint32_t i = 0; i < tls->reached.count; i++) {
        TRY(wish_for(graph, tls->reached.data[i].symbol, TLS_WORD_TP_OFFSET, &wish));
        TRY(vec_push(&placer->wishes, wish));
    }
    placer->request.wishes = placer->wishes.data;
    placer->request.wish_count = placer->wishes.count;
    return vec_reserve(&placer->answers, placer->wishes.count);
}

/* --- answers */

/* Where nothing runs, values that are as like real ones as can be: blocks a MiB apart below the thread
 * pointer, those of libraries above them. */
static void make_up(const struct placer *placer, struct tls_answer *answers) {
    for (uint32_t i = 0; i < placer->wishes.count; i++) {
        const struct tls_wish *wish = &placer->wishes.data[i];
        uint64_t module = wish->name ? 0x10000 : wish->link;
        uint64_t distance = wish->name ? 0 - (uint64_t)0x20000000
                                       : 0 - (uint64_t)0x40000000 + (wish->link & 0xff) * (uint64_t)0x100000;
        answers[i] = (struct tls_answer){{wish->kind == TLS_WORD_MODULE      ? module
                                          : wish->kind == TLS_WORD_OFFSET    ? wish->addend
                                          : wish->kind == TLS_WORD_TP_OFFSET ? distance + wish->addend
                                                                             : 0,
                                          wish->kind == TLS_WORD_DESCRIPTOR ? distance + wish->addend : 0}};
    }
}

static void note_answers(const struct placer *placer, const struct jitscope_error *error) {
    struct graph *graph = placer->graph;
    uint32_t count = error ? 0 : placer->wishes.count;
    trace_failure(graph->trace, graph->names, error);
    TRACE_ANSWER(graph->trace, answer_tls, .outcome = outcome_of(error), .words = count);
    for (uint32_t i = 0; i < count; i++)
        TRACE_ANSWER(graph->trace, answer_tls_word, .low = placer->answers.data[i].words[0],
                     .high = placer->answers.data[i].words[1]);
}

/* Of the relocation that reaches. */
static const char *name_of(const struct graph *graph, const struct tls_reach *reach) {
    const struct block *block = &graph->blocks.data[reach->block];
    for (uint32_t i = 0; i < block->edge_count; i++) {
        const struct edge *edge = &graph->edges.data[block->first_edge + i];
        if (edge->offset == reach->offset)
            return graph_edge_name(graph, edge);
    }
    return "a relocation";
}

/* The loader does not say which of the references it could not serve: the first that is not dynamic. */
static struct jitscope_error *no_room(const struct placer *placer, struct jitscope_error *error) {
    const struct graph *graph = placer->graph;
    const struct tls_reach *reach = graph->tls.own.block != NO_BLOCK ? &graph->tls.own
                                    : graph->tls.reached.count       ? graph->tls.reached.data
                                                                     : NULL;
    if (!reach || jitscope_error_code(error) != JITSCOPE_ERROR_ADDRESS_SPACE)
        return error;
    struct coordinates where = graph_coordinates(graph, reach->block, reach->offset, reach->symbol);
    const struct tls_request *request = &placer->request;
    struct text needs = {0};
    if (reach == &graph->tls.own)
        text_print(&needs, "all threads must have %llu bytes of static TLS to spare, aligned to %llu",
                   (unsigned long long)request->size, (unsigned long long)request->alignment);
    else
        text_print(&needs,
                   "its block must be in static TLS, or fit there and not have been used by any thread");
    struct jitscope_error *better =
        error_at(JITSCOPE_ERROR_ADDRESS_SPACE, &where,
                 "%s reaches it at a constant distance from the thread pointer, for which %s: %s",
                 name_of(graph, reach), needs.data ? needs.data : "there is no room", error_text(error));
    text_destroy(&needs);
    jitscope_error_destroy(error);
    if (reach == &graph->tls.own && request->alignment > STATIC_ALIGNMENT)
        return error_with_help(better, "compile with -fPIC, or align to %d bytes at most", STATIC_ALIGNMENT);
    return error_with_help(better, "compile with -fPIC, or start the process with "
                                   "GLIBC_TUNABLES=glibc.rtld.optional_static_tls=BYTES in its environment");
}

static struct jitscope_error *ask(struct placer *placer) {
    struct executor *executor = placer->job->executor;
    placer->answers.count = placer->wishes.count;
    if (!executor) {
        make_up(placer, placer->answers.data);
        return NULL;
    }
    struct jitscope_error *error = executor_open_tls(executor, &placer->request, placer->answers.data);
    if (error && !executor_is_answered(executor))
        error = no_room(placer, error);
    note_answers(placer, error);
    return error;
}

/* An entry has one word or two, each an edge. */
static struct jitscope_error *fill_gap(struct graph *graph, const struct tls_gap *gap,
                                       const struct tls_answer *answer) {
    struct edge *edges = &graph->edges.data[graph->blocks.data[gap->block].first_edge + gap->edge];
    TRY(graph_set_addend(graph, &edges[0], (int64_t)answer->words[0]));
    return gap->kind == TLS_WORD_DESCRIPTOR ? graph_set_addend(graph, &edges[1], (int64_t)answer->words[1])
                                            : NULL;
}

static struct jitscope_error *take_answers(struct placer *placer) {
    struct graph *graph = placer->graph;
    struct graph_tls *tls = &graph->tls;
    bool is_static = placer->segment && tls->own.block != NO_BLOCK;
    const struct tls_answer *answers = placer->answers.data;
    if (is_static)
        tls->tp = answers[OWN_TP].words[0];
    if (placer->segment)
        TRACE(graph->trace, tls_block, .module = (uint32_t)answers[OWN_MODULE].words[0],
              .size = placer->request.size, .alignment = placer->request.alignment, .fixed = is_static,
              .tp_offset = (int64_t)tls->tp);
    const struct tls_answer *next = answers + (placer->segment ? 1 + is_static : 0);
    for (uint32_t i = 0; i < tls->gaps.count; i++)
        TRY(fill_gap(graph, &tls->gaps.data[i], next + i));
    next += tls->gaps.count;
    for (uint32_t i = 0; i < tls->reached.count; i++)
        graph->addresses[tls->reached.data[i].symbol] = next[i].words[0] - tls->tp;
    return NULL;
}

static struct jitscope_error *place(struct placer *placer) {
    if (placer->segment)
        TRY(make_image(placer));
    TRY(collect_wishes(placer));
    TRY(ask(placer));
    return take_answers(placer);
}

bool has_thread_locals(const struct graph *graph, const struct in_flight *in_flight) {
    return find_segment(&in_flight->layout) || graph->tls.gaps.count || graph->tls.reached.count;
}

struct jitscope_error *place_thread_locals(struct graph *graph, void *context) {
    const struct thread_local_job *job = context;
    struct placer placer = {.graph = graph,
                            .job = job,
                            .segment = find_segment(&job->in_flight->layout),
                            .request = {.link = graph->link}};
    struct jitscope_error *error = place(&placer);
    vec_destroy(&placer.wishes);
    vec_destroy(&placer.answers);
    os_release(placer.image);
    return error;
}
