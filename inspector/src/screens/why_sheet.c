/* The chain behind a byte, a name or a table entry, asked once at the moment at which the screen was opened.
 */
#include "screens/sheet.h"

#include "mirror/why.h"

static const struct column columns[] = {{"sequence", CELL_NUMBER}, {"step", CELL_TEXT}};

struct why_rows {
    struct why_answer answer;
    uint64_t version;
};

static struct jitscope_error *refresh(struct sheet *sheet) {
    struct why_rows *own = sheet->own;
    sheet->columns = columns;
    sheet->column_count = sizeof columns / sizeof *columns;
    if (own)
        return NULL;
    if (!(own = os_allocate_zeroed(sizeof *own)))
        return error_no_memory();
    struct jitscope_error *error = why_ask(
        &sheet->inspected->mirror, sheet->question.words ? sheet->question.words : "", NULL, &own->answer);
    if (error) {
        os_release(own);
        return error;
    }
    sheet->own = own;
    sheet->count = own->answer.steps.count;
    return NULL;
}

static void close_why(struct sheet *sheet) {
    struct why_rows *own = sheet->own;
    if (own)
        why_destroy(&own->answer);
    os_release(own);
}

static bool why_row(struct sheet *sheet, uint64_t number, struct row *row) {
    const struct why_rows *own = sheet->own;
    if (number >= sheet->count)
        return false;
    const struct why_step *step = &own->answer.steps.data[number];
    if (step->kind == WHY_EVENT)
        row_number(row, step->event.sequence);
    else
        row_absent(row);
    row_print(row, "%s%s", step->kind == WHY_ANSWER ? "" : "  ", step->text);
    return true;
}

const struct sheet_kind sheet_of_why = {.refresh = refresh,
                                        .close = close_why,
                                        .row = why_row,
                                        .position = plain_position,
                                        .number = plain_number};
