#include "pass/executable_stack.h"

static struct jitscope_error *refuse(const struct graph *graph) {
    struct coordinates where = {.input =
                                    graph->input_name(graph->input_context, graph->wants_executable_stack),
                                .section = ".note.GNU-stack",
                                .offset = NO_OFFSET};
    return error_with_help(
        error_at(
            JITSCOPE_ERROR_UNSUPPORTED, &where,
            "the code wants an executable stack, as gcc's does that takes the address of a nested function"),
        "`jitscope run -z execstack`, or jitscope_session_allow_executable_stack(), makes all stacks of the "
        "process executable");
}

struct jitscope_error *attach_executable_stack(struct graph *graph) {
    if (graph->wants_executable_stack == NO_INPUT || !graph->knows_action)
        return NULL;
    if (!graph->knows_action(graph->input_context, MAKE_STACKS_EXECUTABLE))
        return refuse(graph);
    return graph_add_action(graph, (struct action_call){.function = MAKE_STACKS_EXECUTABLE},
                            (struct action_call){0});
}
