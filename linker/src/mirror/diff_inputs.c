/* What went in: versions, inputs, members taken from archives; and how each link ended. */
#include "mirror/diff_state.h"

#include <inttypes.h>

/* --- the session */

static struct jitscope_error *find_text(struct diff_work *work, const char *what, const char *label,
                                        uint32_t a, uint32_t b) {
    struct text text = {0}, fields = {0};
    if (a == b)
        return NULL;
    text_append(&text, label);
    text_append(&text, " changed: '");
    put_shared(&text, work, a);
    text_append(&text, "' -> '");
    put_shared(&text, work, b);
    text_append(&text, "'");
    put_shared_json(&fields, work, "before", a);
    put_shared_json(&fields, work, "after", b);
    return find(work, what, NO_ID, &text, &fields, NULL);
}

static struct jitscope_error *find_number(struct diff_work *work, const char *what, const char *label,
                                          uint64_t a, uint64_t b) {
    struct text text = {0}, fields = {0};
    if (a == b)
        return NULL;
    text_print(&text, "%s changed: %" PRIu64 " -> %" PRIu64, label, a, b);
    text_print(&fields, ",\"before\":%" PRIu64 ",\"after\":%" PRIu64, a, b);
    return find(work, what, NO_ID, &text, &fields, NULL);
}

static uint32_t known_links(const struct mirror *mirror) {
    uint32_t count = 0;
    for (uint32_t i = 1; i < mirror->links.count; i++)
        count += mirror_life(mirror, i).known;
    return count;
}

/* "edges", "block", ...: by the most detailed events there are. */
static const char *level_of(const struct mirror *mirror) {
    if (mirror->counts[EVENT_ID_edge] || mirror->counts[EVENT_ID_fixup])
        return "edges";
    if (mirror->counts[EVENT_ID_section] || mirror->counts[EVENT_ID_block])
        return "block";
    return mirror->counts[EVENT_ID_pass_begin] ? "phase" : "session";
}

static struct jitscope_error *note_levels(struct diff_work *work) {
    const char *a = level_of(work->a.mirror), *b = level_of(work->b.mirror);
    struct text text = {0};
    if (__builtin_strcmp(a, b) != 0) {
        text_print(&text, "recorded at different levels, %s and %s: compared is what both tell", a, b);
        TRY(find_note(work, "levels", &text, NULL));
    }
    if (work->a.mirror->lost || work->b.mirror->lost) {
        text_append(&text, "one of the recordings lost events: what these told is missing");
        TRY(find_note(work, "lost", &text, NULL));
    }
    return NULL;
}

struct jitscope_error *diff_session(struct diff_work *work) {
    const struct event_session_begin *a = &work->a.mirror->session, *b = &work->b.mirror->session;
    TRY(find_text(work, "version", "version of jitscope", shared_name(&work->a, a->version.id),
                  shared_name(&work->b, b->version.id)));
    TRY(find_text(work, "target", "target", shared_name(&work->a, a->target.id),
                  shared_name(&work->b, b->target.id)));
    TRY(find_text(work, "memory_manager", "memory manager", shared_name(&work->a, a->memory_manager.id),
                  shared_name(&work->b, b->memory_manager.id)));
    TRY(find_number(work, "page_size", "page size", a->page_size, b->page_size));
    TRY(find_number(work, "links", "number of links", known_links(work->a.mirror),
                    known_links(work->b.mirror)));
    return note_levels(work);
}

/* --- inputs */

static struct jitscope_error *find_input(struct diff_work *work, const char *what, uint32_t shared,
                                         struct text *text, struct text *fields) {
    uint32_t id;
    struct text name = {0};
    put_diff_input(&name, work, shared);
    text_append(fields, ",\"input\":\"");
    text_append_json(fields, name.data ? name.data : "", name.length);
    text_append(fields, "\"");
    text_destroy(&name);
    TRY(find(work, what, NO_ID, text, fields, &id));
    return map64_set(&work->by_input, shared, id);
}

static void put_pulled(struct text *text, const struct diff_work *work, const struct side *side,
                       const struct event_input *event) {
    uint32_t by = shared_name(side, event->pulled_by.id);
    put_diff_input(text, work, shared_input(side, event->container));
    if (by == NO_NAME) {
        text_append(text, " with all other members");
        return;
    }
    text_append(text, " for ");
    put_shared(text, work, by);
}

/* An input that only one side has. */
static struct jitscope_error *find_lonely(struct diff_work *work, const struct side *side, uint32_t id,
                                          bool added) {
    const struct event_input *event = &side->mirror->inputs.data[id].event;
    bool member = event->kind == INPUT_KIND_MEMBER;
    struct text text = {0}, fields = {0};
    put_diff_input(&text, work, side->inputs[id]);
    if (member) {
        text_append(&text, added ? " is taken now, from " : " is no longer taken, it was from ");
        put_pulled(&text, work, side, event);
    } else {
        text_append(&text, added ? " comes in now" : " no longer comes in");
    }
    text_print(&text, ": %" PRIu64 " bytes", event->size);
    text_print(&fields, ",\"size\":%" PRIu64, event->size);
    if (member)
        put_shared_json(&fields, work, "pulled_by", shared_name(side, event->pulled_by.id));
    return find_input(work,
                      member ? (added ? "member_added" : "member_removed")
                             : (added ? "input_added" : "input_removed"),
                      side->inputs[id], &text, &fields);
}

