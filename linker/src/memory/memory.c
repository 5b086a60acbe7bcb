#include "memory/memory.h"
#include "base/bytes.h"
#include "executor/executor_debug.h"
#include "graph/graph_digest.h"
#include "memory/finalized.h"
#include "memory/managers.h"
#include "memory/segment_digest.h"
#include "trace/answers.h"

#include <inttypes.h>
#include <string.h>

_Static_assert((int)HALF_FINALIZE == ACTION_FINALIZE && (int)HALF_DEALLOCATE == ACTION_DEALLOCATE &&
                   (int)HALF_ROLLBACK == ACTION_ROLLBACK,
               "the halves of actions have one numbering on both sides of the bridge");
_Static_assert((int)JITSCOPE_LIFETIME_FINALIZE == LIFETIME_FINALIZE &&
                   (int)JITSCOPE_EXECUTE == PROTECT_EXECUTE && (int)JITSCOPE_WRITE == PROTECT_WRITE,
               "the public header and the events have one numbering");

/* The table may come from a program that was compiled against an older, shorter header. */
#define OFFERS(ops, member)                                                                                  \
    ((ops)->size >= offsetof(struct jitscope_memory_ops, member) + sizeof(ops)->member && (ops)->member)

void memory_create(struct memory *memory, const struct jitscope_memory_ops *ops, void *context,
                   struct executor *executor, struct trace *trace, uint64_t page_size) {
    *memory = (struct memory){
        .ops = ops, .context = context, .executor = executor, .trace = trace, .page_size = page_size};
}

void memory_destroy(struct memory *memory) {
    while (numbered_latest(&memory->finalized)) {
        uint32_t last = memory->finalized.entries.count - 1;
        jitscope_error_destroy(memory_deallocate(memory, memory->finalized.entries.data[last].number));
    }
    numbered_destroy(&memory->finalized);
    if (memory->ops && OFFERS(memory->ops, destroy))
        memory->ops->destroy(memory->context);
    *memory = (struct memory){0};
}

/* --- events */

static uint64_t segment_size(const struct jitscope_segment *segment) {
    return segment->content_size + segment->zero_fill_size;
}

static void trace_allocation(struct memory *memory, uint32_t number, uint32_t state, uint64_t start,
                             const struct jitscope_segment *segments, uint32_t count) {
    uint64_t low = count ? UINT64_MAX : 0, high = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t end = segments[i].address + segment_size(&segments[i]);
        low = segments[i].address < low ? segments[i].address : low;
        high = end > high ? end : high;
    }
    TRACE(memory->trace, allocation, .allocation = number, .state = state, .address = low, .size = high - low,
          .duration = trace_time(memory->trace) - start);
}

/* A text that is no name of the graph; the empty one without memory for it. */
static uint32_t text_id(struct string_pool *names, const char *text) {
    uint32_t id = NO_NAME;
    if (text)
        jitscope_error_destroy(string_pool_intern(names, text, strlen(text), &id));
    return id;
}

static uint64_t argument(const struct action_call *call, uint32_t index) {
    uint64_t end = ((uint64_t)index + 1) * 8;
    return call->function && call->size >= end ? load_u64(call->arguments + end - 8) : 0;
}

static void trace_actions(struct memory *memory, const struct graph *graph) {
    if (!trace_wants(memory->trace, LEVEL_BLOCK))
        return;
    for (uint32_t i = 0; i < graph->actions.count; i++) {
        const struct action *action = &graph->actions.data[i];
        const struct action_call *call = action->finalize.function ? &action->finalize : &action->deallocate;
        uint32_t finalize = text_id(graph->names, action->finalize.function);
        uint32_t deallocate = text_id(graph->names, action->deallocate.function);
        TRACE(memory->trace, action, .action = i, .finalize = trace_name(memory->trace, finalize),
              .deallocate = trace_name(memory->trace, deallocate), .address = argument(call, 0),
              .size = argument(call, 1));
    }
}

/* An .eh_frame action that worked is a registration, or its end, with every unwinder; one of a debug image
 * with debuggers.  What registers that may have kept its arguments, and given them back; what withdraws it
 * has the same two in front. */
