/* Every event, in order; none is held. */
#include "screens/sheet.h"

#include "trace/print.h"

static const struct column columns[] = {
    {"sequence", CELL_NUMBER}, {"link", CELL_NUMBER}, {"event", CELL_TEXT}, {"fields", CELL_TEXT}};

struct event_names {
    VEC(uint32_t) kinds;
};

static struct jitscope_error *refresh(struct sheet *sheet) {
    sheet->columns = columns;
    sheet->column_count = sizeof columns / sizeof *columns;
    sheet->count = inspected_count(sheet->inspected);
    struct event_names *own = sheet->own;
    if (!own && !(own = sheet->own = os_allocate_zeroed(sizeof *own)))
        return error_no_memory();
    const struct mirror *mirror = &sheet->inspected->mirror;
    own->kinds.count = 0;
    for (uint32_t i = 0; i < mirror->edge_kinds.count; i++)
        TRY(vec_push(&own->kinds, mirror_edge_kind(mirror, i)));
    return NULL;
}

static void close_events(struct sheet *sheet) {
    struct event_names *own = sheet->own;
    if (own)
        vec_destroy(&own->kinds);
    os_release(own);
}

static struct recorded_string text_of(const void *context, uint32_t id) {
    return recording_string(context, id);
}

/* Texts are escaped by who shows the cell. */
static void row_fields(struct row *row, const struct event_view *view, const struct name_source *names) {
    struct text text = {0};
    event_print_fields(&text, view, names);
    const char *copy = text.failed ? NULL : arena_copy(row->arena, text.data ? text.data : "", text.length);
    struct cell cell = {.text = copy ? copy : "", .length = (uint32_t)text.length, .absent = !copy};
    row->cells[row->next++] = cell;
    text_destroy(&text);
}

static bool event_row(struct sheet *sheet, uint64_t number, struct row *row) {
    struct event_view view;
    const struct event_names *own = sheet->own;
    if (number >= sheet->count || !inspected_event(sheet->inspected, number, &view))
        return false;
    struct name_source names = {.text = text_of,
                                .context = &sheet->inspected->file,
                                .edge_kinds = own->kinds.data,
                                .edge_kind_count = own->kinds.count,
                                .is_raw = true};
    row_number(row, view.sequence);
    row_number(row, view.link);
    row_text(row, view.type->name);
    row_fields(row, &view, &names);
    return true;
}

const struct sheet_kind sheet_of_events = {.refresh = refresh,
                                           .close = close_events,
                                           .row = event_row,
                                           .position = plain_position,
                                           .number = plain_number};
