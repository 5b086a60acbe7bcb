/* map: address space at a moment, as regions without a hole between them. */
#ifndef SCREENS_MAP_H
#define SCREENS_MAP_H

#include "screens/sheet.h"

struct region {
    uint64_t address, end;
    uint32_t prot;    /* PROTECT_* */
    uint32_t link;    /* NO_ID: nobody's */
    uint32_t segment; /* of the link */
    uint32_t blocks;  /* in it */
    uint32_t why;     /* name id of the reservation it lies in; 0: none */
};

/* The regions that a sheet of the map shows, in order; valid until it is refreshed. */
const struct region *map_regions(const struct sheet *sheet, uint32_t *count);
/* What to ask for to see half, or twice, as much around AROUND. */
void map_zoom(const struct sheet *sheet, uint64_t around, bool in, struct question *question);

#endif
