#define _GNU_SOURCE
#include "executor/address_space.h"

#include "base/os.h"

#include <inttypes.h>
#include <sys/mman.h>

#define PROBE_STEP (16 * MIB)

/* The low window ends short of 2 GiB, so that the address behind the last byte is still positive. */
#define LOW_START  (16 * MIB)
#define LOW_END    (2 * GIB - CHUNK)
#define LOW_CENTER (1 * GIB)

/* The addresses from which everything in the window can be reached. */
struct window {
    uint64_t start;
    uint64_t end;
    uint64_t center; /* reservations gather around it */
};

static struct window find_window(const struct neighbourhood *around) {
    if (around->low)
        return (struct window){LOW_START, LOW_END, LOW_CENTER};
    return (struct window){around->last > REACH + LOW_START ? around->last - REACH : LOW_START,
                           around->first + REACH, around->near & ~(CHUNK - 1)};
}

static bool try_map(const struct window *window, uint64_t start, uint64_t size) {
    uint64_t end;
    if (start < window->start || __builtin_add_overflow(start, size, &end) || end > window->end)
        return false;
    void *wanted = (void *)(uintptr_t)start;
    void *mapped = os_map(wanted, size, PROT_NONE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (mapped && mapped != wanted) { /* kernels before 4.17 take the address as a hint */
        os_unmap(mapped, size);
        return false;
    }
    return mapped != NULL;
}

/* Probes downwards and upwards from the window's centre, nearest first: what else the process has mapped is
 * only known to the kernel. */
static bool map_in_window(const struct window *window, uint64_t size, uint64_t *start) {
    for (uint64_t distance = 0; distance < 2 * GIB; distance += PROBE_STEP) {
        *start = window->center - size - distance;
        if (distance + size <= window->center && try_map(window, *start, size))
            return true;
        *start = window->center + distance;
        if (try_map(window, *start, size))
            return true;
    }
    return false;
}

/* libgcc takes a function at an address with 32 zero bits at its end for one that the link has dropped: what
 * compilers write of it into .eh_frame has 32 bits, and it looks whether these are 0.  Nothing could be
 * thrown through it; so a reservation has no such address, unless it would get too small for what SIZE is
 * needed for. */
static void leave_unseen_out(uint64_t size, uint64_t *start, uint64_t *got) {
    uint64_t end = *start + *got, unseen = (*start + 4 * GIB - 1) & ~(4 * GIB - 1), behind = unseen + CHUNK;
    if (unseen >= end)
        return;
    uint64_t below = unseen - *start, above = end - behind;
    if (size > (below > above ? below : above))
        return;
    if (below > above) {
        os_unmap((void *)(uintptr_t)unseen, end - unseen);
        *got = below;
    } else {
        os_unmap((void *)(uintptr_t)*start, behind - *start);
        *start = behind;
        *got = above;
    }
}

struct jitscope_error *address_space_reserve(const struct neighbourhood *around, uint64_t size,
                                             uint64_t wanted, uint64_t *start, uint64_t *got) {
    struct window window = find_window(around);
    wanted = size > wanted ? size : wanted;
    for (;;) {
        *got = wanted;
        if (map_in_window(&window, wanted, start)) {
            leave_unseen_out(size, start, got);
            return NULL;
        }
        if (wanted == size)
            break;
        wanted = wanted / 2 > size ? wanted / 2 & ~(CHUNK - 1) : size;
    }
    if (around->low)
        return error_create(JITSCOPE_ERROR_ADDRESS_SPACE, "no 0x%" PRIx64 " bytes are free below 2 GiB",
                            size);
    return error_create(JITSCOPE_ERROR_ADDRESS_SPACE,
                        "no 0x%" PRIx64 " bytes are free within 2 GiB of 0x%" PRIx64, size, around->near);
}
