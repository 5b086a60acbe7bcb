#include "base/numbered.h"

/* So many may be gone before their room is worth a walk. */
enum { FEW = 32 };

struct jitscope_error *numbered_reserve(struct numbered *list) {
    if (list->last == UINT32_MAX)
        return error_create(JITSCOPE_ERROR_UNSUPPORTED, "more than 2^32 things to be numbered");
    return vec_reserve(&list->entries, 1);
}

uint32_t numbered_add(struct numbered *list, void *thing) {
    vec_put(&list->entries, (struct numbered_entry){thing, ++list->last});
    return list->last;
}

/* How many entries have smaller numbers. */
static uint32_t count_below(const struct numbered *list, uint32_t number) {
    uint32_t low = 0, high = list->entries.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (list->entries.data[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct numbered_entry *find_entry(const struct numbered *list, uint32_t number) {
    uint32_t at = count_below(list, number);
    return at < list->entries.count && list->entries.data[at].number == number ? &list->entries.data[at]
                                                                               : NULL;
}

void *numbered_find(const struct numbered *list, uint32_t number) {
    const struct numbered_entry *entry = find_entry(list, number);
    return entry ? entry->thing : NULL;
}

/* At the end at once, elsewhere when half of them are gone: each removal pays for one entry. */
static void close_up(struct numbered *list) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < list->entries.count; i++)
        if (list->entries.data[i].thing)
            list->entries.data[kept++] = list->entries.data[i];
    list->entries.count = kept;
    list->gone = 0;
}

void numbered_remove(struct numbered *list, uint32_t number) {
    find_entry(list, number)->thing = NULL;
    list->gone++;
    while (list->entries.count && !list->entries.data[list->entries.count - 1].thing) {
        list->entries.count--;
        list->gone--;
    }
    if (list->gone > FEW && list->gone > list->entries.count / 2)
        close_up(list);
}

const struct numbered_entry *numbered_up_to(const struct numbered *list, uint32_t number) {
    const struct numbered_entry *own = find_entry(list, number);
    if (own && own->thing)
        return own;
    for (uint32_t at = count_below(list, number); at-- > 0;)
        if (list->entries.data[at].thing)
            return &list->entries.data[at];
    return NULL;
}

void *numbered_latest(const struct numbered *list) {
    return list->entries.count ? list->entries.data[list->entries.count - 1].thing : NULL;
}

void numbered_destroy(struct numbered *list) {
    vec_destroy(&list->entries);
    *list = (struct numbered){0};
}
