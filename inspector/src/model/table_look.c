/* The rows in view, and what the last step through time changed in them. */
#include "model/table_parts.h"

#include <string.h>

static struct jitscope_error *show_from(struct table *table, uint64_t place, uint32_t height) {
    table_forget_picture(table);
    for (; table->shown.count < height && place < table_count(table) && !table->sheet.is_waiting; place++)
        if (table_row(table, place, &table->window))
            TRY(vec_push(&table->shown, (struct shown_row){.place = place}));
    return NULL;
}

static bool is_in_view(const struct table *table) {
    for (uint32_t i = 0; i < table->shown.count; i++)
        if (table->shown.data[i].place == table->cursor)
            return true;
    return false;
}

static struct jitscope_error *scroll(struct table *table, uint32_t height) {
    TRY(show_from(table, table->top, height));
    uint64_t count = table_count(table);
    if (is_in_view(table) || !count)
        return NULL;
    bool below = table->cursor > table->top;
    table->top = table->cursor < count ? table->cursor : count - 1; /* an order is being made */
    for (uint32_t i = 1; below && i < height && table_step(table, &table->top, false); i++)
        ;
    return show_from(table, table->top, height);
}

/* The last rows fill the view when there are enough. */
static struct jitscope_error *fill(struct table *table, uint32_t height) {
    uint64_t top = table->top;
    if (table->shown.count >= height || !table->shown.count)
        return NULL;
    for (uint32_t missing = height - table->shown.count; missing && table_step(table, &table->top, false);
         missing--)
        ;
    return top == table->top ? NULL : show_from(table, table->top, height);
}

static bool same_cell(const struct cell *a, const struct cell *b, enum cell_type type) {
    if (a->absent || b->absent)
        return a->absent == b->absent;
    if (!cell_is_text(type))
        return a->number == b->number;
    return a->length == b->length && !memcmp(a->text, b->text, a->length);
}

/* Compares the rows in view with those at the moment that is shown now. */
static void compare_rows(struct table *table, const struct position *positions) {
    struct sheet *sheet = &table->sheet;
    for (uint32_t i = 0; i < table->shown.count; i++) {
        struct shown_row *shown = &table->shown.data[i];
        uint64_t number = sheet->kind->number(sheet, positions[i]);
        struct position there =
            number < sheet->count ? sheet->kind->position(sheet, number) : (struct position){NO_ID, 0};
        rows_forget(&table->scratch);
        if (there.link != positions[i].link || there.item != positions[i].item ||
            !table_add_row(table, number, &table->scratch)) {
            shown->is_new = true;
            continue;
        }
        const struct cell *now = table->window.cells.data + (size_t)i * sheet->column_count;
        for (uint32_t j = 0; j < sheet->column_count; j++)
            if (!same_cell(&now[j], &table->scratch.cells.data[j], sheet->columns[j].type))
                shown->changed |= 1u << j;
    }
}

static struct jitscope_error *mark_changes(struct table *table, uint64_t previous) {
    struct inspected *inspected = table->sheet.inspected;
    VEC(struct position) positions = {0};
    uint64_t now = inspected->now;
    struct jitscope_error *error = NULL;
    for (uint32_t i = 0; i < table->shown.count && !error; i++)
        error = vec_push(&positions, table->sheet.kind->position(
                                         &table->sheet, table_number(table, table->shown.data[i].place)));
    if (!error) {
        inspected_seek(inspected, previous);
        error = sheet_refresh(&table->sheet);
        if (!error)
            compare_rows(table, positions.data);
        inspected_seek(inspected, now);
        if (!error)
            error = sheet_refresh(&table->sheet);
    }
    vec_destroy(&positions);
    return error;
}

static void measure(struct table *table) {
    struct text text = {0};
    for (uint32_t i = 0; i < table->window.cells.count; i++) {
        uint32_t column = i % table->sheet.column_count;
        text_clear(&text);
        cell_print(&text, &table->sheet.columns[column], &table->window.cells.data[i]);
        struct grid plain = {0};
        uint32_t width = text.data ? grid_width(&plain, text.data, text.length) : 0;
        if (width > table->widths[column])
            table->widths[column] = width;
    }
    text_destroy(&text);
}

static void mark_rows(struct table *table) {
    const struct sheet *sheet = &table->sheet;
    for (uint32_t i = 0; sheet->kind->mark && i < table->shown.count; i++)
        table->shown.data[i].mark =
            (uint8_t)sheet->kind->mark(sheet, table->window.cells.data + (size_t)i * sheet->column_count);
}

/* Nothing has happened but that the cursor moved within what is in view. */
static bool is_pictured(const struct table *table, uint32_t height, uint64_t previous) {
    const struct picture *picture = &table->picture;
    return picture->is_whole && picture->top == table->top && picture->height == height &&
           picture->previous == previous && picture->version == table->sheet.inspected->version &&
           is_in_view(table);
}

struct jitscope_error *table_look(struct table *table, uint32_t height, uint64_t previous) {
    if (is_pictured(table, height, previous))
        return NULL;
    TRY(scroll(table, height));
    TRY(fill(table, height));
    if (previous != table->sheet.inspected->now && table->shown.count)
        TRY(mark_changes(table, previous));
    measure(table);
    mark_rows(table);
    table->picture = (struct picture){.is_whole = !table->sheet.is_waiting && !table->is_scanning &&
                                                  !table->sheet.is_volatile,
                                      .top = table->top,
                                      .version = table->sheet.inspected->version,
                                      .previous = previous,
                                      .height = height};
    return NULL;
}