static struct jitscope_error *find_changed_input(struct diff_work *work, uint32_t a_id, uint32_t b_id) {
    const struct event_input *a = &work->a.mirror->inputs.data[a_id].event;
    const struct event_input *b = &work->b.mirror->inputs.data[b_id].event;
    uint32_t a_by = shared_name(&work->a, a->pulled_by.id), b_by = shared_name(&work->b, b->pulled_by.id);
    struct text text = {0}, fields = {0};
    bool other = has_other_content(work, a_id, b_id);
    if (a->size == b->size && a_by == b_by && !other)
        return NULL;
    put_diff_input(&text, work, a_id);
    text_append(&text, " changed: ");
    if (a->size != b->size)
        text_print(&text, "%" PRIu64 " -> %" PRIu64 " bytes", a->size, b->size);
    else if (other)
        text_print(&text, "other content in as many bytes, %" PRIu64, a->size);
    if (a_by != b_by) {
        text_append(&text, a->size != b->size || other ? ", " : "");
        text_append(&text, "taken from ");
        put_pulled(&text, work, &work->b, b);
        text_append(&text, " now, before from ");
        put_pulled(&text, work, &work->a, a);
        put_shared_json(&fields, work, "pulled_before", a_by);
        put_shared_json(&fields, work, "pulled_after", b_by);
    }
    text_print(&fields, ",\"before\":%" PRIu64 ",\"after\":%" PRIu64, a->size, b->size);
    return find_input(work, "input_changed", a_id, &text, &fields);
}

/* Order decides which definition is first, which member is taken, and what lies behind what. */
static struct jitscope_error *diff_order(struct diff_work *work) {
    const struct mirror *b = work->b.mirror;
    uint32_t last = NO_ID;
    for (uint32_t i = 0; i < b->inputs.count; i++) {
        uint32_t shared = work->b.inputs[i];
        struct text text = {0};
        if (!mirror_input(b, i) || shared >= work->a.mirror->inputs.count)
            continue;
        if (last == NO_ID || shared > last) {
            last = shared;
            continue;
        }
        text_append(&text, "inputs come in another order: ");
        put_diff_input(&text, work, shared);
        text_append(&text, " behind ");
        put_diff_input(&text, work, last);
        return find(work, "input_order", NO_ID, &text, NULL, &work->order_finding);
    }
    return NULL;
}

struct jitscope_error *diff_inputs(struct diff_work *work) {
    const struct mirror *a = work->a.mirror, *b = work->b.mirror;
    uint32_t *paired = no_pairs(a->inputs.count);
    struct jitscope_error *error = paired ? NULL : error_no_memory();
    for (uint32_t i = 0; paired && i < b->inputs.count; i++)
        if (work->b.inputs[i] < a->inputs.count)
            paired[work->b.inputs[i]] = i;
    for (uint32_t i = 0; i < a->inputs.count && !error; i++) {
        if (!mirror_input(a, i))
            continue;
        error = paired[i] == NO_ID ? find_lonely(work, &work->a, i, false)
                                   : find_changed_input(work, i, paired[i]);
    }
    for (uint32_t i = 0; i < b->inputs.count && !error; i++)
        if (mirror_input(b, i) && work->b.inputs[i] >= a->inputs.count)
            error = find_lonely(work, &work->b, i, true);
    os_release(paired);
    return error ? error : diff_order(work);
}

/* --- how the link went */

static struct jitscope_error *diff_passes(struct diff_work *work) {
    const struct mirror_link *a = work->a.link, *b = work->b.link;
    for (uint32_t i = 0; i < a->passes.count || i < b->passes.count; i++) {
        const struct mirror_pass *x = i < a->passes.count ? &a->passes.data[i] : NULL;
        const struct mirror_pass *y = i < b->passes.count ? &b->passes.data[i] : NULL;
        uint32_t x_name = x && x->known ? shared_name(&work->a, x->begin.name.id) : NO_NAME;
        uint32_t y_name = y && y->known ? shared_name(&work->b, y->begin.name.id) : NO_NAME;
        struct text text = {0};
        if (x_name == y_name)
            continue;
        text_print(&text, "the passes differ from number %u on: ", i);
        put_shared(&text, work, x_name);
        text_append(&text, x_name ? "" : "(end)");
        text_append(&text, " -> ");
        put_shared(&text, work, y_name);
        text_append(&text, y_name ? "" : "(end)");
        return find(work, "passes", NO_ID, &text, NULL, NULL); /* the first tells; all others follow */
    }
    return NULL;
}

static const char *outcome_of(const struct mirror_link *link) {
    return !link->ended ? "not finished" : link->end.outcome == OUTCOME_OK ? "ok" : "failed";
}

static void put_end(struct text *text, const struct diff_work *work, const struct side *side) {
    text_append(text, outcome_of(side->link));
    if (!side->link->ended || side->link->end.outcome == OUTCOME_OK)
        return;
    text_append(text, " (");
    put_shared(text, work, shared_name(side, side->link->end.error.id));
    text_append(text, ")");
}

struct jitscope_error *diff_outcome(struct diff_work *work) {
    const char *a = outcome_of(work->a.link), *b = outcome_of(work->b.link);
    struct text text = {0}, fields = {0};
    if (__builtin_strcmp(a, b) != 0 ||
        (work->a.link->ended && shared_name(&work->a, work->a.link->end.error.id) !=
                                    shared_name(&work->b, work->b.link->end.error.id))) {
        text_append(&text, "the outcome changed: ");
        put_end(&text, work, &work->a);
        text_append(&text, " -> ");
        put_end(&text, work, &work->b);
        text_print(&fields, ",\"before\":\"%s\",\"after\":\"%s\"", a, b);
        TRY(find(work, "outcome", NO_ID, &text, &fields, NULL));
    }
    return diff_passes(work);
}
