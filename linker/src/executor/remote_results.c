/* What an executor says became of actions is believed only if running them can come to that: a session and a
 * replay of it would else go different ways. */
#include "executor/remote_state.h"

#include <string.h>

enum { IFUNC_HEADER = 16, IFUNC_PAIR = 16 }; /* actions.def: resolve-ifuncs */

struct walk {
    const struct action *actions;
    const struct action_results *results;
    uint32_t at; /* result that comes next */
};

static const struct action_result *peek(const struct walk *walk) {
    return walk->at < walk->results->results.count ? &walk->results->results.data[walk->at] : NULL;
}

bool remote_has_values(const struct action_call *call, const struct action_result *result) {
    bool resolves = strcmp(call->function, bridge_action_RESOLVE_IFUNCS) == 0 && !result->failed;
    return result->value_count == (resolves ? (call->size - IFUNC_HEADER) / IFUNC_PAIR : 0);
}

/* Finalize halves in order, up to one that failed: *NEXT is the first action that none was run of. */
static bool walk_finalize(struct walk *walk, uint32_t count, uint32_t *next, bool *failed) {
    const struct action_result *result;
    *failed = false;
    for (*next = 0; *next < count && !*failed; (*next)++) {
        const struct action_call *call = &walk->actions[*next].finalize;
        if (!call->function)
            continue;
        result = peek(walk);
        if (!result || result->half != ACTION_FINALIZE)
            return true; /* it ends here */
        if (result->action != *next || !remote_has_values(call, result))
            return false;
        *failed = result->failed;
        walk->at++;
    }
    return true;
}

/* Deallocate halves of the actions from FIRST to BOUND, last first, but for so many that are MISSING at most.
 */
static bool walk_back(struct walk *walk, uint32_t first, uint32_t bound, uint8_t half, uint32_t missing) {
    for (uint32_t i = bound; i-- > first;) {
        const struct action_result *result = peek(walk);
        const struct action_call *call = &walk->actions[i].deallocate;
        if (!call->function)
            continue;
        if (result && result->action == i && result->half == half && remote_has_values(call, result))
            walk->at++;
        else if (missing)
            missing--;
        else
            return false;
    }
    return !peek(walk);
}

bool remote_is_finalized(const struct action *actions, uint32_t count, const struct action_results *results,
                         bool failed_one) {
    struct walk walk = {actions, results, 0};
    uint32_t next;
    bool failed;
    return walk_finalize(&walk, count, &next, &failed) && failed == failed_one &&
           (failed ? walk_back(&walk, 0, next - 1, ACTION_ROLLBACK, 0) : next == count && !peek(&walk));
}

/* Of the half that exit(3) was called in there is no result. */
bool remote_is_interrupted(const struct action *actions, uint32_t count,
                           const struct action_results *results) {
    struct walk walk = {actions, results, 0};
    uint32_t next;
    bool failed;
    return walk_finalize(&walk, count, &next, &failed) &&
           walk_back(&walk, 0, failed ? next - 1 : next, ACTION_ROLLBACK, failed ? 1 : 0);
}

bool remote_is_deallocated(const struct action *actions, uint32_t first, uint32_t count,
                           const struct action_results *results, uint32_t before, bool all) {
    struct walk walk = {actions, results, before};
    return walk_back(&walk, first, count, ACTION_DEALLOCATE, all ? 0 : count);
}
