/* Segments, and what was placed elsewhere as a whole: the link itself, the libraries around it. */
#include "mirror/diff_state.h"

#include <inttypes.h>

static void put_prot(struct text *out, uint32_t prot) {
    text_print(out, "%c%c%c", prot & PROTECT_READ ? 'r' : '-', prot & PROTECT_WRITE ? 'w' : '-',
               prot & PROTECT_EXECUTE ? 'x' : '-');
}

static void put_segment(struct text *out, const struct event_segment *event) {
    text_append(out, "segment ");
    put_prot(out, event->prot);
    if (event->lifetime != LIFETIME_STANDARD)
        text_append(out, event->lifetime == LIFETIME_FINALIZE ? " (until finalize)" : " (not in memory)");
}

/* --- segments */

static struct jitscope_error *find_lonely(struct diff_work *work, const struct event_segment *event,
                                          bool added) {
    struct text text = {0}, fields = {0};
    put_segment(&text, event);
    text_print(&text, added ? " is new: %" PRIu64 " bytes" : " is gone: it had %" PRIu64 " bytes",
               event->content_size + event->zero_fill_size);
    text_print(&fields, ",\"prot\":%u", event->prot);
    return find(work, added ? "segment_added" : "segment_removed", NO_ID, &text, &fields, NULL);
}

static void put_size(struct text *text, const char *what, uint64_t before, uint64_t after) {
    if (before != after)
        text_print(text, "; %s %" PRIu64 " -> %" PRIu64, what, before, after);
}

static struct jitscope_error *find_resized(struct diff_work *work, const struct event_segment *a,
                                           const struct event_segment *b) {
    struct text text = {0}, fields = {0};
    if (a->content_size == b->content_size && a->zero_fill_size == b->zero_fill_size &&
        a->alignment == b->alignment)
        return NULL;
    put_segment(&text, b);
    text_append(&text, " changed its size");
    put_size(&text, "bytes of content", a->content_size, b->content_size);
    put_size(&text, "of zero-fill", a->zero_fill_size, b->zero_fill_size);
    put_size(&text, "alignment", a->alignment, b->alignment);
    text_print(&fields, ",\"prot\":%u,\"before\":%" PRIu64 ",\"after\":%" PRIu64, b->prot,
               a->content_size + a->zero_fill_size, b->content_size + b->zero_fill_size);
    return find(work, "segment_changed", NO_ID, &text, &fields, NULL);
}

/* By how much the first segment that is in memory on both sides lies elsewhere. */
static bool link_shift(const struct diff_work *work, uint64_t *by) {
    for (uint32_t i = 0; i < work->a.link->segments.count; i++) {
        const struct event_segment *event = &work->a.link->segments.data[i].event;
        uint32_t pair = work->a.segments[i];
        if (pair == NO_ID || !lifetime_in_memory(event->lifetime))
            continue;
        *by = work->b.link->segments.data[pair].event.address - event->address;
        return true;
    }
    return false;
}

/* Against the first segment: what all share is where the whole was put. */
static struct jitscope_error *find_displaced(struct diff_work *work, const struct event_segment *a,
                                             const struct event_segment *b, uint64_t shift) {
    struct text text = {0}, fields = {0};
    uint64_t by = b->address - a->address - shift;
    if (!by || !lifetime_in_memory(a->lifetime))
        return NULL;
    put_segment(&text, b);
    text_append(&text, " lies elsewhere in the link, by ");
    put_shift(&text, by);
    text_print(&fields, ",\"prot\":%u,\"by\":%" PRId64, b->prot, (int64_t)by);
    return find(work, "segment_moved", NO_ID, &text, &fields, NULL);
}

static struct jitscope_error *diff_segments(struct diff_work *work, uint64_t shift) {
    const struct mirror_link *a = work->a.link, *b = work->b.link;
    for (uint32_t i = 0; i < a->segments.count; i++) {
        uint32_t pair = work->a.segments[i];
        const struct event_segment *event = &a->segments.data[i].event;
        if (!a->segments.data[i].known)
            continue;
        if (pair == NO_ID) {
            TRY(find_lonely(work, event, false));
            continue;
        }
        TRY(find_resized(work, event, &b->segments.data[pair].event));
        TRY(find_displaced(work, event, &b->segments.data[pair].event, shift));
    }
    for (uint32_t i = 0; i < b->segments.count; i++)
        if (b->segments.data[i].known && work->b.segments[i] == NO_ID)
            TRY(find_lonely(work, &b->segments.data[i].event, true));
    return NULL;
}

