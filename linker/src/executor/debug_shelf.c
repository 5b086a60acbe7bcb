#include "executor/debug_shelf.h"

#include "base/os.h"

/* FAN_IN announced images of one rank become one of the next.  gdb looks at every live unit at each
 * registration while a breakpoint is pending: of 2, 4, 8, 16 and 32, 4 cost it least for pending functions
 * and lines together. OPEN_SIZE: about so much an open image holds before the next one is begun: large enough
 * that thousands of functions make a handful of images.  MOST_MERGED sections are in an image of several
 * batches: lldb takes time in the square of their number.  MOST_ALONE: of images that are found at attach, so
 * many may have one batch only. */
enum { FAN_IN = 4, OPEN_SIZE = 4 << 20, MOST_COPIES = 2048, MOST_MERGED = 4096, MOST_ALONE = 256 };

/* --- images on the shelf */

static void put(struct debug_shelf *shelf, struct shelved_image *image, bool tell) {
    image->older = shelf->newest;
    image->newer = NULL;
    if (image->older)
        image->older->newer = image;
    shelf->newest = image;
    shelf->count++;
    image->store->public.next = image->older ? (uint64_t)(uintptr_t)&image->older->store->public : 0;
    image->store->public.flags = image->how == LISTING_UNLISTED ? 0 : IMAGE_LISTED;
    image->entry = (struct jit_code_entry){.symfile = (const char *)(uintptr_t)image->store->public.address,
                                           .size = image->store->public.size};
    if (image->how != LISTING_UNLISTED)
        jit_interface_add(&image->entry, tell);
}

static void take(struct debug_shelf *shelf, struct shelved_image *image) {
    if (image->newer)
        image->newer->older = image->older;
    else
        shelf->newest = image->older;
    if (image->older)
        image->older->newer = image->newer;
    if (image->newer)
        image->newer->store->public.next = image->store->public.next;
    for (int i = 0; i < 2; i++)
        if (shelf->open[i] == image)
            shelf->open[i] = NULL;
    shelf->count--;
    /* An image that was only listed may have been loaded by a debugger that attached meanwhile. */
    if (image->how != LISTING_UNLISTED)
        jit_interface_remove(&image->entry, image->how == LISTING_ANNOUNCED || jit_interface_is_watched());
}

static void destroy(struct shelved_image *image) {
    vec_destroy(&image->members);
    store_image_destroy(image->store);
    os_release(image);
}

static struct shelved_image *new_image(enum debug_listing how) {
    struct shelved_image *image = os_allocate_zeroed(sizeof *image);
    if (image)
        image->how = how;
    return image;
}

static void note_home(struct shelved_image *image, struct shelved_batch *batch) {
    batch->home = image;
    *batch->number = image->store->public.number;
}

/* The batch's share is measured. */
static void settle(struct shelved_image *image, struct shelved_batch *batch) {
    store_image_add(image->store, &batch->image, &batch->share);
    note_home(image, batch);
}

/* The batch's own memory is what IMAGE is made of. */
static struct jitscope_error *adopt(struct debug_shelf *shelf, struct shelved_image *image,
                                    struct shelved_batch *batch) {
    TRY(store_image_adopt(&batch->image, shelf->next_number + 1, &batch->share, &image->store));
    shelf->next_number++;
    note_home(image, batch);
    return NULL;
}

/* --- open images */

static uint32_t copies_of(const struct debug_image *image) {
    uint32_t copies = OPEN_SIZE / (image->header->size - image->header->symbols.offset + 1024);
    return copies < 1 ? 1 : copies > MOST_COPIES ? MOST_COPIES : copies;
}

static void close_open(struct debug_shelf *shelf, int which) {
    struct shelved_image *image = shelf->open[which];
    if (!image)
        return;
    shelf->open[which] = NULL;
    image->store->public.flags &= ~(uint32_t)IMAGE_OPEN;
    if (!image->store->public.batches) {
        take(shelf, image);
        destroy(image);
    }
}

