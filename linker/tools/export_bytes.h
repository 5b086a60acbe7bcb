/* export_bytes: what exports want beyond events, from a replay: memory, debug images, lines. */
#ifndef TOOLS_EXPORT_BYTES_H
#define TOOLS_EXPORT_BYTES_H

#include "dwarf/image_lines.h"
#include "export/export.h"
#include "record/replay.h"

/* The lines of one link, read when they are first asked for. */
struct link_lines {
    uint32_t link;
    struct dwarf_lines lines;
};

/* Zero-initialised is empty. */
struct export_bytes {
    struct replay *replay;
    VEC(struct link_lines) lines;
};

/* Replays FILE and gives SOURCE the functions that need it; BYTES must outlive SOURCE and is to be destroyed
 * in any case.  Errors: RECORDING (it cannot be replayed, or is not the same), NO_MEMORY. */
struct jitscope_error *export_bytes_create(struct export_bytes *bytes, const struct recording_file *file,
                                           struct export_source *source);
void export_bytes_destroy(struct export_bytes *bytes);

#endif
