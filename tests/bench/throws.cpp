/* What `bench throws` measures, in two halves: with THROWER one of many functions that are passed or throw,
 * and whose name is changed in copies of its object; else the state that they share, and what throws and
 * catches.
 *
 * Each throw passes DEPTH frames of functions chosen at random, with an object to be destroyed in each. */
#include <stdint.h>
#include <time.h>

enum { DEPTH = 4, MOST_FUNCTIONS = 100000 };

extern "C" {
typedef void (*thrower)(unsigned depth, uint32_t state);
extern thrower throwers[MOST_FUNCTIONS];
extern uint32_t thrower_count, destroyed;
}

static inline uint32_t next(uint32_t state) {
    return state * 1664525 + 1013904223;
}

#if defined(THROWER)

namespace {
struct Object {
    ~Object() {
        destroyed++;
    }
};
} // namespace

extern "C" void thrower_00000(unsigned depth, uint32_t state) {
    Object object;
    if (!depth)
        throw 1;
    throwers[(next(state) >> 4) % thrower_count](depth - 1, next(state));
}

#else

thrower throwers[MOST_FUNCTIONS];
uint32_t thrower_count, destroyed;

static uint64_t now() {
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* Nanoseconds from each of COUNT throws to where it was caught; how many objects were destroyed. */
extern "C" uint32_t measure_throws(uint64_t *times, uint32_t count) {
    destroyed = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t begun = now();
        try {
            throwers[(next(i) >> 4) % thrower_count](DEPTH, next(i));
        } catch (int number) {
            times[i] = now() - begun;
        }
    }
    return destroyed;
}
#endif
