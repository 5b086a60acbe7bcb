/* The chain behind a byte, a name or a table entry, asked once, at the moment at which the screen was opened.
 */
#include "screens/sheet.h"

#include "inspected/reasons.h"

static const struct column columns[] = {{"sequence", CELL_NUMBER}, {"step", CELL_TEXT}};

struct why_rows {
    struct reasons *reasons;
    bool has_failed;
};

static struct jitscope_error *ask(struct sheet *sheet, struct why_rows **out) {
    struct why_rows *own = sheet->own;
    *out = own;
    if (own)
        return NULL;
    if (!(own = os_allocate_zeroed(sizeof *own)))
        return error_no_memory();
    *out = sheet->own = own;
    return reasons_ask(sheet->inspected, sheet->question.words ? sheet->question.words : "", &own->reasons);
}

static struct jitscope_error *refresh(struct sheet *sheet) {
    struct why_rows *own;
    bool known = false;
    sheet->columns = columns;
    sheet->column_count = sizeof columns / sizeof *columns;
    sheet->count = 0;
    sheet->is_waiting = !sheet->own; /* an answer that comes at once is no other than one that comes late */
    sheet->is_improving = false;
    TRY(ask(sheet, &own));
    if (own->has_failed || sheet->is_waiting)
        return NULL;
    struct jitscope_error *error = reasons_listen(own->reasons, &known);
    own->has_failed = error;
    if (error)
        return error;
    sheet->is_waiting = !known && !reasons_are_final(own->reasons);
    sheet->is_improving =
        known && !reasons_are_final(own->reasons); /* it is replayed for what it does not hold */
    sheet->count = reasons_count(own->reasons);
    return NULL;
}

static void close_why(struct sheet *sheet) {
    struct why_rows *own = sheet->own;
    if (own)
        reasons_destroy(own->reasons);
    os_release(own);
}

static int descriptor(const struct sheet *sheet) {
    const struct why_rows *own = sheet->own;
    return reasons_descriptor(own->reasons);
}

static bool why_row(struct sheet *sheet, uint64_t number, struct row *row) {
    const struct why_rows *own = sheet->own;
    if (number >= sheet->count)
        return false;
    const struct reason *reason = reasons_get(own->reasons, (uint32_t)number);
    if (reason->sequence == UINT64_MAX)
        row_absent(row);
    else
        row_number(row, reason->sequence);
    row_print(row, "%s%.*s", reason->kind == WHY_ANSWER ? "" : "  ", (int)reason->length, reason->text);
    return true;
}

const struct sheet_kind sheet_of_why = {.refresh = refresh,
                                        .close = close_why,
                                        .row = why_row,
                                        .position = plain_position,
                                        .number = plain_number,
                                        .descriptor = descriptor};