static struct jitscope_error *begin_open(struct debug_shelf *shelf, const struct debug_image *image,
                                         enum debug_listing how, int which) {
    struct shelved_image *fresh = new_image(how);
    if (!fresh)
        return error_no_memory();
    struct jitscope_error *error =
        store_image_create(image, copies_of(image), shelf->next_number + 1, &fresh->store);
    if (error) {
        os_release(fresh);
        return error;
    }
    close_open(shelf, which);
    shelf->next_number++;
    shelf->open[which] = fresh;
    return NULL;
}

bool debug_shelf_wants_alone(const struct debug_shelf *shelf) {
    return shelf->alone < MOST_ALONE;
}

static struct jitscope_error *add_alone(struct debug_shelf *shelf, struct shelved_batch *batch,
                                        enum debug_listing how) {
    struct shelved_image *image = new_image(how);
    struct jitscope_error *error = image ? adopt(shelf, image, batch) : error_no_memory();
    if (error) {
        os_release(image);
        return error;
    }
    image->alone = true;
    shelf->alone++;
    put(shelf, image, false);
    return NULL;
}

struct jitscope_error *debug_shelf_add_open(struct debug_shelf *shelf, struct shelved_batch *batch,
                                            enum debug_listing how) {
    if (batch->alone)
        return add_alone(shelf, batch, how);
    int which = how == LISTING_UNLISTED;
    store_share_measure(&batch->image, &batch->share);
    bool fresh = !shelf->open[which] || !store_image_fits(shelf->open[which]->store, &batch->share);
    if (fresh)
        TRY(begin_open(shelf, &batch->image, how, which));
    struct shelved_image *image = shelf->open[which];
    settle(image, batch);
    if (fresh)
        put(shelf, image, false);
    image->store->public.flags |= IMAGE_OPEN;
    return NULL;
}

/* --- announced images */

/* Takes MEMBERS' images into one new store. */
static struct jitscope_error *merge(struct debug_shelf *shelf, struct shelved_image *image) {
    uint32_t count = image->members.count;
    if (count == 1 && image->members.data[0]->alone)
        return adopt(shelf, image, image->members.data[0]);
    struct debug_image *images = os_allocate(count * sizeof *images);
    if (!images)
        return error_no_memory();
    for (uint32_t i = 0; i < count; i++)
        images[i] = image->members.data[i]->image;
    struct jitscope_error *error =
        store_image_create_for(images, count, shelf->next_number + 1, &image->store);
    os_release(images);
    TRY(error);
    shelf->next_number++;
    for (uint32_t i = 0; i < count; i++)
        settle(image, image->members.data[i]);
    return NULL;
}

/* Of rank RANK, FAN_IN - 1 are there: the next one makes them one. */
static bool is_full(const struct debug_shelf *shelf, uint32_t rank) {
    uint32_t count = 0;
    for (const struct shelved_image *at = shelf->newest; at; at = at->older)
        count += at->how == LISTING_ANNOUNCED && at->rank == rank;
    return count >= FAN_IN - 1;
}

static struct jitscope_error *add_members(struct shelved_image *image, const struct shelved_image *from) {
    TRY(vec_reserve(&image->members, from->members.count));
    for (uint32_t i = 0; i < from->members.count; i++)
        vec_put(&image->members, from->members.data[i]);
    return NULL;
}

/* What offsets of 32 bits reach: names, and 32-bit DWARF. */
#define MOST_BYTES ((uint64_t)UINT32_MAX)

static uint64_t count_bytes(const struct shelved_image *image) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < image->members.count; i++)
        bytes += image->members.data[i]->image.header->size;
    return bytes;
}

static uint64_t count_sections(const struct shelved_image *image) {
    uint64_t count = 0;
    for (uint32_t i = 0; i < image->members.count; i++)
        count += store_share_sections(&image->members.data[i]->share);
    return count;
}

