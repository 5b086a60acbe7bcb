#include "bytes/contents.h"

#include "bytes/gather.h"
#include "bytes/lines.h"
#include "bytes/sorted_file.h"
#include "bytes/worker.h"
#include "executor/bridge.h"
#include "trace/event.h"
#include "trace/recording_follow.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

struct contents {
    const struct recording_file *file;
    struct worker worker;
    struct content_progress *progress; /* NULL: nothing was started yet */
    int data, index;
    const uint8_t *mapped; /* DATA, as far as it was needed: tables are searched where they lie */
    uint64_t mapped_size;
    bool has_grown;           /* FILE, since the child began */
    uint32_t behind;          /* batches up to this one were there when the child began */
    uint64_t events;          /* of the recording, when it began */
    struct content_link link; /* the one that was asked for last; number 0: none */
    struct lines lines;
    char reason[1280];
};

static const size_t strides[CONTENT_TABLES] = {
    [CONTENT_SEGMENTS] = sizeof(struct content_segment), [CONTENT_BLOCKS] = sizeof(struct content_block),
    [CONTENT_SYMBOLS] = sizeof(struct content_symbol),   [CONTENT_FIXUPS] = sizeof(struct content_fixup),
    [CONTENT_RELAXED] = sizeof(struct content_relaxed),  [CONTENT_ACTIONS] = sizeof(struct content_action),
};

struct jitscope_error *contents_create(const struct recording_file *file, struct contents **out) {
    struct contents *contents = os_allocate_zeroed(sizeof *contents);
    if (!contents)
        return error_no_memory();
    contents->file = file;
    contents->data = contents->index = -1;
    contents->worker = (struct worker){.heard = -1, .told = {-1, -1}};
    *out = contents;
    return NULL;
}

void contents_destroy(struct contents *contents) {
    if (!contents)
        return;
    worker_stop(&contents->worker);
    lines_destroy(&contents->lines);
    if (contents->progress)
        os_unmap(contents->progress, sizeof *contents->progress);
    if (contents->mapped)
        os_unmap((void *)(uintptr_t)contents->mapped, contents->mapped_size);
    if (contents->data >= 0)
        os_close(contents->data);
    if (contents->index >= 0)
        os_close(contents->index);
    os_release(contents);
}

void contents_renew(struct contents *contents, const struct recording_file *file) {
    contents->file = file;
    contents->has_grown = true;
}

/* --- the child */

static void work(void *context, const struct worker_ends *ends) {
    struct gather_order *order = context;
    order->ends = ends;
    gather(order);
}

static struct jitscope_error *open_files(struct contents *contents) {
    if (!contents->progress)
        contents->progress = os_map(NULL, sizeof *contents->progress, PROT_READ | PROT_WRITE,
                                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!contents->progress)
        return error_system("mmap", NULL);
    if (contents->data < 0)
        contents->data = os_memory_file("jitscope-contents");
    if (contents->index < 0)
        contents->index = os_memory_file("jitscope-contents-index");
    return contents->data < 0 || contents->index < 0 ? error_system("memfd_create", NULL) : NULL;
}

static uint32_t links_there(const struct contents *contents) {
    return contents->progress ? atomic_load_explicit(&contents->progress->links, memory_order_acquire) : 0;
}

static bool read_link(const struct contents *contents, uint32_t place, struct content_link *link) {
    return read_whole(contents->index, link, sizeof *link, (uint64_t)place * sizeof *link);
}

/* Batches that are there already are not written once more. */
static struct jitscope_error *start(struct contents *contents) {
    struct content_link last = {0};
    uint64_t data_bytes;
    bool regular;
    TRY(open_files(contents));
    uint32_t links = links_there(contents);
    if ((links && !read_link(contents, links - 1, &last)) ||
        os_file_size(contents->data, &data_bytes, &regular) < 0)
        return error_system("cannot read what is known of the batches", NULL);
    struct gather_order order = {.file = (struct recording_file *)(uintptr_t)contents->file, /* a copy */
                                 .data = contents->data,
                                 .index = contents->index,
                                 .behind = last.link,
                                 .data_bytes = (data_bytes + 7) & ~UINT64_C(7),
                                 .index_links = links,
                                 .progress = contents->progress};
    atomic_store(&contents->progress->events, 0);
    atomic_store(&contents->progress->seen, 0);
    atomic_store(&contents->progress->outcome, CONTENT_RUNNING);
    contents->has_grown = false;
    contents->behind = last.link;
    contents->events = contents->file->events;
    worker_stop(&contents->worker);
    return worker_start(&contents->worker, work, &order);
}

