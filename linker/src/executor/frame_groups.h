/* frame_groups: the .eh_frame sections of many batches, as few objects of libgcc's.
 *
 * libgcc up to release 12 keeps what is registered in a list, ordered by address, from the highest down, and
 * walks it for each frame.  The first object that begins at or below a frame's address is searched (in a
 * sorted array, made when it is first met), and when the frame is not in there the walk ends: what follows
 * does not overlap with it, it thinks.  A thousand batches make each throw ten times slower.  But one object
 * can be a table of sections (__register_frame_table).  So batches are grouped, under these rules:
 *
 * - A group holds batches that are neighbours by address, with nothing between them that somebody else could
 *   have registered: that is known of address space that the memory manager has reserved for itself.
 * - A new batch joins its neighbours while those are not larger, so that each record is sorted a few times
 *   only, and groups have at most MOST_RECORDS, so that it takes a throw no longer than 2 ms.
 * - One that comes between the members of a group enters it, or splits it: it would hide those behind it.
 * - Other threads throw meanwhile: what replaces a group is registered before that goes; and groups go in the
 *   order of their addresses, and come in the reverse one, so that none hides a part of another.
 * - A thread that has found a frame reads its object once more behind libgcc's lock.  So the objects are ours
 *   (__register_frame_info_table), and for a while those that are withdrawn stay what they were.
 *
 * From release 13 on libgcc has a tree instead, where every range may be known once: no groups there. */
#ifndef EXECUTOR_FRAME_GROUPS_H
#define EXECUTOR_FRAME_GROUPS_H

#include "base/bytes.h"
#include "base/vec.h"

#include <stdbool.h>

struct grouped_section; /* one batch's section */
struct libgcc_object;
struct libgcc_slab;

struct frame_group {
    struct grouped_section *first; /* by address */
    uint64_t last;                 /* where the last one's code begins */
    uint32_t count;
    uint64_t records;
    const void **table; /* what libgcc was told: an empty section, its own, and NULL */
    struct libgcc_object *object;
};

struct frame_groups {
    void (*add_table)(const void **table, void *object); /* __register_frame_info_table */
    void *(*remove_table)(const void **table);           /* __deregister_frame_info */
    void (*add_section)(const void *section);            /* __register_frame, __deregister_frame */
    void (*remove_section)(const void *section);
    VEC(struct frame_group) groups;                   /* by address */
    uint32_t sections;                                /* in them */
    bool closed;                                      /* from now on sections are not grouped */
    struct libgcc_object *withdrawn, **withdrawn_end; /* oldest first */
    struct libgcc_slab *slabs;                        /* what objects are made of, the last one first, */
    uint32_t taken;                                   /* and how many in that one */
};

/* Address space where nobody registers frames but by executor_register_eh_frame(); and no more. */
void frame_groups_allow(uint64_t start, uint64_t size);
void frame_groups_forbid(uint64_t start);

/* SECTION is sound. */
void frame_groups_add(struct frame_groups *groups, struct bytes section);
/* It was added. */
void frame_groups_remove(struct frame_groups *groups, struct bytes section);
/* All sections were removed. */
void frame_groups_destroy(struct frame_groups *groups);
/* How many slabs, each of at most FRAME_GROUPS_SLAB bytes, all groups have: an object that was withdrawn
 * waits there to be used again, so there are as many as were ever needed within that time, and go with their
 * groups. */
enum { FRAME_GROUPS_SLAB = 4064 };
uint64_t frame_groups_slabs(void);

#endif
