#include "export_bytes.h"

/* --- memory */

static bool read_memory(void *context, uint64_t address, void *buffer, size_t size) {
    struct export_bytes *bytes = context;
    struct jitscope_error *error =
        jitscope_session_read(replay_session(bytes->replay), address, buffer, size);
    jitscope_error_destroy(error);
    return !error;
}

static bool find_debug_image(void *context, uint32_t link, struct bytes *image) {
    struct export_bytes *bytes = context;
    return replay_debug_image(bytes->replay, link, image);
}

/* --- lines */

/* Those of LINK; an image that is damaged has none. */
static struct jitscope_error *lines_of(struct export_bytes *bytes, uint32_t link,
                                       const struct dwarf_lines **lines) {
    struct debug_image image;
    struct bytes content;
    for (uint32_t i = 0; i < bytes->lines.count; i++)
        if (bytes->lines.data[i].link == link) {
            *lines = &bytes->lines.data[i].lines;
            return NULL;
        }
    TRY(vec_push(&bytes->lines, (struct link_lines){.link = link}));
    struct dwarf_lines *fresh = &bytes->lines.data[bytes->lines.count - 1].lines;
    *lines = fresh;
    if (!replay_debug_image(bytes->replay, link, &content) || debug_image_open(content, &image))
        return NULL;
    return image_lines_read(&image, fresh);
}

static struct jitscope_error *find_lines(void *context, uint32_t link, uint64_t address, uint64_t size,
                                         struct source_lines *out) {
    const struct dwarf_lines *lines;
    TRY(lines_of(context, link, &lines));
    for (uint32_t i = image_lines_first(lines, address); i < lines->rows.count; i++) {
        const struct line_row *row = &lines->rows.data[i];
        if (row->address - address >= size)
            break;
        if (!row->is_end && row->line && row->file != NO_FILE)
            TRY(vec_push(&out->list,
                         (struct source_line){row->address, lines->files.data[row->file], row->line}));
    }
    return NULL;
}

/* --- the whole */

/* What differs would be exported as if it had been so. */
static struct jitscope_error *check_replay(const struct export_bytes *bytes) {
    if (replay_verdict(bytes->replay) == REPLAY_IDENTICAL && replay_session(bytes->replay))
        return NULL;
    return error_with_help(
        error_create(JITSCOPE_ERROR_RECORDING,
                     "the recording cannot be replayed, so the bytes of its memory are not known"),
        "`jitscope replay` says why");
}

struct jitscope_error *export_bytes_create(struct export_bytes *bytes, const struct recording_file *file,
                                           struct export_source *source) {
    struct replay_options options = {.keep_memory = true};
    TRY(replay_run(file, &options, &bytes->replay));
    TRY(check_replay(bytes));
    source->read = read_memory;
    source->debug_image = find_debug_image;
    source->lines = find_lines;
    source->context = bytes;
    return NULL;
}

void export_bytes_destroy(struct export_bytes *bytes) {
    for (uint32_t i = 0; i < bytes->lines.count; i++)
        dwarf_lines_destroy(&bytes->lines.data[i].lines);
    vec_destroy(&bytes->lines);
    replay_destroy(bytes->replay);
}
