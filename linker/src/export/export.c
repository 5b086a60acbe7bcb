#include "export/export.h"

#include "export/output.h"

#include <errno.h>
#include <string.h>

const struct export_format export_formats[] = {
#define FORMAT(name, function, extension, kind, needs, meaning)                                              \
    {name, extension, meaning, EXPORT_##kind, EXPORT_##needs, export_##function},
#include "export/export_formats.def"
#undef FORMAT
};

const size_t export_format_count = sizeof export_formats / sizeof *export_formats;

const struct export_format *export_format_find(const char *name) {
    for (size_t i = 0; i < export_format_count; i++)
        if (!strcmp(export_formats[i].name, name))
            return &export_formats[i];
    return NULL;
}

static struct jitscope_error *needs_path(const struct export_format *format, const char *why) {
    return error_with_help(error_create(JITSCOPE_ERROR_USAGE, "--to %s: %s", format->name, why),
                           "-o NAME.%s says where to write it", format->extension);
}

static struct jitscope_error *write_folder(const struct export_format *format,
                                           const struct export_source *source, const char *path) {
    struct output out = {.path = path};
    if (!path)
        return needs_path(format, "a folder cannot go to standard output");
    if (os_make_folder(path, 0700) < 0 && errno != EEXIST)
        return error_system("cannot make folder", path);
    return format->write(source, &out);
}

struct jitscope_error *export_write(const struct export_format *format, const struct export_source *source,
                                    const char *path) {
    struct output out;
    if (format->output == EXPORT_FOLDER)
        return write_folder(format, source, path);
    if (!path && format->output == EXPORT_BINARY && os_is_terminal(1))
        return needs_path(format, "a terminal cannot show a binary format");
    TRY(output_open(&out, path));
    return output_close(&out, format->write(source, &out));
}

static struct recorded_string recorded_text(const void *context, uint32_t id) {
    return recording_string(context, id);
}

struct name_source export_names(const struct export_source *source) {
    return (struct name_source){.text = recorded_text,
                                .context = source->file,
                                .edge_kinds = source->mirror->edge_kinds.data,
                                .edge_kind_count = source->mirror->edge_kinds.count};
}
