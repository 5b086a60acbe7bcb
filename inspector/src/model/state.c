#include "model/state.h"

#include <string.h>

static const char without_memory[] = "there is no memory for what is to be said";

struct jitscope_error *state_create(struct state *state, struct inspected *inspected) {
    *state = (struct state){.inspected = inspected,

                            .follows = inspected->interest == UINT64_MAX,
                            .rows = 24,
                            .columns = 80};
    state->previous = inspected->now;
    state->table.demangle = true;
    text_append(&state->message, without_memory); /* has room from now on */
    struct jitscope_error *error = state->message.failed ? error_no_memory() : keymap_create(&state->keymap);
    text_clear(&state->message);
    struct place place = {.screen = SCREEN_OVERVIEW, .question.link = ALL_LINKS, .sort_column = -1};
    if (!error)
        error = state_show(state, &place);
    if (error)
        state_destroy(state);
    return error;
}

void state_destroy(struct state *state) {
    for (uint32_t i = 0; i < state->effects.count; i++)
        os_release(state->effects.data[i].text);
    vec_destroy(&state->effects);
    vec_destroy(&state->parents);
    vec_destroy(&state->visited);
    vec_destroy(&state->history);
    table_close(&state->table);
    keymap_destroy(&state->keymap);
    text_destroy(&state->prompt.line);
    text_destroy(&state->searched);
    text_destroy(&state->message);
    arena_destroy(&state->texts);
}

/* Small screens do without what stands above the headings, tiny ones without those. */
uint32_t state_header(const struct state *state) {
    return state->rows >= 14 ? screens[state->place.screen].header : 0;
}

uint32_t state_first_row(const struct state *state) {
    return state->rows >= 5 ? 2 + state_header(state) : state->rows >= 2 ? 1 : 0;
}

uint32_t state_height(const struct state *state) {
    uint32_t others = state_first_row(state) + (state->rows >= 3);
    return state->rows > others ? state->rows - others : 1;
}

/* What has room for nothing else has it for this. */
static void say_something(struct state *state) {
    if (!state->message.failed)
        return;
    text_clear(&state->message);
    text_append(&state->message, without_memory);
}

void state_say(struct state *state, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    text_clear(&state->message);
    text_vprint(&state->message, format, arguments);
    say_something(state);
    state->message_is_error = false;
    va_end(arguments);
}

void state_complain(struct state *state, struct jitscope_error *error) {
    if (!error)
        return;
    state_say(state, "%s", error_text(error));
    if (error_help(error))
        text_print(&state->message, "; %s", error_help(error));
    state->message.failed = false; /* without the help, then */
    state->message_is_error = true;
    jitscope_error_destroy(error);
}

const char *state_keep(struct state *state, const char *text, size_t length) {
    return arena_copy(&state->texts, text, length);
}

/* --- places
 * ------------------------------------------------------------------------------------------------- */

struct place state_here(const struct state *state) {
    struct place place = state->place;
    place.cursor = table_position(&state->table);
    place.above = table_above(&state->table);
    place.moment = state->inspected->now;
    return place;
}

struct place state_place(const struct state *state, uint32_t screen) {
    struct place place = {.screen = screen, .question.link = state->place.question.link, .sort_column = -1};
    return place;
}

static struct jitscope_error *arrange(struct table *table, const struct place *place) {
    if (place->filter)
        TRY(table_set_filter(table, place->filter));
    if (place->sort_column >= 0)
        TRY(table_set_sort(table, place->sort_column, place->descending));
    table_go_to(table, place->cursor, place->above);
    return NULL;
}

struct jitscope_error *state_show(struct state *state, const struct place *place) {
    struct table table = {.demangle = state->table.demangle};
    struct jitscope_error *error = table_open(&table, place->screen, state->inspected, &place->question);
    if (!error)
        error = arrange(&table, place);
    if (error) {
        table_close(&table);
        return error;
    }
    table_close(&state->table);
    state->table = table;
    state->place = *place;
    return NULL;
}

struct jitscope_error *state_visit(struct state *state, const struct place *place) {
    struct place here = state_here(state);
    TRY(state_show(state, place));
    state->visited.count = state->visit;
    state->visit++;
    return vec_push(&state->visited, here);
}

struct jitscope_error *state_seek(struct state *state, uint64_t sequence) {
    uint64_t last = inspected_last(state->inspected);
    sequence = sequence < last ? sequence : last;
    state->awaited = 0;
    state->previous = state->inspected->now;
    inspected_seek(state->inspected, sequence);
    return table_refresh(&state->table);
}

struct jitscope_error *state_effect(struct state *state, enum effect_kind kind, const char *path,
                                    struct text *text) {
    struct effect effect = {.kind = kind, .path = path};
    TRY(vec_reserve(&state->effects, 1));
    if (text) {
        effect.length = text->length;
        effect.text = text_take(text);
        if (!effect.text)
            return error_no_memory();
    }
    vec_put(&state->effects, effect);
    return NULL;
}
