#include "mirror/show.h"

#include "trace/print.h"

#include <inttypes.h>
#include <string.h>

/* --- cells
 * ---------------------------------------------------------------------------------------------------------
 */

void cell_print(struct text *out, const struct column *column, const struct cell *cell) {
    if (cell->absent) {
        text_append(out, "-");
        return;
    }
    switch (column->type) {
    case CELL_TEXT:
    case CELL_CODE:
        text_append_bytes(out, cell->text, cell->length);
        break;
    case CELL_NUMBER:
        text_print(out, "%" PRIu64, cell->number);
        break;
    case CELL_ADDRESS:
        text_print(out, "0x%" PRIx64, cell->number);
        break;
    case CELL_SIGNED:
        text_print(out, "%" PRId64, (int64_t)cell->number);
        break;
    case CELL_DURATION:
        text_print(out, "%" PRIu64 ".%" PRIu64, cell->number / 1000, cell->number / 100 % 10);
        break;
    }
}

void cell_print_escaped(struct text *out, const struct column *column, const struct cell *cell) {
    if (cell_is_text(column->type) && !cell->absent)
        text_append_escaped(out, cell->text, cell->length);
    else
        cell_print(out, column, cell);
}

void cell_print_json(struct text *out, const struct column *column, const struct cell *cell) {
    if (cell->absent) {
        text_append(out, "null");
        return;
    }
    bool quoted = cell_is_text(column->type) || column->type == CELL_ADDRESS;
    text_append(out, quoted ? "\"" : "");
    if (cell_is_text(column->type))
        text_append_json(out, cell->text, cell->length);
    else
        cell_print(out, column, cell);
    text_append(out, quoted ? "\"" : "");
}

/* --- tables
 * -------------------------------------------------------------------------------------------------------- */

struct printer {
    FILE *out;
    const struct view *view;
    const struct filter *filter;
    bool json;
    uint64_t printed;
    struct text line;
};

static bool write_line(struct printer *printer, const char *end) {
    bool good = !printer->line.failed && printer->line.data &&
                fwrite(printer->line.data, 1, printer->line.length, printer->out) == printer->line.length &&
                fputs(end, printer->out) >= 0;
    text_clear(&printer->line);
    return good;
}

/* Terminal columns of UTF-8 text: continuation bytes take none. */
static uint32_t width_of(const char *text, size_t size) {
    uint32_t width = 0;
    for (size_t i = 0; i < size; i++)
        width += ((unsigned char)text[i] & 0xc0) != 0x80;
    return width;
}

static void pad(struct text *out, uint32_t count) {
    text_print(out, "%*s", (int)count, "");
}

static void print_cell_aligned(struct printer *printer, uint32_t column, const struct cell *cell,
                               uint32_t width, struct text *scratch) {
    const struct column *columns = printer->view->columns;
    bool left = cell_is_text(columns[column].type), last = column + 1 == printer->view->column_count;
    text_clear(scratch);
    if (cell)
        cell_print_escaped(scratch, &columns[column], cell);
    else
        text_append(scratch, columns[column].name);
    uint32_t used = scratch->data ? width_of(scratch->data, scratch->length) : 0;
    uint32_t missing = width > used ? width - used : 0;
    if (!left)
        pad(&printer->line, missing);
    text_append_bytes(&printer->line, scratch->data ? scratch->data : "", scratch->length);
    if (left && !last)
        pad(&printer->line, missing);
    if (!last)
        text_append(&printer->line, "  ");
}

static void measure(const struct printer *printer, const struct rows *rows, uint32_t *widths) {
    struct text scratch = {0};
    for (uint32_t i = 0; i < rows->column_count; i++)
        widths[i] = (uint32_t)strlen(rows->columns[i].name);
    for (uint32_t i = 0; i < rows->cells.count; i++) {
        uint32_t column = i % rows->column_count;
        if (!column && !filter_accepts(printer->filter, rows->columns, &rows->cells.data[i])) {
            i += rows->column_count - 1;
            continue;
        }
        text_clear(&scratch);
        cell_print_escaped(&scratch, &rows->columns[column], &rows->cells.data[i]);
        uint32_t width = scratch.data ? width_of(scratch.data, scratch.length) : 0;
        widths[column] = width > widths[column] ? width : widths[column];
    }
    text_destroy(&scratch);
}

static bool print_text_row(struct printer *printer, const struct cell *row, const uint32_t *widths,
                           struct text *scratch) {
    for (uint32_t i = 0; i < printer->view->column_count; i++)
        print_cell_aligned(printer, i, row ? &row[i] : NULL, widths[i], scratch);
    while (printer->line.length && printer->line.data[printer->line.length - 1] == ' ')
        printer->line.data[--printer->line.length] = 0;
    return write_line(printer, "\n");
}

static bool print_json_row(struct printer *printer, const struct cell *row) {
    text_append(&printer->line, printer->printed++ ? ",\n{" : "\n{");
    for (uint32_t i = 0; i < printer->view->column_count; i++) {
        text_print(&printer->line, "%s\"%s\":", i ? "," : "", printer->view->columns[i].name);
        cell_print_json(&printer->line, &printer->view->columns[i], &row[i]);
    }
    text_append(&printer->line, "}");
    return write_line(printer, "");
}

enum { MOST_COLUMNS = 16 };

