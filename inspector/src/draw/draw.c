/* The screen: a title, headings, rows, and a last line with messages and the moment. */
#include "draw/draw.h"

#include "draw/header.h"

#include <inttypes.h>
#include <string.h>

enum { WIDEST_TEXT = 60, NARROWEST_TEXT = 8, MARK_WIDTH = 2, GAP_WIDTH = 2 };

/* --- the title
 * ------------------------------------------------------------------------------------------------- */

static void print_place(struct text *out, const struct state *state) {
    const struct place *place = &state->place;
    text_append(out, screens[place->screen].name);
    if (place->question.link != ALL_LINKS)
        text_print(out, " of batch %u", place->question.link);
    if (place->question.words && screens[place->screen].needs_question)
        text_print(out, " %s", place->question.words);
    if (place->filter)
        text_print(out, ", only %s", place->filter);
}

static void print_name(struct text *out, const struct inspected *inspected) {
    text_append(out, inspected->name);
    if (inspected->is_live && !inspected->is_alive)
        text_append(out, ", ended");
    else if (inspected->is_live && inspected->is_over)
        text_append(out, ", no more events");
}

/* The place on the left, what is looked at on the right. */
static void draw_title(struct grid *grid, const struct state *state) {
    struct text text = {0}, name = {0};
    print_place(&text, state);
    print_name(&name, state->inspected);
    const char *words = name.data ? name.data : "";
    grid_fill(grid, 0, 0, grid->columns, STYLE_TITLE);
    uint16_t used =
        grid_text(grid, 0, 1, grid->columns, STYLE_TITLE, text.data ? text.data : "", text.length);
    uint32_t width = grid_width(grid, words, name.length);
    uint32_t room = grid->columns > used + 4u ? grid->columns - used - 4u : 0;
    uint16_t start = (uint16_t)(width < room ? grid->columns - width - 1 : used + 3u);
    if (room)
        grid_text(grid, 0, start, (uint16_t)room, STYLE_TITLE, words, name.length);
    text_destroy(&text);
    text_destroy(&name);
}

/* --- rows
 * ------------------------------------------------------------------------------------------------- */

static enum style cell_style(const struct column *column, const struct cell *cell) {
    if (cell->absent)
        return STYLE_DIM;
    switch (column->type) {
    case CELL_ADDRESS:
        return STYLE_ADDRESS;
    case CELL_NUMBER:
    case CELL_SIGNED:
    case CELL_DURATION:
        return STYLE_NUMBER;
    case CELL_CODE:
        return STYLE_CODE;
    case CELL_TEXT:
        break;
    }
    return !strcmp(column->name, "name") || !strcmp(column->name, "symbol") ? STYLE_NAME : STYLE_NORMAL;
}

/* Columns that are in view, with their places. */
struct layout {
    uint32_t first, count;
    uint16_t starts[MOST_COLUMNS], widths[MOST_COLUMNS];
};

static uint32_t heading_width(const struct state *state, uint32_t column) {
    const struct table *table = &state->table;
    return (uint32_t)strlen(table->sheet.columns[column].name) + ((int)column == table->sort_column ? 2 : 0);
}

/* What a column would like to have; the last one can be as wide as the screen. */
static uint32_t wanted_width(const struct state *state, uint32_t column, uint32_t screen) {
    uint32_t width = state->table.widths[column], heading = heading_width(state, column);
    bool last = column + 1 == state->table.sheet.column_count;
    uint32_t most = last && screen > WIDEST_TEXT ? screen : WIDEST_TEXT;
    if (width > most)
        width = most;
    return width > heading ? width : heading;
}

/* Takes from the widest texts until all columns fit, or none is wide. */
static void squeeze(const struct state *state, struct layout *layout, uint32_t total, uint32_t room) {
    while (total > room) {
        uint32_t widest = 0, most = NARROWEST_TEXT;
        for (uint32_t i = 0; i < layout->count; i++)
            if (state->table.sheet.columns[layout->first + i].type == CELL_TEXT &&
                layout->widths[i] >= most) {
                most = layout->widths[i];
                widest = i;
            }
        if (most == NARROWEST_TEXT)
            return;
        layout->widths[widest]--;
        total--;
    }
}

