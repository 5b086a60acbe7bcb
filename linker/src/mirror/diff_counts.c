#include "mirror/diff_counts.h"

struct jitscope_error *count_up(struct counts *counts, uint32_t side, uint64_t key, struct text *text) {
    uint32_t at = map64_find(&counts->by_key, key);
    if (at == MAP64_NO_VALUE) {
        at = counts->list.count;
        struct jitscope_error *error = vec_push(&counts->list, (struct count){.key = key, .text = *text});
        if (error) {
            text_destroy(text);
            return error;
        }
        TRY(map64_set(&counts->by_key, key, at));
    } else {
        text_destroy(text);
    }
    counts->list.data[at].side[side]++;
    return NULL;
}

struct jitscope_error *find_counts(struct diff_work *work, const char *what,
                                   struct jitscope_error *(*count)(struct diff_work *, struct counts *,
                                                                   const struct side *, uint32_t)) {
    struct counts counts = {0};
    struct jitscope_error *error = count(work, &counts, &work->a, 0);
    if (!error)
        error = count(work, &counts, &work->b, 1);
    for (uint32_t i = 0; i < counts.list.count; i++) {
        struct count *item = &counts.list.data[i];
        struct text text = {0}, fields = {0};
        if (!error && item->side[0] != item->side[1]) {
            text_print(&text, "%s: %u -> %u times", item->text.data ? item->text.data : "", item->side[0],
                       item->side[1]);
            text_print(&fields, ",\"before\":%u,\"after\":%u", item->side[0], item->side[1]);
            error = find(work, what, NO_ID, &text, &fields, NULL);
        }
        text_destroy(&item->text);
    }
    vec_destroy(&counts.list);
    map64_destroy(&counts.by_key);
    return error;
}
