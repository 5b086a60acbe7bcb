#include "inspected/process.h"

#include "base/os.h"
#include "trace/recording_follow.h"

#include <stdio.h>

enum { SLOTS_PER_FRAME = 2048 };

static void note_trouble(struct inspected *inspected, struct jitscope_error *error) {
    inspected->trouble[0] = 0;
    if (error)
        snprintf(inspected->trouble, sizeof inspected->trouble, "memory cannot be read: %s",
                 error_text(error));
    jitscope_error_destroy(error);
}

void inspected_look_at_process(struct inspected *inspected) {
    if (!inspected->is_alive)
        return;
    if (!live_process_is_alive(&inspected->linker)) {
        inspected->is_alive = false;
        inspected->trouble[0] = 0; /* the other process may have ended first */
        recording_writer_is_gone(&inspected->file);
        inspected->version++;
        return;
    }
    inspected->looked = os_time_ns();
    uint64_t changes = inspected->watches.change_count;
    if (inspected->watches.list.count)
        note_trouble(inspected, live_watch_poll(&inspected->watches, &inspected->memory, inspected->seen,
                                                inspected->seen_count, SLOTS_PER_FRAME));
    inspected->version += inspected->watches.change_count != changes; /* for the list of changes */
    inspected->seen_count = 0;
}

void inspected_close_process(struct inspected *inspected) {
    live_watches_destroy(&inspected->watches);
    if (!inspected->is_live)
        return;
    live_process_close(&inspected->linker);
    live_process_close(&inspected->memory);
}

const struct live_watch *inspected_slot(struct inspected *inspected, uint64_t address,
                                        const uint64_t *expected) {
    if (!inspected->is_live)
        return NULL;
    if (inspected->seen_count < MOST_SEEN)
        inspected->seen[inspected->seen_count++] = address;
    jitscope_error_destroy(live_watch_add(&inspected->watches, address, expected));
    return live_watch_find(&inspected->watches, address);
}

static bool read_memory(void *context, uint64_t address, void *to, uint64_t size) {
    struct inspected *inspected = context;
    struct memory_range range = {.address = address, .bytes = to, .size = (uint32_t)size};
    if (size > UINT32_MAX || !inspected->is_alive)
        return false;
    struct jitscope_error *error = live_read(&inspected->memory, &range, 1);
    bool good = !error && range.is_read;
    if (error)
        note_trouble(inspected, error);
    return good;
}

bool (*inspected_reader(const struct inspected *inspected))(void *context, uint64_t address, void *to,
                                                            uint64_t size) {
    return inspected->is_alive ? read_memory : NULL;
}
