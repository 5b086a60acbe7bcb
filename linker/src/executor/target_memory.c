/* Memory of an executor process: opened, filled and closed as the linker says, in what was reserved. */
#define _GNU_SOURCE
#include "base/os.h"
#include "executor/address_space.h"
#include "executor/target.h"

#include <errno.h>
#include <sys/mman.h>

static void *place_of(const struct target_segment *segment) {
    return (void *)(uintptr_t)segment->address;
}

struct jitscope_error *target_reserve(struct jitscope_target *target, uint64_t size, uint64_t wanted,
                                      bool low, struct target_range *range) {
    struct neighbourhood around = {
        .low = low, .near = target->near, .first = target->near, .last = target->near};
    for (uint32_t i = 0; i < target->reserved.count; i++) {
        const struct target_range *at = &target->reserved.data[i];
        if (at->start + at->size < 2 * GIB)
            continue;
        around.first = at->start < around.first ? at->start : around.first;
        around.last = at->start + at->size > around.last ? at->start + at->size : around.last;
    }
    TRY(vec_reserve(&target->reserved, 1));
    TRY(address_space_reserve(&around, size, wanted, &range->start, &range->size));
    os_advise((void *)(uintptr_t)range->start, range->size, MADV_HUGEPAGE);
    vec_put(&target->reserved, *range);
    executor_own_space(range->start, range->size);
    target->wire.most_extra += range->size;
    return NULL;
}

/* --- checks */

static bool is_reserved(const struct jitscope_target *target, uint64_t address, uint64_t size) {
    for (uint32_t i = 0; i < target->reserved.count; i++) {
        const struct target_range *range = &target->reserved.data[i];
        uint64_t offset = address - range->start;
        if (address >= range->start && offset <= range->size && size <= range->size - offset)
            return true;
    }
    return false;
}

static bool is_sound(const struct jitscope_target *target, const struct target_segment *segment,
                     const struct bytes *content) {
    const uint32_t both = PROT_WRITE | PROT_EXEC, known = PROT_READ | both;
    uint64_t page = os_page_size();
    return segment->address % page == 0 && segment->size % page == 0 &&
           segment->content_size <= segment->size && !(segment->prot & ~known) &&
           (segment->prot & both) != both && is_reserved(target, segment->address, segment->size) &&
           (!content || content->size == segment->content_size);
}

/* --- pages */

static struct jitscope_error *take_content(const struct jitscope_target *target,
                                           const struct target_segment *segment,
                                           const struct bytes *content) {
    uint8_t *to = place_of(segment);
    if (content && segment->content_size)
        memcpy(to, content->data, segment->content_size);
    for (uint64_t done = 0; !content && done < segment->content_size;) {
        ssize_t got =
            os_read_at(target->memory_file, to + done, segment->content_size - done, segment->offset + done);
        if (got <= 0)
            return got ? error_system("pread", "the content of a segment")
                       : error_create(JITSCOPE_ERROR_SYSTEM, "the content of a segment is cut short");
        done += (uint64_t)got;
    }
    return NULL;
}

static struct jitscope_error *open_segment(const struct jitscope_target *target,
                                           const struct target_segment *segment,
                                           const struct bytes *content) {
    char *start = place_of(segment);
    if (!segment->size)
        return NULL;
    if (os_protect(start, segment->size, PROT_READ | PROT_WRITE))
        return error_system("mprotect", NULL);
    TRY(take_content(target, segment, content));
    if (segment->prot & PROT_EXEC) /* caches of instructions that do not watch writes */
        __builtin___clear_cache(start, start + segment->content_size);
    if (segment->prot != (PROT_READ | PROT_WRITE) && os_protect(start, segment->size, (int)segment->prot))
        return error_system("mprotect", NULL);
    return NULL;
}

/* Content goes at once, so that what is opened later reads as zero; DONTNEED is refused for locked memory. */
static struct jitscope_error *close_segment(struct target_segment *segment) {
    void *start = place_of(segment);
    uint64_t size = segment->size;
    segment->size = 0;
    if (!size)
        return NULL;
    if (os_discard(start, size)) {
        if (os_protect(start, size, PROT_READ | PROT_WRITE))
            return error_system("madvise", NULL);
        memset(start, 0, size);
    }
    (void)os_protect(start, size,
                     PROT_NONE); /* when the kernel has no more mappings it stays as it is, empty */
    return NULL;
}

struct jitscope_error *target_close(struct target_allocation *allocation, bool all) {
    enum { LIFETIME_OF_FINALIZE = 1 };
    struct jitscope_error *first = NULL;
    for (uint32_t i = allocation->segment_count; i-- > 0;) {
        struct target_segment *segment = &allocation->segments[i];
        struct jitscope_error *error =
            all || segment->lifetime == LIFETIME_OF_FINALIZE ? close_segment(segment) : NULL;
        if (first)
            jitscope_error_destroy(error);
        else
            first = error;
    }
    return first;
}

struct jitscope_error *target_open(struct jitscope_target *target, struct target_allocation *allocation,
                                   const struct bytes *contents) {
    struct jitscope_error *error = NULL;
    for (uint32_t i = 0; i < allocation->segment_count; i++)
        if (!is_sound(target, &allocation->segments[i], contents ? &contents[i] : NULL))
            return error_create(JITSCOPE_ERROR_USAGE, "segment %u does not lie in what was reserved", i);
    for (uint32_t i = 0; i < allocation->segment_count && !error; i++)
        error = open_segment(target, &allocation->segments[i], contents ? &contents[i] : NULL);
    if (error)
        jitscope_error_destroy(target_close(allocation, true));
    return error;
}

/* --- what there is */

struct target_allocation *target_find(const struct jitscope_target *target, uint32_t number) {
    struct target_allocation *at = target->newest;
    while (at && at->number != number)
        at = at->older;
    return at;
}

static bool can(const struct jitscope_target *target, uint64_t address, uint64_t size, uint32_t prot) {
    for (const struct target_allocation *at = target->newest; at; at = at->older)
        for (uint32_t i = 0; i < at->segment_count; i++) {
            const struct target_segment *segment = &at->segments[i];
            uint64_t offset = address - segment->address;
            if (address >= segment->address && offset < segment->size && size <= segment->size - offset &&
                segment->prot & prot)
                return true;
        }
    return false;
}

bool target_can_read(const struct jitscope_target *target, uint64_t address, uint64_t size) {
    return can(target, address, size, PROT_READ);
}

bool target_can_write(const struct jitscope_target *target, uint64_t address, uint64_t size) {
    return can(target, address, size, PROT_WRITE);
}
