/* jitscope pack: a recording in its compressed form, and back. */
#include "commands.h"

#include "export/output.h"
#include "trace/packed.h"

static void put(void *output, const void *data, size_t size) {
    output_put(output, data, size);
}

static bool is_last_word(uint32_t id) {
    return id == EVENT_ID_session_end || id == EVENT_ID_call_exit || id == EVENT_ID_lost;
}

/* Whether its writer is done: who replaces the file of one that goes on, loses what comes. */
static bool has_end(const struct recording_file *file) {
    struct event_cursor cursor = {.file = file};
    struct event_view view;
    bool ended = false;
    while (event_next(&cursor, &view))
        ended |= is_last_word(view.type->id);
    return ended && !file->open_chunks;
}

static struct jitscope_error *check_end(const struct options *options, const struct recording_file *file) {
    if (options->output || has_end(file))
        return NULL;
    return error_with_help(
        error_create(JITSCOPE_ERROR_RECORDING, "the recording has no end: its program may still write to it"),
        "jitscope pack -o OUT packs a copy of what is there");
}

static struct jitscope_error *write_file(const struct options *options, const struct recording_file *file,
                                         const char *path) {
    struct output out;
    struct jitscope_error *error = NULL;
    TRY(output_open(&out, path));
    if (options->unpack)
        packed_write_plain(file, put, &out);
    else
        error = packed_write(file, put, &out);
    return output_close(&out, error);
}

struct jitscope_error *command_pack(const struct options *options) {
    struct recording_file file;
    if (options->items.count != 1)
        return error_with_help(error_create(JITSCOPE_ERROR_USAGE, "one recording at a time"),
                               "jitscope pack FILE.jsr");
    const char *path = options->items.data[0].text;
    TRY(recording_open(path, &file));
    struct jitscope_error *error = check_end(options, &file);
    if (!error)
        error = write_file(options, &file, options->output ? options->output : path);
    recording_close(&file);
    return error;
}
