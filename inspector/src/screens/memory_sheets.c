/* Memory of a batch as bytes, and as instructions: of the segment that holds the address asked for. */
#include "screens/memory.h"

#include "bytes/code.h"
#include "bytes/hex.h"

#include <inttypes.h>

struct memory_rows {
    struct look look;
    struct code *code; /* NULL: bytes */
    struct rows made;
    bool is_other; /* what LOOK reads, than at the last refresh */
};

/* The segment of LINK that holds ADDRESS; for all links the one that came last. */
static const struct mirror_placement *find_segment(const struct mirror *mirror, uint32_t link,
                                                   uint64_t address) {
    for (uint32_t i = mirror->placements.count; i-- > 0;) {
        const struct mirror_placement *placement = &mirror->placements.data[i];
        if ((link == ALL_LINKS || placement->link == link) && address - placement->address < placement->size)
            return placement;
    }
    return NULL;
}

const struct mirror_placement *memory_segment(const struct mirror *mirror, uint32_t link, uint64_t address) {
    const struct mirror_placement *segment = find_segment(mirror, link, address);
    return segment ? segment : find_segment(mirror, ALL_LINKS, address);
}

struct jitscope_error *memory_look(const struct sheet *sheet, struct look *look) {
    struct inspected *inspected = sheet->inspected;
    uint64_t address = sheet->question.address;
    const struct mirror_placement *segment =
        memory_segment(&inspected->mirror, sheet->question.link, address);
    if (!segment)
        return error_create(JITSCOPE_ERROR_NOT_FOUND, "no batch has 0x%" PRIx64 " at this moment", address);
    *look = (struct look){.contents = inspected->contents,
                          .link = segment->link,
                          .start = segment->address,
                          .size = segment->size,
                          .read = inspected_reader(inspected),
                          .context = inspected};
    return NULL;
}

void memory_ask(struct sheet *sheet, const struct look *look) {
    enum contents_state state = contents_ask(look->contents, look->link);
    sheet->is_volatile = sheet->inspected->is_alive;
    sheet->is_waiting = state == CONTENTS_WORKING;
    sheet->remark = state == CONTENTS_NEVER ? contents_reason(look->contents) : NULL;
    if (state == CONTENTS_READY && !mirror_life(&sheet->inspected->mirror, look->link).ended)
        sheet->remark = "at this moment the batch is not linked yet: this is what it will hold";
}

bool row_copy(struct row *row, const struct cell *cells, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        row->cells[i] = cells[i];
        if (!cells[i].absent && cells[i].length)
            row->cells[i].text = arena_copy(row->arena, cells[i].text, cells[i].length);
        if (!row->cells[i].text)
            row->cells[i] = (struct cell){.absent = true, .text = ""};
    }
    return count;
}

static struct jitscope_error *open_memory(struct sheet *sheet, struct memory_rows **out) {
    struct memory_rows *own = sheet->own;
    *out = own;
    if (own) { /* its process may have ended: then the recording is shown */
        own->is_other = own->look.read != inspected_reader(sheet->inspected);
        own->look.read = inspected_reader(sheet->inspected);
        return NULL;
    }
    if (!(own = os_allocate_zeroed(sizeof *own)))
        return error_no_memory();
    struct jitscope_error *error = memory_look(sheet, &own->look);
    if (error) {
        os_release(own);
        return error;
    }
    *out = sheet->own = own;
    return NULL;
}

static void close_memory(struct sheet *sheet) {
    struct memory_rows *own = sheet->own;
    if (!own)
        return;
    code_destroy(own->code);
    rows_destroy(&own->made);
    os_release(own);
}

static void forget(struct memory_rows *own, const struct sheet *sheet) {
    own->made.columns = sheet->columns;
    own->made.column_count = sheet->column_count;
    own->made.cells.count = 0;
    arena_destroy(&own->made.arena);
}

