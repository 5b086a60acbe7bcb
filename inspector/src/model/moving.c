/* Moving about on a screen. */
#include "model/commands.h"

static struct jitscope_error *move_by(struct state *state, const char *argument, int64_t sign) {
    int64_t count;
    TRY(argument_number(argument, 1, &count));
    if (count < 0 || count > UINT32_MAX)
        return error_create(JITSCOPE_ERROR_USAGE, "nobody moves by '%s' rows", argument);
    table_move(&state->table, sign * count);
    return NULL;
}

struct jitscope_error *do_down(struct state *state, const char *argument) {
    return move_by(state, argument, 1);
}

struct jitscope_error *do_up(struct state *state, const char *argument) {
    return move_by(state, argument, -1);
}

/* The view moves with the cursor. */
static struct jitscope_error *page(struct state *state, int64_t rows) {
    struct table *table = &state->table;
    uint64_t above = table->cursor - table->top;
    table_move(table, rows ? rows : 1);
    table->top = table->cursor > above ? table->cursor - above : 0;
    return NULL;
}

struct jitscope_error *do_page_down(struct state *state, const char *argument) {
    (void)argument;
    return page(state, state_height(state));
}

struct jitscope_error *do_page_up(struct state *state, const char *argument) {
    (void)argument;
    return page(state, -(int64_t)state_height(state));
}

struct jitscope_error *do_half_down(struct state *state, const char *argument) {
    (void)argument;
    return page(state, (state_height(state) + 1) / 2);
}

struct jitscope_error *do_half_up(struct state *state, const char *argument) {
    (void)argument;
    return page(state, -(int64_t)((state_height(state) + 1) / 2));
}

struct jitscope_error *do_first(struct state *state, const char *argument) {
    (void)argument;
    table_move_to_end(&state->table, false);
    return NULL;
}

struct jitscope_error *do_last(struct state *state, const char *argument) {
    (void)argument;
    table_move_to_end(&state->table, true);
    return NULL;
}

struct jitscope_error *do_left(struct state *state, const char *argument) {
    (void)argument;
    if (state->place.first_column)
        state->place.first_column--;
    return NULL;
}

struct jitscope_error *do_right(struct state *state, const char *argument) {
    (void)argument;
    if (state->place.first_column + 1 < state->table.sheet.column_count)
        state->place.first_column++;
    return NULL;
}
