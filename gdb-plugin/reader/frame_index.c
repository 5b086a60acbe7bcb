#include "frame_index.h"

#include <stdlib.h>

static void drop_image(struct indexed_image *image) {
    os_release((void *)(uintptr_t)image->section.data);
    vec_destroy(&image->frames);
}

static void drop_images(struct frame_index *index) {
    for (uint32_t i = 0; i < index->images.count; i++)
        drop_image(&index->images.data[i]);
    vec_destroy(&index->images);
}

void frame_index_destroy(struct frame_index *index) {
    drop_images(index);
}

static int by_start(const void *a, const void *b) {
    const struct cfi_frame *one = a, *other = b;
    return (one->start > other->start) - (one->start < other->start);
}

/* --- reading */

static struct jitscope_error *index_frames(struct indexed_image *image) {
    struct cfi_frame frame;
    for (uint64_t at = 0; cfi_next_frame(image->section, &at, &frame);)
        if (frame.size)
            TRY(vec_push(&image->frames, frame));
    if (image->frames.count)
        qsort(image->frames.data, image->frames.count, sizeof frame, by_start);
    return NULL;
}

static bool read_image(const struct debuggee_memory *memory, const struct debuggee_image *record,
                       struct indexed_image *image) {
    struct debuggee_elf elf;
    *image = (struct indexed_image){.record = *record};
    if (debuggee_view_elf(memory, record, &elf) ||
        debuggee_view_section(memory, &elf, ".debug_frame", &image->section))
        return false;
    struct jitscope_error *error = index_frames(image);
    if (!error)
        return true;
    jitscope_error_destroy(error);
    drop_image(image);
    return false;
}

/* What was read of it before, moved out of OLD. */
static bool keep_image(struct frame_index *old, const struct debuggee_image *record,
                       struct indexed_image *image) {
    for (uint32_t i = 0; i < old->images.count; i++) {
        struct indexed_image *at = &old->images.data[i];
        if (at->record.address != record->address || at->record.number != record->number ||
            at->record.size != record->size || at->record.change != record->change)
            continue;
        *image = *at;
        *at = old->images.data[--old->images.count];
        return true;
    }
    return false;
}

static void read_images(struct frame_index *index, const struct debuggee_memory *memory,
                        const struct debuggee_image *records, uint32_t count) {
    struct frame_index old = *index;
    index->images.data = NULL;
    index->images.count = index->images.capacity = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct indexed_image image;
        if (records[i].flags & IMAGE_LISTED ||
            (!keep_image(&old, &records[i], &image) && !read_image(memory, &records[i], &image)))
            continue;
        struct jitscope_error *error = vec_push(&index->images, image);
        if (error)
            drop_image(&image);
        jitscope_error_destroy(error);
    }
    drop_images(&old);
}

static bool refresh(struct frame_index *index, const struct debuggee_memory *memory) {
    struct debuggee root;
    struct debuggee_image *records;
    uint32_t count;
    if (debuggee_view_root(memory, index->root, &root))
        return false;
    if (root.change == index->change && !(root.change & 1))
        return true;
    if (debuggee_view_images(memory, &root, &records, &count))
        return false;
    read_images(index, memory, records, count);
    os_release(records);
    index->change = root.change;
    return true;
}

/* --- looking */

static const struct cfi_frame *find_in(const struct indexed_image *image, uint64_t pc) {
    uint32_t low = 0, high = image->frames.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (image->frames.data[middle].start <= pc)
            low = middle + 1;
        else
            high = middle;
    }
    const struct cfi_frame *frame = low ? &image->frames.data[low - 1] : NULL;
    return frame && pc - frame->start < frame->size ? frame : NULL;
}

bool frame_index_find(struct frame_index *index, const struct debuggee_memory *memory, uint64_t pc,
                      struct cfi_frame *frame) {
    if (!refresh(index, memory))
        return false;
    for (uint32_t i = 0; i < index->images.count; i++) {
        const struct cfi_frame *found = find_in(&index->images.data[i], pc);
        if (!found)
            continue;
        *frame = *found;
        return true;
    }
    return false;
}
