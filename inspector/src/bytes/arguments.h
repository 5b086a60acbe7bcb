/* arguments: what an allocation action is called with, in words (executor/actions.def, executor/bridge.h).
 *
 * Of arrays of functions each one, in the order in which they run; of a debug image what is in it; of an
 * action of the user's own, whose layout nobody else knows, the bytes. */
#ifndef BYTES_ARGUMENTS_H
#define BYTES_ARGUMENTS_H

#include "bytes/look.h"
#include "mirror/rows.h"

/* half, what, address, value */
extern const struct column argument_columns[];
extern const uint32_t argument_column_count;

/* Of both halves of the action number ACTION of LOOK's batch; no rows before contents are CONTENTS_READY.
 * Memory that arguments point at is read as it is to be shown.  Errors: NO_MEMORY, SYSTEM. */
struct jitscope_error *arguments_rows(const struct look *look, uint32_t action, struct rows *rows);

#endif
