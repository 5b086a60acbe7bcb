/* Where a name leads to. */
#include "mirror/why_query.h"

static bool find_in_link(const struct why_query *query, const struct mirror_link *link, const char *name,
                         size_t length, uint64_t *address) {
    for (uint32_t i = 0; i < link->symbols.count; i++) {
        const struct mirror_symbol *symbol = mirror_symbol(link, i);
        if (symbol && text_is(query, symbol->name, name, length) &&
            mirror_symbol_address(link, symbol, address))
            return true;
    }
    return false;
}

static void find_address(const struct why_query *query, const char *name, size_t length, uint64_t *address,
                         bool *found) {
    struct name_span span = span_of_name(query, name, length);
    uint64_t candidate = 0;
    EACH_LINK_WITHIN(link, span) {
        bool is_live = link_is_live(link);
        if ((*found && !is_live) || !find_in_link(query, link, name, length, &candidate))
            continue;
        *found = true;
        *address = candidate;
        if (is_live)
            return;
    }
}

struct jitscope_error *why_find_address(const struct mirror *mirror, const char *name, size_t length,
                                        uint64_t *address, bool *found) {
    struct why_query query = {.mirror = mirror};
    *found = false;
    struct jitscope_error *error = note_links(&query);
    if (!error) {
        find_address(&query, name, length, address, found);
        error = mirror_failure(mirror);
    }
    forget_links(&query);
    return error;
}
