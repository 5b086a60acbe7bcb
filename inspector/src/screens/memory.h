/* memory: what screens of memory tell besides their rows. */
#ifndef SCREENS_MEMORY_H
#define SCREENS_MEMORY_H

#include "screens/sheet.h"

/* Where the instruction at ADDRESS leads; false when it leads nowhere, or SHEET shows no instructions. */
bool memory_target(const struct sheet *sheet, uint64_t address, uint64_t *target);

#endif
