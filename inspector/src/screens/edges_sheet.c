/* Edges with the bytes before and after: from the recording's events or, when it was made at a level without
 * them, as most are, from its replay (bytes/contents.h). */
#include "screens/sheet.h"

#include "arch/arch.h"

static bool has_edges(const struct sheet *sheet) {
    const struct mirror *mirror = &sheet->inspected->mirror;
    return mirror->counts[EVENT_ID_fixup] || mirror->counts[EVENT_ID_edge];
}

/* Of a batch that is complete, and was replayed. */
static uint32_t candidates(struct sheet *sheet, uint32_t link) {
    struct contents *contents = sheet->inspected->contents;
    if (has_edges(sheet))
        return sheet->view->candidates(&sheet->inspected->mirror, link);
    if (!mirror_life(&sheet->inspected->mirror, link).ended)
        return 0;
    enum contents_state state = contents_ask(contents, link);
    sheet->is_waiting |= state == CONTENTS_WORKING;
    sheet->remark = state == CONTENTS_NEVER ? contents_reason(contents) : sheet->remark;
    return contents_count(contents, link, CONTENT_FIXUPS);
}

static void row_text_of(struct row *row, struct contents *contents, struct content_text where) {
    struct text text = {0};
    contents_text(contents, where, &text);
    row_print(row, "%s", text.data ? text.data : "");
    text_destroy(&text);
}

/* Columns as of the view. */
static bool replayed_row(struct sheet *sheet, uint32_t link, uint32_t number, struct row *row) {
    struct contents *contents = sheet->inspected->contents;
    struct content_fixup fixup;
    struct content_block block;
    struct text target = {0};
    if (!contents_entry(contents, link, CONTENT_FIXUPS, number, &fixup))
        return false;
    row_number(row, link);
    row_number(row, fixup.place);
    if (contents_block_at(contents, link, fixup.place, &block)) {
        row_text_of(row, contents, block.section);
        row_number(row, fixup.place - block.address + block.input_offset);
    } else {
        row_absent(row);
        row_absent(row);
    }
    row_text(row, arch_x86_64.kinds[fixup.kind].name);
    contents_target_name(contents, link, &fixup, &target);
    row_print(row, "%s", target.data ? target.data : "");
    text_destroy(&target);
    row_number(row, (uint64_t)fixup.addend);
    row_number(row, fixup.before);
    row_number(row, fixup.after);
    return true;
}

static bool candidate(struct sheet *sheet, uint32_t link, uint32_t number, struct row *row) {
    return has_edges(sheet) ? view_candidate(sheet, link, number, row)
                            : replayed_row(sheet, link, number, row);
}

static int descriptor(const struct sheet *sheet) {
    return contents_descriptor(sheet->inspected->contents);
}

const struct sheet_kind sheet_of_edges = {.refresh = view_refresh,
                                          .close = view_close,
                                          .row = view_row,
                                          .position = view_position,
                                          .number = view_number,
                                          .candidates = candidates,
                                          .candidate = candidate,
                                          .descriptor = descriptor};