/* IMAGE can hold these besides its members. */
static bool holds(const struct shelved_image *image, uint64_t sections, uint64_t bytes) {
    return count_sections(image) + sections <= MOST_MERGED && count_bytes(image) + bytes <= MOST_BYTES;
}

/* All of IMAGE's rank and IMAGE can be one. */
static bool can_merge(const struct debug_shelf *shelf, const struct shelved_image *image) {
    uint64_t sections = 0, bytes = 0;
    if (!is_full(shelf, image->rank))
        return false;
    for (const struct shelved_image *at = shelf->newest; at; at = at->older)
        if (at->how == LISTING_ANNOUNCED && at->rank == image->rank) {
            sections += count_sections(at);
            bytes += count_bytes(at);
        }
    return holds(image, sections, bytes);
}

static struct jitscope_error *absorb(struct shelved_image *image, struct shelved_image *from) {
    TRY(add_members(image, from));
    from->merged = true;
    return NULL;
}

/* One of many batches takes the small ones along: together they are at most as many. */
static struct jitscope_error *gather_smaller(const struct debug_shelf *shelf, struct shelved_image *image) {
    for (struct shelved_image *at = shelf->newest; at && image->rank; at = at->older)
        if (at->how == LISTING_ANNOUNCED && at->rank < image->rank &&
            holds(image, count_sections(at), count_bytes(at)))
            TRY(absorb(image, at));
    return NULL;
}

static struct jitscope_error *gather(const struct debug_shelf *shelf, struct shelved_image *image) {
    TRY(gather_smaller(shelf, image));
    for (; can_merge(shelf, image); image->rank++)
        for (struct shelved_image *at = shelf->newest; at; at = at->older)
            if (at->how == LISTING_ANNOUNCED && at->rank == image->rank)
                TRY(absorb(image, at));
    return NULL;
}

/* Before the merged image comes: gdb keeps its breakpoints in the code until it hears of the next image, and
 * two images of one function at a time cost it half as much again. */
static void remove_merged(struct debug_shelf *shelf) {
    for (struct shelved_image *at = shelf->newest, *older; at; at = older) {
        older = at->older;
        if (at->merged) {
            take(shelf, at);
            destroy(at);
        }
    }
}

static void keep_merged(struct debug_shelf *shelf) {
    for (struct shelved_image *at = shelf->newest; at; at = at->older)
        at->merged = false;
}

static struct jitscope_error *add_batches(struct shelved_image *image, struct shelved_batch *const *batches,
                                          uint32_t count) {
    uint64_t sections = 0, bytes = 0;
    TRY(vec_reserve(&image->members, count));
    for (uint32_t i = 0; i < count; i++) {
        store_share_measure(&batches[i]->image, &batches[i]->share);
        sections += store_share_sections(&batches[i]->share);
        bytes += batches[i]->image.header->size;
        if (i && (sections > MOST_MERGED || bytes > MOST_BYTES))
            break;
        vec_put(&image->members, batches[i]);
    }
    for (uint32_t left = image->members.count; left >= FAN_IN; left /= FAN_IN)
        image->rank++;
    return NULL;
}

struct jitscope_error *debug_shelf_announce(struct debug_shelf *shelf, struct shelved_batch *const *batches,
                                            uint32_t count, uint32_t *taken) {
    struct shelved_image *image = new_image(LISTING_ANNOUNCED);
    if (!image)
        return error_no_memory();
    struct jitscope_error *error = add_batches(image, batches, count);
    *taken = image->members.count;
    if (!error)
        error = gather(shelf, image);
    if (!error)
        error = merge(shelf, image);
    if (error) {
        keep_merged(shelf);
        vec_destroy(&image->members);
        os_release(image);
        return error;
    }
    close_open(shelf, 0); /* a debugger has loaded it as it is now */
    remove_merged(shelf);
    put(shelf, image, true);
    return NULL;
}

