/* diff_counts: how often something happened on each side, by its description. */
#ifndef MIRROR_DIFF_COUNTS_H
#define MIRROR_DIFF_COUNTS_H

#include "mirror/diff_state.h"

struct count {
    uint64_t key;
    uint32_t side[2];
    struct text text;
};

struct counts {
    VEC(struct count) list;
    struct map64 by_key;
};

/* Once more for KEY on side 0 or 1; TEXT describes it and is taken over. */
struct jitscope_error *count_up(struct counts *counts, uint32_t side, uint64_t key, struct text *text);
/* COUNT counts what is on a side; what is there another number of times is a finding. */
struct jitscope_error *find_counts(struct diff_work *work, const char *what,
                                   struct jitscope_error *(*count)(struct diff_work *, struct counts *,
                                                                   const struct side *, uint32_t));

#endif
