/* Searching, filtering, sorting. */
#include "model/commands.h"

#include <string.h>

static struct jitscope_error *find(struct state *state, bool forward) {
    if (!state->searched.length)
        return error_create(JITSCOPE_ERROR_USAGE, "nothing was searched yet; / searches");
    table_search(&state->table, state->searched.data, forward);
    return NULL;
}

struct jitscope_error *finding_tell(struct state *state) {
    struct search *search = &state->table.search;
    enum search_state result = search->state;
    if (result == SEARCH_GOES_ON || result == SEARCH_NONE)
        return NULL;
    search->state = SEARCH_NONE;
    if (result == SEARCH_IN_VAIN)
        return error_create(JITSCOPE_ERROR_NOT_FOUND, "'%s' is not on this screen", search->text);
    if (search->has_wrapped)
        state_say(state, "search went on at the %s", search->forward ? "top" : "bottom");
    return NULL;
}

struct jitscope_error *do_search(struct state *state, const char *argument) {
    if (*argument) {
        text_clear(&state->searched);
        text_append(&state->searched, argument);
    }
    return find(state, true);
}

struct jitscope_error *do_search_next(struct state *state, const char *argument) {
    (void)argument;
    return find(state, true);
}

struct jitscope_error *do_search_previous(struct state *state, const char *argument) {
    (void)argument;
    return find(state, false);
}

struct jitscope_error *do_filter(struct state *state, const char *argument) {
    TRY(table_set_filter(&state->table, argument));
    state->place.filter = *argument ? state_keep(state, argument, strlen(argument)) : NULL;
    return NULL;
}

static struct jitscope_error *sort_by(struct state *state, int column, bool descending) {
    TRY(table_set_sort(&state->table, column, descending));
    state->place.sort_column = column;
    state->place.descending = descending;
    return NULL;
}

struct jitscope_error *do_sort(struct state *state, const char *argument) {
    bool descending = *argument == '-';
    if (!*argument)
        return sort_by(state, -1, false);
    int column = sheet_column(&state->table.sheet, argument + descending);
    if (column >= 0)
        return sort_by(state, column, descending);
    struct text names = {0};
    for (uint32_t i = 0; i < state->table.sheet.column_count; i++)
        text_print(&names, "%s%s", i ? ", " : "", state->table.sheet.columns[i].name);
    struct jitscope_error *error =
        error_with_help(error_create(JITSCOPE_ERROR_USAGE, "no column is called '%s'", argument + descending),
                        "columns: %s", names.data ? names.data : "");
    text_destroy(&names);
    return error;
}

struct jitscope_error *do_sort_next(struct state *state, const char *argument) {
    (void)argument;
    int next = state->table.sort_column + 1;
    return sort_by(state, next < (int)state->table.sheet.column_count ? next : -1, false);
}

struct jitscope_error *do_sort_reverse(struct state *state, const char *argument) {
    (void)argument;
    int column = state->table.sort_column < 0 ? 0 : state->table.sort_column;
    return sort_by(state, column, state->table.sort_column >= 0 && !state->table.descending);
}

struct jitscope_error *do_demangle(struct state *state, const char *argument) {
    (void)argument;
    state->table.demangle = !state->table.demangle;
    state_say(state, "C++ names are shown %s",
              state->table.demangle ? "as they were written" : "as they are");
    return table_refresh(&state->table);
}
