/* The link, top to bottom.
 *
 *   1. Before memory:   passes cut .eh_frame into records and put in what linkers add; prune drops what is
 * dead; tables get their entries; the layout is made and the memory manager finds it a place.
 *   2. Addresses known: symbols at the bounds of sections; then the outside world is asked, once, for all
 * externals.
 *   3. All known:       references go direct where they can; fixups are written into working memory; actions
 * are attached.
 *   4. Finalize:        memory gets its protections, actions run in the executor, the allocation becomes a
 * number.
 *
 * Whatever fails on the way abandons the allocation once; after finalize only the session holds it. */
#include "link/link.h"

#include "graph/graph_digest.h"
#include "link/fixups.h"
#include "link/thread_locals.h"
#include "link/unresolved.h"
#include "pass/lazy_stubs.h"
#include "pass/relax.h"
#include "pass/section_actions.h"
#include "pass/synthetic.h"
#include "pass/tables.h"
#include "pass/unwind_tables.h"
#include "pass/widen.h"

static struct jitscope_error *run(struct link_job *job, uint8_t phase, const char *name, pass_function pass,
                                  void *context) {
    return pass_run(job->graph, &job->pass_number, phase, name, pass, context);
}

static struct jitscope_error *run_user_passes(struct link_job *job, uint8_t phase) {
    return pass_run_phase(job->graph, &job->pass_number, job->user_passes, phase);
}

/* Edges count once, when the tables are built: what inputs and relaxation make of them shows in the bytes. */
enum {
    READ_GRAPH = GRAPH_SECTIONS | GRAPH_BLOCKS | GRAPH_SYMBOLS,
    WHOLE_GRAPH = READ_GRAPH | GRAPH_EDGES,
};

/* From here on: what is in the graph is complete; no block is added but by post-prune passes. */
static struct jitscope_error *prepare(struct link_job *job) {
    TRY(run(job, PHASE_PRE_PRUNE, "allocate-commons", allocate_commons, NULL));
    TRY(run(job, PHASE_PRE_PRUNE, "define-dso-handle", define_dso_handle, NULL));
    TRY(run(job, PHASE_PRE_PRUNE, "split-eh-frames", split_eh_frames, NULL));
    TRY(run(job, PHASE_PRE_PRUNE, "order-initialisers", order_initialisers, NULL));
    TRY(run_user_passes(job, PHASE_PRE_PRUNE));
    TRY(run(job, PHASE_PRE_PRUNE, "prune", prune, &job->roots));
    /* Every block left is live. */
    job->graph->lies_near = memory_keeps_near(job->memory, job->graph->most_bytes);
    TRY(run(job, PHASE_POST_PRUNE, "build-tables", build_tables, NULL));
    TRY(run(job, PHASE_POST_PRUNE, "terminate-eh-frames", terminate_eh_frames, NULL));
    TRY(run_user_passes(job, PHASE_POST_PRUNE));
    if (!job->graph->lies_near || memory_keeps_near(job->memory, job->graph->most_bytes))
        return NULL;
    job->graph->lies_near = false;
    return run(job, PHASE_POST_PRUNE, "widen-references", widen_references, NULL);
}

struct placement {
    struct memory *memory;
    struct in_flight **in_flight;
};

static struct jitscope_error *allocate(struct graph *graph, void *context) {
    struct placement *placement = context;
    return memory_allocate(placement->memory, graph, placement->in_flight);
}

static struct jitscope_error *answer_phony(struct graph *graph, void *context) {
    struct link_job *job = context;
    resolve_phony(graph, job->phony_base);
    return NULL;
}

static struct jitscope_error *compute_addresses(struct graph *graph, void *unused) {
    (void)unused;
    return graph_compute_addresses(graph);
}

/* Every block has its address.  Afterwards every symbol has one too. */
static struct jitscope_error *resolve(struct link_job *job, const struct in_flight *in_flight) {
    struct thread_local_job thread_locals = {in_flight, job->memory->executor};
    TRY(run(job, PHASE_POST_ALLOCATION, "define-bounds", define_bounds, NULL));
    TRY(run_user_passes(job, PHASE_POST_ALLOCATION));
    TRY(run(job, PHASE_RESOLVE, "resolve-externals", job->resolve_externals, job->session));
    TRY(run(job, PHASE_RESOLVE, "provide-program-bounds", provide_program_bounds, NULL));
    if (job->phony_externals)
        TRY(run(job, PHASE_RESOLVE, "phony-externals", answer_phony, job));
    TRY(run(job, PHASE_RESOLVE, "settle-unresolved", settle_unresolved, NULL));
    TRY(run(job, PHASE_RESOLVE, "compute-addresses", compute_addresses, NULL));
    if (!has_thread_locals(job->graph, in_flight))
        return NULL;
    return run(job, PHASE_RESOLVE, "place-thread-locals", place_thread_locals, &thread_locals);
}

/* Working memory becomes what the program will see. */
static struct jitscope_error *fix(struct link_job *job, const struct in_flight *in_flight) {
    TRY(run(job, PHASE_PRE_FIXUP, "relax-references", relax_references, NULL));
    TRY(run_user_passes(job, PHASE_PRE_FIXUP));
    TRY(run(job, PHASE_FIXUP, "apply-fixups", apply_fixups, NULL));
    TRY(run(job, PHASE_POST_FIXUP, "register-eh-frames", register_eh_frames, NULL));
    if (job->graph->lazy.stubs.count)
        TRY(run(job, PHASE_POST_FIXUP, "register-lazy-slots", register_lazy_slots, NULL));
    TRY(run(job, PHASE_POST_FIXUP, "attach-initialisers", attach_initialisers, NULL));
    TRY(run_user_passes(job, PHASE_POST_FIXUP));
    struct debug_job debug = {job->debug, &in_flight->layout};
    if (job->debug)
        TRY(run(job, PHASE_POST_FIXUP, "make-debug-image", make_debug_image, &debug));
    return run(job, PHASE_POST_FIXUP, "announce-definitions", job->announce_definitions, job->session);
}

struct handover {
    struct in_flight *in_flight;
    uint64_t *finalized;
    struct executor *executor; /* NULL: there is none */
    struct image_memory *image;
};

/* The debug image's memory is the executor's, if it likes. */
static struct jitscope_error *finalize(struct graph *graph, void *context) {
    (void)graph;
    struct handover *handover = context;
    if (handover->executor)
        executor_offer_image(handover->executor, handover->image);
    struct jitscope_error *error = memory_finalize(handover->in_flight, handover->finalized);
    if (handover->executor)
        executor_offer_image(handover->executor, NULL);
    return error;
}

struct jitscope_error *link_run(struct link_job *job, uint64_t *finalized) {
    struct in_flight *in_flight = NULL;
    graph_tell_digest(job->graph, STAGE_GRAPH, READ_GRAPH);
    TRY(prepare(job));
    graph_tell_digest(job->graph, STAGE_PRUNED, WHOLE_GRAPH);
    struct placement placement = {job->memory, &in_flight};
    struct jitscope_error *error = run(job, PHASE_LAYOUT, "allocate", allocate, &placement);
    if (!error)
        error = resolve(job, in_flight);
    if (!error)
        error = fix(job, in_flight);
    if (error) {
        if (in_flight)
            memory_abandon(in_flight);
        return error;
    }
    graph_tell_digest(job->graph, STAGE_FIXED_UP, GRAPH_SYMBOLS | GRAPH_ACTIONS);
    struct handover handover = {in_flight, finalized, job->memory->executor,
                                job->debug ? &job->debug->image : NULL};
    return run(job, PHASE_FINALIZE, "finalize", finalize, &handover);
}
