/* bridge: the one definitive list of what linker and executor share: action names, argument layouts, results.
 *
 * An action's arguments are bytes that mean the same on both sides: little-endian u64 values, nothing else.
 * A user's action has its own name and layout; the executor knows it after executor_register_action(). */
#ifndef EXECUTOR_BRIDGE_H
#define EXECUTOR_BRIDGE_H

#include <stdint.h>

#define ACTION(NAME, name, arguments) extern const char bridge_action_##NAME[];
#include "executor/actions.def"
#undef ACTION

/* One function to run in the executor. */
struct action_call {
    const char *function; /* NULL: this half does nothing */
    const uint8_t *arguments;
    uint32_t size;
};

/* FINALIZE runs when memory has its protections, in order of attachment; DEALLOCATE before memory goes, in
 * reverse. */
struct action {
    struct action_call finalize;
    struct action_call deallocate;
};

/* Which half ran, and why; as HALF_* of trace/enums.def, which this side does not see (memory.c compares
 * them). */
enum action_half { ACTION_FINALIZE = 0, ACTION_DEALLOCATE = 1, ACTION_ROLLBACK = 2 };

/* What became of one half. */
struct action_result {
    uint32_t action; /* index */
    uint8_t half;    /* enum action_half */
    uint8_t failed;
    uint64_t duration;   /* nanoseconds */
    const char *message; /* when failed, NULL without memory for it; owned by the result list */
    uint64_t *values;    /* what resolvers returned, in order; owned by the result list */
    uint32_t value_count;
};

#endif