static void trace_registration(struct memory *memory, struct string_pool *names, uint32_t number,
                               const struct action *action, uint32_t half) {
    const struct action_call *call = half == HALF_FINALIZE ? &action->finalize : &action->deallocate;
    const struct action_call *about = call;
    const char *unwinders[EXECUTOR_UNWINDERS];
    bool finalize = half == HALF_FINALIZE;
    uint32_t count = 0;
    if (!strcmp(call->function,
                finalize ? bridge_action_REGISTER_EH_FRAMES : bridge_action_DEREGISTER_EH_FRAMES))
        count = executor_unwinders(memory->executor, unwinders);
    else if (!strcmp(call->function,
                     finalize ? bridge_action_REGISTER_DEBUG_IMAGE : bridge_action_DEREGISTER_DEBUG_IMAGE)) {
        unwinders[count++] = executor_debug_audience(memory->executor);
        about = &action->deallocate;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t with = text_id(names, unwinders[i]);
        TRACE(memory->trace, registration, .allocation = number, .with = trace_name(memory->trace, with),
              .address = argument(about, 0), .size = argument(about, 1), .half = half);
    }
}

static void trace_results(struct memory *memory, struct string_pool *names, uint32_t number,
                          const struct action *actions, const struct action_results *results) {
    if (!trace_wants(memory->trace, LEVEL_BLOCK))
        return;
    for (uint32_t i = results->told; i < results->results.count; i++) {
        const struct action_result *result = &results->results.data[i];
        const struct action *action = &actions[result->action];
        uint32_t message = text_id(names, result->message);
        TRACE(memory->trace, action_result, .allocation = number, .action = result->action,
              .half = result->half, .outcome = result->failed ? OUTCOME_FAILED : OUTCOME_OK,
              .duration = result->duration, .message = trace_name(memory->trace, message));
        if (!result->failed)
            trace_registration(memory, names, number, action, result->half);
    }
}

static void trace_protections(const struct in_flight *in_flight) {
    const struct memory *memory = in_flight->memory;
    for (uint32_t i = 0; i < in_flight->layout.alloc_count; i++) {
        const struct jitscope_segment *view = &in_flight->views[i];
        uint64_t size = (segment_size(view) + memory->page_size - 1) & ~(memory->page_size - 1);
        if (size)
            TRACE(memory->trace, protect, .segment = i, .address = view->address, .size = size,
                  .prot = view->prot);
    }
}

/* What the manager said to the wish that the allocation be in STATE. */
static void note_answer(const struct memory *memory, struct string_pool *names, uint32_t state,
                        const struct jitscope_error *error) {
    trace_failure(memory->trace, names, error);
    TRACE_ANSWER(memory->trace, answer_memory, .state = state, .outcome = outcome_of(error));
}

static void note_places(const struct in_flight *in_flight) {
    for (uint32_t i = 0; i < in_flight->layout.alloc_count; i++)
        TRACE_ANSWER(in_flight->memory->trace, answer_place, .segment = i,
                     .address = in_flight->views[i].address);
}

/* Halves that failed, by their number in the session; what is not told went well. */
static void note_results(struct memory *memory, struct string_pool *names,
                         const struct action_results *results) {
    for (uint32_t i = results->told; i < results->results.count && trace_keeps_answers(memory->trace); i++)
        if (results->results.data[i].failed)
            TRACE_ANSWER(memory->trace, answer_action, .ordinal = memory->halves + i - results->told,
                         .message = trace_text(memory->trace, names, results->results.data[i].message));
    memory->halves += results->results.count - results->told;
}

/* What resolvers found out: an answer, and what their slots lead to. */
static void note_values(const struct memory *memory, const struct action_results *results) {
    for (uint32_t i = results->told; i < results->results.count; i++)
        for (uint32_t at = 0; at < results->results.data[i].value_count; at++)
            TRACE_ANSWER(memory->trace, answer_ifunc, .ordinal = memory->halves + i - results->told,
                         .index = at, .address = results->results.data[i].values[at]);
}

/* An embedding program may have attached such an action, too: slots tell them apart. */
static void resolve_ifunc(struct graph *graph, const struct action_call *call, uint32_t at, uint64_t value) {
    if (at < graph->ifuncs.count && load_u64(call->arguments + 16 + 16 * (size_t)at) ==
                                        graph_symbol_address(graph, graph->ifuncs.data[at].slot))
        graph_resolve(graph, graph->ifuncs.data[at].result, value, PROVIDER_IFUNC, NO_NAME);
}

static void resolve_ifuncs(struct graph *graph, const struct action_results *results) {
    for (uint32_t i = results->told; i < results->results.count; i++) {
        const struct action_result *result = &results->results.data[i];
        for (uint32_t at = 0; result->half == ACTION_FINALIZE && at < result->value_count; at++)
            resolve_ifunc(graph, &graph->actions.data[result->action].finalize, at, result->values[at]);
    }
}

