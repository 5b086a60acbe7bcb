/* executor_nongnu: the sorted table that nongnu libunwind wants instead of an .eh_frame section. */
#ifndef EXECUTOR_NONGNU_H
#define EXECUTOR_NONGNU_H

#include "base/bytes.h"

#include <stdbool.h>

/* unw_dyn_info_t of <libunwind-dynamic.h>, 1.6: part of that library's binary interface.  The library links
 * it into a list of its own, so it must stay where it is until cancelled. */
struct nongnu_info {
    struct nongnu_info *next;
    struct nongnu_info *previous;
    uint64_t start_ip;
    uint64_t end_ip;
    uint64_t global_pointer;
    int32_t format;
    int32_t padding;
    uint64_t load_offset;
    uint64_t name;
    uint64_t segment_base;
    uint64_t table_length; /* in words, of which each entry is one */
    uint64_t table;
    uint64_t unused; /* the union's longest member */
};

/* As in the table of .eh_frame_hdr: distances from the segment base, here the section's address. */
struct nongnu_entry {
    int32_t function;
    int32_t fde;
};

struct nongnu_table {
    struct nongnu_info info;
    struct nongnu_entry entries[];
};

/* The table of a section whose records are whole and end with a terminator, and which lies at ADDRESS in its
 * process (this one or another); NULL when there is nothing to
 * tell: no FDE, an encoding or a distance that does not fit, no memory. */
struct nongnu_table *executor_nongnu_table_create(struct bytes section, uint64_t address);
/* The code that the first MOST records of such a section are about, and how many records that is; false when
 * one cannot be read, or there is none. */
bool executor_nongnu_extent(struct bytes section, uint64_t address, uint64_t most, uint64_t *low,
                            uint64_t *high, uint64_t *records);
void executor_nongnu_table_destroy(struct nongnu_table *table);

#endif
