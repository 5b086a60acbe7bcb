#include "export/slices.h"

#include <stdlib.h>

static uint64_t key_of(uint32_t link, uint32_t pass) {
    return (uint64_t)link << 32 | pass;
}

static struct jitscope_error *add(struct slices *slices, const struct timeline *timeline,
                                  enum slice_kind kind, bool open) {
    return vec_push(&slices->list, (struct slice){.begin = timeline->begin,
                                                  .end = open ? UINT64_MAX : timeline->end,
                                                  .thread = timeline->thread,
                                                  .order = slices->list.count,
                                                  .kind = (uint8_t)kind,
                                                  .open = open,
                                                  .first = timeline->view,
                                                  .last = timeline->view});
}

static struct jitscope_error *begin(struct slices *slices, const struct timeline *timeline,
                                    enum slice_kind kind, uint32_t pass) {
    TRY(map64_set(&slices->open, key_of(timeline->view.link, pass), slices->list.count));
    return add(slices, timeline, kind, true);
}

static void end(struct slices *slices, const struct timeline *timeline, uint32_t pass) {
    uint32_t index = map64_find(&slices->open, key_of(timeline->view.link, pass));
    if (index == MAP64_NO_VALUE || !slices->list.data[index].open)
        return;
    struct slice *slice = &slices->list.data[index];
    slice->open = false;
    slice->last = timeline->view;
    slice->end = timeline->end > slice->begin ? timeline->end : slice->begin;
}

struct jitscope_error *slices_take(struct slices *slices, const struct timeline *timeline) {
    const union any_event *event = timeline->event;
    switch (event ? timeline->view.type->id : 0) {
    case EVENT_ID_link_begin:
        return begin(slices, timeline, SLICE_LINK, NO_ID);
    case EVENT_ID_pass_begin:
        return begin(slices, timeline, SLICE_PASS, event->pass_begin.pass);
    case EVENT_ID_link_end:
        end(slices, timeline, NO_ID);
        return NULL;
    case EVENT_ID_pass_end:
        end(slices, timeline, event->pass_end.pass);
        return NULL;
    case EVENT_ID_allocation:
        return add(slices, timeline, SLICE_ALLOCATION, false);
    case EVENT_ID_action_result:
        return add(slices, timeline, SLICE_ACTION, false);
    default:
        return NULL;
    }
}

static int outer_first(const void *a, const void *b) {
    const struct slice *x = a, *y = b;
    if (x->thread != y->thread)
        return x->thread < y->thread ? -1 : 1;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end)
        return x->end > y->end ? -1 : 1;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static struct jitscope_error *cut_overlaps(struct slices *slices) {
    VEC(uint32_t) around = {0};
    struct jitscope_error *error = NULL;
    for (uint32_t i = 0; i < slices->list.count && !error; i++) {
        struct slice *slice = &slices->list.data[i], *outer = NULL;
        while (around.count) {
            outer = &slices->list.data[around.data[around.count - 1]];
            if (outer->thread == slice->thread && outer->end > slice->begin)
                break;
            around.count--;
            outer = NULL;
        }
        if (outer && slice->end > outer->end)
            slice->end = outer->end;
        error = vec_push(&around, i);
    }
    vec_destroy(&around);
    return error;
}

/* A slice that never ended ends with its thread, one nanosecond later than what is in it, so that it nests.
 */
static void end_open(struct slices *slices, const struct timeline *timeline) {
    for (uint32_t i = 0; i < slices->list.count; i++) {
        struct slice *slice = &slices->list.data[i];
        uint64_t last = timeline->clocks.data[slice->thread].now;
        if (slice->open)
            slice->end = last < UINT64_MAX ? last + 1 : last;
    }
}

struct jitscope_error *slices_settle(struct slices *slices, const struct timeline *timeline) {
    end_open(slices, timeline);
    if (slices->list.count)
        qsort(slices->list.data, slices->list.count, sizeof *slices->list.data, outer_first);
    return cut_overlaps(slices);
}

void slices_destroy(struct slices *slices) {
    vec_destroy(&slices->list);
    map64_destroy(&slices->open);
}