static void tell_finalization(struct memory *memory, const struct in_flight *in_flight,
                              struct action_results *results) {
    struct graph *graph = in_flight->graph;
    note_values(memory, results);
    note_results(memory, graph->names, results);
    trace_results(memory, graph->names, in_flight->number, graph->actions.data, results);
    resolve_ifuncs(graph, results);
    results->told = results->results.count;
}

/* --- allocate */

/* No-alloc sections are fixed up like all others but exist only until finalize. */
static struct jitscope_error *allocate_no_alloc(struct in_flight *in_flight) {
    struct layout *layout = &in_flight->layout;
    uint64_t total = 0;
    for (uint32_t i = layout->alloc_count; i < layout->segments.count; i++)
        if (__builtin_add_overflow(total, segment_size(&layout->segments.data[i].view), &total))
            return error_no_memory();
    if (layout->alloc_count == layout->segments.count)
        return NULL;
    in_flight->no_alloc = os_allocate_zeroed(total);
    if (!in_flight->no_alloc)
        return error_no_memory();
    uint8_t *next = in_flight->no_alloc;
    for (uint32_t i = layout->alloc_count; i < layout->segments.count; i++) {
        layout->segments.data[i].view.working = next;
        next += segment_size(&layout->segments.data[i].view);
    }
    return NULL;
}

/* Managers can be anybody's. */
static struct jitscope_error *check_placement(const struct in_flight *in_flight) {
    for (uint32_t i = 0; i < in_flight->layout.alloc_count; i++) {
        const struct jitscope_segment *view = &in_flight->views[i];
        uint64_t end;
        if (view->address & (view->alignment - 1) || (segment_size(view) && !view->working) ||
            __builtin_add_overflow(view->address, segment_size(view), &end))
            return error_create(JITSCOPE_ERROR_ADDRESS_SPACE,
                                "memory manager '%s' placed segment %u of 0x%" PRIx64
                                " bytes, aligned to 0x%" PRIx64 ", at 0x%" PRIx64,
                                in_flight->memory->ops->name, i, segment_size(view), view->alignment,
                                view->address);
    }
    return NULL;
}

static struct jitscope_error *place(struct in_flight *in_flight) {
    struct memory *memory = in_flight->memory;
    struct layout *layout = &in_flight->layout;
    for (uint32_t i = 0; i < layout->alloc_count; i++)
        in_flight->views[i] = layout->segments.data[i].view;
    struct jitscope_error *error =
        memory->ops->allocate(memory->context, (const struct jitscope_graph *)(const void *)in_flight->graph,
                              in_flight->views, layout->alloc_count, &in_flight->allocation);
    note_answer(memory, in_flight->graph->names, MEMORY_STATE_IN_FLIGHT, error);
    TRY(error);
    note_places(in_flight);
    error = check_placement(in_flight);
    if (error)
        memory->ops->abandon(memory->context, in_flight->allocation);
    for (uint32_t i = 0; i < layout->alloc_count; i++) {
        layout->segments.data[i].view.address = in_flight->views[i].address;
        layout->segments.data[i].view.working = in_flight->views[i].working;
    }
    return error;
}

static void release_in_flight(struct in_flight *in_flight) {
    layout_destroy(&in_flight->layout);
    os_release(in_flight->no_alloc);
    os_release(in_flight);
}

struct jitscope_error *memory_allocate(struct memory *memory, struct graph *graph, struct in_flight **out) {
    struct layout layout;
    uint64_t start = trace_time(memory->trace);
    TRY(layout_create(&layout, graph, memory->page_size));
    graph_tell_digest(graph, STAGE_LAID_OUT, GRAPH_ADDRESSES);
    struct in_flight *in_flight =
        os_allocate_zeroed(sizeof *in_flight + layout.alloc_count * sizeof in_flight->views[0]);
    if (!in_flight) {
        layout_destroy(&layout);
        return error_no_memory();
    }
    in_flight->memory = memory;
    in_flight->graph = graph;
    in_flight->layout = layout;
    struct jitscope_error *error = allocate_no_alloc(in_flight);
    if (!error)
        error = place(in_flight);
    if (error) {
        release_in_flight(in_flight);
        return error;
    }
    in_flight->number = ++memory->next_allocation;
    trace_allocation(memory, in_flight->number, MEMORY_STATE_IN_FLIGHT, start, in_flight->views,
                     layout.alloc_count);
    layout_apply(&in_flight->layout, graph);
    graph_tell_digest(graph, STAGE_ALLOCATED, GRAPH_ADDRESSES);
    *out = in_flight;
    return NULL;
}

