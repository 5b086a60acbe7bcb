/* memory: what screens of memory share, and tell besides their rows. */
#ifndef SCREENS_MEMORY_H
#define SCREENS_MEMORY_H

#include "bytes/look.h"
#include "screens/sheet.h"

/* The segment that holds ADDRESS, of LINK, or else of whichever batch had it last; NULL when there is none.
 */
const struct mirror_placement *memory_segment(const struct mirror *mirror, uint32_t link, uint64_t address);
/* The segment that holds the address that SHEET was asked for, ready to be looked at.  Errors: NOT_FOUND. */
struct jitscope_error *memory_look(const struct sheet *sheet, struct look *look);
/* Starts, or goes on, working out what LOOK's batch should hold: SHEET waits, or has a remark. */
void memory_ask(struct sheet *sheet, const struct look *look);
/* COUNT cells that were made elsewhere become ROW's. */
bool row_copy(struct row *row, const struct cell *cells, uint32_t count);

/* Where the instruction at ADDRESS leads; false when it leads nowhere, or SHEET shows no instructions. */
bool memory_target(const struct sheet *sheet, uint64_t address, uint64_t *target);

#endif
