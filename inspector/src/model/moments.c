/* Going back and forth in time. */
#include "model/commands.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static struct jitscope_error *stay_at(struct state *state, uint64_t sequence) {
    state->follows = false;
    return state_seek(state, sequence);
}

struct jitscope_error *do_event(struct state *state, const char *argument) {
    int64_t count;
    TRY(argument_number(argument, 1, &count));
    uint64_t now = state->inspected->now, last = inspected_last(state->inspected);
    uint64_t back = -(uint64_t)count;
    if (count < 0)
        return stay_at(state, now > back ? now - back : 0);
    return stay_at(state, last - now > (uint64_t)count ? now + (uint64_t)count : last);
}

/* A boundary's moment is the one after its event: the pass, or batch, has just begun. */
static struct jitscope_error *step_boundaries(struct state *state, const char *argument, bool batch) {
    int64_t count;
    uint64_t at = state->inspected->now;
    TRY(argument_number(argument, 1, &count));
    for (; count; count += count < 0 ? 1 : -1) {
        const struct mirror_boundary *boundary = inspected_boundary(state->inspected, at, batch, count > 0);
        if (!boundary) {
            at = count > 0 ? inspected_last(state->inspected) : 0;
            break;
        }
        at = boundary->sequence;
    }
    return stay_at(state, at);
}

struct jitscope_error *do_pass(struct state *state, const char *argument) {
    return step_boundaries(state, argument, false);
}

struct jitscope_error *do_step_batch(struct state *state, const char *argument) {
    return step_boundaries(state, argument, true);
}

static const struct {
    const char *name;
    double nanoseconds;
} units[] = {{"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"", 1e9}};

/* "+12.5ms": so long after the first event that tells the time. */
static struct jitscope_error *parse_time(const struct state *state, const char *text, uint64_t *time) {
    char *end;
    double value = strtod(text, &end);
    const struct mirror_boundary *first = inspected_first(state->inspected);
    uint64_t begin = first ? first->time : 0;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (!strcmp(end, units[i].name) && end != text && value >= 0 && value * units[i].nanoseconds < 1e18) {
            *time = begin + (uint64_t)(value * units[i].nanoseconds);
            return NULL;
        }
    return error_with_help(error_create(JITSCOPE_ERROR_USAGE, "'%s' is no time", text),
                           "times are counted from the beginning, as in +12.5ms; units: ns, us, ms, s");
}

static struct jitscope_error *go_to_time(struct state *state, const char *text) {
    uint64_t time = 0;
    TRY(parse_time(state, text, &time));
    const struct mirror_boundary *boundary = inspected_at_time(state->inspected, time);
    return stay_at(state, boundary ? boundary->sequence : 0);
}

/* What was not read yet is gone to as it comes in. */
static struct jitscope_error *go_to_event(struct state *state, uint64_t number) {
    uint64_t last = inspected_last(state->inspected);
    TRY(stay_at(state, number));
    if (number <= last)
        return NULL;
    if (state->inspected->is_read) {
        state_say(state, "the last event is %" PRIu64, last);
        return NULL;
    }
    state->awaited = number;
    state_say(state, "event %" PRIu64 " has not been read yet; it is gone to when it comes", number);
    return NULL;
}

struct jitscope_error *do_go_to(struct state *state, const char *argument) {
    int64_t number;
    if (*argument == '+')
        return go_to_time(state, argument + 1);
    if (!*argument)
        return error_create(JITSCOPE_ERROR_USAGE, "goto wants the number of an event, or a time as +12ms");
    TRY(argument_number(argument, 0, &number));
    if (number < 0)
        return error_create(JITSCOPE_ERROR_USAGE, "events are numbered from 0");
    return go_to_event(state, (uint64_t)number);
}

struct jitscope_error *do_pause(struct state *state, const char *argument) {
    if (!state->follows)
        return do_follow(state, argument);
    state->follows = false;
    state_say(state, "this moment stays; Space or F goes on");
    return NULL;
}

struct jitscope_error *do_follow(struct state *state, const char *argument) {
    (void)argument;
    state->follows = true;
    return state_seek(state, inspected_last(state->inspected));
}