/* --- finalize, abandon */

/* Everything that deallocation will need, before anything has happened that would have to be undone. */
static struct jitscope_error *keep(const struct in_flight *in_flight, struct finalized **out) {
    const struct memory *memory = in_flight->memory;
    const struct graph *graph = in_flight->graph;
    uint32_t actions = 0;
    for (uint32_t i = 0; memory->executor && i < graph->actions.count; i++)
        actions = graph->actions.data[i].deallocate.function ? i + 1 : actions;
    TRY(finalized_create(in_flight->layout.alloc_count, graph->actions.data, actions, out));
    (*out)->number = in_flight->number;
    (*out)->allocation = in_flight->allocation;
    (*out)->names = graph->names;
    (*out)->results.timed = trace_wants(memory->trace, LEVEL_BLOCK);
    (*out)->results.allocation = in_flight->number;
    return NULL;
}

static void tell_entry(struct executor *executor, const struct graph *graph) {
    uint32_t name = executor_entry_name(executor);
    uint32_t symbol = name == NO_NAME ? NO_SYMBOL : graph_find_symbol(graph, name);
    if (symbol != NO_SYMBOL && symbol_is_defined(&graph->symbols.data[symbol]))
        executor_set_entry_address(executor, graph_symbol_address(graph, symbol));
}

/* Another process than this has run the actions when it has the memory; it only tells of them later. */
static struct jitscope_error *transfer(const struct in_flight *in_flight,
                                       const struct action_results *results) {
    const struct memory *memory = in_flight->memory;
    const struct graph *graph = in_flight->graph;
    TRY(memory->ops->finalize(memory->context, in_flight->allocation, in_flight->views,
                              in_flight->layout.alloc_count));
    if (!memory->executor)
        return NULL;
    tell_entry(memory->executor, graph);
    return executor_transfer(memory->executor, graph->actions.data, graph->actions.count, results);
}

/* --- runs of actions */

static void begin_run(struct memory *memory, struct memory_run *run) {
    run->outer = memory->running;
    memory->running = run;
}

static void end_run(struct memory *memory, const struct memory_run *run) {
    memory->running = run->outer;
}

static struct jitscope_error *run_finalize_actions(const struct in_flight *in_flight,
                                                   struct action_results *results) {
    struct memory *memory = in_flight->memory;
    const struct graph *graph = in_flight->graph;
    trace_actions(memory, graph);
    if (!memory->executor)
        return NULL;
    struct memory_run run = {.finalizing = in_flight, .results = results};
    begin_run(memory, &run);
    struct jitscope_error *error =
        executor_finalize(memory->executor, graph->actions.data, graph->actions.count, results);
    end_run(memory, &run);
    tell_finalization(memory, in_flight, results);
    return error;
}

/* The FINALIZE segments have done their work; the others are what stays readable. */
static void release_segments(const struct in_flight *in_flight, struct finalized *finalized) {
    struct memory *memory = in_flight->memory;
    for (uint32_t i = 0; i < in_flight->layout.alloc_count; i++) {
        const struct jitscope_segment *view = &in_flight->views[i];
        if (view->lifetime == JITSCOPE_LIFETIME_FINALIZE && OFFERS(memory->ops, release))
            memory->ops->release(memory->context, in_flight->allocation, view);
        else
            finalized->segments[finalized->segment_count++] = *view;
    }
}

static struct jitscope_error *finalize(struct in_flight *in_flight, struct finalized **finalized) {
    struct memory *memory = in_flight->memory;
    segments_tell_digests(&in_flight->layout, in_flight->graph);
    TRY(numbered_reserve(&memory->finalized));
    TRY(keep(in_flight, finalized));
    struct action_results results = {.timed = (*finalized)->results.timed, .allocation = in_flight->number};
    struct jitscope_error *error = transfer(in_flight, &results);
    note_answer(memory, in_flight->graph->names, MEMORY_STATE_FINALIZED, error);
    if (!error) {
        trace_protections(in_flight);
        error = run_finalize_actions(in_flight, &results);
    }
    executor_results_destroy(&results);
    if (error)
        finalized_destroy(*finalized);
    return error;
}

