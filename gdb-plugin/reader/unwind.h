/* unwind: from a JIT'd frame to its caller, with gdb's registers and memory. */
#ifndef READER_UNWIND_H
#define READER_UNWIND_H

#include "frame_index.h"

#include <gdb/jit-reader.h>

/* Sets the caller's registers.  False, with nothing set, for a frame that is not ours or that cannot be
 * unwound. */
bool unwind_frame(struct frame_index *index, struct gdb_unwind_callbacks *gdb);
/* What identifies the frame: the start of its code and its CFA. */
bool unwind_identify(struct frame_index *index, struct gdb_unwind_callbacks *gdb, struct gdb_frame_id *id);

#endif
