/* packed: a recording as one zstd frame (RFC 8878).
 *
 * What is compressed is the recording itself: `zstd -dc` gives it back, and every reader of recordings takes
 * the packed form by its magic number.  Left out is what the reader rebuilds: chunks that were allocated and
 * never used, and whatever lies behind the last record of a sealed chunk, which reads as zeros.  The frame
 * says the size of what is in it and carries a checksum.
 *
 * Measured on links of 5 to 18 MB: level 9 makes a packed file 6 to 10 % smaller than level 3 in four times
 * the time (half a second for 18 MB), level 19 another 10 to 15 % in a hundred times that.  Matches at a long
 * distance, for which a reader must keep 128 MB, gain less than 1 %: equal inputs stand once in a recording
 * as it is. */
#ifndef TRACE_PACKED_H
#define TRACE_PACKED_H

#include "trace/recording.h"

typedef void (*packed_put)(void *context, const void *data, size_t size);

/* Whether a file that begins so is packed. */
bool packed_is(struct bytes start);

/* FILE, packed or not, in the packed form.  *SIZE gets what was put, NULL allowed.  Errors: NO_MEMORY,
 * RECORDING (so regular that no reader would believe it). */
struct jitscope_error *packed_write(const struct recording_file *file, packed_put put, void *context);
/* FILE as it is when unpacked: the same parts, and zeros between them. */
void packed_write_plain(const struct recording_file *file, packed_put put, void *context);

/* The recording in PACKED, in memory from os_resize_table() of *ROOM bytes.  Memory grows with what comes
 * out; more than any recording gives, seen from the packed size, is refused.  Errors: RECORDING, NO_MEMORY.
 */
struct jitscope_error *packed_read(struct bytes packed, uint8_t **memory, uint64_t *size, uint64_t *room);

#endif