static int descriptor(const struct sheet *sheet) {
    const struct memory_rows *own = sheet->own;
    return contents_descriptor(own->look.contents);
}

/* --- bytes
 * ------------------------------------------------------------------------------------------------- */

static struct jitscope_error *refresh_hex(struct sheet *sheet) {
    struct memory_rows *own;
    sheet->columns = hex_columns;
    sheet->column_count = hex_column_count;
    TRY(open_memory(sheet, &own));
    memory_ask(sheet, &own->look);
    sheet->count = hex_row_count(&own->look);
    return NULL;
}

static bool hex_sheet_row(struct sheet *sheet, uint64_t number, struct row *row) {
    struct memory_rows *own = sheet->own;
    if (number >= sheet->count)
        return false;
    forget(own, sheet);
    struct jitscope_error *error = hex_cells(&own->look, number, &own->made);
    jitscope_error_destroy(error);
    return row_copy(row, own->made.cells.data, own->made.cells.count);
}

static uint64_t hex_number_at(const struct sheet *sheet, uint64_t address) {
    const struct memory_rows *own = sheet->own;
    return hex_row_of(&own->look, address);
}

const struct sheet_kind sheet_of_hex = {.refresh = refresh_hex,
                                        .close = close_memory,
                                        .row = hex_sheet_row,
                                        .position = plain_position,
                                        .number = plain_number,
                                        .descriptor = descriptor,
                                        .number_at = hex_number_at};

/* --- instructions
 * ------------------------------------------------------------------------------------------------- */

/* Lines of the source are read by a child of their own, after the first rows are shown. */
static bool lines_will_come(const struct sheet *sheet, const struct look *look) {
    struct content_line line;
    return !sheet->is_waiting && !sheet->remark &&
           contents_line(look->contents, look->link, look->start, &line) == CONTENTS_WORKING;
}

static int code_descriptor(const struct sheet *sheet) {
    const struct memory_rows *own = sheet->own;
    return sheet->is_improving ? contents_lines_descriptor(own->look.contents) : descriptor(sheet);
}

static struct jitscope_error *refresh_code(struct sheet *sheet) {
    struct memory_rows *own;
    sheet->columns = code_columns;
    sheet->column_count = code_column_count;
    TRY(open_memory(sheet, &own));
    memory_ask(sheet, &own->look);
    sheet->is_improving = lines_will_come(sheet, &own->look);
    if (own->is_other) {
        code_destroy(own->code);
        own->code = NULL;
    }
    if (!own->code)
        TRY(code_create(&own->look, CODE_ATT, &own->code));
    code_refresh(own->code);
    /* Of what is not to be had no candidate is a row; there can be as many as a recording likes to say. */
    sheet->count = sheet->remark && !own->look.read ? 0 : code_candidates(own->code);
    return NULL;
}

static bool code_sheet_row(struct sheet *sheet, uint64_t number, struct row *row) {
    struct memory_rows *own = sheet->own;
    bool made = false;
    if (number >= sheet->count)
        return false;
    forget(own, sheet);
    struct jitscope_error *error = code_cells(own->code, number, &own->made, &made);
    jitscope_error_destroy(error);
    return made && row_copy(row, own->made.cells.data, own->made.cells.count);
}

static uint64_t code_number_at(const struct sheet *sheet, uint64_t address) {
    const struct memory_rows *own = sheet->own;
    return code_candidate_of(own->code, address);
}

const struct sheet_kind sheet_of_code = {.refresh = refresh_code,
                                         .close = close_memory,
                                         .row = code_sheet_row,
                                         .position = plain_position,
                                         .number = plain_number,
                                         .descriptor = code_descriptor,
                                         .number_at = code_number_at};

bool memory_target(const struct sheet *sheet, uint64_t address, uint64_t *target) {
    const struct memory_rows *own = sheet->own;
    return sheet->kind == &sheet_of_code && code_target(own->code, address, target);
}