static void lay_out(const struct grid *grid, const struct state *state, struct layout *layout) {
    uint32_t at = MARK_WIDTH, total = MARK_WIDTH, columns = state->table.sheet.column_count;
    *layout = (struct layout){.first = state->place.first_column};
    layout->count = columns - layout->first;
    for (uint32_t i = 0; i < layout->count; i++) {
        layout->widths[i] = (uint16_t)wanted_width(state, layout->first + i, grid->columns);
        total += layout->widths[i] + (i ? GAP_WIDTH : 0);
    }
    squeeze(state, layout, total, grid->columns);
    for (uint32_t i = 0; i < layout->count; i++) {
        layout->starts[i] = (uint16_t)at;
        at += layout->widths[i] + GAP_WIDTH;
        if (at - GAP_WIDTH > grid->columns && layout->starts[i] < grid->columns)
            layout->widths[i] = (uint16_t)(grid->columns - layout->starts[i]);
        if (layout->starts[i] >= grid->columns)
            layout->count = i;
    }
}

static void draw_headings(struct grid *grid, uint16_t row, const struct state *state,
                          const struct layout *layout) {
    const struct table *table = &state->table;
    for (uint32_t i = 0; i < layout->count; i++) {
        uint32_t number = layout->first + i;
        const struct column *column = &table->sheet.columns[number];
        uint32_t width = heading_width(state, number), start = layout->starts[i];
        if (!cell_is_text(column->type) && layout->widths[i] > width)
            start += layout->widths[i] - width;
        uint16_t used = grid_text(grid, row, (uint16_t)start, layout->widths[i], STYLE_HEADING, column->name,
                                  strlen(column->name));
        if ((int)number == table->sort_column)
            grid_glyph(grid, row, (uint16_t)(start + used + 1), STYLE_HEADING,
                       table->descending ? GLYPH_SORT_DOWN : GLYPH_SORT_UP);
    }
}

/* Of a path that does not fit the end says more.  It is looked for from behind: paths can be long. */
static void draw_path_end(struct grid *grid, uint16_t row, uint16_t start, uint16_t width, enum style style,
                          const char *bytes, size_t length) {
    uint16_t mark = grid_glyph(grid, row, start, style, GLYPH_CUT);
    const char *end = bytes + length, *from = end, *before = end;
    while (from > bytes) {
        do
            before--;
        while (before > bytes && from - before < 4 && ((unsigned char)*before & 0xc0) == 0x80);
        if (grid_width(grid, before, (size_t)(end - before)) + mark > width)
            break;
        from = before;
    }
    grid_text(grid, row, (uint16_t)(start + mark), width, style, from, (size_t)(end - from));
}

static void draw_cell(struct grid *grid, uint16_t row, uint16_t start, uint16_t width,
                      const struct column *column, const struct cell *cell) {
    struct text text = {0};
    cell_print(&text, column, cell);
    const char *bytes = text.data ? text.data : "";
    uint32_t used = grid_width(grid, bytes, text.length);
    enum style style = cell_style(column, cell);
    if (!cell_is_text(column->type) && used < width)
        start = (uint16_t)(start + width - used);
    if (used > width && *bytes == '/')
        draw_path_end(grid, row, start, width, style, bytes, text.length);
    else
        grid_text(grid, row, start, width, style, bytes, text.length);
    text_destroy(&text);
}

static void draw_row(struct grid *grid, uint16_t row, const struct state *state, const struct layout *layout,
                     uint32_t index) {
    const struct table *table = &state->table;
    const struct shown_row *shown = &table->shown.data[index];
    const struct cell *cells = table->window.cells.data + (size_t)index * table->sheet.column_count;
    if (shown->mark == ROW_DIFFERS)
        grid_glyph(grid, row, 0, STYLE_ERROR, GLYPH_DIFFERS);
    else if (shown->is_new || shown->changed || shown->mark == ROW_CHANGED)
        grid_glyph(grid, row, 0, STYLE_WARNING, GLYPH_CHANGED);
    for (uint32_t i = 0; i < layout->count; i++) {
        uint32_t number = layout->first + i;
        draw_cell(grid, row, layout->starts[i], layout->widths[i], &table->sheet.columns[number],
                  &cells[number]);
        if (shown->is_new || shown->changed >> number & 1)
            grid_overlay(grid, row, layout->starts[i], layout->widths[i], OVERLAY_CHANGED);
    }
    if (shown->place == table->cursor) {
        grid_overlay(grid, row, 0, grid->columns, OVERLAY_SELECTED);
        grid_cursor(grid, row, 0);
    }
}

static void draw_nothing(struct grid *grid, uint16_t row, const struct state *state) {
    const char *text = "nothing here at this moment";
    if (state->table.is_scanning || state->table.sheet.is_waiting)
        text = "looking";
    else if (state->table.sheet.remark)
        text = state->table.sheet.remark;
    else if (state->table.filter)
        text = "no row passes the filter";
    grid_string(grid, row, MARK_WIDTH, STYLE_DIM, text);
}