struct jitscope_error *memory_finalize(struct in_flight *in_flight, uint64_t *handle) {
    struct memory *memory = in_flight->memory;
    struct finalized *finalized;
    uint64_t start = trace_time(memory->trace);
    struct jitscope_error *error = finalize(in_flight, &finalized);
    if (error) {
        if (memory->before_abandon)
            memory->before_abandon(memory->abandon_context);
        memory_abandon(in_flight);
        return error;
    }
    release_segments(in_flight, finalized);
    *handle = numbered_add(&memory->finalized, finalized);
    graph_tell_digest(in_flight->graph, STAGE_FINALIZED, GRAPH_ADDRESSES);
    trace_allocation(memory, in_flight->number, MEMORY_STATE_FINALIZED, start, in_flight->views,
                     in_flight->layout.alloc_count);
    release_in_flight(in_flight);
    return NULL;
}

/* The in-process manager lets code rest that a debugger may have breakpoints in; others give it to whom they
 * like. */
static void let_debuggers_go(const struct memory *memory) {
    if (memory->executor && memory->ops != &memory_in_process_ops && executor_is_here(memory->executor))
        executor_debug_settle();
}

void memory_abandon(struct in_flight *in_flight) {
    struct memory *memory = in_flight->memory;
    uint64_t start = trace_time(memory->trace);
    let_debuggers_go(memory);
    if (memory->executor)
        executor_abandon(memory->executor, in_flight->number);
    memory->ops->abandon(memory->context, in_flight->allocation);
    trace_allocation(memory, in_flight->number, MEMORY_STATE_ABANDONED, start, in_flight->views,
                     in_flight->layout.alloc_count);
    release_in_flight(in_flight);
}

/* --- deallocate, read */

static void tell_deallocation(struct memory *memory, const struct finalized *finalized,
                              struct action_results *results) {
    note_results(memory, finalized->names, results);
    trace_results(memory, finalized->names, finalized->number, finalized->actions, results);
    results->told = results->results.count;
}

/* The first of the last actions that run code. */
static uint32_t first_of_code(const struct memory *memory, const struct finalized *finalized) {
    uint32_t first = finalized->action_count;
    while (first && (!finalized->actions[first - 1].deallocate.function ||
                     executor_runs_code(memory->executor, finalized->actions[first - 1].deallocate.function)))
        first--;
    return first;
}

/* Once: afterwards those from FIRST on are not left. */
static struct jitscope_error *run_from(struct memory *memory, struct finalized *finalized, uint32_t first) {
    uint32_t count = finalized->action_count;
    finalized->action_count = first;
    if (!memory->executor || first == count)
        return NULL;
    struct memory_run run = {.deallocating = finalized, .results = &finalized->results};
    begin_run(memory, &run);
    struct jitscope_error *error =
        executor_deallocate(memory->executor, finalized->actions, first, count, &finalized->results);
    end_run(memory, &run);
    tell_deallocation(memory, finalized, &finalized->results);
    return error;
}

static struct jitscope_error *run_deallocate_actions(struct memory *memory, struct finalized *finalized) {
    return run_from(memory, finalized, 0);
}

static struct finalized *find_finalized(const struct memory *memory, uint64_t handle) {
    return handle <= UINT32_MAX ? numbered_find(&memory->finalized, (uint32_t)handle) : NULL;
}

struct jitscope_error *memory_end_code(struct memory *memory, uint64_t handle) {
    struct finalized *finalized = find_finalized(memory, handle);
    return finalized && memory->executor ? run_from(memory, finalized, first_of_code(memory, finalized))
                                         : NULL;
}

static void tell_run(struct memory *memory, const struct memory_run *run) {
    if (run->finalizing)
        tell_finalization(memory, run->finalizing, run->results);
    else
        tell_deallocation(memory, run->deallocating, run->results);
}

void memory_set_aside(struct memory *memory) {
    if (memory->running)
        tell_run(memory, memory->running);
}

uint32_t memory_halves(const struct memory *memory) {
    const struct memory_run *run = memory->running;
    return memory->halves + (run ? run->results->results.count - run->results->told : 0);
}

/* exit(3) was called inside the innermost run.  A finalize action: those before it are rolled back.  A
 * finaliser: those that were to come after it do not run. */
static void end_interrupted(struct memory *memory) {
    struct memory_run *run = memory->running;
    memory->running = NULL; /* while others run: what they come to is theirs */
    TRACE_ANSWER(memory->trace, answer_exit,
                 .ordinal = memory->halves + run->results->results.count - run->results->told);
    if (run->finalizing && !executor_roll_back_interrupted(memory->executor))
        return;
    tell_run(memory, run);
}

