#include "memory/range_list.h"
#include "base/bytes.h"

struct jitscope_error *range_list_reserve(struct range_list *list, uint64_t count) {
    return count > list->ranges.count ? vec_reserve(&list->ranges, count - list->ranges.count) : NULL;
}

/* The first range that ends behind ADDRESS. */
static uint32_t find(const struct range_list *list, uint64_t address) {
    uint32_t low = 0;
    for (uint32_t high = list->ranges.count; low < high;) {
        uint32_t middle = low + (high - low) / 2;
        const struct range *range = &list->ranges.data[middle];
        if (range->start + (range->size - 1) < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void insert(struct range_list *list, uint32_t at, struct range range) {
    struct range *place = list->ranges.data + at;
    memmove(place + 1, place, (list->ranges.count - at) * sizeof *place);
    *place = range;
    list->ranges.count++;
}

static void remove_at(struct range_list *list, uint32_t at) {
    struct range *place = list->ranges.data + at;
    list->ranges.count--;
    memmove(place, place + 1, (list->ranges.count - at) * sizeof *place);
}

void range_list_give(struct range_list *list, uint64_t start, uint64_t size) {
    if (!size)
        return;
    uint32_t at = find(list, start);
    struct range *next = at < list->ranges.count ? &list->ranges.data[at] : NULL;
    struct range *before = at > 0 ? &list->ranges.data[at - 1] : NULL;
    bool joins_next = next && start + size == next->start;
    if (before && before->start + before->size == start) {
        before->size += size + (joins_next ? next->size : 0);
        if (joins_next)
            remove_at(list, at);
    } else if (joins_next) {
        next->start = start;
        next->size += size;
    } else {
        insert(list, at, (struct range){start, size});
    }
}

/* Takes [start, start + size) out of range number AT. */
static void cut(struct range_list *list, uint32_t at, uint64_t start, uint64_t size) {
    struct range *range = &list->ranges.data[at];
    uint64_t before = start - range->start;
    uint64_t behind = range->size - before - size;
    if (before && behind) {
        range->size = before;
        insert(list, at + 1, (struct range){start + size, behind});
    } else if (before) {
        range->size = before;
    } else if (behind) {
        *range = (struct range){start + size, behind};
    } else {
        remove_at(list, at);
    }
}

bool range_list_take(struct range_list *list, uint64_t size, uint64_t alignment, uint64_t *start) {
    for (uint32_t i = 0; i < list->ranges.count; i++) {
        const struct range *range = &list->ranges.data[i];
        if (!align_up(range->start, alignment, start))
            return false;
        uint64_t skipped = *start - range->start;
        if (skipped > range->size || range->size - skipped < size)
            continue;
        cut(list, i, *start, size);
        return true;
    }
    return false;
}

void range_list_take_at(struct range_list *list, uint64_t start, uint64_t size) {
    if (size)
        cut(list, find(list, start), start, size);
}

struct range range_list_around(const struct range_list *list, uint64_t address) {
    uint32_t at = find(list, address);
    if (at == list->ranges.count || list->ranges.data[at].start > address)
        return (struct range){address, 0};
    return list->ranges.data[at];
}

void range_list_destroy(struct range_list *list) {
    vec_destroy(&list->ranges);
}
