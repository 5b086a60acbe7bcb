/* Going from screen to screen, and coming back. */
#include "model/commands.h"

#include "mirror/why.h"
#include "screens/map.h"
#include "screens/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static struct jitscope_error *go_to_screen(struct state *state, uint32_t screen) {
    struct place place = state_place(state, screen);
    state->parents.count = 0;
    return state_visit(state, &place);
}

static struct jitscope_error *go_in(struct state *state, const struct place *place) {
    struct place here = state_here(state);
    TRY(state_visit(state, place));
    return vec_push(&state->parents, here);
}

/* Screens that say nothing without a question are not on the way from screen to screen. */
static uint32_t neighbour(uint32_t screen, uint32_t step) {
    do
        screen = (screen + step) % SCREEN_COUNT;
    while (screens[screen].needs_question);
    return screen;
}

struct jitscope_error *do_next_screen(struct state *state, const char *argument) {
    (void)argument;
    return go_to_screen(state, neighbour(state->place.screen, 1));
}

struct jitscope_error *do_previous_screen(struct state *state, const char *argument) {
    (void)argument;
    return go_to_screen(state, neighbour(state->place.screen, SCREEN_COUNT - 1));
}

struct jitscope_error *do_screen(struct state *state, const char *argument) {
    uint32_t screen = screen_find(argument, strlen(argument));
    if (screen == SCREEN_COUNT)
        return error_create(JITSCOPE_ERROR_USAGE, "no screen is called '%s'", argument);
    return go_to_screen(state, screen);
}

/* --- into what the cursor is on
 * ------------------------------------------------------------------------------------------------- */

/* The number in the row's column, when there is one. */
static bool row_value_of(struct state *state, const struct cell *row, const char *name, uint64_t *value) {
    int column = sheet_column(&state->table.sheet, name);
    if (!row || column < 0 || row[column].absent)
        return false;
    *value = row[column].number;
    return true;
}

static bool row_address(struct state *state, const struct cell *row, uint64_t *address) {
    int column = sheet_address_column(&state->table.sheet);
    if (!row || column < 0 || row[column].absent)
        return false;
    *address = row[column].number;
    return true;
}

/* What `why` can ask about a row: its address, else its name. */
static bool row_words(struct state *state, const struct cell *row, struct text *words) {
    uint64_t address;
    static const char *const names[] = {"symbol", "name", "target"};
    if (row_address(state, row, &address)) {
        text_print(words, "0x%" PRIx64, address);
        return true;
    }
    for (size_t i = 0; row && i < sizeof names / sizeof *names; i++) {
        int column = sheet_column(&state->table.sheet, names[i]);
        if (column >= 0 && !row[column].absent && cell_is_text(state->table.sheet.columns[column].type)) {
            text_append_bytes(words, row[column].text, row[column].length);
            return true;
        }
    }
    return false;
}

static struct jitscope_error *nothing_there(const char *what) {
    return error_create(JITSCOPE_ERROR_USAGE, "the row has no %s", what);
}

static struct jitscope_error *enter_batch(struct state *state, const struct cell *row) {
    uint64_t link;
    if (!row_value_of(state, row, "link", &link))
        return nothing_there("batch");
    struct place place = state_place(state, SCREEN_SEGMENTS);
    place.question.link = (uint32_t)link;
    return go_in(state, &place);
}

static struct jitscope_error *enter_blocks(struct state *state, const struct cell *row) {
    uint64_t link, address;
    struct place place = state_place(state, SCREEN_BLOCKS);
    if (!row_value_of(state, row, "link", &link) || !row_address(state, row, &address))
        return nothing_there("address");
    place.question.link = (uint32_t)link;
    TRY(go_in(state, &place));
    return table_go_to_address(&state->table, address);
}

/* Closer to the row's region; when that is all there is, to its blocks. */
static struct jitscope_error *enter_map(struct state *state, const struct cell *row) {
    uint64_t address, size;
    struct place place = state_here(state);
    if (!row_address(state, row, &address) || !row_value_of(state, row, "size", &size))
        return nothing_there("address");
    if (place.question.address == address && place.question.size == size)
        return enter_blocks(state, row);
    place.question.address = address;
    place.question.size = size;
    return go_in(state, &place);
}

static struct jitscope_error *enter_why(struct state *state, const char *words) {
    struct place place = state_place(state, SCREEN_WHY);
    place.question.words = state_keep(state, words, strlen(words));
    return place.question.words ? go_in(state, &place) : error_no_memory();
}

static struct jitscope_error *why_row(struct state *state, const struct cell *row) {
    struct text words = {0};
    if (!row_words(state, row, &words))
        return nothing_there("address or name");
    struct jitscope_error *error = words.failed ? error_no_memory() : enter_why(state, words.data);
    text_destroy(&words);
    return error;
}