/* --- libraries */

/* Symbols that one library answered on both sides. */
struct library {
    uint32_t name, symbols, astray; /* of these not moved as the first */
    uint64_t by;
};

typedef VEC(struct library) library_list;

static struct library *library_of(library_list *list, uint32_t name) {
    for (uint32_t i = 0; i < list->count; i++)
        if (list->data[i].name == name)
            return &list->data[i];
    return NULL;
}

static bool is_answered(const struct mirror_symbol *symbol) {
    return symbol->known && symbol->state == SYMBOL_EXTERNAL_RESOLVED &&
           (symbol->provider == PROVIDER_SHARED || symbol->provider == PROVIDER_RESOLVER);
}

static struct jitscope_error *collect_libraries(struct diff_work *work, library_list *list) {
    for (uint32_t i = 0; i < work->a.link->symbols.count; i++) {
        const struct mirror_symbol *a = &work->a.link->symbols.data[i];
        uint32_t pair = work->a.symbols[i];
        if (pair == NO_ID || !is_answered(a) || !is_answered(&work->b.link->symbols.data[pair]))
            continue;
        const struct mirror_symbol *b = &work->b.link->symbols.data[pair];
        uint32_t name = shared_name(&work->a, a->where);
        uint64_t by = b->address - a->address;
        if (name != shared_name(&work->b, b->where))
            continue;
        struct library *library = library_of(list, name);
        if (!library) {
            TRY(vec_push(list, (struct library){.name = name, .by = by}));
            library = &list->data[list->count - 1];
        }
        library->symbols++;
        library->astray += library->by != by;
    }
    return NULL;
}

static void put_library(struct text *text, const struct diff_work *work, const struct library *library) {
    if (library->name != NO_NAME)
        put_shared(text, work, library->name);
    else
        text_append(text, "the embedding program's resolver");
}

static struct jitscope_error *find_library(struct diff_work *work, const struct library *library) {
    struct text text = {0}, fields = {0};
    put_library(&text, work, library);
    text_append(&text, ": ");
    put_times(&text, library->astray, "symbol");
    text_print(&text, " of %u lie%s elsewhere in it", library->symbols, library->astray == 1 ? "s" : "");
    put_shared_json(&fields, work, "library", library->name);
    return find(work, "library_changed", NO_ID, &text, &fields, NULL);
}

/* One line for all that moved as a whole: no decision of the linker. */
static struct jitscope_error *note_shifts(struct diff_work *work, bool placed, uint64_t shift,
                                          const library_list *list) {
    struct text text = {0}, fields = {0};
    bool all = true, libraries = false;
    for (uint32_t i = 0; i < list->count; i++) {
        all &= list->data[i].by == shift;
        libraries |= list->data[i].by != 0;
    }
    if (!placed || (!shift && !libraries))
        return NULL;
    if (shift || (all && list->count)) {
        text_append(&text, all && list->count ? "everything, libraries included, lies elsewhere by "
                                              : "everything linked lies elsewhere by ");
        put_shift(&text, shift);
    }
    for (uint32_t i = 0; i < list->count && !all; i++) {
        if (!list->data[i].by)
            continue;
        text_append(&text, text.length ? ", " : "");
        put_library(&text, work, &list->data[i]);
        text_append(&text, text.length ? " by " : " lies elsewhere by ");
        put_shift(&text, list->data[i].by);
    }
    text_append(&text, " (no decision of the linker)");
    text_print(&fields, ",\"by\":%" PRId64, (int64_t)shift);
    return find_note(work, "placement", &text, &fields);
}

static struct jitscope_error *diff_libraries(struct diff_work *work, bool placed, uint64_t shift,
                                             library_list *list) {
    TRY(collect_libraries(work, list));
    for (uint32_t i = 0; i < list->count; i++)
        if (list->data[i].astray)
            TRY(find_library(work, &list->data[i]));
    return note_shifts(work, placed, shift, list);
}

struct jitscope_error *diff_memory(struct diff_work *work) {
    uint64_t shift = 0;
    bool placed = link_shift(work, &shift);
    TRY(diff_segments(work, shift));
    library_list list = {0};
    struct jitscope_error *error = diff_libraries(work, placed, shift, &list);
    vec_destroy(&list);
    return error;
}
