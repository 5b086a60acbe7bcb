/* Taking something along: to the clipboard, to a file. */
#include "model/commands.h"

#include <string.h>

static struct jitscope_error *copy(struct state *state, struct text *text) {
    struct jitscope_error *error = text->failed ? error_no_memory() : NULL;
    if (!error)
        state_say(state, "copied %s", text->data ? text->data : "");
    if (!error)
        error = state_effect(state, EFFECT_COPY, NULL, text);
    text_destroy(text);
    return error;
}

struct jitscope_error *do_copy(struct state *state, const char *argument) {
    const struct sheet *sheet = &state->table.sheet;
    const struct cell *row = table_cursor_row(&state->table);
    struct text text = {0};
    int column = *argument ? sheet_column(sheet, argument) : sheet_address_column(sheet);
    if (*argument && column < 0)
        return error_create(JITSCOPE_ERROR_USAGE, "no column is called '%s'", argument);
    if (!*argument && (column < 0 || !row || row[column].absent))
        column = sheet_column(sheet, "name") >= 0 ? sheet_column(sheet, "name") : 0;
    if (!row)
        return error_create(JITSCOPE_ERROR_USAGE, "there is no row to copy");
    cell_print_escaped(&text, &sheet->columns[column], &row[column]);
    return copy(state, &text);
}

struct jitscope_error *do_copy_row(struct state *state, const char *argument) {
    const struct sheet *sheet = &state->table.sheet;
    const struct cell *row = table_cursor_row(&state->table);
    struct text text = {0};
    (void)argument;
    if (!row)
        return error_create(JITSCOPE_ERROR_USAGE, "there is no row to copy");
    for (uint32_t i = 0; i < sheet->column_count; i++) {
        text_append(&text, i ? "\t" : "");
        cell_print_escaped(&text, &sheet->columns[i], &row[i]);
    }
    return copy(state, &text);
}

struct jitscope_error *do_export(struct state *state, const char *argument) {
    struct text text = {0};
    size_t length = strlen(argument);
    if (!length)
        return error_create(JITSCOPE_ERROR_USAGE, "export wants the name of a file");
    if (state->table.is_scanning && !state->table.is_renewing)
        return error_create(JITSCOPE_ERROR_USAGE, "the rows are still being looked for");
    bool json = length > 5 && !strcmp(argument + length - 5, ".json");
    struct jitscope_error *error = table_print(&text, &state->table, json);
    if (!error)
        error = state_effect(state, EFFECT_WRITE, state_keep(state, argument, length), &text);
    text_destroy(&text);
    return error;
}

struct jitscope_error *do_write(struct state *state, const char *argument) {
    if (!*argument)
        return error_create(JITSCOPE_ERROR_USAGE, "write wants the name of a file");
    return state_effect(state, EFFECT_WRITE_RECORDING, state_keep(state, argument, strlen(argument)), NULL);
}

struct jitscope_error *do_save_screen(struct state *state, const char *argument) {
    if (!*argument)
        return error_create(JITSCOPE_ERROR_USAGE, "save-screen wants the name of a file");
    return state_effect(state, EFFECT_SAVE_SCREEN, state_keep(state, argument, strlen(argument)), NULL);
}

struct jitscope_error *do_help(struct state *state, const char *argument) {
    (void)argument;
    state->help = true;
    state->help_top = 0;
    return NULL;
}

struct jitscope_error *do_redraw(struct state *state, const char *argument) {
    (void)argument;
    return state_effect(state, EFFECT_REDRAW, NULL, NULL);
}

struct jitscope_error *do_suspend(struct state *state, const char *argument) {
    (void)argument;
    return state_effect(state, EFFECT_SUSPEND, NULL, NULL);
}

struct jitscope_error *do_quit(struct state *state, const char *argument) {
    (void)argument;
    return state_effect(state, EFFECT_QUIT, NULL, NULL);
}