/* --- memory
 * ------------------------------------------------------------------------------------------------- */

static struct jitscope_error *enter_memory(struct state *state, uint32_t screen, uint64_t address) {
    struct place place = state_place(state, screen);
    place.question.address = address;
    TRY(go_in(state, &place));
    return table_go_to_address(&state->table, address);
}

/* Code is shown as instructions, all else as bytes. */
static uint32_t memory_screen(const struct state *state, uint64_t address) {
    const struct mirror_placement *segment =
        memory_segment(&state->inspected->mirror, state->place.question.link, address);
    return segment && segment->prot & PROTECT_EXECUTE ? SCREEN_CODE : SCREEN_BYTES;
}

static struct jitscope_error *enter_row_memory(struct state *state, const struct cell *row) {
    uint64_t address;
    if (!row_address(state, row, &address))
        return nothing_there("address");
    return enter_memory(state, memory_screen(state, address), address);
}

/* An address, or the name of a symbol that has one. */
static struct jitscope_error *find_address(struct state *state, const char *words, uint64_t *address) {
    char *end;
    errno = 0;
    *address = strtoull(words, &end, 0);
    if (!errno && end != words && !*end)
        return NULL;
    bool found = false;
    TRY(why_find_address(&state->inspected->mirror, words, strlen(words), address, &found));
    if (found)
        return NULL;
    return error_create(JITSCOPE_ERROR_NOT_FOUND, "nothing that has an address is called '%s'", words);
}

static struct jitscope_error *look_at_memory(struct state *state, const char *words, uint32_t screen) {
    uint64_t address;
    if (*words)
        TRY(find_address(state, words, &address));
    else if (!row_address(state, table_cursor_row(&state->table), &address))
        return nothing_there("address");
    return enter_memory(state, screen, address);
}

struct jitscope_error *do_code(struct state *state, const char *argument) {
    return look_at_memory(state, argument, SCREEN_CODE);
}

struct jitscope_error *do_bytes(struct state *state, const char *argument) {
    return look_at_memory(state, argument, SCREEN_BYTES);
}

static struct jitscope_error *enter_moment(struct state *state, const struct cell *row) {
    uint64_t sequence;
    if (!row_value_of(state, row, "sequence", &sequence))
        return nothing_there("event");
    state->follows = false;
    TRY(state_seek(state, sequence));
    state_say(state, "this is the state after event %" PRIu64, sequence);
    return NULL;
}

/* Where the row's instruction leads; a row without one, to itself in bytes. */
static struct jitscope_error *enter_target(struct state *state, const struct cell *row) {
    uint64_t address, target;
    if (!row_address(state, row, &address))
        return nothing_there("address");
    if (!memory_target(&state->table.sheet, address, &target))
        return enter_memory(state, SCREEN_BYTES, address);
    return enter_memory(state, memory_screen(state, target), target);
}

/* A screen about the row's batch and address, and about the number in one of its columns. */
static struct jitscope_error *enter_about(struct state *state, const struct cell *row, uint32_t screen,
                                          const char *column) {
    uint64_t link, number = 0;
    struct place place = state_place(state, screen);
    if (!row_value_of(state, row, "link", &link) || !row_address(state, row, &place.question.address))
        return nothing_there("address");
    if (column && !row_value_of(state, row, column, &number))
        return nothing_there(column);
    place.question.link = (uint32_t)link;
    place.question.number = (uint32_t)number;
    return go_in(state, &place);
}

struct jitscope_error *do_enter(struct state *state, const char *argument) {
    const struct cell *row = table_cursor_row(&state->table);
    (void)argument;
    if (!row)
        return error_create(JITSCOPE_ERROR_NOT_FOUND, "there is no row to go into");
    switch (screens[state->place.screen].enter) {
    case ENTER_BATCH:
        return enter_batch(state, row);
    case ENTER_MAP:
        return enter_map(state, row);
    case ENTER_BLOCKS:
        return enter_blocks(state, row);
    case ENTER_MOMENT:
        return enter_moment(state, row);
    case ENTER_MEMORY:
        return enter_row_memory(state, row);
    case ENTER_FRAME:
        return enter_about(state, row, SCREEN_FRAME, NULL);
    case ENTER_ARGUMENTS:
        return enter_about(state, row, SCREEN_ARGUMENTS, "action");
    case ENTER_TARGET:
        return enter_target(state, row);
    case ENTER_WHY:
        return why_row(state, row);
    case ENTER_NOTHING:
        break;
    }
    state_say(state, "there is nothing behind a row of this screen");
    return NULL;
}

