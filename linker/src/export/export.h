/* export: a recording as other tools read it.
 *
 * Each format is one function from a source (events, the state they lead to, and the bytes of linked memory
 * where they can be had) to an output; the list of them is export_formats.def.  Names in a recording are
 * input: text formats escape what could end a line or steer a terminal, binary ones hold the same escaped
 * text. */
#ifndef EXPORT_EXPORT_H
#define EXPORT_EXPORT_H

#include "base/bytes.h"
#include "mirror/mirror.h"
#include "trace/print.h"

struct output;

/* Code from ADDRESS on comes from LINE of FILE. */
struct source_line {
    uint64_t address;
    const char *file; /* as long as the source */
    uint32_t line;
};

struct source_lines {
    VEC(struct source_line) list; /* by address */
};

/* What is exported.  The functions may be NULL for formats that need EVENTS alone. */
struct export_source {
    const struct recording_file *file;
    const struct mirror *mirror; /* the state at the recording's end */
    /* SIZE final bytes of linked memory at ADDRESS; false when they are not known. */
    bool (*read)(void *context, uint64_t address, void *buffer, size_t size);
    /* The debug image of LINK as executor/debug_image.h lays it out, aligned to 8; false when there is none.
     * It stays valid as long as the source. */
    bool (*debug_image)(void *context, uint32_t link, struct bytes *image);
    /* Appends the lines of the SIZE bytes of code at ADDRESS, of LINK; none when they are not known. */
    struct jitscope_error *(*lines)(void *context, uint32_t link, uint64_t address, uint64_t size,
                                    struct source_lines *lines);
    void *context;
};

enum export_output { EXPORT_TEXT, EXPORT_BINARY, EXPORT_FOLDER };
/* Events as they are recorded; the state of level block; that and the bytes of linked memory. */
enum export_needs { EXPORT_EVENTS, EXPORT_STATE, EXPORT_BYTES };

struct export_format {
    const char *name;
    const char *extension;
    const char *meaning;
    enum export_output output;
    enum export_needs needs; /* BYTES: the source's `read` */
    /* OUT is an open file, or for EXPORT_FOLDER the folder's name alone (output_open_in). */
    struct jitscope_error *(*write)(const struct export_source *source, struct output *out);
};

extern const struct export_format export_formats[];
extern const size_t export_format_count;
/* NULL when there is none of that name. */
const struct export_format *export_format_find(const char *name);

/* Writes to PATH, which appears whole or not at all; NULL is standard output.  Errors: USAGE (standard output
 * does not do for this format), SYSTEM, UNSUPPORTED, RECORDING, NO_MEMORY. */
struct jitscope_error *export_write(const struct export_format *format, const struct export_source *source,
                                    const char *path);

/* For the formats: what names the recording's texts and edge kinds. */
struct name_source export_names(const struct export_source *source);

#define FORMAT(name, function, extension, kind, needs, meaning)                                              \
    struct jitscope_error *export_##function(const struct export_source *source, struct output *out);
#include "export/export_formats.def"
#undef FORMAT

#endif
