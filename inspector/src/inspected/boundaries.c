/* Where passes and batches begin: of all events that were read, whatever moment is shown. */
#include "inspected/inspected.h"

static const struct mirror_boundary *boundaries(const struct inspected *inspected, uint32_t *count) {
    *count = inspected->mirror.boundaries_stamps.count; /* the list itself ends at the moment */
    return inspected->mirror.boundaries.data;
}

/* The number of the first boundary behind SEQUENCE. */
static uint32_t first_behind(const struct mirror_boundary *all, uint32_t count, uint64_t sequence) {
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (all[middle].sequence <= sequence)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

uint32_t inspected_boundaries_up_to(const struct inspected *inspected, uint64_t sequence) {
    uint32_t count;
    const struct mirror_boundary *all = boundaries(inspected, &count);
    return first_behind(all, count, sequence);
}

const struct mirror_boundary *inspected_boundary(const struct inspected *inspected, uint64_t sequence,
                                                 bool batch, bool forward) {
    uint32_t count;
    const struct mirror_boundary *all = boundaries(inspected, &count);
    uint32_t i = first_behind(all, count, sequence);
    if (forward) {
        while (i < count && batch && !all[i].is_link)
            i++;
        return i < count ? &all[i] : NULL;
    }
    while (i > 0 && (all[i - 1].sequence >= sequence || (batch && !all[i - 1].is_link)))
        i--;
    return i ? &all[i - 1] : NULL;
}

const struct mirror_boundary *inspected_pass_at(const struct inspected *inspected, uint64_t sequence) {
    uint32_t count;
    const struct mirror_boundary *all = boundaries(inspected, &count);
    uint32_t i = first_behind(all, count, sequence);
    return i && !all[i - 1].is_link ? &all[i - 1] : NULL;
}

const struct mirror_boundary *inspected_at_time(const struct inspected *inspected, uint64_t time) {
    uint32_t count;
    const struct mirror_boundary *all = boundaries(inspected, &count), *last = NULL;
    for (uint32_t i = 0; i < count; i++)
        if (all[i].time <= time)
            last = &all[i];
    return last;
}

const struct mirror_boundary *inspected_first(const struct inspected *inspected) {
    uint32_t count;
    const struct mirror_boundary *all = boundaries(inspected, &count);
    return count ? all : NULL;
}
