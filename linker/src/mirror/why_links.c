/* Going through links, the latest first.  Of a mirror on demand those that were read for the question alone
 * are forgotten once there are many; those that cannot matter are not read. */
#include "mirror/why_query.h"

enum { MUCH = 64 << 20 }; /* bytes of contents */

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

/* Symbols may stand right behind the last byte. */
static bool is_around(const struct mirror *mirror, uint32_t number, uint64_t address) {
    for (uint32_t i = 0; i < mirror->placements.count; i++)
        if (mirror->placements.data[i].link == number &&
            address - mirror->placements.data[i].address <= mirror->placements.data[i].size)
            return true;
    return false;
}

/* The greatest number below NUMBER of a link with memory around ADDRESS; NO_ID for none. */
static uint32_t number_around(const struct mirror *mirror, uint32_t number, uint64_t address) {
    uint32_t best = NO_ID;
    for (uint32_t i = 0; i < mirror->placements.count; i++) {
        const struct mirror_placement *place = &mirror->placements.data[i];
        if (place->link < number && address - place->address <= place->size &&
            (best == NO_ID || place->link > best))
            best = place->link;
    }
    return best;
}

const struct mirror_link *link_around_before(const struct why_query *query, const struct mirror_link *link,
                                             uint64_t address) {
    uint32_t number = number_around(query->mirror, link ? link->number : NO_ID, address);
    if (link)
        leave(query, link->number);
    return number == NO_ID ? NULL : mirror_link_whole(query->mirror, number);
}

bool can_define(const struct why_query *query, uint32_t number, uint64_t address) {
    const struct mirror *mirror = query->mirror;
    return mirror->links.data[number].has_absolute || is_around(mirror, number, address);
}
