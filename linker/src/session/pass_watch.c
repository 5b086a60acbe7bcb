#include "session/pass_watch.h"

#include "base/digest.h"
#include "trace/answers.h"

static struct bytes working_bytes(const struct graph *graph, uint32_t block) {
    const struct block *it = &graph->blocks.data[block];
    bool there = it->working && !(it->flags & (BLOCK_ZERO_FILL | BLOCK_REMOVED));
    return there ? (struct bytes){it->working, it->size} : (struct bytes){NULL, 0};
}

static uint64_t digest(struct bytes bytes) {
    return bytes.size ? digest_64(bytes.data, bytes.size) : 0;
}

struct jitscope_error *pass_watch_begin(struct pass_watch *watch, const struct graph *graph) {
    if (!trace_keeps_answers(graph->trace) || graph->phase < PHASE_POST_ALLOCATION)
        return NULL;
    watch->count = graph->blocks.count;
    watch->before = os_allocate((size_t)watch->count * sizeof *watch->before);
    if (!watch->before)
        return error_no_memory();
    for (uint32_t i = 0; i < watch->count; i++)
        watch->before[i] = digest(working_bytes(graph, i));
    return NULL;
}

static void note_changes(const struct pass_watch *watch, const struct graph *graph) {
    for (uint32_t i = 0; i < watch->count; i++) {
        struct bytes now = working_bytes(graph, i);
        if (digest(now) == watch->before[i])
            continue;
        uint32_t content = trace_content(graph->trace, now);
        TRACE_ANSWER(graph->trace, edit_bytes, .block = i, .content = content);
    }
}

void pass_watch_end(struct pass_watch *watch, const struct graph *graph, const struct jitscope_error *error) {
    if (watch->before)
        note_changes(watch, graph);
    os_release(watch->before);
    trace_failure(graph->trace, graph->names, error);
    TRACE_ANSWER(graph->trace, edit_end, .outcome = outcome_of(error));
}
