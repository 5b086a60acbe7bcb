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
    range->taken = os_allocate_zeroed(range->size / os_page_size() / 8);
    if (!range->taken) {
        os_unmap((void *)(uintptr_t)range->start, range->size);
        return error_no_memory();
    }
    os_advise((void *)(uintptr_t)range->start, range->size, MADV_HUGEPAGE);
    vec_put(&target->reserved, *range);
    executor_own_space(range->start, range->size);
    target->wire.most_extra += range->size;
    return NULL;
}

/* --- checks */

static struct target_range *range_of(const struct jitscope_target *target, uint64_t address, uint64_t size) {
    for (uint32_t i = 0; i < target->reserved.count; i++) {
        struct target_range *range = &target->reserved.data[i];
        uint64_t offset = address - range->start;
        if (address >= range->start && offset <= range->size && size <= range->size - offset)
            return range;
    }
    return NULL;
}

/* The bits of word number WORD that stand for pages FIRST up to, but not, END. */
static uint64_t bits_of(uint64_t word, uint64_t first, uint64_t end) {
    uint64_t low = first > word * 64 ? first - word * 64 : 0;
    uint64_t high = end - word * 64 < 64 ? end - word * 64 : 64;
    return (high == 64 ? UINT64_MAX : ((uint64_t)1 << high) - 1) & ~(((uint64_t)1 << low) - 1);
}

/* Whether any page of SEGMENT is taken.  They are then, or not any more: all of them. */
static bool take_pages(const struct jitscope_target *target, const struct target_segment *segment,
                       bool take) {
    struct target_range *range = range_of(target, segment->address, segment->size);
    uint64_t page = os_page_size(), first = (segment->address - range->start) / page,
             end = first + segment->size / page, taken = 0;
    for (uint64_t word = first / 64; word * 64 < end; word++) {
        uint64_t bits = bits_of(word, first, end);
        taken |= range->taken[word] & bits;
    }
    for (uint64_t word = first / 64; word * 64 < end && !(take && taken); word++) {
        uint64_t bits = bits_of(word, first, end);
        range->taken[word] = take ? range->taken[word] | bits : range->taken[word] & ~bits;
    }
    return taken != 0;
}

/* NULL: nothing. */
static const char *wrong_with(const struct jitscope_target *target, const struct target_segment *segment,
                              const struct bytes *content) {
    const uint32_t both = PROT_WRITE | PROT_EXEC, known = PROT_READ | both;
    uint64_t page = os_page_size();
    if (segment->address % page || segment->size % page)
        return "is not made of whole pages";
    if (segment->prot & ~known || segment->lifetime > TARGET_UNTIL_FINALIZED)
        return "has a protection or a lifetime that there is not";
    if ((segment->prot & both) == both)
        return "is to be writable and executable";
    if (segment->content_size > segment->size || segment->offset > UINT64_MAX / 2 ||
        (content && content->size != segment->content_size))
        return "has another size than its content";
    if (!content && segment->content_size && target->memory_file < 0)
        return "has no content";
    if (!content && segment->content_size && !os_leads_to(target->memory_file, &target->memory))
        return "has its content in a file that the program has closed";
    return !segment->size || range_of(target, segment->address, segment->size)
               ? NULL
               : "does not lie in what was reserved";
}

struct jitscope_error *target_claim(struct jitscope_target *target, struct target_allocation *allocation,
                                    const struct bytes *contents) {
    for (uint32_t i = 0; i < allocation->segment_count; i++) {
        struct target_segment *segment = &allocation->segments[i];
        const char *wrong = wrong_with(target, segment, contents ? &contents[i] : NULL);
        if (!wrong && segment->size && take_pages(target, segment, true))
            wrong = "lies where another does";
        if (!wrong)
            continue;
        allocation->segment_count = i; /* those before it are closed again */
        jitscope_error_destroy(target_close(target, allocation, true));
        return error_create(JITSCOPE_ERROR_EXECUTOR_GONE, "message 'finalize': segment %u %s", i, wrong);
    }
    return NULL;
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
static struct jitscope_error *close_segment(const struct jitscope_target *target,
                                            struct target_segment *segment) {
    void *start = place_of(segment);
    uint64_t size = segment->size;
    if (!size)
        return NULL;
    take_pages(target, segment, false);
    segment->size = 0;
    if (os_discard(start, size)) {
        if (os_protect(start, size, PROT_READ | PROT_WRITE))
            return error_system("madvise", NULL);
        memset(start, 0, size);
    }
    (void)os_protect(start, size,
                     PROT_NONE); /* when the kernel has no more mappings it stays as it is, empty */
    return NULL;
}

struct jitscope_error *target_close(const struct jitscope_target *target,
                                    struct target_allocation *allocation, bool all) {
    struct jitscope_error *first = NULL;
    for (uint32_t i = allocation->segment_count; i-- > 0;) {
        struct target_segment *segment = &allocation->segments[i];
        struct jitscope_error *error =
            all || segment->lifetime == TARGET_UNTIL_FINALIZED ? close_segment(target, segment) : NULL;
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
    for (uint32_t i = 0; i < allocation->segment_count && !error; i++)
        error = open_segment(target, &allocation->segments[i], contents ? &contents[i] : NULL);
    if (error)
        jitscope_error_destroy(target_close(target, allocation, true));
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
