/* Going through links, the latest first.  Of a mirror on demand those that were read for the question alone
 * are forgotten once there are many; those that cannot matter are not read. */
#include "mirror/why_query.h"

#include <string.h>

enum { MUCH = 16 << 20 }; /* bytes of contents */

static void leave(const struct why_query *query, uint32_t number) {
    if (!query->was_there[number] && query->mirror->content_bytes > MUCH)
        mirror_forget(query->mirror, number);
}

const struct mirror_link *latest_link(const struct why_query *query) {
    uint32_t count = query->mirror->links.count;
    return count ? mirror_link_whole(query->mirror, count - 1) : NULL;
}

const struct mirror_link *link_before(const struct why_query *query, const struct mirror_link *link) {
    uint32_t number = link->number;
    leave(query, number);
    return number ? mirror_link_whole(query->mirror, number - 1) : NULL;
}

/* Links with memory around ADDRESS, as flags by number.  Symbols may stand right behind the last byte. */
static const bool *find_around(const struct why_query *query, uint64_t address) {
    const struct mirror *mirror = query->mirror;
    struct why_around *around = query->around;
    if (around->is_known && around->address == address)
        return around->links;
    around->is_known = true;
    around->address = address;
    memset(around->links, 0, mirror->links.count * sizeof *around->links);
    for (uint32_t i = 0; i < mirror->placements.count; i++) {
        const struct mirror_placement *place = &mirror->placements.data[i];
        around->links[place->link] |= address - place->address <= place->size;
    }
    return around->links;
}

const struct mirror_link *link_around_before(const struct why_query *query, const struct mirror_link *link,
                                             uint64_t address) {
    const bool *around = find_around(query, address);
    uint32_t number = link ? link->number : query->mirror->links.count;
    if (link)
        leave(query, number);
    while (number-- > 0)
        if (around[number])
            return mirror_link_whole(query->mirror, number);
    return NULL;
}

static void widen(struct name_span *span, const struct mirror *mirror, uint32_t name) {
    struct name_span other = {0};
    if (name < mirror->name_spans.count)
        other = mirror->name_spans.data[name];
    if (!other.end)
        return;
    span->first = !span->end || other.first < span->first ? other.first : span->first;
    span->end = other.end > span->end ? other.end : span->end;
}

struct name_span span_of_name(const struct why_query *query, const char *name, size_t length) {
    const struct mirror *mirror = query->mirror;
    struct name_span span = {.end = mirror->on_demand && !mirror->has_far_names && length ? 0 : NO_ID};
    for (uint32_t i = 0; i < mirror->file->strings.count && span.end != NO_ID; i++)
        if (text_is(query, i, name, length))
            widen(&span, mirror, i);
    return span;
}

const struct mirror_link *link_within_before(const struct why_query *query, const struct mirror_link *link,
                                             struct name_span span) {
    uint32_t end = link ? link->number : query->mirror->links.count;
    if (link)
        leave(query, end);
    end = end < span.end ? end : span.end;
    return end > span.first ? mirror_link_whole(query->mirror, end - 1) : NULL;
}

bool can_define(const struct why_query *query, uint32_t number, uint64_t address) {
    return query->mirror->links.data[number].has_absolute || find_around(query, address)[number];
}

struct jitscope_error *note_links(struct why_query *query) {
    const struct mirror *mirror = query->mirror;
    query->was_there = os_allocate_zeroed((mirror->links.count + 1) * sizeof *query->was_there);
    query->around = os_allocate_zeroed(sizeof *query->around + mirror->links.count * sizeof(bool));
    if (!query->was_there || !query->around)
        return error_no_memory();
    for (uint32_t i = 0; i < mirror->links.count; i++)
        query->was_there[i] = mirror_has_content(mirror, i);
    return NULL;
}

void forget_links(struct why_query *query) {
    for (uint32_t i = 0; query->was_there && i < query->mirror->links.count; i++)
        if (!query->was_there[i])
            mirror_forget(query->mirror, i);
    os_release(query->was_there);
    os_release(query->around);
}
