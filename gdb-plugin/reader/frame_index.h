/* frame_index: which frame of the debug images of a process describes an address.
 *
 * Only of images that are not listed: what is listed, the debugger has read itself, and knows more of.  The
 * index is as fresh as each question: what was read is kept until the process says that something changed. */
#ifndef READER_FRAME_INDEX_H
#define READER_FRAME_INDEX_H

#include "base/vec.h"
#include "dwarf/cfi_rules.h"
#include "executor/debuggee_view.h"

struct indexed_image {
    struct debuggee_image record; /* as it was when it was read */
    struct bytes section;         /* .debug_frame, owned */
    VEC(struct cfi_frame) frames; /* sorted by start; they borrow the section */
};

struct frame_index {
    uint64_t root;   /* address of `jitscope_debuggee` */
    uint64_t change; /* of the root, as it was when the images were listed; odd: look again */
    VEC(struct indexed_image) images;
};

/* ROOT alone is set in a new index. */
void frame_index_destroy(struct frame_index *index);

/* False when no frame describes PC, or the process cannot be read.  *frame is good until the next call. */
bool frame_index_find(struct frame_index *index, const struct debuggee_memory *memory, uint64_t pc,
                      struct cfi_frame *frame);

#endif
