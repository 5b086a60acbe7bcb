/* debug_outline: the sections that a batch's debug image shows. */
#ifndef LINK_DEBUG_OUTLINE_H
#define LINK_DEBUG_OUTLINE_H

#include "memory/layout.h"

/* One of the graph's sections, or several that follow each other in memory. */
struct shown_section {
    uint32_t first;  /* of the graph's */
    uint32_t length; /* of its name, which is cut short where one stands for several */
    uint64_t address;
    uint64_t size;
};

/* Kept from link to link for its memory; zero-initialised is empty. */
struct debug_outline {
    VEC(struct shown_section) shown;
    VEC(uint32_t) numbers; /* by graph section: its number among SHOWN, from 1; 0: it is not */
    bool joins;            /* there are so many that those of like names are shown as one */

    /* .eh_frame, the last one shown; NULL: there is none */
    const uint8_t *frames; /* its content */
    uint32_t records;      /* about so many */
};
void debug_outline_destroy(struct debug_outline *outline);

/* Sections in memory, in order of address in each segment; those that go when initialisers have run are left
 * out.  Needs addresses and working memory. */
struct jitscope_error *debug_outline_make(struct debug_outline *outline, const struct graph *graph,
                                          const struct layout *layout);

#endif
