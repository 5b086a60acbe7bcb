/* debug_shelf: the images of this process that debuggers can see, and which batch is in which.
 *
 * Two kinds: *open* images take batch after batch and are found at attach, or by plug-ins; *announced* ones
 * are told of through the hook, a list of batches at once, and merged in powers of FAN_IN.  A batch that can
 * be an image by itself is one, in the memory that it came in, where otherwise it would begin an open image,
 * or be announced by itself.  All under executor_debug's lock. */
#ifndef EXECUTOR_DEBUG_SHELF_H
#define EXECUTOR_DEBUG_SHELF_H

#include "executor/debug_store.h"
#include "executor/executor_debug.h"
#include "executor/jit_interface.h"

struct shelved_batch;

struct shelved_image {
    struct store_image *store;
    struct jit_code_entry entry; /* in the JIT interface's list unless HOW is UNLISTED */
    enum debug_listing how;
    uint32_t rank;                       /* announced: it has about FAN_IN to that power of members */
    bool merged;                         /* its members are on their way into another one */
    bool alone;                          /* one batch that was not announced, in its own memory */
    VEC(struct shelved_batch *) members; /* announced: whole images, for merging them anew */
    struct shelved_image *older, *newer;
};

/* The part of a batch that the shelf looks after; the owner allocates it. */
struct shelved_batch {
    struct debug_image image; /* must stay as long as the batch when it is announced, or ALONE */
    bool alone;               /* can become an ELF image where it lies (header.elf) */
    uint32_t *number;         /* where the owner keeps the number of the image it is in */
    struct shelved_image *home;
    struct store_share share;
};

struct debug_shelf {
    struct shelved_image *newest;
    struct shelved_image *open[2]; /* LISTED, UNLISTED: takes the next batch; NULL when there is none */
    uint32_t next_number;
    uint32_t count;
    uint32_t alone; /* of these, images of batches that were not announced and are alone */
};

typedef bool debug_shelf_test(const struct shelved_batch *batch, const void *context);

/* As many of COUNT batches as one image holds, from the first on, one at least; *taken is how many.  Errors:
 * NO_MEMORY; then nothing has changed. */
struct jitscope_error *debug_shelf_announce(struct debug_shelf *shelf, struct shelved_batch *const *batches,
                                            uint32_t count, uint32_t *taken);
/* Whether one more batch, not to be announced, had better be ALONE: debuggers take their time for each image.
 */
bool debug_shelf_wants_alone(const struct debug_shelf *shelf);
/* Errors: NO_MEMORY; then nothing has changed. */
struct jitscope_error *debug_shelf_add_open(struct debug_shelf *shelf, struct shelved_batch *batch,
                                            enum debug_listing how);
/* The batch leaves; debuggers that have seen its image are told.  Never fails: without memory for a new
 * image the old one stays, with the batch blotted out. */
void debug_shelf_remove(struct debug_shelf *shelf, struct shelved_batch *batch);
/* Announced images of several batches that all LEAVE, the owner says, are withdrawn from debuggers at once:
 * merging what is left anew at each removal would take time in the square of their number.  Plug-ins see them
 * until they are removed. */
void debug_shelf_withdraw(struct debug_shelf *shelf, debug_shelf_test *leaves, const void *context);
/* Drops the images that hold nothing. */
void debug_shelf_trim(struct debug_shelf *shelf);

#endif