static void draw_rows(struct grid *grid, const struct state *state) {
    struct layout layout;
    uint16_t row = (uint16_t)state_first_row(state);
    lay_out(grid, state, &layout);
    draw_header(grid, state, state_header(state));
    if (state->rows >= 5)
        draw_headings(grid, (uint16_t)(row - 1), state, &layout);
    if (!state->table.shown.count)
        draw_nothing(grid, row, state);
    for (uint32_t i = 0; i < state->table.shown.count; i++)
        draw_row(grid, row++, state, &layout, i);
}

/* --- the last line
 * ------------------------------------------------------------------------------------------------- */

static void print_moment(struct text *out, const struct state *state) {
    const struct inspected *inspected = state->inspected;
    if (state->table.is_scanning)
        text_print(out, "looking %u%%  ", table_scan_progress(&state->table));
    const struct mirror_boundary *pass = inspected_pass_at(inspected, inspected->now);
    struct recorded_string name = recording_string(&inspected->file, pass ? pass->name : 0);
    if (!inspected->is_read)
        text_print(out, "read %u%%  ", inspected_progress(inspected));
    if (pass && !state->follows)
        text_print(out, "batch %u, %.*s, ", pass->link, (int)name.length, name.bytes);
    text_print(out, "event %" PRIu64 "/%" PRIu64 " ", inspected->now, inspected_last(inspected));
}

static void draw_status(struct grid *grid, const struct state *state) {
    struct text moment = {0};
    uint16_t row = (uint16_t)(grid->rows - 1);
    grid_fill(grid, row, 0, grid->columns, STYLE_STATUS);
    print_moment(&moment, state);
    uint32_t width = grid_width(grid, moment.data ? moment.data : "", moment.length) + 2;
    uint16_t room = (uint16_t)(grid->columns > width + 1 ? grid->columns - width - 1 : grid->columns);
    const char *meaning =
        state->table.sheet.remark ? state->table.sheet.remark : screens[state->place.screen].meaning;
    if (state->message.length && state->message_is_error)
        room = grid->columns; /* what went wrong is worth more than the moment */
    if (state->message.length)
        grid_text(grid, row, 0, room, state->message_is_error ? STYLE_ERROR : STYLE_STATUS,
                  state->message.data, state->message.length);
    else
        grid_text(grid, row, 0, room, STYLE_STATUS, meaning, strlen(meaning));
    if (room < grid->columns) {
        uint16_t at = (uint16_t)(grid->columns - width);
        grid_glyph(grid, row, at, STYLE_STATUS, state->follows ? GLYPH_FOLLOW : GLYPH_PAUSED);
        grid_text(grid, row, (uint16_t)(at + 2), (uint16_t)(width - 2), STYLE_STATUS,
                  moment.data ? moment.data : "", moment.length);
    }
    text_destroy(&moment);
}

static void draw_prompt(struct grid *grid, const struct state *state) {
    const struct prompt *prompt = &state->prompt;
    uint16_t row = (uint16_t)(grid->rows - 1);
    struct text text = {0};
    text_print(&text, "%s%s", *prompt->label ? prompt->label : ":", *prompt->label ? ": " : "");
    uint32_t label = (uint32_t)text.length;
    text_append_bytes(&text, prompt->line.data ? prompt->line.data : "", prompt->line.length);
    const char *bytes = text.data ? text.data : "";
    uint32_t before = grid_width(grid, bytes, label + prompt->at);
    if (state->message.length && row) { /* what there is to choose from */
        grid_fill(grid, (uint16_t)(row - 1), 0, grid->columns, STYLE_STATUS);
        grid_text(grid, (uint16_t)(row - 1), 0, grid->columns, STYLE_STATUS, state->message.data,
                  state->message.length);
    }
    grid_fill(grid, row, 0, grid->columns, STYLE_NORMAL);
    grid_text(grid, row, 0, grid->columns, STYLE_NORMAL, bytes, text.length);
    grid_cursor(grid, row, (uint16_t)(before < grid->columns ? before : grid->columns - 1u));
    text_destroy(&text);
}

struct jitscope_error *draw(struct grid *grid, struct state *state) {
    bool ascii = grid->ascii;
    TRY(grid_reset(grid, state->rows, state->columns));
    grid->ascii = ascii;
    if (!state->rows || !state->columns)
        return NULL;
    TRY(table_look(&state->table, state_height(state), state->previous));
    if (state->rows >= 2)
        draw_title(grid, state);
    if (state->help)
        draw_help(grid, state);
    else
        draw_rows(grid, state);
    if (state->rows >= 3)
        draw_status(grid, state);
    if (state->prompt.is_open)
        draw_prompt(grid, state);
    return NULL;
}
