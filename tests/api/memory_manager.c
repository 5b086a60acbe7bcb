/* A memory manager of one's own: each segment is one file in memory, mapped twice.  The linker writes through
 * one mapping; the code runs through the other, which is never writable where it is executable. */
#define _GNU_SOURCE
#include "check.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MOST_SEGMENTS = 8 };

struct double_mapping {
    struct {
        void *target, *working;
        size_t size;
    } segments[MOST_SEGMENTS];
    size_t count;
};

static size_t segment_size(const struct jitscope_segment *segment) {
    size_t bytes = (size_t)(segment->content_size + segment->zero_fill_size);
    return bytes ? (bytes + 4095) & ~(size_t)4095 : 4096;
}

static void abandon(void *context, void *opaque) {
    struct double_mapping *mapping = opaque;
    (void)context;
    for (size_t i = 0; i < mapping->count; i++) {
        munmap(mapping->segments[i].target, mapping->segments[i].size);
        if (mapping->segments[i].working)
            munmap(mapping->segments[i].working, mapping->segments[i].size);
    }
    free(mapping);
}

static struct jitscope_error *map_segment(struct double_mapping *mapping, struct jitscope_segment *segment,
                                          void *target) {
    size_t size = segment_size(segment);
    int file = memfd_create("segment", 0);
    if (file < 0 || ftruncate(file, (off_t)size))
        return jitscope_error_create(JITSCOPE_ERROR_SYSTEM, "memfd_create");
    void *place = mmap(target, size, PROT_READ, MAP_SHARED | MAP_FIXED, file, 0);
    void *working = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (place == MAP_FAILED || working == MAP_FAILED)
        return jitscope_error_create(JITSCOPE_ERROR_SYSTEM, "mmap");
    mapping->segments[mapping->count].target = target;
    mapping->segments[mapping->count].working = working;
    mapping->segments[mapping->count++].size = size;
    segment->address = (uint64_t)(uintptr_t)target;
    segment->working = working;
    return NULL;
}

/* Segments must reach each other: one range of addresses for all. */
static struct jitscope_error *allocate(void *context, const struct jitscope_graph *graph,
                                       struct jitscope_segment *segments, size_t count, void **allocation) {
    struct double_mapping *mapping = calloc(1, sizeof *mapping);
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += segment_size(&segments[i]);
    int low = jitscope_graph_wants_low_memory(graph) ? MAP_32BIT : 0;
    char *start = mmap(NULL, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | low, -1, 0);
    printf("allocate: %zu segments, %s\n", count, low ? "below 2 GiB" : "anywhere");
    struct jitscope_error *error =
        mapping && start != MAP_FAILED ? NULL : jitscope_error_create(JITSCOPE_ERROR_NO_MEMORY, "allocate");
    for (size_t i = 0; i < count && !error; i++) {
        error = map_segment(mapping, &segments[i], start);
        start += segment_size(&segments[i]);
    }
    if (error && mapping)
        abandon(context, mapping);
    *allocation = mapping;
    return error;
}

static struct jitscope_error *finalize(void *context, void *opaque, const struct jitscope_segment *segments,
                                       size_t count) {
    struct double_mapping *mapping = opaque;
    (void)context;
    for (size_t i = 0; i < count; i++) {
        munmap(mapping->segments[i].working, mapping->segments[i].size);
        mapping->segments[i].working = NULL;
        if (mprotect(mapping->segments[i].target, mapping->segments[i].size, (int)segments[i].prot))
            return jitscope_error_create(JITSCOPE_ERROR_SYSTEM, "mprotect");
        printf("finalize: segment %zu is %c%c%c\n", i, segments[i].prot & JITSCOPE_READ ? 'r' : '-',
               segments[i].prot & JITSCOPE_WRITE ? 'w' : '-',
               segments[i].prot & JITSCOPE_EXECUTE ? 'x' : '-');
    }
    return NULL;
}

static struct jitscope_error *deallocate(void *context, void *allocation) {
    printf("deallocate\n");
    abandon(context, allocation);
    return NULL;
}

static void destroy(void *context) {
    printf("destroy %s\n", (const char *)context);
}

static const struct jitscope_memory_ops double_mapping = {
    .size = sizeof double_mapping,
    .name = "double mapping",
    .allocate = allocate,
    .finalize = finalize,
    .abandon = abandon,
    .deallocate = deallocate,
    .destroy = destroy,
};

/* What is said of the way to variables: only of jitscope's own managers is it known beforehand that all of a
 * batch lies near. */
struct seen {
    unsigned entries, relaxed;
};

static void see(void *context, const struct jitscope_event *event) {
    struct seen *seen = context;
    seen->entries += !strcmp(jitscope_event_name(event), "table_entry");
    seen->relaxed += !strcmp(jitscope_event_name(event), "edge_relaxed");
}

static void link_kept(const struct jitscope_session_options *options, const char *whose) {
    struct jitscope_session *session;
    struct seen seen = {0, 0};
    check(jitscope_session_create(options, &session));
    check(jitscope_session_set_event_callback(session, JITSCOPE_LEVEL_BLOCK, see, &seen));
    check(jitscope_session_add_file(session, OBJECTS "answer_kept.o"));
    check(jitscope_session_link(session, NULL));
    printf("%s: %s, %s\n", whose, seen.entries ? "entries" : "no entries",
           seen.relaxed ? "loads are relaxed" : "no load is relaxed");
    jitscope_session_destroy(session);
}

int main(void) {
    char name[] = "the manager";
    struct jitscope_session_options options = {.size = sizeof options,
                                               .memory = &double_mapping,
                                               .memory_context = name,
                                               .no_default_libraries = true};
    struct jitscope_session *session;
    struct jitscope_link *link;
    uint64_t address;
    check(jitscope_session_create(&options, &session));
    check(jitscope_session_add_file(session, OBJECTS "counter.o"));
    check(jitscope_session_link(session, &link));
    check(jitscope_session_lookup(session, "count", &address));
    int (*count)(int) = (int (*)(int))(uintptr_t)address;
    count(2);
    printf("count(2) = %d\n", count(2));
    check(jitscope_session_unload(session, link));

    /* 32-bit addresses: the place must suit them. */
    check(jitscope_session_add_file(session, OBJECTS "low.o"));
    check(jitscope_session_link(session, &link));
    check(jitscope_session_lookup(session, "itself", &address));
    printf("a 32-bit pointer to itself: %s\n", *(uint32_t *)(uintptr_t)address == address ? "yes" : "no");
    jitscope_session_destroy(session);

    link_kept(&options, "one's own manager");
    struct jitscope_session_options plain = {.size = sizeof plain, .no_default_libraries = true};
    link_kept(&plain, "jitscope's");
    struct jitscope_memory_ops pretender = double_mapping;
    pretender.name = "in-process";
    options.memory = &pretender;
    struct jitscope_error *error = jitscope_session_create(&options, &session);
    printf("%s\n", jitscope_error_message(error));
    jitscope_error_destroy(error);
    return 0;
}