/* Half, or twice, of what is shown, around the row. */
struct jitscope_error *do_zoom(struct state *state, const char *argument) {
    struct place place = state_here(state);
    const struct cell *row = table_cursor_row(&state->table);
    uint64_t address, size;
    bool in = !strcmp(argument, "in");
    if (state->place.screen != SCREEN_MAP || (!in && strcmp(argument, "out") != 0))
        return error_create(JITSCOPE_ERROR_USAGE, "zoom in, or zoom out, on the map");
    if (!row_address(state, row, &address) || !row_value_of(state, row, "size", &size))
        return nothing_there("address");
    map_zoom(&state->table.sheet, address + size / 2, in, &place.question);
    return state_show(state, &place);
}

struct jitscope_error *do_why(struct state *state, const char *argument) {
    return *argument ? enter_why(state, argument) : why_row(state, table_cursor_row(&state->table));
}

/* The same screen of other batches: filter and order stay. */
struct jitscope_error *do_batch(struct state *state, const char *argument) {
    struct place place = state_here(state);
    uint64_t link = 0;
    int64_t number;
    if (!strcmp(argument, "all")) {
        place.question.link = ALL_LINKS;
        return state_visit(state, &place);
    }
    if (!*argument && !row_value_of(state, table_cursor_row(&state->table), "link", &link))
        return nothing_there("batch");
    TRY(argument_number(argument, (int64_t)link, &number));
    if (number < 0 || number >= state->inspected->mirror.links.count)
        return error_create(JITSCOPE_ERROR_NOT_FOUND, "there is no batch %" PRId64 " at this moment", number);
    place.question.link = (uint32_t)number;
    TRY(state_visit(state, &place));
    state_say(state, "only batch %" PRId64 " from now on, on all screens; `batch all` for all", number);
    return NULL;
}

/* --- and back
 * ------------------------------------------------------------------------------------------------- */

struct jitscope_error *do_leave(struct state *state, const char *argument) {
    (void)argument;
    if (!state->parents.count)
        return NULL;
    struct place place = state->parents.data[--state->parents.count];
    return state_visit(state, &place);
}

struct jitscope_error *do_close(struct state *state, const char *argument) {
    return state->parents.count ? do_leave(state, argument) : do_quit(state, argument);
}

/* To the next place that way which can be shown: memory, and what led to it, are not there at every moment.
 */
static struct jitscope_error *go_through_visited(struct state *state, int step) {
    struct jitscope_error *error = NULL;
    for (int64_t at = (int64_t)state->visit + step; at >= 0 && at < state->visited.count; at += step) {
        struct place place = state->visited.data[at];
        jitscope_error_destroy(error);
        error = state_show(state, &place);
        if (error)
            continue;
        state->visit = (uint32_t)at;
        state->parents.count = 0;
        break;
    }
    return error;
}

struct jitscope_error *do_back(struct state *state, const char *argument) {
    (void)argument;
    if (!state->visit) {
        state_say(state, "no place was visited before");
        return NULL;
    }
    struct place here = state_here(state);
    if (state->visit == state->visited.count)
        TRY(vec_push(&state->visited, here));
    else
        state->visited.data[state->visit] = here;
    return go_through_visited(state, -1);
}

struct jitscope_error *do_forward(struct state *state, const char *argument) {
    (void)argument;
    if (state->visit + 1 >= state->visited.count) {
        state_say(state, "no place was visited after");
        return NULL;
    }
    state->visited.data[state->visit] = state_here(state);
    return go_through_visited(state, 1);
}

static struct jitscope_error *find_mark(const char *argument, uint32_t *mark) {
    char letter = argument[0];
    bool lower = letter >= 'a' && letter <= 'z', upper = letter >= 'A' && letter <= 'Z';
    if ((!lower && !upper) || argument[1])
        return error_create(JITSCOPE_ERROR_USAGE, "marks are letters, a to z and A to Z");
    *mark = lower ? (uint32_t)(letter - 'a') : 26 + (uint32_t)(letter - 'A');
    return NULL;
}

struct jitscope_error *do_mark(struct state *state, const char *argument) {
    uint32_t mark = 0;
    TRY(find_mark(argument, &mark));
    state->marks[mark] = state_here(state);
    state->is_marked[mark] = true;
    state_say(state, "marked %s", argument);
    return NULL;
}

struct jitscope_error *do_jump(struct state *state, const char *argument) {
    uint32_t mark = 0;
    TRY(find_mark(argument, &mark));
    if (!state->is_marked[mark])
        return error_create(JITSCOPE_ERROR_NOT_FOUND, "nothing is marked %s", argument);
    struct place place = state->marks[mark];
    if (place.moment != state->inspected->now) {
        state->follows = false;
        TRY(state_seek(state, place.moment));
    }
    return state_visit(state, &place);
}
