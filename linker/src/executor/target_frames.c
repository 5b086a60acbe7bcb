/* A thread that is about to die walks its own stack, for a linker that cannot look at it from outside: on
 * another machine, or behind a wall that the kernel has put between processes.
 *
 * That is done in a signal's handler, by functions that were not made for it: they take locks, which another
 * thread may hold for ever, or this one, when it was in the middle of them; and the stack may be what was
 * damaged.  So nothing is waited for but for some time, and a fault ends the walk, not the process: both come
 * as a signal to this thread, whose handler goes back to where the walk began (target_frames_leave()).  What
 * was found until then counts.  The process dies in any case, and nobody minds what is left half done. */
#define _GNU_SOURCE
#include "executor/target.h"

#include <setjmp.h>
#include <signal.h>
#include <string.h>

enum { OWN = 16 /* frames above that of the signal */, PATIENCE = 3000 /* milliseconds */, MOST_TEXT = 128 };

static struct crash_frame {
    uint64_t address;
    struct os_place place;
} frames[BRIDGE_MOST_FRAMES];
static volatile uint32_t count;
static volatile int walker; /* a thread; 0: none walks */
static sigjmp_buf beginning;

void target_frames_prepare(void) {
    void *one[1];
    (void)os_walk_stack(one, 1);
}

void target_frames_leave(void) {
    if (walker == os_thread_id())
        siglongjmp(beginning, 1);
}

static void add(uint64_t address) {
    if (count < BRIDGE_MOST_FRAMES)
        frames[count++].address = address;
}

/* A call of what is no code has put the address that it would come back to on the stack, and there is nothing
 * that says more of the frame. */
static void walk(const struct crash_place *where) {
    void *addresses[BRIDGE_MOST_FRAMES + OWN];
    int first = 0, got;
    add(where->address);
    if (where->is_no_code)
        add(*(const uint64_t *)(uintptr_t)where->stack);
    got = os_walk_stack(addresses, BRIDGE_MOST_FRAMES + OWN);
    while (first < got && (uintptr_t)addresses[first] != where->address)
        first++;
    for (int i = first + 1; i < got; i++)
        add((uintptr_t)addresses[i]);
}

/* A call at a function's end comes back behind it. */
static void name(void) {
    for (uint32_t i = 0; i < count; i++)
        (void)os_describe_address(frames[i].address - (i > 0), &frames[i].place);
}

void target_frames_find(int signal, const struct crash_place *where) {
    int timer;
    if (os_alarm_begin(signal, PATIENCE, &timer))
        return;
    if (!sigsetjmp(beginning, 1)) {
        walker = os_thread_id();
        os_unblock_signal(signal);
        walk(where);
        name();
    }
    walker = 0;
    os_alarm_end(timer);
}

/* --- the message */

static uint8_t *put_u32(uint8_t *at, uint32_t value) {
    store_u32(at, value);
    return at + 4;
}

static uint8_t *put_u64(uint8_t *at, uint64_t value) {
    store_u64(at, value);
    return at + 8;
}

/* Of a long text its end: that is a file's name, and a function's arguments. */
static uint8_t *put_text(uint8_t *at, const char *text) {
    size_t length = text ? strlen(text) : 0, kept = length < MOST_TEXT ? length : MOST_TEXT;
    at = put_u32(at, (uint32_t)kept);
    if (kept)
        memcpy(at, text + (length - kept), kept);
    at[kept] = '\0';
    return at + kept + 1;
}

uint32_t target_frames_put(uint8_t to[TARGET_FRAMES_SIZE]) {
    _Static_assert(TARGET_FRAMES_SIZE >= 4 + BRIDGE_MOST_FRAMES * (8 + 8 + 2 * (4 + MOST_TEXT + 1)), "room");
    uint8_t *at = put_u32(to, count);
    for (uint32_t i = 0; i < count; i++) {
        at = put_u64(at, frames[i].address);
        at = put_u64(at, frames[i].place.start);
        at = put_text(at, frames[i].place.library);
        at = put_text(at, frames[i].place.function);
    }
    return (uint32_t)(at - to);
}
