/* jitscope export: a recording as another tool reads it. */
#include "commands.h"

#include "base/text.h"
#include "export/export.h"
#include "record/replay.h"

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

/* --- where the bytes come from: the recording is replayed, and its memory looked at */

static bool read_memory(void *context, uint64_t address, void *buffer, size_t size) {
    struct jitscope_error *error = jitscope_session_read(replay_session(context), address, buffer, size);
    jitscope_error_destroy(error);
    return !error;
}

static bool find_debug_image(void *context, uint32_t link, struct bytes *image) {
    return replay_debug_image(context, link, image);
}

/* What differs would be exported as if it had been so. */
static struct jitscope_error *check_replay(struct replay *replay) {
    if (replay_verdict(replay) == REPLAY_IDENTICAL && replay_session(replay))
        return NULL;
    return error_with_help(
        error_create(JITSCOPE_ERROR_RECORDING,
                     "the recording cannot be replayed, so the bytes of its memory are not known"),
        "`jitscope replay` says why");
}

/* Fills in what an export is made from.  *REPLAY is to be destroyed after the source is used, NULL included.
 */
static struct jitscope_error *make_source(const struct export_format *format,
                                          const struct recording_file *file, const struct mirror *mirror,
                                          struct replay **replay, struct export_source *source) {
    struct replay_options options = {.keep_memory = true};
    *replay = NULL;
    *source = (struct export_source){.file = file, .mirror = mirror};
    if (format->needs == EXPORT_EVENTS)
        return NULL;
    TRY(replay_run(file, &options, replay));
    TRY(check_replay(*replay));
    source->read = read_memory;
    source->debug_image = find_debug_image;
    source->context = *replay;
    return NULL;
}

static struct jitscope_error *export_file(const struct export_format *format,
                                          const struct recording_file *file, const char *path) {
    struct export_source source;
    struct mirror mirror;
    struct replay *replay;
    TRY(mirror_load(&mirror, file, UINT64_MAX));
    struct jitscope_error *error = make_source(format, file, &mirror, &replay, &source);
    if (!error)
        error = export_write(format, &source, path);
    replay_destroy(replay);
    mirror_destroy(&mirror);
    return error;
}

struct jitscope_error *command_export(const struct options *options) {
    const struct export_format *format;
    struct recording_file file;
    TRY(find_format(options, &format));
    if (options->items.count != 1)
        return error_with_help(error_create(JITSCOPE_ERROR_USAGE, options->items.count
                                                                      ? "one recording at a time"
                                                                      : "the recording's name is missing"),
                               "jitscope export --to %s FILE.jsr", format->name);
    TRY(recording_open(options->items.data[0].text, &file));
    struct jitscope_error *error = export_file(format, &file, options->output);
    recording_close(&file);
    return error;
}
