/* JSON lines: one object per event, in order of sequence, as `show events --json` has them in its array.
 *
 * Numbers of 64 bits that are no counts are hexadecimal strings, since many JSON readers keep 53 bits. */
#include "export/export.h"

#include "export/output.h"

struct jitscope_error *export_json(const struct export_source *source, struct output *out) {
    struct event_cursor cursor = {.file = source->file};
    struct name_source names = export_names(source);
    struct jitscope_error *error = NULL;
    struct event_view view;
    struct text line = {0};
    while (!error && !out->failure && event_next(&cursor, &view)) {
        event_print_json(&line, &view, &names);
        text_append(&line, "\n");
        error = output_text(out, &line);
    }
    text_destroy(&line);
    return error;
}
