#include "pass/pass.h"

struct jitscope_error *pass_list_add(struct pass_list *list, uint8_t phase, const char *name,
                                     pass_function run, void *context) {
    return vec_push(&list->passes, (struct pass){name, run, context, phase});
}

void pass_list_destroy(struct pass_list *list) {
    vec_destroy(&list->passes);
}

/* Pass names come from the program, not from inputs; they are interned like all text. */
static struct name_ref pass_name(struct graph *graph, const char *name) {
    uint32_t id = NO_NAME;
    struct jitscope_error *error = string_pool_intern(graph->names, name, __builtin_strlen(name), &id);
    jitscope_error_destroy(error); /* without memory the event carries the empty name */
    return trace_name(graph->trace, id);
}

struct jitscope_error *pass_run(struct graph *graph, uint32_t *number, uint8_t phase, const char *name,
                                pass_function run, void *context) {
    uint32_t pass = (*number)++;
    uint64_t began = trace_time(graph->trace);
    graph->phase = phase;
    TRACE(graph->trace, pass_begin, .pass = pass, .name = pass_name(graph, name), .phase = phase,
          .time = began);
    struct jitscope_error *error = run(graph, context);
#ifndef NDEBUG
    if (!error)
        error = graph_verify(graph);
#endif
    TRACE(graph->trace, pass_end, .pass = pass, .outcome = error ? OUTCOME_FAILED : OUTCOME_OK,
          .duration = trace_time(graph->trace) - began, .sections = graph->sections.count,
          .blocks = graph->live_blocks, .symbols = graph->symbols.count,
          .edges = (uint32_t)graph->live_edges);
    return error;
}

struct jitscope_error *pass_run_phase(struct graph *graph, uint32_t *number, const struct pass_list *list,
                                      uint8_t phase) {
    for (uint32_t i = 0; i < list->passes.count; i++) {
        const struct pass *pass = &list->passes.data[i];
        if (pass->phase == phase)
            TRY(pass_run(graph, number, phase, pass->name, pass->run, pass->context));
    }
    return NULL;
}
