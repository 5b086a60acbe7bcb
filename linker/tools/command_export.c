/* jitscope export: a recording as another tool reads it. */
#include "commands.h"
#include "export_bytes.h"
#include "source.h"

#include "export/export.h"

#include <string.h>

static const char *format_name(const void *context, size_t i) {
    (void)context;
    return export_formats[i].name;
}

static struct jitscope_error *find_format(const struct options *options,
                                          const struct export_format **format) {
    const char *word = options->to;
    if (!word)
        return error_with_help(error_create(JITSCOPE_ERROR_USAGE, "--to FORMAT is missing"),
                               "`jitscope export --help` lists the formats");
    *format = export_format_find(word);
    if (*format)
        return NULL;
    struct jitscope_error *error =
        error_create(JITSCOPE_ERROR_USAGE, "there is no format '%s' to export to", word);
    const char *near = nearest_word(word, export_format_count, format_name, NULL);
    return near ? error_with_help(error, "did you mean %s?", near)
                : error_with_help(error, "`jitscope export --help` lists the formats");
}

/* What an export is made from: the recording, the state at its end, and where FORMAT needs it the bytes of
 * linked memory.  BYTES is to be destroyed after SOURCE is used, in any case. */
static struct jitscope_error *make_source(const struct export_format *format, const struct source *from,
                                          const struct mirror *mirror, struct export_bytes *bytes,
                                          struct export_source *source) {
    *bytes = (struct export_bytes){0};
    *source = (struct export_source){.file = source_file(from), .mirror = mirror};
    return format->needs == EXPORT_BYTES ? export_bytes_create(bytes, &from->original, source) : NULL;
}

static struct jitscope_error *export_file(const struct export_format *format, const struct source *from,
                                          const char *path) {
    const struct recording_file *file = source_file(from);
    struct export_source source;
    struct export_bytes bytes;
    struct mirror mirror;
    TRY(mirror_load(&mirror, file, source_moment(from, UINT64_MAX)));
    struct jitscope_error *error = make_source(format, from, &mirror, &bytes, &source);
    if (!error)
        error = export_write(format, &source, path);
    export_bytes_destroy(&bytes);
    mirror_destroy(&mirror);
    return error;
}

/* NULL: standard output. */
static const char *output_path(const struct options *options) {
    return options->output && strcmp(options->output, "-") != 0 ? options->output : NULL;
}

struct jitscope_error *command_export(const struct options *options) {
    const struct export_format *format;
    struct source source;
    TRY(find_format(options, &format));
    if (options->items.count != 1)
        return error_with_help(error_create(JITSCOPE_ERROR_USAGE, options->items.count
                                                                      ? "one recording at a time"
                                                                      : "the recording's name is missing"),
                               "jitscope export --to %s FILE.jsr", format->name);
    enum event_level needed = format->needs == EXPORT_EVENTS ? LEVEL_SESSION : LEVEL_BLOCK;
    struct jitscope_error *error = source_open(options->items.data[0].text, needed, &source);
    if (!error)
        error = export_file(format, &source, output_path(options));
    if (!error)
        error = recording_failure(&source.original);
    source_close(&source);
    return error;
}