/* Last first; what finalisers have linked lazily is last then. */
static void end_all_code(struct memory *memory) {
    const struct numbered_entry *entry;
    for (uint32_t number = memory->finalized.last; (entry = numbered_up_to(&memory->finalized, number));) {
        uint32_t last = memory->finalized.last;
        number = entry->number - 1;
        jitscope_error_destroy(memory_end_code(memory, entry->number));
        if (memory->finalized.last > last)
            number = memory->finalized.last;
    }
}

static struct finalized *latest_with_actions(const struct memory *memory) {
    for (uint32_t i = memory->finalized.entries.count; i-- > 0;) {
        struct finalized *finalized = memory->finalized.entries.data[i].thing;
        if (finalized && finalized->action_count)
            return finalized;
    }
    return NULL;
}

void memory_run_exit_actions(struct memory *memory) {
    struct finalized *finalized;
    while (memory->running) {
        struct memory_run *outer = memory->running->outer;
        end_interrupted(memory);
        memory->running = outer;
    }
    if (memory->code_ends_first && memory->executor)
        end_all_code(memory);
    while ((finalized = latest_with_actions(memory)))
        jitscope_error_destroy(run_deallocate_actions(memory, finalized));
}

static struct jitscope_error *give_back(const struct memory *memory, const struct finalized *finalized) {
    struct jitscope_error *error =
        memory->executor ? executor_close(memory->executor, finalized->number) : NULL;
    struct jitscope_error *second = memory->ops->deallocate(memory->context, finalized->allocation);
    if (error)
        jitscope_error_destroy(second);
    return error ? error : second;
}

struct jitscope_error *memory_deallocate(struct memory *memory, uint64_t handle) {
    struct finalized *finalized = find_finalized(memory, handle);
    if (!finalized)
        return error_create(JITSCOPE_ERROR_USAGE, "there is no finalized allocation %" PRIu64, handle);
    uint64_t start = trace_time(memory->trace);
    numbered_remove(&memory->finalized, (uint32_t)handle);
    struct jitscope_error *error = run_deallocate_actions(memory, finalized);
    let_debuggers_go(memory);
    struct jitscope_error *second = give_back(memory, finalized);
    note_answer(memory, finalized->names, MEMORY_STATE_DEALLOCATED, second);
    trace_allocation(memory, finalized->number, MEMORY_STATE_DEALLOCATED, start, finalized->segments,
                     finalized->segment_count);
    finalized_destroy(finalized);
    if (error)
        jitscope_error_destroy(second);
    return error ? error : second;
}

/* As much of [address, address + size) as lies in one segment; 0 when nothing can be read. */
static size_t read_piece(const struct memory *memory, const struct finalized *finalized, uint64_t address,
                         void *buffer, size_t size) {
    for (uint32_t i = 0; i < finalized->segment_count; i++) {
        const struct jitscope_segment *segment = &finalized->segments[i];
        uint64_t offset = address - segment->address;
        if (address < segment->address || offset >= segment_size(segment) || !(segment->prot & JITSCOPE_READ))
            continue;
        if (size > segment_size(segment) - offset)
            size = (size_t)(segment_size(segment) - offset);
        if (!OFFERS(memory->ops, read))
            memcpy(buffer, (const void *)(uintptr_t)address, size);
        else if (!memory->ops->read(memory->context, finalized->allocation, address, buffer, size))
            return 0;
        return size;
    }
    return 0;
}

bool memory_read(const struct memory *memory, uint64_t address, void *buffer, size_t size) {
    while (size) {
        size_t got = 0;
        for (uint32_t i = 0; i < memory->finalized.entries.count && !got; i++)
            if (memory->finalized.entries.data[i].thing)
                got = read_piece(memory, memory->finalized.entries.data[i].thing, address, buffer, size);
        if (!got)
            return false;
        address += got;
        buffer = (uint8_t *)buffer + got;
        size -= got;
    }
    return true;
}

/* Managers that execute nothing keep the working memory. */
void memory_store_slot(struct memory *memory, uint64_t address, uint64_t value) {
    for (uint32_t i = 0; i < memory->finalized.entries.count; i++) {
        const struct finalized *finalized = memory->finalized.entries.data[i].thing;
        for (uint32_t at = 0; finalized && at < finalized->segment_count; at++) {
            const struct jitscope_segment *segment = &finalized->segments[at];
            uint64_t offset = address - segment->address;
            if (address >= segment->address && segment->content_size >= 8 &&
                offset <= segment->content_size - 8)
                store_u64(segment->working + offset, value);
        }
    }
}
