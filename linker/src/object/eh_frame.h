/* eh_frame: the records of .eh_frame sections (LSB Core, "Exception Frames"; DWARF 5 section 6.4.1). */
#ifndef OBJECT_EH_FRAME_H
#define OBJECT_EH_FRAME_H

#include "graph/graph.h"

/* Splits every live block of section SECTION (an .eh_frame) into one block per record; edges go with their
 * record.
 *
 * Of each FDE: the CIE pointer becomes an edge NEGATIVE_DELTA32 to a symbol of its CIE's block; the FDE's
 * block is attached to the block of the function it describes (graph_attach_block), so that it lives exactly
 * as long; an FDE whose function was discarded with its COMDAT group (its pc-begin edge has no live target)
 * is removed.  Of each CIE: the personality edge stays.  Zero terminators inside the inputs are removed.
 * Emits cfi_record.  Identical CIEs (same bytes, same personality) of the batch become one. Errors: FORMAT,
 * TRUNCATED, UNSUPPORTED with input, section and offset. */
struct jitscope_error *eh_frame_split(struct graph *graph, uint32_t section);

#endif
