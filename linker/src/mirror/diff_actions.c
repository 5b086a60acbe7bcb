/* What the executor was asked to do, how it went, and who was told; the debug image. */
#include "mirror/diff_counts.h"

#include <inttypes.h>

/* --- actions: by their functions */

static struct jitscope_error *count_actions(struct diff_work *work, struct counts *counts,
                                            const struct side *side, uint32_t which) {
    for (uint32_t i = 0; i < side->link->actions.count; i++) {
        const struct event_action *event = &side->link->actions.data[i].event;
        struct text text = {0};
        if (!side->link->actions.data[i].known)
            continue;
        uint32_t finalize = shared_name(side, event->finalize.id);
        uint32_t deallocate = shared_name(side, event->deallocate.id);
        text_append(&text, "action ");
        put_shared(&text, work, finalize ? finalize : deallocate);
        TRY(count_up(counts, which, mix_key(mix_key(30, finalize), deallocate), &text));
    }
    return NULL;
}

/* --- failures: by function and message */

static struct jitscope_error *count_failures(struct diff_work *work, struct counts *counts,
                                             const struct side *side, uint32_t which) {
    for (uint32_t i = 0; i < side->link->results.count; i++) {
        const struct event_action_result *event = &side->link->results.data[i];
        struct text text = {0};
        if (event->outcome == OUTCOME_OK)
            continue;
        text_append(&text, "failed action: ");
        put_shared(&text, work, shared_name(side, event->message.id));
        uint64_t key = mix_key(mix_key(31, event->half), shared_name(side, event->message.id));
        TRY(count_up(counts, which, key, &text));
    }
    return NULL;
}

/* --- registrations: by whom.  How the process ended, and so whether they were withdrawn, is not compared. */

static struct jitscope_error *count_registrations(struct diff_work *work, struct counts *counts,
                                                  const struct side *side, uint32_t which) {
    for (uint32_t i = 0; i < side->link->registrations.count; i++) {
        const struct event_registration *event = &side->link->registrations.data[i];
        struct text text = {0};
        if (event->half != HALF_FINALIZE)
            continue;
        text_append(&text, "registration with ");
        put_shared(&text, work, shared_name(side, event->with.id));
        TRY(count_up(counts, which, mix_key(32, shared_name(side, event->with.id)), &text));
    }
    return NULL;
}

/* --- debug information */

static void put_debug(struct text *text, const char *what, uint32_t before, uint32_t after) {
    if (before != after)
        text_print(text, "%s%s %u -> %u", text->length ? ", " : "the debug image changed: ", what, before,
                   after);
}

static struct jitscope_error *diff_debug(struct diff_work *work) {
    const struct event_debug_image *a = &work->a.link->debug, *b = &work->b.link->debug;
    struct text text = {0};
    put_debug(&text, "symbols", a->symbols, b->symbols);
    put_debug(&text, "frames", a->frames, b->frames);
    put_debug(&text, "units", a->units, b->units);
    put_debug(&text, "inputs with DWARF", a->inputs, b->inputs);
    return text.length ? find(work, "debug_image", NO_ID, &text, NULL, NULL) : NULL;
}

static struct jitscope_error *count_unsound(struct diff_work *work, struct counts *counts,
                                            const struct side *side, uint32_t which) {
    for (uint32_t i = 0; i < side->link->without_debug.count; i++) {
        const struct event_debug_discarded *event = &side->link->without_debug.data[i];
        struct text text = {0};
        text_append(&text, "no debug information of ");
        put_diff_input(&text, work, shared_input(side, event->input));
        text_append(&text, " (");
        put_shared(&text, work, shared_name(side, event->why.id));
        text_append(&text, ")");
        uint64_t key =
            mix_key(mix_key(33, shared_input(side, event->input)), shared_name(side, event->why.id));
        TRY(count_up(counts, which, key, &text));
    }
    return NULL;
}

struct jitscope_error *diff_actions(struct diff_work *work) {
    TRY(find_counts(work, "actions", count_actions));
    TRY(find_counts(work, "action_failures", count_failures));
    TRY(find_counts(work, "registrations", count_registrations));
    TRY(find_counts(work, "debug_discarded", count_unsound));
    return diff_debug(work);
}
