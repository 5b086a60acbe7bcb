/* debug_frames: call frame information for debuggers, which want it as .debug_frame. */
#ifndef LINK_DEBUG_FRAMES_H
#define LINK_DEBUG_FRAMES_H

#include "executor/debug_image.h"
#include "graph/graph.h"
#include "object/cie.h"

/* A .debug_frame that is being written, at the end of IMAGE; set these three, the rest zero. */
struct debug_frames {
    const struct arch *arch;
    struct image_memory *image;
    uint64_t start; /* where in IMAGE the section begins */
    uint32_t count; /* FDEs so far */

    /* the CIE that the last FDE had: FDEs of one CIE follow each other mostly */
    uint64_t source;     /* where it is in .eh_frame */
    uint32_t cie_offset; /* and in .debug_frame */
    struct cie_view cie;

    /* Where the last CIEs are.  C++ has two, whose FDEs come mixed; what has more has some of them twice. */
    struct written_cie {
        uint64_t source;
        uint32_t offset;
    } written[8];
    uint32_t cies;      /* so many were written */
    uint64_t cie_bytes; /* and have these, with their lengths */
};

/* So many bytes RECORDS records of an .eh_frame of SIZE bytes become at most, if none of its CIEs is written
 * twice. */
uint64_t debug_frames_room(uint64_t size, uint32_t records);
/* Appends an .eh_frame that lies at ADDRESS; SECTION is what it holds there, fixed up.  What is not sound, or
 * not understood, is left out. */
struct jitscope_error *debug_frames_add(struct debug_frames *frames, uint64_t address, struct bytes section);
/* Appends one frame for a section of stubs. */
struct jitscope_error *debug_frames_add_stubs(struct debug_frames *frames, uint64_t address, uint64_t size);

#endif