static bool print_rows(struct printer *printer, const struct rows *rows) {
    uint32_t widths[MOST_COLUMNS];
    struct text scratch = {0};
    if (!printer->json)
        measure(printer, rows, widths);
    bool good = printer->json || print_text_row(printer, NULL, widths, &scratch);
    for (uint32_t i = 0; i < rows->cells.count && good; i += rows->column_count) {
        const struct cell *row = &rows->cells.data[i];
        if (!filter_accepts(printer->filter, rows->columns, row))
            continue;
        good = printer->json ? print_json_row(printer, row) : print_text_row(printer, row, widths, &scratch);
    }
    text_destroy(&scratch);
    return good;
}

/* --- events: streamed, never held
 * ---------------------------------------------------------------------------------- */

static struct recorded_string recorded_text(const void *context, uint32_t id) {
    return recording_string(context, id);
}

static bool print_event(struct printer *printer, const struct event_view *view,
                        const struct name_source *names, struct text *fields) {
    if (printer->filter) {
        text_clear(fields);
        event_print_text(fields, view, names);
        struct cell row[] = {
            {.number = view->sequence, .text = ""},
            {.number = view->link, .text = ""},
            {.text = view->type->name, .length = (uint32_t)strlen(view->type->name)},
            {.text = fields->data ? fields->data : "", .length = (uint32_t)fields->length},
        };
        if (!filter_accepts(printer->filter, printer->view->columns, row))
            return true;
    }
    if (!printer->json) {
        event_print_text(&printer->line, view, names);
        return write_line(printer, "\n");
    }
    text_append(&printer->line, printer->printed++ ? ",\n" : "\n");
    event_print_json(&printer->line, view, names);
    return write_line(printer, "");
}

static bool print_events(struct printer *printer, const struct recording_file *file, uint64_t at) {
    struct event_window window = {0};
    struct event_cursor cursor = {.file = file, .window = &window}, end = event_after(file, at);
    struct event_view view;
    struct text fields = {0};
    uint32_t kinds[256] = {0};
    struct name_source names = {.text = recorded_text, .context = file, .edge_kinds = kinds};
    bool good = true;
    while (good && event_next_before(&cursor, &end, &view)) {
        /* Edge kinds name themselves at the start of the stream. */
        if (view.type->id == EVENT_ID_edge_kind && event_field(&view, 0) < 256) {
            uint32_t kind = (uint32_t)event_field(&view, 0);
            kinds[kind] = (uint32_t)event_field(&view, 1);
            names.edge_kind_count = kind >= names.edge_kind_count ? kind + 1 : names.edge_kind_count;
        }
        good = print_event(printer, &view, &names, &fields);
    }
    event_window_destroy(&window);
    text_destroy(&fields);
    return good;
}

/* --- the whole
 * ----------------------------------------------------------------------------------------------------- */

/* Views that look at no edges, without which a large recording takes a third of the memory.  A view that is
 * not listed here gets all there is. */
static bool looks_at_edges(const struct view *view) {
    static const char *const others[] = {"summary",       "batches",   "inputs", "sections", "segments",
                                         "blocks",        "symbols",   "got",    "plt",      "tls",
                                         "registrations", "eh-frames", "passes", "actions",  "memory"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (!strcmp(view->name, others[i]))
            return false;
    return true;
}

static struct jitscope_error *print_view(struct printer *printer, const struct recording_file *file,
                                         uint64_t at, bool *good) {
    struct rows rows = {.columns = printer->view->columns, .column_count = printer->view->column_count};
    struct mirror *mirror = os_allocate_zeroed(sizeof *mirror);
    if (!mirror)
        return error_no_memory();
    struct jitscope_error *error = looks_at_edges(printer->view)
                                       ? mirror_load(mirror, file, at)
                                       : mirror_load_without_edges(mirror, file, at);
    if (!error) {
        error = view_rows(printer->view, mirror, &rows);
        if (!error)
            *good = print_rows(printer, &rows);
        mirror_destroy(mirror);
    }
    os_release(mirror);
    rows_destroy(&rows);
    return error;
}

static struct jitscope_error *no_such_view(const char *what) {
    struct text names = {0};
    for (uint32_t i = 0; i < view_count; i++)
        text_print(&names, "%s%s", i ? ", " : "", views[i].name);
    struct jitscope_error *error =
        error_with_help(error_create(JITSCOPE_ERROR_USAGE, "there is nothing called '%s' to show", what),
                        "show one of: %s", names.data ? names.data : "");
    text_destroy(&names);
    return error;
}

struct jitscope_error *show_print(FILE *out, const char *what, const struct recording_file *file,
                                  const struct show_options *options) {
    const struct view *view = view_find(what);
    struct filter *filter = NULL;
    if (!view)
        return no_such_view(what);
    if (options->filter)
        TRY(filter_parse(options->filter, view->columns, view->column_count, &filter));
    struct printer printer = {.out = out, .view = view, .filter = filter, .json = options->json};
    bool good = !options->json || fputs("[", out) >= 0;
    struct jitscope_error *error = NULL;
    if (!view->row)
        good = good && print_events(&printer, file, options->at);
    else
        error = print_view(&printer, file, options->at, &good);
    if (!error)
        error = recording_failure(file);
    if (options->json && !error)
        good = good && fputs(printer.printed ? "\n]\n" : "]\n", out) >= 0;
    filter_destroy(filter);
    text_destroy(&printer.line);
    if (!error && (!good || fflush(out) != 0))
        error = error_system("write", NULL);
    return error;
}
