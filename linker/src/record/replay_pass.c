/* A pass of the embedding program, without the program: the changes that the recording has of it are made
 * again, through the same functions, which tell and check them as they did then. */
#include "record/replay_state.h"

#include "graph/graph.h"

#include <string.h>

#define EDIT(name)                                                                                           \
    static struct jitscope_error *apply_##name(struct replay *replay, struct jitscope_graph *graph,          \
                                               const struct event_##name *event)

EDIT(edit_keep) {
    (void)replay;
    return jitscope_graph_keep(graph, event->symbol);
}

EDIT(edit_section) {
    uint32_t section;
    const char *name = recorded_text(&replay->recorded, event->name);
    return name ? jitscope_graph_add_section(graph, name, event->prot, &section) : error_no_memory();
}

EDIT(edit_block) {
    uint32_t block;
    struct bytes content = {0};
    if (event->content != NO_CONTENT)
        TRY(recorded_content(&replay->recorded, event->content, &content));
    if (event->content != NO_CONTENT && content.size != event->size)
        return error_create(JITSCOPE_ERROR_RECORDING, "a block's bytes are not as many as its size");
    const void *data = event->content == NO_CONTENT ? NULL : content.data ? content.data : (const void *)"";
    return jitscope_graph_add_block(graph, event->section, data, event->size, event->alignment, &block);
}

EDIT(edit_symbol) {
    uint32_t symbol;
    const char *name = recorded_text(&replay->recorded, event->name);
    if (!name)
        return error_no_memory();
    return jitscope_graph_add_symbol(graph, *name ? name : NULL, event->block, event->offset, event->size,
                                     &symbol);
}

EDIT(edit_edge) {
    const struct arch *arch = ((const struct graph *)(const void *)graph)->arch;
    (void)replay;
    if (event->kind >= arch->kind_count || event->offset > UINT32_MAX)
        return error_create(JITSCOPE_ERROR_RECORDING, "an edge of a kind that does not exist");
    return jitscope_graph_add_edge(graph, event->block, (uint32_t)event->offset,
                                   arch->kinds[event->kind].name, event->target, event->addend);
}

static struct jitscope_error *arguments(struct replay *replay, uint32_t number, struct bytes *bytes) {
    return number == NO_CONTENT ? NULL : recorded_content(&replay->recorded, number, bytes);
}

EDIT(edit_action) {
    struct bytes first = {0}, second = {0};
    const char *finalize = recorded_text(&replay->recorded, event->finalize);
    const char *deallocate = recorded_text(&replay->recorded, event->deallocate);
    if (!finalize || !deallocate)
        return error_no_memory();
    TRY(arguments(replay, event->finalize_arguments, &first));
    TRY(arguments(replay, event->deallocate_arguments, &second));
    return jitscope_graph_add_action(graph, *finalize ? finalize : NULL, first.data, first.size,
                                     *deallocate ? deallocate : NULL, second.data, second.size);
}

/* Written by the pass itself: nothing tells of it but the comparison of blocks at the pass's end. */
static struct jitscope_error *write_bytes(struct replay *replay, struct graph *graph,
                                          const struct event_edit_bytes *event) {
    struct bytes content;
    TRY(recorded_content(&replay->recorded, event->content, &content));
    if (event->block >= graph->blocks.count || graph->blocks.data[event->block].size != content.size ||
        !graph->blocks.data[event->block].working)
        return error_create(JITSCOPE_ERROR_RECORDING, "bytes for a block that is not there");
    if (content.size)
        memcpy(graph->blocks.data[event->block].working, content.data, content.size);
    return NULL;
}

static struct jitscope_error *write_all(struct replay *replay, struct graph *graph) {
    struct event_cursor at = replay->cursor;
    struct event_view view;
    while (recorded_next(&replay->recorded, &at, &view) && view.type->id == EVENT_ID_edit_bytes) {
        const struct event_edit_bytes event = decode_event(&replay->recorded.decoder, &view)->edit_bytes;
        TRY(write_bytes(replay, graph, &event));
    }
    return NULL;
}

static struct jitscope_error *end(struct replay *replay, const union any_event *event) {
    struct answer answer;
    if (event->edit_end.outcome == OUTCOME_OK)
        return NULL;
    return replay_find(replay, EVENT_ID_edit_end, &answer) ? replay_failure(replay, &answer)
                                                           : replay_no_answer(replay, "why the pass failed");
}

#define APPLY(name)                                                                                          \
    case EVENT_ID_##name: {                                                                                  \
        const struct event_##name copy = event->name;                                                        \
        return apply_##name(replay, graph, &copy);                                                           \
    }

static struct jitscope_error *apply(struct replay *replay, struct jitscope_graph *graph,
                                    const struct event_view *view) {
    const union any_event *event = decode_event(&replay->recorded.decoder, view);
    switch (view->type->id) {
        APPLY(edit_keep)
        APPLY(edit_section)
        APPLY(edit_block)
        APPLY(edit_symbol)
        APPLY(edit_edge)
        APPLY(edit_action)
    default:
        return replay_no_answer(replay, "what the pass did");
    }
}

struct jitscope_error *replay_pass(struct jitscope_graph *graph, void *context) {
    struct replay *replay = context;
    struct event_view view;
    while (!replay->diverged && !replay->ended && replay_peek(replay, &view)) {
        uint32_t id = view.type->id;
        if (id == EVENT_ID_edit_bytes)
            TRY(write_all(replay, (struct graph *)(void *)graph));
        if (id == EVENT_ID_edit_end || id == EVENT_ID_edit_bytes || id == EVENT_ID_failure) {
            struct answer answer;
            if (!replay_find(replay, EVENT_ID_edit_end, &answer))
                break;
            return end(replay, decode_event(&replay->recorded.decoder, &answer.view));
        }
        /* A change that was refused then is refused now, and the pass went on as it liked. */
        uint64_t before = replay->compared;
        jitscope_error_destroy(apply(replay, graph, &view));
        if (replay->compared == before)
            break;
    }
    return replay_no_answer(replay, "how the pass ended");
}