/* --- asking */

/* In the index; batches are there in order of their numbers. */
static bool find_link(struct contents *contents, uint32_t number, struct content_link *link) {
    uint32_t low = 0, high = links_there(contents);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (!read_link(contents, middle, link))
            return false;
        if (link->link == number)
            return true;
        if (link->link < number)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

/* Of reports that are lines the first two: what there is to say in short. */
static enum contents_state never(struct contents *contents, const char *format, const char *detail) {
    snprintf(contents->reason, sizeof contents->reason, format, detail);
    char *first = strchr(contents->reason, '\n'), *second = first ? strchr(first + 1, '\n') : NULL;
    if (second)
        *second = '\0';
    if (first)
        *first = first[1] ? ' ' : '\0';
    return CONTENTS_NEVER;
}

/* All was replayed, and it was not there. */
static enum contents_state not_replayed(struct contents *contents, uint32_t number) {
    struct content_link first;
    if (contents->progress->reason[0])
        return never(contents, "the recording does not hold the whole of it: %s", contents->progress->reason);
    if (links_there(contents) && read_link(contents, 0, &first) && number < first.link)
        return never(contents, "%s", "it was linked before the recording begins");
    return never(contents, "%s", "the recording has no such batch");
}

/* The child has ended without it. */
static enum contents_state not_there(struct contents *contents, uint32_t number) {
    const struct content_progress *progress = contents->progress;
    switch (atomic_load_explicit(&progress->outcome, memory_order_acquire)) {
    case CONTENT_COMPLETE:
        return not_replayed(contents, number);
    case CONTENT_STOPPED:
        return never(contents, "the recording does not replay: %s", progress->reason);
    default:
        return never(contents, "the replay that was to tell has ended before its time%s", "");
    }
}

static enum contents_state begin(struct contents *contents) {
    struct jitscope_error *error = start(contents);
    if (!error)
        return CONTENTS_WORKING;
    never(contents, "%s", jitscope_error_message(error));
    jitscope_error_destroy(error);
    return CONTENTS_NEVER;
}

/* A child that follows the recording waits at its end; it goes on when there is more. */
static bool has_seen_all(const struct contents *contents) {
    uint64_t seen = atomic_load(&contents->progress->seen);
    bool has_ended = contents->file->follow && recording_has_ended(contents->file);
    if (!seen || (seen >= contents->file->events && !has_ended))
        return seen != 0;
    worker_tell(&contents->worker, has_ended ? GATHER_GONE : GATHER_MORE);
    return false;
}

enum contents_state contents_ask(struct contents *contents, uint32_t number) {
    if (contents->link.has_memory && contents->link.link == number)
        return CONTENTS_READY;
    if (!number)
        return never(contents, "%s", "it is of no batch");
    struct content_link link;
    bool was_started = contents->worker.process != 0, had_ended = contents->worker.ended;
    worker_listen(&contents->worker);
    if (find_link(contents, number, &link)) {
        contents->link = link;
        return link.has_memory ? CONTENTS_READY
                               : never(contents, "%s", "the link failed before its memory was complete");
    }
    if (!was_started || (had_ended && contents->has_grown))
        return begin(contents);
    if (!contents->worker.ended)
        return has_seen_all(contents) ? never(contents, "%s", "it is not linked yet") : CONTENTS_WORKING;
    return contents->has_grown ? begin(contents) : not_there(contents, number);
}

enum contents_state contents_wait(struct contents *contents, uint32_t link) {
    enum contents_state state;
    while ((state = contents_ask(contents, link)) == CONTENTS_WORKING)
        worker_wait(&contents->worker, -1);
    return state;
}

const char *contents_reason(const struct contents *contents) {
    return contents->reason;
}

uint32_t contents_progress(const struct contents *contents) {
    if (!contents->progress || !contents->events)
        return 0;
    uint64_t done = atomic_load_explicit(&contents->progress->events, memory_order_relaxed);
    return done >= contents->events ? 999 : (uint32_t)(done * 1000 / contents->events);
}

int contents_descriptor(const struct contents *contents) {
    return contents->worker.process && !contents->worker.ended ? contents->worker.heard : -1;
}

/* --- tables */

/* All of the file that there is now, which no one changes any more. */
static void map_data(struct contents *contents) {
    uint64_t size;
    bool regular;
    if (contents->mapped)
        os_unmap((void *)(uintptr_t)contents->mapped, contents->mapped_size);
    contents->mapped = NULL;
    if (os_file_size(contents->data, &size, &regular) == 0 && size)
        contents->mapped = os_map(NULL, size, PROT_READ, MAP_SHARED, contents->data, 0);
    contents->mapped_size = contents->mapped ? size : 0;
}

/* A table and its entries; none when LINK is not ready. */
static const uint8_t *entries_of(struct contents *contents, uint32_t link, enum content_table table,
                                 uint32_t *count) {
    *count = 0;
    if (contents_ask(contents, link) != CONTENTS_READY)
        return NULL;
    const struct content_place *place = &contents->link.tables[table];
    uint64_t size = (uint64_t)place->count * strides[table];
    if (!size)
        return NULL;
    if (!bytes_contain((struct bytes){contents->mapped, contents->mapped_size}, place->offset, size))
        map_data(contents);
    if (!bytes_contain((struct bytes){contents->mapped, contents->mapped_size}, place->offset, size))
        return NULL;
    *count = place->count;
    return contents->mapped + place->offset;
}

uint32_t contents_count(struct contents *contents, uint32_t link, enum content_table table) {
    uint32_t count;
    entries_of(contents, link, table, &count);
    return count;
}

bool contents_entry(struct contents *contents, uint32_t link, enum content_table table, uint32_t number,
                    void *entry) {
    uint32_t count;
    const uint8_t *entries = entries_of(contents, link, table, &count);
    if (number >= count)
        return false;
    memcpy(entry, entries + (size_t)number * strides[table], strides[table]);
    return true;
}

uint32_t contents_first(struct contents *contents, uint32_t link, enum content_table table,
                        uint64_t address) {
    uint32_t low = 0, high;
    const uint8_t *entries = entries_of(contents, link, table, &high);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (load_u64(entries + (size_t)middle * strides[table]) < address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The last entry that begins at or before ADDRESS. */
static bool entry_before(struct contents *contents, uint32_t link, enum content_table table, uint64_t address,
                         void *entry) {
    uint32_t behind = address == UINT64_MAX ? contents_count(contents, link, table)
                                            : contents_first(contents, link, table, address + 1);
    return behind && contents_entry(contents, link, table, behind - 1, entry);
}

bool contents_segment_at(struct contents *contents, uint32_t link, uint64_t address,
                         struct content_segment *segment) {
    return entry_before(contents, link, CONTENT_SEGMENTS, address, segment) &&
           address - segment->address < segment->size;
}

/* Blocks without bytes may lie where another one begins. */
bool contents_block_at(struct contents *contents, uint32_t link, uint64_t address,
                       struct content_block *block) {
    enum { MOST_EMPTY = 32 };
    uint32_t behind = address == UINT64_MAX ? 0 : contents_first(contents, link, CONTENT_BLOCKS, address + 1);
    for (uint32_t i = 0; i < MOST_EMPTY && behind; i++) {
        if (!contents_entry(contents, link, CONTENT_BLOCKS, --behind, block))
            return false;
        if (block->size)
            return address - block->address < block->size;
    }
    return false;
}

bool contents_fixup_at(struct contents *contents, uint32_t link, uint64_t address,
                       struct content_fixup *fixup) {
    return entry_before(contents, link, CONTENT_FIXUPS, address, fixup) &&
           address - fixup->place < fixup->width;
}

bool contents_read(struct contents *contents, uint32_t link, uint64_t address, void *to, uint64_t size) {
    struct content_segment segment;
    if (!contents_segment_at(contents, link, address, &segment))
        return false;
    uint64_t offset = address - segment.address;
    if (size > segment.size - offset)
        return false;
    uint64_t written = offset < segment.content_size ? segment.content_size - offset : 0;
    written = written < size ? written : size;
    memset((uint8_t *)to + written, 0, size - written);
    return read_whole(contents->data, to, written, segment.content + offset);
}

bool contents_text(struct contents *contents, struct content_text where, struct text *out) {
    char buffer[1024];
    while (where.length) {
        uint64_t part = where.length < sizeof buffer ? where.length : sizeof buffer;
        if (!read_whole(contents->data, buffer, part, where.offset))
            return false;
        text_append_bytes(out, buffer, part);
        where.offset += part;
        where.length -= part;
    }
    return true;
}

static bool find_half(struct contents *contents, uint32_t link, uint64_t order, struct content_action *half) {
    uint32_t place = contents_first(contents, link, CONTENT_ACTIONS, order);
    return contents_entry(contents, link, CONTENT_ACTIONS, place, half) && half->order == order;
}

struct jitscope_error *contents_action(struct contents *contents, uint32_t link, uint32_t action,
                                       bool deallocate, struct text *function, struct bytes *arguments) {
    struct content_action half;
    if (!find_half(contents, link, 2 * (uint64_t)action + deallocate, &half))
        return error_create(JITSCOPE_ERROR_NOT_FOUND, "no such half of an action");
    uint8_t *copy = os_allocate(half.arguments.length);
    if (!copy)
        return error_no_memory();
    if (!read_whole(contents->data, copy, half.arguments.length, half.arguments.offset) ||
        !contents_text(contents, half.function, function)) {
        os_release(copy);
        return error_system("pread", NULL);
    }
    *arguments = (struct bytes){copy, half.arguments.length};
    return NULL;
}

/* --- lines */

static bool find_image(struct contents *contents, uint32_t link, struct content_text *image) {
    uint32_t count = contents_count(contents, link, CONTENT_ACTIONS);
    struct content_action half;
    bool found = false;
    for (uint32_t i = 0; i < count && !found; i++) {
        struct text name = {0};
        if (contents_entry(contents, link, CONTENT_ACTIONS, i, &half) &&
            contents_text(contents, half.function, &name) && name.data)
            found = !strcmp(name.data, bridge_action_REGISTER_DEBUG_IMAGE);
        text_destroy(&name);
    }
    *image = half.arguments;
    return found;
}

/* Of one batch at a time. */
static enum contents_state start_lines(struct contents *contents, uint32_t number) {
    struct content_text image;
    enum contents_state state = contents_ask(contents, number);
    if (state != CONTENTS_READY)
        return state;
    if (contents->lines.working)
        return CONTENTS_WORKING;
    if (!find_image(contents, number, &image))
        return never(contents, "%s", "the batch has no debug information");
    struct jitscope_error *error =
        lines_start(&contents->lines, number, contents->data, image.offset, image.length);
    if (error)
        never(contents, "%s", jitscope_error_message(error));
    jitscope_error_destroy(error);
    return error ? CONTENTS_NEVER : CONTENTS_WORKING;
}

enum contents_state contents_line(struct contents *contents, uint32_t number, uint64_t address,
                                  struct content_line *line) {
    struct line_entry row;
    lines_listen(&contents->lines);
    const struct link_lines *link = lines_find(&contents->lines, number);
    if (!link)
        return start_lines(contents, number);
    if (!link->is_ready)
        return CONTENTS_WORKING;
    if (!lines_row(link, address, &row))
        return never(contents, "%s", "the debug information has no line for it");
    *line = (struct content_line){.address = row.address, .line = row.line, .file = row.file};
    return CONTENTS_READY;
}

enum contents_state contents_wait_for_lines(struct contents *contents, uint32_t link) {
    struct content_line line;
    enum contents_state state = contents_wait(contents, link);
    while (state == CONTENTS_READY && contents_line(contents, link, 0, &line) == CONTENTS_WORKING)
        worker_wait(&contents->lines.worker, -1);
    return state;
}

bool contents_line_file(struct contents *contents, uint32_t number, const struct content_line *line,
                        struct text *out) {
    const struct link_lines *link = lines_find(&contents->lines, number);
    return link && lines_file(link, line->file, out);
}

int contents_lines_descriptor(const struct contents *contents) {
    return contents->lines.working ? contents->lines.worker.heard : -1;
}
