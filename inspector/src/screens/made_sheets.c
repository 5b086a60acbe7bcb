/* Screens of few rows, which are made all at once: a record of .eh_frame, the arguments of an action, what
 * differs in memory. */
#include "screens/memory.h"

#include "bytes/arguments.h"
#include "bytes/cfi.h"

struct made {
    struct look look;
    bool is_ready; /* LOOK is */
    struct rows rows;
};

static struct jitscope_error *make_ready(struct sheet *sheet, const struct column *columns, uint32_t count,
                                         struct made **out) {
    struct made *made = sheet->own;
    sheet->columns = columns;
    sheet->column_count = count;
    if (!made && !(made = sheet->own = os_allocate_zeroed(sizeof *made)))
        return error_no_memory();
    if (!made->is_ready)
        TRY(memory_look(sheet, &made->look));
    made->is_ready = true;
    made->rows.columns = columns;
    made->rows.column_count = count;
    made->rows.cells.count = 0;
    arena_destroy(&made->rows.arena);
    memory_ask(sheet, &made->look);
    *out = made;
    return NULL;
}

static void close_made(struct sheet *sheet) {
    struct made *made = sheet->own;
    if (made)
        rows_destroy(&made->rows);
    os_release(made);
}

static bool made_row(struct sheet *sheet, uint64_t number, struct row *row) {
    const struct made *made = sheet->own;
    if (number >= sheet->count)
        return false;
    return row_copy(row, made->rows.cells.data + number * sheet->column_count, sheet->column_count);
}

static int descriptor(const struct sheet *sheet) {
    const struct made *made = sheet->own;
    return contents_descriptor(made->look.contents);
}

/* --- a record of .eh_frame: what it says of itself, then the rows it stands for
 * ------------------------------------------------------------------------------------------------- */

static const struct column frame_columns[] = {
    {"address", CELL_ADDRESS}, {"end", CELL_ADDRESS}, {"what", CELL_TEXT}, {"value", CELL_TEXT}};

static const struct cell *cell_of(const struct rows *rows, uint32_t row, uint32_t column) {
    return &rows->cells.data[(size_t)row * rows->column_count + column];
}

/* what, address, value */
static struct jitscope_error *take_facts(struct rows *to, const struct rows *facts) {
    for (uint32_t i = 0; i < rows_count(facts); i++) {
        struct row row;
        const struct cell cells[] = {*cell_of(facts, i, 1),
                                     {.absent = true, .text = ""},
                                     *cell_of(facts, i, 0),
                                     *cell_of(facts, i, 2)};
        TRY(row_begin(to, &row));
        row_copy(&row, cells, 4);
    }
    return NULL;
}

/* address, end, cfa, registers */
static struct jitscope_error *take_rules(struct rows *to, const struct rows *rules) {
    for (uint32_t i = 0; i < rows_count(rules); i++) {
        struct row row;
        const struct cell *from = cell_of(rules, i, 0);
        struct cell cells[] = {from[0], from[1], from[2], from[3]};
        TRY(row_begin(to, &row));
        row_copy(&row, cells, 4);
        row.next = 2;
        row_print(&row, "CFA = %.*s", (int)from[2].length, from[2].text);
    }
    return NULL;
}

static struct jitscope_error *refresh_frame(struct sheet *sheet) {
    struct made *made;
    struct rows facts = {.columns = cfi_fact_columns, .column_count = cfi_fact_column_count};
    struct rows rules = {.columns = cfi_rule_columns, .column_count = cfi_rule_column_count};
    TRY(make_ready(sheet, frame_columns, sizeof frame_columns / sizeof *frame_columns, &made));
    struct jitscope_error *error = cfi_facts(&made->look, sheet->question.address, &facts);
    if (!error)
        error = cfi_rules_of(&made->look, sheet->question.address, &rules);
    if (!error)
        error = take_facts(&made->rows, &facts);
    if (!error)
        error = take_rules(&made->rows, &rules);
    rows_destroy(&facts);
    rows_destroy(&rules);
    sheet->count = rows_count(&made->rows);
    return error;
}

const struct sheet_kind sheet_of_frame = {.refresh = refresh_frame,
                                          .close = close_made,
                                          .row = made_row,
                                          .position = plain_position,
                                          .number = plain_number,
                                          .descriptor = descriptor};

/* --- what an action is called with
 * ------------------------------------------------------------------------------------------------- */

static struct jitscope_error *refresh_arguments(struct sheet *sheet) {
    struct made *made;
    TRY(make_ready(sheet, argument_columns, argument_column_count, &made));
    TRY(arguments_rows(&made->look, sheet->question.number, &made->rows));
    sheet->count = rows_count(&made->rows);
    return NULL;
}

const struct sheet_kind sheet_of_arguments = {.refresh = refresh_arguments,
                                              .close = close_made,
                                              .row = made_row,
                                              .position = plain_position,
                                              .number = plain_number,
                                              .descriptor = descriptor};
