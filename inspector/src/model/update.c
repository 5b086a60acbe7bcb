#include "model/update.h"

#include "model/commands.h"
#include "model/prompt.h"

#include <inttypes.h>
#include <string.h>

enum { ROWS_PER_SLICE = 1 << 12 };

static void move_help(struct state *state, uint32_t lines, bool back) {
    uint32_t less = state->help_top > lines ? state->help_top - lines : 0;
    state->help_top = back ? less : state->help_top + lines;
}

static void turn_wheel(struct state *state, int rows) {
    if (state->help)
        move_help(state, (uint32_t)(rows < 0 ? -rows : rows), rows < 0);
    else
        table_move(&state->table, rows);
}

static struct jitscope_error *help_key(struct state *state, uint32_t key) {
    const char *command = keymap_find(&state->keymap, key);
    uint32_t page = state_height(state);
    static const struct {
        const char *command;
        int lines; /* 0: a page */
        bool back;
    } moves[] = {{"down", 1, false}, {"up", 1, true}, {"page-down", 0, false}, {"page-up", 0, true}};
    for (size_t i = 0; command && i < sizeof moves / sizeof *moves; i++)
        if (!strcmp(command, moves[i].command)) {
            move_help(state, moves[i].lines ? (uint32_t)moves[i].lines : page, moves[i].back);
            return NULL;
        }
    state->help = false;
    return NULL;
}

static struct jitscope_error *press(struct state *state, uint32_t key) {
    if (state->prompt.is_open)
        return prompt_key(state, key);
    if (state->help)
        return help_key(state, key);
    const char *command = keymap_find(&state->keymap, key);
    text_clear(&state->message);
    if (command)
        return command_run(state, command);
    struct text name = {0};
    key_print(&name, key);
    state_say(state, "%s does nothing here; ? lists the keys", name.data ? name.data : "that key");
    text_destroy(&name);
    return NULL;
}

static struct jitscope_error *click(struct state *state, const struct input *input) {
    uint32_t first = state_first_row(state);
    if (input->rows < first || input->rows - first >= state->table.shown.count || state->prompt.is_open ||
        state->help)
        return NULL;
    table_go_to_place(&state->table, state->table.shown.data[input->rows - first].place);
    return input->twice ? command_run(state, "enter") : NULL;
}

/* A moment that was asked for before it was read. */
static struct jitscope_error *go_to_awaited(struct state *state) {
    uint64_t awaited = state->awaited, last = inspected_last(state->inspected);
    if (last < awaited && !state->inspected->is_read)
        return table_renew(&state->table);
    TRY(state_seek(state, awaited));
    if (awaited > last)
        state_say(state, "the last event is %" PRIu64, last);
    return NULL;
}

/* A session can end, or its recording be taken over by another one, while its process goes on. */
static void tell_end(struct state *state) {
    const struct inspected *inspected = state->inspected;
    if (!inspected->is_live || state->knows_death)
        return;
    if (!inspected->is_alive)
        state_say(state, "process %u has ended; what it has left stays to be looked at", inspected->process);
    else if (inspected->is_over && !state->knows_end)
        state_say(state, "this recording has ended, process %u goes on: attach anew", inspected->process);
    state->knows_death = !inspected->is_alive;
    state->knows_end = inspected->is_over;
}

static struct jitscope_error *take_news(struct state *state) {
    struct inspected *inspected = state->inspected;
    uint64_t moment = inspected->now;
    tell_end(state);
    if (state->awaited)
        return go_to_awaited(state);
    if (state->follows && inspected->interest != UINT64_MAX) { /* all is read, and the session is over */
        state->follows = false;
        moment = inspected->interest;
    } else if (state->follows)
        moment = inspected_last(inspected);
    if (moment != inspected->now) {
        state->previous = inspected->now;
        inspected_seek(inspected, moment);
    }
    state->table.keeps_end = state->follows && state->place.screen == SCREEN_EVENTS;
    return table_renew(&state->table);
}

static struct jitscope_error *take(struct state *state, const struct input *input) {
    switch (input->kind) {
    case INPUT_KEY:
        return press(state, input->key);
    case INPUT_COMMAND:
        if (strncmp(input->command, "save-screen", 11) != 0) /* which shows the message too */
            text_clear(&state->message);
        return command_run(state, input->command);
    case INPUT_RESIZE:
        state->rows = input->rows;
        state->columns = input->columns;
        return NULL;
    case INPUT_CLICK:
        return click(state, input);
    case INPUT_WHEEL:
        turn_wheel(state, input->wheel);
        return NULL;
    case INPUT_NEWS:
        return take_news(state);
    case INPUT_WORK:
        return NULL; /* as after any input */
    }
    return NULL;
}

/* Batches that were looked at take memory; what the sheet holds of them goes first. */
static struct jitscope_error *tidy(struct state *state) {
    TRY(sheet_refresh(&state->table.sheet));
    inspected_trim(state->inspected);
    return NULL;
}

/* What could not be read is seen as empty: then somebody has to say so. */
static struct jitscope_error *what_was_lost(const struct state *state) {
    TRY(mirror_failure(&state->inspected->mirror));
    return recording_failure(&state->inspected->file);
}

bool update(struct state *state, const struct input *input) {
    struct jitscope_error *error = take(state, input);
    if (!error && table_has_work(&state->table)) {
        error = table_work(&state->table, ROWS_PER_SLICE);
        if (!error)
            error = finding_tell(state);
    }
    if (!error && table_can_spare(&state->table) && inspected_wants_trim(state->inspected))
        error = tidy(state);
    if (!error)
        error = what_was_lost(state);
    bool good = !error;
    state_complain(state, error);
    return good;
}

bool update_has_work(const struct state *state) {
    return table_has_work(&state->table);
}
