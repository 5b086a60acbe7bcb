#include "live/watch.h"

#include "base/os.h"

/* --- which places */

/* Removed or not. */
static struct live_watch *any_watch(const struct live_watches *watches, uint64_t address) {
    uint32_t place = address == MAP64_NO_KEY ? MAP64_NO_VALUE : map64_find(&watches->places, address);
    return place == MAP64_NO_VALUE ? NULL : &watches->list.data[place];
}

static struct live_watch *find(const struct live_watches *watches, uint64_t address) {
    struct live_watch *watch = any_watch(watches, address);
    return watch && !watch->is_removed ? watch : NULL;
}

static struct jitscope_error *add_place(struct live_watches *watches, uint64_t address,
                                        struct live_watch **watch) {
    TRY(vec_reserve(&watches->list, 1));
    TRY(map64_set(&watches->places, address, watches->list.count));
    vec_put(&watches->list, (struct live_watch){0});
    *watch = &watches->list.data[watches->list.count - 1];
    return NULL;
}

struct jitscope_error *live_watch_add(struct live_watches *watches, uint64_t address,
                                      const uint64_t *expected) {
    struct live_watch *watch = any_watch(watches, address);
    bool is_new = !watch || watch->is_removed;
    if (address == MAP64_NO_KEY)
        return NULL;
    watches->removed -= watch && is_new;
    if (!watch)
        TRY(add_place(watches, address, &watch));
    if (is_new)
        *watch = (struct live_watch){.address = address, .round = watches->round};
    watch->has_expected = expected != NULL;
    watch->expected = expected ? *expected : 0;
    return NULL;
}

void live_watch_remove(struct live_watches *watches, uint64_t address) {
    struct live_watch *watch = find(watches, address);
    if (!watch)
        return;
    watch->is_removed = true;
    watches->removed++;
}

const struct live_watch *live_watch_find(const struct live_watches *watches, uint64_t address) {
    return find(watches, address);
}

/* A map has no way to take a key out: when most of the list was removed, list and map are made anew. */
static struct jitscope_error *forget_removed(struct live_watches *watches) {
    enum { MANY = 256 };
    struct map64 places = {0};
    struct jitscope_error *error = NULL;
    uint32_t kept = 0;
    if (watches->removed < MANY || watches->removed < watches->list.count / 2)
        return NULL;
    for (uint32_t i = 0; i < watches->list.count && !error; i++)
        if (!watches->list.data[i].is_removed)
            error = map64_set(&places, watches->list.data[i].address, kept++);
    if (error) {
        map64_destroy(&places);
        return error;
    }
    kept = 0;
    for (uint32_t i = 0; i < watches->list.count; i++)
        if (!watches->list.data[i].is_removed)
            watches->list.data[kept++] = watches->list.data[i];
    map64_destroy(&watches->places);
    watches->places = places;
    watches->list.count = kept;
    watches->removed = 0;
    return NULL;
}

bool live_watch_differs(const struct live_watch *watch) {
    return watch->has_expected && watch->is_known && !watch->is_lost && watch->value != watch->expected;
}

/* --- looking */

static struct jitscope_error *make_room(struct live_watches *watches) {
    if (!watches->history)
        watches->history = os_allocate(LIVE_CHANGES * sizeof *watches->history);
    if (!watches->ranges)
        watches->ranges = os_allocate(OS_MOST_RANGES * sizeof *watches->ranges);
    if (!watches->values)
        watches->values = os_allocate(OS_MOST_RANGES * sizeof *watches->values);
    return watches->history && watches->ranges && watches->values ? NULL : error_no_memory();
}

static void note_change(struct live_watches *watches, struct live_watch *watch, uint64_t value,
                        uint64_t time) {
    watch->changed = time;
    watch->changes++;
    watches->history[watches->change_count++ % LIVE_CHANGES] =
        (struct live_change){watch->address, watch->value, value, time};
}

static void take_value(struct live_watches *watches, const struct memory_range *range, uint64_t value,
                       uint64_t time) {
    struct live_watch *watch = any_watch(watches, range->address);
    watch->is_lost = !range->is_read;
    if (watch->is_lost)
        return;
    if (watch->is_known && watch->value != value)
        note_change(watches, watch, value, time);
    watch->value = value;
    watch->is_known = true;
    watch->looked = time;
}

/* A batch is read by as few calls as may be; its time is that of its end. */
static struct jitscope_error *look(struct live_watches *watches, const struct live_process *process,
                                   uint32_t count) {
    TRY(live_read(process, watches->ranges, count));
    uint64_t now = os_time_ns();
    for (uint32_t i = 0; i < count; i++)
        take_value(watches, &watches->ranges[i], watches->values[i], now);
    return NULL;
}

struct batch {
    struct live_watches *watches;
    const struct live_process *process;
    uint32_t count, budget;
};

static struct jitscope_error *end_batch(struct batch *batch) {
    uint32_t count = batch->count;
    batch->count = 0;
    return count ? look(batch->watches, batch->process, count) : NULL;
}

static struct jitscope_error *put(struct batch *batch, struct live_watch *watch) {
    struct live_watches *watches = batch->watches;
    if (watch->is_removed || watch->round == watches->round)
        return NULL;
    watch->round = watches->round;
    batch->budget--;
    watches->ranges[batch->count] = (struct memory_range){
        .address = watch->address, .bytes = &watches->values[batch->count], .size = sizeof(uint64_t)};
    return ++batch->count == OS_MOST_RANGES ? end_batch(batch) : NULL;
}

static struct jitscope_error *look_around(struct batch *batch, const uint64_t *visible,
                                          uint32_t visible_count) {
    struct live_watches *watches = batch->watches;
    for (uint32_t i = 0; i < visible_count && batch->budget; i++) {
        struct live_watch *watch = find(watches, visible[i]);
        if (watch)
            TRY(put(batch, watch));
    }
    for (uint32_t i = 0; i < watches->list.count && batch->budget; i++) {
        watches->next = watches->next < watches->list.count ? watches->next : 0;
        TRY(put(batch, &watches->list.data[watches->next++]));
    }
    return end_batch(batch);
}

struct jitscope_error *live_watch_poll(struct live_watches *watches, const struct live_process *process,
                                       const uint64_t *visible, uint32_t visible_count, uint32_t budget) {
    struct batch batch = {.watches = watches, .process = process, .budget = budget};
    TRY(make_room(watches));
    TRY(forget_removed(watches));
    watches->round++;
    return look_around(&batch, visible, visible_count);
}

/* --- what changed */

uint32_t live_change_count(const struct live_watches *watches) {
    return watches->change_count < LIVE_CHANGES ? (uint32_t)watches->change_count : LIVE_CHANGES;
}

const struct live_change *live_change(const struct live_watches *watches, uint32_t age) {
    return age < live_change_count(watches)
               ? &watches->history[(watches->change_count - 1 - age) % LIVE_CHANGES]
               : NULL;
}

void live_watches_destroy(struct live_watches *watches) {
    vec_destroy(&watches->list);
    map64_destroy(&watches->places);
    os_release(watches->history);
    os_release(watches->ranges);
    os_release(watches->values);
    *watches = (struct live_watches){0};
}
