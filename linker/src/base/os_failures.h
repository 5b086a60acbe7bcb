/* os_failures: inside os*.c, the calls that a test makes fail (os_fail_after). */
#ifndef BASE_OS_FAILURES_H
#define BASE_OS_FAILURES_H

#include <stdatomic.h>
#include <stdbool.h>

extern _Atomic bool os_injecting;

/* Counts a call: true when it is one that must fail, with errno set to ERROR. */
bool os_call_fails(int error);

static inline bool is_injecting(void) {
    return __builtin_expect(atomic_load_explicit(&os_injecting, memory_order_relaxed), 0);
}

/* Counting is off until the first os_fail_after(): a shared counter would cost every thread a cache line. */
static inline bool must_fail(int error) {
    return is_injecting() && os_call_fails(error);
}

/* os_live_allocations() is so many more. */
void os_count_allocations(int more);

static inline void *counted(void *memory) {
    if (is_injecting() && memory)
        os_count_allocations(1);
    return memory;
}

static inline void *uncounted(void *memory) {
    if (is_injecting() && memory)
        os_count_allocations(-1);
    return memory;
}

#endif
