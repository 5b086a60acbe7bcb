/* unwind_tables: .eh_frame from the inputs to the unwinder in the executor. */
#ifndef PASS_UNWIND_TABLES_H
#define PASS_UNWIND_TABLES_H

#include "graph/graph.h"

/* Pre-prune pass: one block per CFI record (object/eh_frame.h); their section becomes dependent.  An unwinder
 * that is part of the batch is kept. */
struct jitscope_error *split_eh_frames(struct graph *graph, void *unused);
/* Post-prune pass: the zero terminator behind the batch's records (LSB Core, "Exception Frames"). */
struct jitscope_error *terminate_eh_frames(struct graph *graph, void *unused);
/* The action that makes known an unwinder that is part of the batch, as with libgcc_eh.a, and its other half.
 * It runs code of the batch. */
struct jitscope_error *attach_unwinder(struct graph *graph);
/* Post-fixup pass: the action that registers the section with the unwinders, and its other half. */
struct jitscope_error *register_eh_frames(struct graph *graph, void *unused);

#endif