/* --- leaving */

static struct shelved_image *without(struct debug_shelf *shelf, const struct shelved_batch *batch) {
    struct shelved_image *old = batch->home, *image = new_image(LISTING_ANNOUNCED);
    struct jitscope_error *error =
        image ? vec_reserve(&image->members, old->members.count) : error_no_memory();
    if (!error) {
        image->rank = old->rank;
        for (uint32_t i = 0; i < old->members.count; i++)
            if (old->members.data[i] != batch)
                vec_put(&image->members, old->members.data[i]);
        error = merge(shelf, image);
    }
    if (!error)
        return image;
    jitscope_error_destroy(error);
    if (image)
        vec_destroy(&image->members);
    os_release(image);
    return NULL;
}

static void forget_member(struct shelved_image *image, const struct shelved_batch *batch) {
    for (uint32_t i = 0; i < image->members.count; i++)
        if (image->members.data[i] == batch) {
            image->members.data[i] = image->members.data[--image->members.count];
            return;
        }
}

/* The new image first: gdb, which looks for its breakpoints' places when an image comes, then still finds
 * those of BATCH; it would disable what it does not find, and the next version of the code would run past it.
 */
static void remove_announced(struct debug_shelf *shelf, struct shelved_batch *batch) {
    struct shelved_image *image = batch->home;
    struct shelved_image *fresh = image->members.count > 1 ? without(shelf, batch) : NULL;
    if (fresh)
        put(shelf, fresh, true);
    take(shelf, image);
    if (fresh || image->members.count == 1) {
        destroy(image);
        return;
    }
    forget_member(image, batch);
    store_image_blot(image->store, &batch->share);
    put(shelf, image, true);
}

/* Nothing is left in it, and what was there takes memory that a new image gives back. */
static bool is_worn(const struct store_image *store) {
    uint64_t used = 0;
    for (int i = 0; i < PART_COUNT; i++)
        used += store->used[i];
    return !store->public.batches && used >= store->public.size / 4;
}

static void remove_open(struct debug_shelf *shelf, struct shelved_batch *batch) {
    struct shelved_image *image = batch->home;
    if (image->alone) {
        shelf->alone--;
        take(shelf, image);
        destroy(image);
        return;
    }
    bool is_open = image->store->public.flags & IMAGE_OPEN;
    bool seen = image->how == LISTING_LISTED && jit_interface_is_watched();
    if (seen || (!is_open && image->store->public.batches == 1))
        take(shelf, image);
    store_image_blot(image->store, &batch->share);
    if (!image->store->public.batches && (seen || !is_open))
        destroy(image);
    else if (seen)
        put(shelf, image, true);
    else if (is_open && is_worn(image->store))
        close_open(shelf, image->how == LISTING_UNLISTED);
}

void debug_shelf_remove(struct debug_shelf *shelf, struct shelved_batch *batch) {
    if (batch->home->how == LISTING_ANNOUNCED)
        remove_announced(shelf, batch);
    else
        remove_open(shelf, batch);
}

static bool all_members(const struct shelved_image *image, debug_shelf_test *test, const void *context) {
    for (uint32_t i = 0; i < image->members.count; i++)
        if (!test(image->members.data[i], context))
            return false;
    return true;
}

void debug_shelf_withdraw(struct debug_shelf *shelf, debug_shelf_test *leaves, const void *context) {
    for (struct shelved_image *at = shelf->newest, *older; at; at = older) {
        older = at->older;
        if (at->how != LISTING_ANNOUNCED || at->members.count < 2 || !all_members(at, leaves, context))
            continue;
        take(shelf, at);
        at->how = LISTING_UNLISTED;
        put(shelf, at, false);
    }
}

void debug_shelf_trim(struct debug_shelf *shelf) {
    for (int i = 0; i < 2; i++)
        if (shelf->open[i] && !shelf->open[i]->store->public.batches)
            close_open(shelf, i);
}
